"""Figures from sums over sites: all that intervals, and comparisons of runs, need to know of the paragraphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.schema import LabelSet
from trainer.text import Matrix

if TYPE_CHECKING:
    from trainer.evaluation import Scored

Index = NDArray[np.intp]


class Measures(NamedTuple):
    """Figures of all resamples, first axis, the data as they are first.

    `per_label`: metric → [resamples, classes]. `overall`: metric → [resamples]. `confusion`: [resamples, true, predicted].
    """

    per_label: dict[str, Matrix]
    overall: dict[str, Matrix]
    confusion: Index


class Sums(NamedTuple):
    """What each site adds: `confusion` [sites, true, predicted] paragraphs, and characters, each [sites].

    `news`, `junk`: of labels that are kept, and of others. `found`: taken for news; `both`: rightly. `lost`, `gone`: news and
    junk that the thresholds remove.
    """

    confusion: Index
    news: Matrix
    junk: Matrix
    found: Matrix
    both: Matrix
    lost: Matrix
    gone: Matrix

    def select(self, sites: list[int]) -> Sums:
        """Return what the sites of the given numbers add."""
        confusion, *chars = self
        return Sums(confusion[sites], *(values[sites] for values in chars))


def site_sums(scored: Scored, labels: LabelSet, sites: int) -> Sums:
    """Add up the paragraphs of each site; `scored.site` is below `sites`."""
    classes = len(labels)
    cell = (scored.site * classes + scored.truth) * classes + scored.label
    confusion = np.bincount(cell, minlength=sites * classes**2).reshape(sites, classes, classes)
    kept, found = np.isin(scored.truth, labels.kept), np.isin(scored.label, labels.kept)

    def total(mask: NDArray[np.bool_]) -> Matrix:
        return np.asarray(np.bincount(scored.site, scored.chars * mask, sites))

    masks = (kept, ~kept, found, kept & found, kept & scored.removed, ~kept & scored.removed)
    return Sums(confusion, *map(total, masks))


def figures(sums: Sums, weights: Index) -> Measures:
    """Compute the figures of a report, but for average precision, once for each row of `weights` [resamples, sites]."""
    sites, classes, _ = sums.confusion.shape
    confusion = (weights @ sums.confusion.reshape(sites, -1)).reshape(-1, classes, classes)
    per_label = _label_metrics(confusion)
    news, junk, found, both, lost, gone = (weights @ each for each in sums[1:])
    with np.errstate(invalid="ignore"):
        precision, recall = both / found, both / news
        overall = {
            "macro_f1": _mean_of_present(per_label["f1"]),
            "accuracy": confusion.trace(axis1=1, axis2=2) / confusion.sum(axis=(1, 2)),
            "news_char_precision": precision,
            "news_char_recall": recall,
            "news_char_f1": 2 * precision * recall / (precision + recall),
            "news_lost_per_1000": 1000 * lost / news,
            "junk_removed": gone / junk,
        }
    return Measures(per_label, overall, confusion)


def _label_metrics(confusion: Index) -> dict[str, Matrix]:
    """Return precision, recall and F1 [resamples, classes]; NaN where a label neither occurs nor is predicted."""
    hits = np.diagonal(confusion, axis1=1, axis2=2).astype(float)
    predicted, actual = confusion.sum(axis=1), confusion.sum(axis=2)
    with np.errstate(invalid="ignore"):
        return {"precision": hits / predicted, "recall": hits / actual, "f1": 2 * hits / (predicted + actual)}


def _mean_of_present(f1: Matrix) -> Matrix:
    present = ~np.isnan(f1)
    return np.asarray(np.where(present, f1, 0).sum(axis=1) / np.maximum(present.sum(axis=1), 1))
