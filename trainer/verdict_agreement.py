"""How far annotators agree on whole articles: each article counts as a paragraph whose label is the verdict's code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from trainer import agreement
from trainer.annotations import AnnotatedArticle, Annotation
from trainer.config import Config
from trainer.errors import InputError
from trainer.schema import Label, LabelSet
from trainer.verdicts import CODES, GOOD, VERDICTS_SAID, code_of

LABELS = LabelSet([Label(code, kept=code == GOOD) for code in CODES])


def measure(articles: Sequence[AnnotatedArticle], config: Config) -> dict[str, Any] | None:
    """Return agreement on verdicts and the articles that are contested, JSON-ready; None where nobody gave a verdict.

    Raises:
        InputError: a record's `quality_annotations` are not what `trainer labels pull` writes.
    """
    judged = [_as_paragraph(article) for article in articles]
    said = [article for article in judged if article.annotations[0]]
    if not said:
        return None
    found = agreement.measure(said, LABELS, config)
    return {
        "articles": len(said),
        "agreement": agreement.to_json(found) if found else None,
        "conflicts": [
            {"id": article.article.id, "verdicts": {one.annotator: one.label for one in article.annotations[0]}}
            for article in said
            if len({one.label for one in article.annotations[0]}) > 1
        ],
    }


def _as_paragraph(article: AnnotatedArticle) -> AnnotatedArticle:
    said: dict[str, Annotation] = {}
    for record, default in zip(article.records, article.annotators, strict=True):
        for one in _said(record, default, article.article.where):
            said[one.annotator] = one
    one_line = replace(article.article, texts=("",), labels=(None,), kinds=(None,))
    return AnnotatedArticle(
        one_line, (tuple(said[name] for name in sorted(said)),), article.records, ((None,),), article.annotators
    )


def _said(record: dict[str, Any], default: str, where: str) -> list[Annotation]:
    listed = record.get(VERDICTS_SAID)
    if listed is None:
        code = code_of(record.get("quality"), record.get("quality_reason"))
        return [Annotation(default, code)] if code else []
    hint = 'An entry is {"annotator", "verdict", "updated"}.'
    if not isinstance(listed, list) or not all(isinstance(one, dict) and isinstance(one.get("annotator"), str) for one in listed):
        raise InputError(f"field {VERDICTS_SAID!r} is not a list of verdicts", where=where, hint=hint)
    for one in listed:
        if one.get("verdict") not in CODES:
            raise InputError(
                f"unknown verdict {str(one.get('verdict'))[:40]!r}; known are {', '.join(CODES)}", where=where, hint=hint
            )
    return [Annotation(one["annotator"], one["verdict"], one.get("updated")) for one in listed]
