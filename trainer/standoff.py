"""Stand-off labels: a hash and a kind for each paragraph of public pages, without the text; `hydrate` brings the text back.

A stand-off file has one page a line: where its HTML is published (`repo`, `commit`, `path`), and `blocks`, a word for each
visible block in reading order: 12 hexadecimal digits of the SHA-1 of its text and the letter of its kind.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from trainer import checkouts
from trainer.errors import InputError
from trainer.files import read_json_lines
from trainer.pages import blocks

KINDS = {
    "n": "news", "f": "fundraising", "c": "caption", "v": "interface", "r": "related", "p": "promo", "b": "byline",
    "a": "author", "l": "legal", "u": "comment",
}  # fmt: skip
FIELDS = ("id", "site", "repo", "commit", "path", "blocks")
_HINT = f"A page is an object of {', '.join(FIELDS)}; see labels/GUIDELINES.md."
_HASH_DIGITS = 12
_BLOCK = re.compile(rf"[0-9a-f]{{{_HASH_DIGITS}}}[{''.join(KINDS)}]")

Tracked = Callable[[Iterable[Any], int], Iterable[Any]]


class Page(NamedTuple):
    """A page without its text: where to find it, and hash and kind of each of its paragraphs."""

    id: str
    site: str
    repo: str
    commit: str
    path: str
    blocks: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A page with its text: paragraphs as in a label file, and how many paragraphs of the stand-off file were found."""

    page: Page
    paragraphs: list[dict[str, str | None]]
    matched: int

    @property
    def exact(self) -> bool:
        """Whether the page has the annotated paragraphs and no others."""
        return self.matched == len(self.page.blocks) == len(self.paragraphs)

    @property
    def record(self) -> dict[str, Any]:
        """The page as a line of a label file."""
        source = f"{self.page.repo}@{self.page.commit}:{self.page.path}"
        return {"id": self.page.id, "site": self.page.site, "source": source, "paragraphs": self.paragraphs}


@dataclass(frozen=True, slots=True)
class Hydration:
    """Pages rebuilt, and pages missing with the reason."""

    rebuilt: list[Rebuilt]
    missing: list[tuple[Page, str]]

    @property
    def complete(self) -> bool:
        """Whether every page is there, as it was annotated."""
        return not self.missing and all(page.exact for page in self.rebuilt)

    def report(self) -> dict[str, Any]:
        """Count pages and paragraphs; name changed pages, and what is missing by repository, commit and reason."""
        lacking = Counter((page.repo, page.commit, reason) for page, reason in self.missing)
        pages = [item.page for item in self.rebuilt] + [page for page, _ in self.missing]
        return {
            "pages": len(pages),
            "rebuilt": len(self.rebuilt),
            "paragraphs": sum(len(page.blocks) for page in pages),
            "matched": sum(item.matched for item in self.rebuilt),
            "changed": [
                {"id": item.page.id, "annotated": len(item.page.blocks), "found": len(item.paragraphs), "matched": item.matched}
                for item in self.rebuilt
                if not item.exact
            ],
            "missing": [
                {"repo": repo, "commit": commit, "reason": reason, "pages": count}
                for (repo, commit, reason), count in lacking.most_common()
            ],
        }


def load_standoff(file: Path) -> list[Page]:
    """Read a stand-off file.

    `blocks` may also be a list of [hash, kind letter].

    Raises:
        InputError: with file and line, for bad JSON, a missing or further field, a name that git must not see, a wrong hash, an
            unknown kind or an id that stands twice; or if there is no page.
    """
    pages: dict[str, Page] = {}
    for where, item in read_json_lines(file, hint="A stand-off file holds one JSON object a line."):
        try:
            page = _page(item)
            if page.id in pages:
                raise InputError(f"page id {page.id!r} stands twice")
        except InputError as error:
            raise InputError(error.cause, where=where, hint=_HINT) from None
        pages[page.id] = page
    if not pages:
        raise InputError("holds no pages", where=str(file), hint=_HINT)
    return list(pages.values())


def hydrate(pages: Sequence[Page], folder: Path, tracked: Tracked = lambda items, _: items) -> Hydration:
    """Rebuild pages from the clones in `folder`; see `checkouts.find` for where they may lie.

    Raises:
        InputError: there is no such folder.
        TrainerError: git or lxml is not installed.
    """
    if not folder.is_dir():
        raise InputError("no such folder", where=str(folder), hint="Name the folder that holds the clones.")
    done = Hydration([], [])
    for page in tracked(pages, len(pages)):
        try:
            done.rebuilt.append(annotate(page, blocks(checkouts.read(folder, page.repo, page.commit, page.path))))
        except InputError as error:
            done.missing.append((page, error.cause))
    return done


def annotate(page: Page, texts: Sequence[str]) -> Rebuilt:
    """Give the texts of a page their labels; where the page has changed, those that do not fit in order get none."""
    wanted = [digest for digest, _ in page.blocks]
    found = [fingerprint(text) for text in texts]
    kinds: list[str | None] = [None] * len(texts)
    for start, at, length in _runs(wanted, found):
        kinds[at : at + length] = [KINDS[letter] for _, letter in page.blocks[start : start + length]]
    paragraphs = [_paragraph(text, kind) for text, kind in zip(texts, kinds, strict=True)]
    return Rebuilt(page, paragraphs, sum(kind is not None for kind in kinds))


def fingerprint(text: str) -> str:
    """Return the hash that stands for a text."""
    return hashlib.sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()[:_HASH_DIGITS]


def label_of(kind: str) -> str:
    """Return the label that a kind belongs to."""
    return kind if kind in ("news", "fundraising", "caption") else "navigation"


def next_step(missing: dict[str, Any], folder: Path) -> str:
    """Return the command that helps with an entry under `missing` of the report, or nothing."""
    clone = checkouts.find(folder, missing["repo"])
    address = f"https://github.com/{missing['repo']}"
    if clone is None:
        return f"git clone --no-checkout {address} {quote(str(folder / missing['repo']))}"
    return f"git -C {quote(str(clone))} fetch {address} {missing['commit']}" if missing["reason"] == checkouts.NO_COMMIT else ""


def _runs(wanted: list[str], found: list[str]) -> Iterator[tuple[int, int, int]]:
    """Yield (start in wanted, start in found, length) of what both have in the same order."""
    if wanted == found:
        yield 0, 0, len(found)
    else:
        yield from SequenceMatcher(None, wanted, found).get_matching_blocks()


def _paragraph(text: str, kind: str | None) -> dict[str, str | None]:
    return {"text": text, "label": None} if kind is None else {"text": text, "label": label_of(kind), "kind": kind}


def _page(item: Any) -> Page:
    if not isinstance(item, dict):
        raise InputError(f"expected an object, got {type(item).__name__}")
    for field in FIELDS[:-1]:
        if not isinstance(item.get(field), str) or not item[field].strip() or not item[field].isprintable():
            raise InputError(f"missing field {field!r}" if field not in item else f"field {field!r} is not a line of text")
    if further := sorted(item.keys() - set(FIELDS)):
        raise InputError(f"unknown field {further[0][:40]!r}")
    if cause := checkouts.flaw(item["repo"], item["commit"], item["path"]):
        raise InputError(cause)
    return Page(item["id"], item["site"], item["repo"], item["commit"], item["path"], _blocks(item.get("blocks")))


def _blocks(given: Any) -> tuple[tuple[str, str], ...]:
    """Check blocks, given as one text or as a list of pairs."""
    if isinstance(given, list) and all(isinstance(pair, list) and [*map(type, pair)] == [str, str] for pair in given):
        words = ["".join(pair) for pair in given]
    elif isinstance(given, str):
        words = given.split()
    else:
        raise InputError("field 'blocks' is neither a text nor a list of [hash, kind letter]")
    for index, word in enumerate(words):
        if not _BLOCK.fullmatch(word):
            wanted = f"{_HASH_DIGITS} hexadecimal digits and one of {', '.join(KINDS)}"
            raise InputError(f"block {index}: {word[:20]!r} is not {wanted}")
    return tuple((word[:-1], word[-1]) for word in words)
