"""What is doubtful about a label, in words: the form that every check of labels reports in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from trainer.annotations import AnnotatedArticle, Annotation
from trainer.dataset import LabelledArticle
from trainer.schema import LabelSet
from trainer.text import Matrix

Opinions = Sequence[Matrix]  # probabilities of each article's paragraphs [paragraphs, classes], from a model without its site

KINDS = {
    "conflict": "annotators disagree",
    "model": "probably wrong",
    "same": "same text, other label",
    "near": "nearly the same text, other label",
    "run": "inconsistent within the article",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One paragraph that is worth a second look.

    Attributes:
        kind: see `KINDS`. article: its id. where: its file and line. index: of the paragraph. text: the paragraph.
        label: as it is, None where annotators disagree. suggested: what it might be, None where nothing speaks for one label.
        score: 0 to 1, how strong the evidence is; comparable within a kind. reason: a sentence for the person who decides.
        annotations: of a conflict, who said what.
    """

    kind: str
    article: str
    where: str
    index: int
    text: str
    label: str | None
    suggested: str | None
    score: float
    reason: str
    annotations: tuple[Annotation, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return the finding as JSON-ready values."""
        said = [annotation.record() for annotation in self.annotations]
        return {**asdict(self), "score": round(self.score, 4), "annotations": said}


def finding(
    kind: str, article: LabelledArticle, index: int, *, suggested: str | None = None, score: float, reason: str
) -> Finding:
    """Return a finding on one paragraph of an article."""
    return Finding(
        kind, article.id, article.where, index, article.texts[index], article.labels[index], suggested, float(score), reason
    )


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by kind, the strongest first; ties by place."""
    order = {kind: number for number, kind in enumerate(KINDS)}
    return sorted(findings, key=lambda one: (order[one.kind], -one.score, one.article, one.index))


def strongest(findings: Iterable[Finding], limit: int) -> list[Finding]:
    """Return all conflicts and the first `limit` ranked findings of every other kind."""
    count: Counter[str] = Counter()
    found = []
    for one in findings:
        count[one.kind] += 1
        if one.kind == "conflict" or count[one.kind] <= limit:
            found.append(one)
    return found


def doubt(opinion: Matrix, index: int, label: str, labels: LabelSet) -> float:
    """Return how little a model believes a label, 0 to 1."""
    return float(1 - opinion[index, labels.index[label]])


def conflicts(articles: Sequence[AnnotatedArticle], unsettled: Mapping[tuple[int, int], str] | None = None) -> list[Finding]:
    """Return the paragraphs on which annotators disagree and that nobody has settled.

    Suggested is the label of the majority, where there is one; the score is the share of the others.

    `unsettled`: after adjudication, (article number, paragraph) → why the rules did not settle it.
    """
    found = []
    for number, annotated in enumerate(articles):
        for index, said in enumerate(annotated.annotations):
            if annotated.contested(index):
                names = [annotation.label for annotation in said]
                reason = ", ".join(f"{annotation.annotator} says {annotation.label}" for annotation in said)
                why = (unsettled or {}).get((number, index))
                (first, most), *others = Counter(names).most_common()
                suggested = first if all(count < most for _, count in others) else None
                reason = f"{reason}; {why}" if why else reason
                score = 1 - most / len(names)
                one = finding("conflict", annotated.article, index, suggested=suggested, score=score, reason=reason)
                found.append(replace(one, annotations=said))
    return found


def review_records(records: Iterable[dict[str, Any]], findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return the records of articles with findings, in which each such paragraph says why in `review`."""
    reasons: dict[str, dict[int, list[str]]] = {}
    for one in findings:
        reasons.setdefault(one.article, {}).setdefault(one.index, []).append(one.reason)
    found = []
    for record in records:
        mine = reasons.get(record["id"])
        if mine:
            paragraphs = [
                {**paragraph, "review": "; ".join(mine[index])} if index in mine else paragraph
                for index, paragraph in enumerate(record["paragraphs"])
            ]
            found.append({**record, "paragraphs": paragraphs})
    return found


def stretch(names: Sequence[str | None], index: int, label: str | None) -> tuple[int, int]:
    """Count the paragraphs of a label directly before and directly after a paragraph."""
    before = after = 0
    while index - before > 0 and names[index - before - 1] == label:
        before += 1
    while index + after + 1 < len(names) and names[index + after + 1] == label:
        after += 1
    return before, after


def suggestion(opinion: Matrix, index: int, among: Iterable[str], labels: LabelSet) -> str:
    """Return the label that a model believes most, of some."""
    return max(among, key=lambda name: opinion[index, labels.index[name]])


def spread(probabilities: Matrix, articles: Sequence[LabelledArticle]) -> list[Matrix]:
    """Cut probabilities stacked over articles [paragraphs, classes] into one array an article."""
    return np.split(probabilities, np.cumsum([len(article.texts) for article in articles])[:-1])
