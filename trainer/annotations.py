"""Articles with what each annotator said of their paragraphs, read from either layout of label files.

A paragraph that several people labelled has `"annotations": [{"annotator", "label", "updated"}, …]`, with `label` null until
somebody settles it; or the same article stands in several files, one an annotator. Who labelled a paragraph without
`annotations` is its `annotator`, or else the article's, or else the name of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from trainer.dataset import LabelledArticle, label_files, parse_article, read_records
from trainer.errors import InputError
from trainer.files import STDIO
from trainer.schema import LabelSet

_HINT = 'An annotation is {"annotator", "label", "updated"}.'


class Annotation(NamedTuple):
    """What one person said of one paragraph; `updated` is when, as in the file, None where that is not known."""

    annotator: str
    label: str
    updated: str | None = None

    def record(self) -> dict[str, str | None]:
        """Return the annotation as label files hold it."""
        return {"annotator": self.annotator, "label": self.label, "updated": self.updated}


@dataclass(frozen=True, slots=True)
class AnnotatedArticle:
    """An article with all that was said of it.

    Attributes:
        article: its labels are those that nobody contests: settled in the file, or the same from everybody; `where` is the
            first place it stands. annotations: of each paragraph, by annotator. records: the lines it was read from.
        labels: of each record, as `article.labels` before anybody was compared. annotators: of each record, who labelled what
            names no annotator.
    """

    article: LabelledArticle
    annotations: tuple[tuple[Annotation, ...], ...]
    records: tuple[dict[str, Any], ...]
    labels: tuple[tuple[str | None, ...], ...]
    annotators: tuple[str, ...] = ()

    def contested(self, index: int) -> bool:
        """Return whether annotators disagree on a paragraph and nobody has settled it."""
        return self.article.labels[index] is None and len({a.label for a in self.annotations[index]}) > 1


def read_annotations(
    paths: Iterable[Path | str], labels: LabelSet, by_kind: Mapping[str, str] | None = None, *, by_file: bool = False
) -> list[AnnotatedArticle]:
    """Read label files and folders of them, see `dataset.load_labels`; an article may stand in several.

    With `by_file` each file counts as one annotator of its name, who gave the labels that stand in it.

    Returns the articles in the order in which they are first met.

    Raises:
        InputError: with file and line, for what `load_labels` refuses in a line, for an article that stands twice with other
            text or site, and for an annotator who contradicts themselves.
    """
    found: dict[str, AnnotatedArticle] = {}
    for file in label_files(paths):
        for where, item in read_records(file):
            one = _annotated(item, where, file, labels, by_kind or {}, by_file=by_file)
            known = found.get(one.article.id)
            found[one.article.id] = _joined(known, one) if known else one
    return list(found.values())


def _annotated(
    item: Any, where: str, file: Path, labels: LabelSet, by_kind: Mapping[str, str], *, by_file: bool
) -> AnnotatedArticle:
    article = parse_article(item, where, labels, by_kind)
    default = item.get("annotator")
    if not isinstance(default, str) or not default or by_file:
        default = "stdin" if file == STDIO else file.name.partition(".")[0]
    paragraphs = item["paragraphs"]
    if by_file:
        paragraphs = [{"updated": paragraph.get("updated")} for paragraph in paragraphs]
    said = tuple(
        _said(paragraph, label, default, labels, f"{where}: paragraph {index}")
        for index, (paragraph, label) in enumerate(zip(paragraphs, article.labels, strict=True))
    )
    return AnnotatedArticle(_agreed(article, said), said, (item,), (article.labels,), (default,))


def _said(paragraph: Mapping[str, Any], label: str | None, default: str, labels: LabelSet, where: str) -> tuple[Annotation, ...]:
    """Return the annotations of a paragraph as read, by annotator."""
    listed = paragraph.get("annotations")
    if listed is None:
        listed = [{**paragraph, "annotator": paragraph.get("annotator") or default, "label": label}] if label else []
    if not isinstance(listed, list):
        raise InputError("field 'annotations' is not a list", where=where, hint=_HINT)
    said: dict[str, Annotation] = {}
    for entry in listed:
        if not isinstance(entry, dict) or not isinstance(entry.get("annotator"), str) or not entry["annotator"]:
            raise InputError("an annotation names no annotator", where=where, hint=_HINT)
        if entry.get("label") not in labels.index:
            known = ", ".join(labels.names)
            raise InputError(f"unknown label {str(entry.get('label'))[:40]!r}; known are {known}", where=where, hint=_HINT)
        updated = entry.get("updated")
        one = Annotation(entry["annotator"], entry["label"], updated if isinstance(updated, str) and updated else None)
        _add(said, one, where)
    return tuple(said[name] for name in sorted(said))


def _add(said: dict[str, Annotation], one: Annotation, where: str) -> None:
    known = said.setdefault(one.annotator, one)
    if known.label != one.label:
        raise InputError(
            f"{one.annotator} says both {known.label} and {one.label}",
            where=where,
            hint="Delete the outdated annotation; or, to compare files, give --by-file.",
        )


def _agreed(article: LabelledArticle, said: Sequence[Sequence[Annotation]]) -> LabelledArticle:
    """Give paragraphs without a label the one that all their annotators gave."""
    pairs = zip(article.labels, said, strict=True)
    return replace(article, labels=tuple(label or _label((), one) for label, one in pairs))


def _joined(one: AnnotatedArticle, other: AnnotatedArticle) -> AnnotatedArticle:
    """Put two records of one article together; where their labels differ there is none."""
    a, b = one.article, other.article
    if (a.texts, a.site) != (b.texts, b.site):
        hint = "Give the articles different ids, or delete the outdated one."
        raise InputError(f"article id {a.id!r} stands also at {a.where}, with other text or site", where=b.where, hint=hint)
    together = []
    for index, (first, second) in enumerate(zip(one.annotations, other.annotations, strict=True)):
        said = {annotation.annotator: annotation for annotation in first}
        for annotation in second:
            _add(said, annotation, f"{b.where}: paragraph {index}")
        together.append(tuple(said[name] for name in sorted(said)))
    labels = tuple(
        _label(settled, said) for settled, said in zip(zip(_settled(one), _settled(other), strict=True), together, strict=True)
    )
    kinds = tuple(
        next((kind for kind, label in ((a.kinds[i], a.labels[i]), (b.kinds[i], b.labels[i])) if label == final), None)
        for i, final in enumerate(labels)
    )
    article = replace(a, labels=labels, kinds=kinds)
    return AnnotatedArticle(
        article, tuple(together), one.records + other.records, one.labels + other.labels, one.annotators + other.annotators
    )


def _settled(one: AnnotatedArticle) -> list[str | None]:
    """Return the labels of a record that say more than its annotations do."""
    pairs = zip(one.article.labels, one.annotations, strict=True)
    return [label if {annotation.label for annotation in said} != {label} else None for label, said in pairs]


def _label(settled: Iterable[str | None], said: Iterable[Annotation]) -> str | None:
    """Return the label that a record settles, or that all annotators give, unless there are two of them."""
    names = set(settled) - {None} or {annotation.label for annotation in said}
    return names.pop() if len(names) == 1 else None
