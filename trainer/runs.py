"""Labels that look inconsistent within their article: lone ones inside a run of another, and labels that alternate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import mean

from trainer.dataset import LabelledArticle
from trainer.findings import Finding, Opinions, doubt, finding, stretch
from trainer.schema import LabelSet

_SIDE = 2  # paragraphs of the run on each side of a lone one
_ALTERNATING = 6  # paragraphs
_HALF = 4  # paragraphs of a run at which its evidence counts half
_LEAST_SCORE = 0.3


def inconsistent(articles: Sequence[LabelledArticle], labels: LabelSet, opinions: Opinions | None = None) -> list[Finding]:
    """Return lone paragraphs inside a run of residue of another label, and stretches in which two labels take turns.

    The score is n / (n + 4) for a run or stretch of n paragraphs, times the doubt of the model if there is one, and the share of
    longer runs among those of the lone label (of both that take turns): captions usually stand alone. Below 0.3 nothing is
    reported. Of a stretch one paragraph is, the most doubtful of the more doubtful label. A lone caption or button inside the
    story is as it should be, and so is a headline between menus or the end of a story between teasers: runs of kept labels, and
    the first and last kept paragraph of an article, are not looked at.
    """
    residue, kept = ({labels.names[k] for k in which} for which in (labels.residue, labels.kept))
    together = _share_together(articles)
    found = []
    for number, article in enumerate(articles):

        def doubtful(index: int, number: int = number, names: Sequence[str | None] = article.labels) -> float:
            return doubt(opinions[number], index, str(names[index]), labels) if opinions else 1.0

        for index, around, before, after in _lone(article.labels, residue, kept):
            label = str(article.labels[index])
            score = _weight(before + after) * doubtful(index) * together[label]
            reason = f"a lone {label} line inside a run of {around}: {before} before it, {after} after it"
            found.append(finding("run", article, index, suggested=around, score=score, reason=reason))
        for begin, end in _alternating(article.labels):
            half = max((range(begin, end, 2), range(begin + 1, end, 2)), key=lambda places: mean(map(doubtful, places)))
            index = max(half, key=doubtful)
            one, other = article.labels[begin], article.labels[begin + 1]
            reason = f"{one} and {other} take turns in paragraphs {begin} to {end - 1}"
            suggested = other if article.labels[index] == one else one
            score = _weight(end - begin) * mean(map(doubtful, half)) * min(together[str(one)], together[str(other)])
            found.append(finding("run", article, index, suggested=suggested, score=score, reason=reason))
    return [one for one in found if one.score >= _LEAST_SCORE]


def _weight(paragraphs: int) -> float:
    return paragraphs / (paragraphs + _HALF)


def _share_together(articles: Sequence[LabelledArticle]) -> dict[str, float]:
    """Return for each label the share of its runs that are longer than one paragraph."""
    runs: Counter[str] = Counter()
    longer: Counter[str] = Counter()
    for article in articles:
        for label, run in groupby(article.labels):
            if label is not None:
                runs[label] += 1
                longer[label] += len(list(run)) > 1
    return {label: longer[label] / count for label, count in runs.items()}


def _lone(names: Sequence[str | None], residue: set[str], kept: set[str]) -> Iterator[tuple[int, str, int, int]]:
    """Yield (paragraph, label of the run around it, paragraphs of the run before and after it)."""
    story = [index for index, name in enumerate(names) if name in kept]
    for index in range(_SIDE, len(names) - _SIDE):
        label, around = names[index], names[index - 1]
        if label is None or label == around or around not in residue or index in (*story[:1], *story[-1:]):
            continue
        before, after = stretch(names, index, around)
        if min(before, after) >= _SIDE:
            yield index, str(around), before, after


def _alternating(names: Sequence[str | None]) -> Iterator[tuple[int, int]]:
    """Yield (first, behind the last) paragraph of stretches in which two labels take turns."""
    begin = 0
    for index in range(1, len(names) + 1):
        if index < len(names):
            turn = names[index] != names[index - 1] and None not in (names[index], names[index - 1])
            if turn and (index - begin < 2 or names[index] == names[index - 2]):
                continue
        if index - begin >= _ALTERNATING:
            yield begin, index
        begin = index - 1 if index < len(names) and turn else index
