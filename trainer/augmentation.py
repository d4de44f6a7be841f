"""Articles as other extractors might have left them: more to train the second stage on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.schema import UNLABELLED

Index = NDArray[np.intp]


def thinned_views(truth: Index, article: Index, kept: Sequence[int], seed: int) -> Iterator[Index]:
    """Yield, for ever, the paragraphs of all articles as other extractors might have left them, in order.

    In each view every article loses a random share of its residue, so that the second stage also learns articles that
    are nearly clean: half of them evenly, half as extractors do, much of what stands before and behind the story and
    less of what stands in it. One in five loses its beginning or its end too.

    Args:
        truth: [paragraphs] column of the label, UNLABELLED where there is none. article: [paragraphs] number of the article.
        kept: columns of the labels that make up the story. seed: of the random choices.
    """
    rng = np.random.default_rng(seed)
    count = int(article[-1]) + 1 if article.size else 0
    i = np.arange(truth.size)
    is_kept = np.isin(truth, kept)
    is_residue = ~is_kept & (truth != UNLABELLED)
    begin, end = np.searchsorted(article, np.arange(count)), np.searchsorted(article, np.arange(count), side="right")
    first, last = np.full(count, truth.size), np.full(count, -1)
    np.minimum.at(first, article[is_kept], i[is_kept])
    np.maximum.at(last, article[is_kept], i[is_kept])
    inside = (i > first[article]) & (i < last[article])
    while True:
        evenly = rng.random(count)
        as_extractor = rng.random(count) < 0.5
        lost_inside = np.where(as_extractor, rng.uniform(0.0, 0.6, count), evenly)
        lost_outside = np.where(as_extractor, rng.uniform(0.6, 1.0, count), evenly)
        lost = np.where(inside, lost_inside[article], lost_outside[article])
        keep = ~is_residue | (rng.random(truth.size) >= lost)
        cut = np.floor(rng.random(count) * (end - begin)).astype(np.intp)
        side = rng.random(count)
        keep &= i >= np.where(side < 0.1, begin + cut, begin)[article]
        keep &= i <= np.where(side > 0.9, begin + cut, end)[article]
        yield np.flatnonzero(keep)
