"""Gold labels from contested ones, by rules that never guess."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from trainer.annotations import AnnotatedArticle, Annotation
from trainer.errors import InputError

_RULES = "majority, newest or annotator=NAME"
_NAMED = "annotator="


class Adjudicated(NamedTuple):
    """Articles with gold labels, and how they came about.

    `articles`: with the labels as they are now. `records`: the same in the label format; a settled paragraph keeps its
    `annotations` and names the rule in `settled`; what no rule settles stays null. `settled`: paragraphs by rule.
    `open`: (article number, paragraph) → why each rule did not settle it.
    """

    articles: list[AnnotatedArticle]
    records: list[dict[str, Any]]
    settled: dict[str, int]
    open: dict[tuple[int, int], str]


def check_rules(rules: Sequence[str], annotators: Sequence[str]) -> None:
    """Refuse a rule that does not exist, and an annotator who labelled nothing."""
    for rule in rules:
        if rule not in ("majority", "newest") and not (rule.startswith(_NAMED) and rule != _NAMED):
            raise InputError(f"--adjudicate {rule!r} is no rule", hint=f"Give {_RULES}.")
        name = rule.removeprefix(_NAMED)
        if name != rule and name not in annotators:
            known = ", ".join(annotators) or "none"
            raise InputError(f"--adjudicate {rule!r}: nobody of that name has labelled anything", hint=f"Known are: {known}.")


def adjudicate(articles: Sequence[AnnotatedArticle], rules: Sequence[str]) -> Adjudicated:
    """Settle contested paragraphs by the first of the rules that can.

    - `majority`: the label that more annotators gave than any other.
    - `newest`: the label given last; all annotations must be dated.
    - `annotator=NAME`: that annotator's label.

    Uncontested paragraphs keep their labels under every rule.
    """
    settled = dict.fromkeys(rules, 0)
    still_open: dict[tuple[int, int], str] = {}
    gold, records = [], []
    for number, annotated in enumerate(articles):
        labels, paragraphs = list(annotated.article.labels), []
        for index, label in enumerate(labels):
            rule = ""
            if annotated.contested(index):
                label, rule, why = _settle(annotated.annotations[index], rules)
                if label is None:
                    still_open[number, index] = why
                else:
                    settled[rule] += 1
                    labels[index] = label
            paragraph = _paragraph(annotated, index, label)
            paragraphs.append({**paragraph, "settled": rule} if rule else paragraph)
        gold.append(replace(annotated, article=replace(annotated.article, labels=tuple(labels))))
        records.append({**annotated.records[0], "paragraphs": paragraphs})
    return Adjudicated(gold, records, settled, still_open)


def _paragraph(annotated: AnnotatedArticle, index: int, label: str | None) -> dict[str, Any]:
    """Return a paragraph in the label format: as the first record with its label has it, and who said what."""
    versions = [record["paragraphs"][index] for record in annotated.records]
    agreeing = [version for version, labels in zip(versions, annotated.labels, strict=True) if labels[index] == label]
    paragraph = {**(agreeing or versions)[0], "label": label}
    if not agreeing:  # the finer name was that of another label
        paragraph.pop("kind", None)
    said = annotated.annotations[index]
    if len(said) > 1:
        for key in ("annotator", "updated"):
            paragraph.pop(key, None)
        paragraph["annotations"] = [annotation.record() for annotation in said]
    elif said:
        paragraph["annotator"] = said[0].annotator
    return paragraph


def _settle(said: Sequence[Annotation], rules: Sequence[str]) -> tuple[str | None, str, str]:
    """Return (label, rule, ""), or (None, "", why not)."""
    reasons = []
    for rule in rules:
        if rule == "majority":
            label, why = _majority(said)
        elif rule == "newest":
            label, why = _newest(said)
        else:
            name = rule.removeprefix(_NAMED)
            label = next((annotation.label for annotation in said if annotation.annotator == name), None)
            why = f"{name} has not labelled it"
        if label is not None:
            return label, rule, ""
        reasons.append(why)
    return None, "", "; ".join(reasons)


def _majority(said: Sequence[Annotation]) -> tuple[str | None, str]:
    (label, most), *others = Counter(annotation.label for annotation in said).most_common()
    return (None, "a tie") if any(count == most for _, count in others) else (label, "")


def _newest(said: Sequence[Annotation]) -> tuple[str | None, str]:
    dates = [_date(annotation.updated) for annotation in said]
    if None in dates:
        return None, f"{said[dates.index(None)].annotator}'s label has no date"
    try:
        newest = max(date for date in dates if date is not None)
    except TypeError:
        return None, "some dates have a time zone and some do not"
    labels = {annotation.label for annotation, date in zip(said, dates, strict=True) if date == newest}
    return (labels.pop(), "") if len(labels) == 1 else (None, "two labels of the same time")


def _date(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
