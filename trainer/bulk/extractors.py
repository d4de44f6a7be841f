"""What makes an article of a web page: all its visible blocks, or what an extractor finds in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trainer.errors import InputError, TrainerError

# Takes a page and the character set that its response names; returns fields of a record, none where the page has no text.
Extract = Callable[[bytes, str], dict[str, Any]]


def blocks(page: bytes, charset: str = "") -> dict[str, Any]:
    """Return the page's visible blocks as paragraphs.

    Raises:
        InputError: the page is too large. TrainerError: lxml is not installed.
    """
    from trainer import pages

    found = pages.blocks(page, charset)
    return {"paragraphs": found} if found else {}


def trafilatura(page: bytes, charset: str = "") -> dict[str, Any]:
    """Return the text that trafilatura finds, and its metadata; the article's date as `published`.

    Raises:
        TrainerError: trafilatura is not installed.
    """
    from trainer import pages
    from trainer.integrations.trafilatura import article

    found = article(pages.decode(page, charset)) or {}
    found.pop("filedate", None)  # today's
    if "date" in found:
        found["published"] = found.pop("date")
    return found if found.get("text") else {}


EXTRACTORS: dict[str, Extract] = {"blocks": blocks, "trafilatura": trafilatura}
_NEEDS = {"blocks": ("lxml", "html"), "trafilatura": ("trafilatura", "trafilatura")}  # module and extra


def check(name: str) -> None:
    """Refuse an extractor that is not there.

    Raises:
        InputError: there is none of this name. TrainerError: it is not installed.
    """
    from importlib.util import find_spec

    if name not in EXTRACTORS:
        raise InputError(f"no extractor {name!r}", hint=f"There are {', '.join(EXTRACTORS)}.")
    module, extra = _NEEDS[name]
    if find_spec(module) is None:
        hint = f"Install it: pip install 'paragraph-trainer[{extra}]'"
        raise TrainerError(f"reading web pages needs {module}, which is not installed", hint=hint)
