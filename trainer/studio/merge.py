"""Pulled labels into a label file: added and updated by article, nothing lost unasked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer import records
from trainer.errors import InputError
from trainer.files import read_json_lines
from trainer.studio.pull import Pulled, Said
from trainer.verdicts import GOOD, POOR, VERDICTS_SAID, fields_of

Record = dict[str, Any]
_PULLED = ("annotator", "updated", "annotations")  # fields of a paragraph that say where its label comes from
_VERDICT = ("quality", "quality_reason", VERDICTS_SAID)
_SHOWN_CHARS = 80


@dataclass
class Changes:
    """What a pull changes in a label file, in paragraphs, and in `verdicts`; `lists` name the cases that need a person's eye."""

    new: int = 0
    changed: int = 0
    same: int = 0
    gone: int = 0
    new_articles: int = 0
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    unclear: list[dict[str, Any]] = field(default_factory=list)
    edited: list[dict[str, Any]] = field(default_factory=list)
    verdicts: int = 0
    verdict_conflicts: list[dict[str, Any]] = field(default_factory=list)

    def report(self) -> dict[str, Any]:
        """Return them JSON-ready."""
        return dict(vars(self))


def read(path: Path) -> list[Record]:
    """Return the articles of a label file; none where it is not there.

    Raises:
        InputError: with file and line, where it is not a label file or an id stands twice.
    """
    found: dict[str, Record] = {}
    hint = "Choose another --out."
    for where, record in read_json_lines(path, hint="A label file holds one JSON object a line.") if path.exists() else ():
        paragraphs = record.get("paragraphs") if isinstance(record, dict) else None
        if not isinstance(paragraphs, list) or not all(
            isinstance(p, dict) and isinstance(p.get("text"), str) for p in paragraphs
        ):
            raise InputError("is not an article of a label file", where=where, hint=hint)
        if not isinstance(record.get("id"), str) or found.setdefault(record["id"], record) is not record:
            raise InputError("the article's id is missing or stands twice", where=where, hint=hint)
    return list(found.values())


def write(path: Path, merged: Iterable[Record]) -> None:
    """Write a label file, whole or not at all."""
    with records.writer(path, force=True) as write_record:
        for record in merged:
            write_record(record)


def merge(ours: Sequence[Record], articles: dict[str, Pulled], *, prune: bool = False) -> tuple[list[Record], Changes]:
    """Return our articles with the pulled labels, in our order, the new ones behind.

    A paragraph's label is what people agree on; where they do not, it is null, unless a label was settled here on the very
    same statements. Other fields stay; a `kind` goes with the label it belonged to. Paragraphs whose text differs keep
    what we have. What no person says any more stays, or goes with `prune`: labels that were pulled once (they have an
    annotator), never others.
    """
    changes = Changes()
    merged = []
    for record in json.loads(json.dumps(list(ours))):
        pruned = _update(record, articles.get(record["id"]), changes, prune=prune)
        if not pruned or "quality" in record or any(paragraph.get("label") is not None for paragraph in record["paragraphs"]):
            merged.append(record)
    known = {record["id"] for record in ours}
    for article in (article for name, article in articles.items() if name not in known):
        if article.whole:
            paragraphs = [{"text": text, "label": None} for text in article.texts]
            merged.append({"id": article.id, "site": article.site, "source": article.source, "paragraphs": paragraphs})
            _update(merged[-1], article, changes, prune=prune)
            changes.new_articles += 1
        else:
            changes.edited.append({"id": article.id, "paragraphs": None})
    return merged, changes


def _update(record: Record, article: Pulled | None, changes: Changes, *, prune: bool) -> bool:
    """Bring a record up to date; return whether labels were pruned."""
    paragraphs = record["paragraphs"]
    if article and len(article.texts) != len(paragraphs):
        changes.edited.append({"id": record["id"], "paragraphs": None})
        return False
    pruned, edited = False, []
    for index, paragraph in enumerate(paragraphs):
        place = {"id": record["id"], "index": index, "text": paragraph["text"][:_SHOWN_CHARS]}
        if article and article.texts[index] != paragraph["text"]:
            edited.append(index)
        elif article and article.unclear(index):
            changes.unclear.append(place)
            _settle(paragraph, article.said(index), place, changes)
        elif article and article.said(index):
            _settle(paragraph, article.said(index), place, changes)
        elif any(name in paragraph for name in _PULLED):
            changes.gone += 1
            pruned = pruned or prune
            if prune:
                _set(paragraph, None, [])
    if edited:
        changes.edited.append({"id": record["id"], "paragraphs": edited})
    elif article and article.verdicts:
        _judge(record, list(article.verdicts.values()), changes)
    elif VERDICTS_SAID in record:
        changes.gone += 1
        pruned = pruned or prune
        for name in _VERDICT if prune else ():
            record.pop(name, None)
    return pruned


def _judge(record: Record, said: Sequence[Said], changes: Changes) -> None:
    """Give an article the verdict that people agree on, and the reason if they agree on that too.

    Contested, it has none, unless one was settled here on the very same statements.
    """
    before = {name: record.get(name) for name in _VERDICT}
    listed = [
        {"annotator": one.annotator, "verdict": one.label, "updated": one.updated}
        for one in sorted(said, key=lambda one: one.annotator)
    ]
    codes = {one.label for one in said}
    if len(codes) > 1 and before["quality"] is not None and before[VERDICTS_SAID] == listed:
        return
    after: dict[str, Any] = {}
    if len(codes) == 1:
        after = dict(fields_of(codes.pop()))
    elif GOOD not in codes:
        after = {"quality": POOR}
    else:
        changes.verdict_conflicts.append({"id": record["id"], "verdicts": {one.annotator: one.label for one in said}})
    after[VERDICTS_SAID] = listed
    if after != {name: value for name, value in before.items() if value is not None}:
        changes.verdicts += 1
        paragraphs = record.pop("paragraphs")
        for name in before.keys() & record.keys():
            del record[name]
        record |= {**after, "paragraphs": paragraphs}


def _settle(paragraph: Record, said: Sequence[Said], place: Record, changes: Changes) -> None:
    """Give a paragraph the label that was said of it."""
    if not said:
        return
    before, labels = paragraph.get("label"), {one.label for one in said}
    if len(labels) > 1 and before is not None and _same(paragraph.get("annotations"), said):
        changes.same += 1  # settled here before, on the same statements
        paragraph["annotations"] = [one._asdict() for one in said]
        return
    after = labels.pop() if len(labels) == 1 else None
    if after is None:
        changes.conflicts.append({**place, "labels": {one.annotator: one.label for one in said}})
    elif before is None:
        changes.new += 1
    elif before == after:
        changes.same += 1
    if before not in {None, after}:
        changes.changed += 1
    _set(paragraph, after, said)


def _set(paragraph: Record, label: str | None, said: Sequence[Said]) -> None:
    """Set the label and who said it; what was there of both goes, and the kind where the label is another."""
    stale = {*_PULLED, *(("kind",) if label != paragraph.get("label") else ())}
    for name in stale & paragraph.keys():
        del paragraph[name]
    paragraph["label"] = label
    if label is not None and said:
        paragraph |= {"annotator": said[-1].annotator, "updated": said[-1].updated}
    if len(said) > 1:
        paragraph["annotations"] = [one._asdict() for one in said]


def _same(annotations: object, said: Sequence[Said]) -> bool:
    """Return whether a label file notes the same statements: of the same people or, where they are named otherwise, times."""
    listed = _listed(annotations)
    people, times = ({(one.get(name), one.get("label")) for one in listed} for name in ("annotator", "updated"))
    return people == {one[:2] for one in said} or times == {(one.updated, one.label) for one in said}


def annotators(records: Sequence[Record]) -> set[str]:
    """Return the names of all who labelled or judged anything."""
    paragraphs = [paragraph for record in records for paragraph in record["paragraphs"]]
    said = [one for paragraph in paragraphs for one in (paragraph, *_listed(paragraph.get("annotations")))]
    said += [one for record in records for one in _listed(record.get(VERDICTS_SAID))]
    return {one["annotator"] for one in said if isinstance(one.get("annotator"), str)}


def _listed(annotations: object) -> list[Record]:
    return [one for one in annotations if isinstance(one, dict)] if isinstance(annotations, list) else []
