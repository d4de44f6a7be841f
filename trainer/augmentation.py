"""Articles as extractors might have left them: more to train the second stage on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.schema import UNLABELLED

Index = NDArray[np.intp]
_SHORT = 60  # characters
_ALONE = 0.15  # share of residue paragraphs that stay or go whatever their run does


def thinned_views(truth: Index, kind: Index, chars: Index, article: Index, kept: Sequence[int], seed: int) -> Iterator[Index]:
    """Yield, for ever, the paragraphs of all articles as extractors might have left them, in order.

    Extractors judge markup, so residue goes or stays in runs of one kind: a list of teasers, a thread of comments. In each
    view every article loses some of those runs, most of them before and behind the story and fewer within it. Three in ten
    articles lose some of the story's short lines too, and one in five loses its beginning or its end.

    Args:
        truth: [paragraphs] column of the label, UNLABELLED where there is none. kind: [paragraphs] column of the kind.
        chars: [paragraphs] length. article: [paragraphs] number of the article, from 0 on.
        kept: columns of the labels that make up the story. seed: of the random choices.
    """
    rng = np.random.default_rng(seed)
    n, count = truth.size, int(article[-1]) + 1 if article.size else 0
    i = np.arange(n)
    is_kept = np.isin(truth, kept)
    is_residue = ~is_kept & (truth != UNLABELLED)
    begin, end = np.searchsorted(article, np.arange(count)), np.searchsorted(article, np.arange(count), side="right")
    first, last = np.full(count, n), np.full(count, -1)
    np.minimum.at(first, article[is_kept], i[is_kept])
    np.maximum.at(last, article[is_kept], i[is_kept])
    inside = (i > first[article]) & (i < last[article])
    run = np.cumsum((np.diff(kind, prepend=-2) != 0) | (np.diff(article, prepend=-1) != 0)) - 1
    runs = int(run[-1]) + 1 if n else 0
    while True:
        stays = np.where(inside, rng.uniform(0.0, 0.9, count)[article], rng.beta(0.5, 2.0, count)[article])
        draw = np.where(rng.random(n) < _ALONE, rng.random(n), rng.random(runs)[run])
        keep = ~is_residue | (draw < stays)
        short_lost = np.where(rng.random(count) < 0.3, rng.uniform(0.0, 0.6, count), 0.0)
        keep &= ~(is_kept & (chars < _SHORT) & (rng.random(n) < short_lost[article]))
        cut = np.floor(rng.random(count) * (end - begin)).astype(np.intp)
        side = rng.random(count)
        keep &= i >= np.where(side < 0.1, begin + cut, begin)[article]
        keep &= i <= np.where(side > 0.9, begin + cut, end)[article]
        yield np.flatnonzero(keep)
