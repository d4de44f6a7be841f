"""Articles and label files as tasks of Label Studio."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from trainer import records
from trainer.errors import InputError
from trainer.files import STDIO
from trainer.paragraph import split
from trainer.records import host_of
from trainer.schema import LabelSet
from trainer.studio import interface
from trainer.verdicts import code_of

TITLE_CHARS = 120
Record = Mapping[str, Any]


class Article(NamedTuple):
    """An article to label: its key, where it stood, its paragraphs, the labels some may have, and the task's data."""

    key: str
    where: str
    texts: tuple[str, ...]
    given: tuple[str | None, ...]
    data: dict[str, Any]


class Batch(NamedTuple):
    """What was read: the articles; how many were left out, having no paragraphs or standing twice; how many have no site."""

    articles: list[Article]
    empty: int
    repeated: int
    siteless: int


def read(
    paths: Iterable[Path],
    labels: LabelSet,
    by_kind: Mapping[str, str],
    *,
    limit: int | None = None,
    blind: bool = False,
    site: str = "",
) -> Batch:
    """Read articles as `trainer filter` does, and label files, whose labels become the given ones.

    Args:
        paths: see `records.read`. labels: the labels that may be given. by_kind: see `Config.by_kind`. limit: take the
            first so many articles. blind: take no labels and no review texts. site: of articles that name neither site nor URL.

    Raises:
        InputError: with file and line, for a record that is none, an unknown label, a character that cannot be stored, or
            an id that stands twice with different content.
    """
    known: dict[str, Article] = {}
    empty = repeated = 0
    for item in islice(records.read(paths), limit):
        article = _article(item, labels, by_kind, blind=blind, site=site)
        first = known.setdefault(str(article.data["id"]), article)
        if not article.texts:
            del known[str(article.data["id"])]
            empty += 1
        elif first is not article and (first.key, first.texts) == (article.key, article.texts):
            repeated += 1
        elif first is not article:
            cause = f"the id {article.data['id']!r} stands also at {first.where}, with other text or another site"
            raise InputError(cause, where=item.where, hint="Give the articles different ids.")
    siteless = sum(not article.data["site"] for article in known.values())
    return Batch(list(known.values()), empty, repeated, siteless)


def _article(item: records.Item, labels: LabelSet, by_kind: Mapping[str, str], *, blind: bool, site: str) -> Article:
    record = item.record
    parts = _parts(record)
    texts = tuple(part["text"] for part in parts)
    given = tuple(
        None if blind else _given(part, labels, by_kind, f"{item.where}: paragraph {i}") for i, part in enumerate(parts)
    )
    text_id = hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]
    identity = "" if item.where == str(STDIO) else _text(record.get("id"))
    site = _text(record.get("site")) or host_of(_text(record.get("url"))) or site.strip()
    data: dict[str, Any] = {
        "id": identity or text_id,
        "site": site,
        "url": _text(record.get("url")),
        "source": _text(record.get("source")) or _text(record.get("url")) or item.where,
        "title": _text(record.get("title")) or (texts[0][:TITLE_CHARS] if texts else ""),
        "review": "" if blind else _review(record, parts),
        "paras": interface.paras(texts),
        "digest": interface.digest(texts),
    }
    _check_storable(data, item.where)
    data["key"] = interface.key(site, data["id"])
    if any(given):
        data["labels"] = list(given)
    verdict = None if blind else code_of(record.get("quality"), record.get("quality_reason"))
    if verdict:
        data[interface.QUALITY] = verdict
    return Article(data["key"], item.where, texts, given, data)


def _parts(record: Record) -> list[Record]:
    """Return the paragraphs, each with its `text`."""
    paragraphs = record.get("paragraphs")
    if paragraphs is None:
        return [{"text": paragraph.text} for paragraph in split(record["text"])]
    return [part if isinstance(part, dict) else {"text": part} for part in paragraphs]


def _given(part: Record, labels: LabelSet, by_kind: Mapping[str, str], where: str) -> str | None:
    label, kind = part.get("label"), part.get("kind")
    if label is None:
        return None
    if isinstance(label, str) and isinstance(kind, str):
        label = by_kind.get(kind, label)
    if not isinstance(label, str) or label not in labels.index:
        known = ", ".join(labels.names)
        raise InputError(f"unknown label {str(label)[:40]!r}; known are {known}", where=where, hint="Name its --config.")
    return label


def _review(record: Record, parts: Sequence[Record]) -> str:
    """Return what the person is asked to look at: the article's text and those of paragraphs, which count from 1."""
    asked = [_text(record.get("review"))]
    asked += [f"{number}: {_text(part.get('review'))}" for number, part in enumerate(parts, 1) if part.get("review")]
    return " · ".join(text for text in asked if text)


def _check_storable(data: Mapping[str, Any], where: str) -> None:
    for name, value in data.items():
        for text in [part["text"] for part in value] if name == "paras" else [value]:
            bad = next((c for c in text if c == "\0" or "\ud800" <= c <= "\udfff"), None)
            if bad is not None:
                cause = f"{'a paragraph' if name == 'paras' else name} holds U+{ord(bad):04X}, which Label Studio cannot store"
                raise InputError(cause, where=where, hint="Remove the character.")


def _text(value: object) -> str:
    """Return a field as text; numbers are written out, what is neither counts as missing."""
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
