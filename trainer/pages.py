"""HTML pages to the texts of their visible blocks in reading order; needs lxml (the extra `html`)."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping

from trainer.errors import InputError, TrainerError

MAX_PAGE = 10_000_000  # bytes or characters
MAX_DEPTH = 256  # open elements; libxml2 builds no deeper tree either
_BLOCKS = frozenset(
    "p div li ul ol h1 h2 h3 h4 h5 h6 td th tr table section article nav header footer aside main form figure figcaption "
    "blockquote pre dl dt dd address fieldset details summary button option select label br hr body caption center "
    "legend".split()
)
_SKIPPED = frozenset("script style noscript template svg head iframe canvas object textarea select option".split())
_CHARSET = re.compile(rb'charset=["\']?([\w-]+)')
_CHARSET_WITHIN = 4000  # bytes at the start of a page
_NOT_OF_PAGES = ("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape")  # Python's own; slow or no texts
_DECLARATION = re.compile(r"<\?xml[^>]{0,200}\?>")  # bounded, so that a page full of starts takes linear time
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"\w")


def blocks(html: bytes | str, charset: str = "") -> list[str]:
    """Return the text of each visible block (paragraph, heading, list item, table cell …) in reading order.

    White space is collapsed. Left out are blocks without a letter or digit, scripts, the choices of forms, what the page itself
    marks as hidden, and what follows `</html>` or nests deeper than `MAX_DEPTH`. Anything gives a list: what is not HTML is
    taken as text. Nothing is fetched, and no entities but HTML's own are expanded.

    Args:
        charset: what the response's header says of bytes, see `decode`.

    Raises:
        InputError: `html` is neither bytes nor text, or larger than `MAX_PAGE`.
        TrainerError: lxml is not installed.
    """
    try:
        from lxml import etree
    except ModuleNotFoundError:
        hint = "Install it: pip install 'paragraph-trainer[html]'"
        raise TrainerError("reading HTML needs lxml, which is not installed", hint=hint) from None
    if not isinstance(html, bytes | str):
        raise InputError(f"expected a page as bytes or text, got {type(html).__name__}", hint="Pass the body of a response.")
    if len(html) > MAX_PAGE:
        raise InputError(f"a page of {len(html):,} bytes; the most is {MAX_PAGE:,}", hint="Is it a web page?")
    text = _DECLARATION.sub("", decode(html, charset) if isinstance(html, bytes) else html, count=1)
    target = _Blocks()
    # Events instead of a tree: a tree takes quadratic time over the attributes of an element.
    parser = etree.HTMLParser(target=target, encoding="utf-8", no_network=True, huge_tree=False)
    try:
        parser.feed(text.encode("utf-8", "replace"))
        parser.close()
    except (etree.LxmlError, _EndOfPage):
        target.close()
    return target.found


def decode(page: bytes, charset: str = "") -> str:
    """Return the characters of a page: UTF-8 if it is that, else in the encoding that is named, else Windows-1252 or Latin-1.

    Args:
        charset: what the response's header names; it goes before what the page itself names.
    """
    named = _CHARSET.search(page[:_CHARSET_WITHIN])
    encodings = ["utf-8", charset, named.group(1).decode() if named else "", "cp1252"]
    if page.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings.insert(0, "utf-16")
    elif b"\0" in page or b"\x1b" in page:  # UTF-16, ISO 2022: made of bytes that would do as UTF-8
        encodings.insert(0, charset)
    for encoding in encodings:
        try:
            if encoding and codecs.lookup(encoding).name not in _NOT_OF_PAGES:
                return page.decode(encoding)
        except (UnicodeError, LookupError):
            pass
    return page.decode("latin-1")


class _EndOfPage(Exception):  # noqa: N818 (no error)
    """Nothing that follows is read."""


class _Blocks:
    """What the parser tells of a page, gathered into `found`."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._run: list[str] = []  # text since the last border of a block
        self._depth = 0
        self._skipped = 0  # how many of the open elements are skipped ones and those inside them

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _EndOfPage
        name = tag.lower()
        if self._skipped or name in _SKIPPED or _hidden(name, attributes):
            self._skipped += 1
        elif name in _BLOCKS:
            self._border()

    def end(self, tag: str) -> None:
        self._depth -= 1
        name = tag.lower()
        if self._skipped:
            self._skipped -= 1
        elif name in _BLOCKS:
            self._border()
        if name == "html":
            raise _EndOfPage

    def data(self, text: str) -> None:
        if not self._skipped:
            self._run.append(text)

    def close(self) -> None:
        self._border()

    def _border(self) -> None:
        text = _SPACE.sub(" ", "".join(self._run)).strip()
        self._run.clear()
        if _WORD.search(text):
            self.found.append(text)


def _hidden(name: str, attributes: Mapping[str, str]) -> bool:
    style = (attributes.get("style") or "").replace(" ", "").lower()
    if "display:none" in style or "hidden" in attributes:
        return True
    return name == "i" and attributes.get("aria-hidden") == "true"
