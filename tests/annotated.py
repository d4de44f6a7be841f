"""Articles that several people labelled; shared by the tests of agreement, adjudication and `trainer labels check`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from small import write

from trainer.annotations import AnnotatedArticle, read_annotations
from trainer.schema import NEWS_LABELS

SHORT = {"n": "news", "f": "fundraising", "v": "navigation", "c": "caption", "-": None}


def spelt(number: int) -> str:
    """Return a number in letters: texts that differ in digits alone count as the same."""
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def record(number: int, labels: str, site: str = "lund.example", **fields: Any) -> dict[str, Any]:
    """Return a label record of one person; a letter a paragraph, `-` where it is not labelled."""
    paragraphs = [
        {"text": f"Paragraph {spelt(i)} of story {spelt(number)}.", "label": SHORT[letter]} for i, letter in enumerate(labels)
    ]
    return {"id": f"s-{number}", "site": site, "source": "test", "paragraphs": paragraphs, **fields}


def joined(number: int, *, site: str = "lund.example", dates: dict[str, str] | None = None, **people: str) -> dict[str, Any]:
    """Return the record of what several people said of one article, as it is pulled from Label Studio."""
    length = len(next(iter(people.values())))
    item = record(number, "-" * length, site)
    for index, paragraph in enumerate(item["paragraphs"]):
        said = [
            {"annotator": name, "label": SHORT[labels[index]], "updated": (dates or {}).get(name)}
            for name, labels in people.items()
            if labels[index] != "-"
        ]
        names = {one["label"] for one in said}
        paragraph["label"] = names.pop() if len(names) == 1 else None
        paragraph["annotations"] = said
    return item


def annotated(folder: Path, *items: dict[str, Any]) -> list[AnnotatedArticle]:
    """Write records to a file and read them."""
    return read_annotations([write(folder / "pulled.jsonl", list(items))], NEWS_LABELS)


def files(folder: Path, **people: list[dict[str, Any]]) -> list[Path]:
    """Write a label file for each person."""
    return [write(folder / f"{name}.jsonl", items) for name, items in people.items()]
