"""Figures over resampled sites, and sheets of them for people and machines.

A figure is an array over the rows of `weights` (from `evaluation.resample_sites`): its value on the data, then on each draw of
sites. All rows of a run see the same draws, so that differences between them have intervals too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from trainer.evaluation import Scored, average_precision, interval, measure
from trainer.schema import LabelSet

Figure = np.ndarray
POINTS = {"0.2 %": 0.002, "0.5 %": 0.005, "1 %": 0.01}  # of the news characters lost
BINS = 15  # of calibration
TEXT_COLUMNS = (
    ("char_precision", "micro precision", 3),
    ("char_recall", "micro recall", 3),
    ("char_f1", "micro F1", 3),
    ("page_precision", "page mean precision", 3),
    ("page_recall", "page mean recall", 3),
    ("page_f1", "page mean F1", 3),
)


class Row(NamedTuple):
    """A line of a sheet: its figures by key (absent ones show as a dash), and a note, such as why it failed."""

    name: str
    figures: Mapping[str, Figure]
    note: str = ""


class Sheet(NamedTuple):
    """A table: `columns` are (key of the figure, heading, digits)."""

    title: str
    columns: Sequence[tuple[str, str, int]]
    rows: Sequence[Row]

    def to_json(self) -> dict[str, Any]:
        """Return all figures of all rows, shown or not, as [value, lower, upper]; null where undefined."""
        rows = [
            {
                "name": row.name,
                "note": row.note,
                "figures": {key: [_plain(x) for x in interval(values)] for key, values in row.figures.items()},
            }
            for row in self.rows
        ]
        return {"title": self.title, "columns": {key: heading for key, heading, _ in self.columns}, "rows": rows}


def label_figures(scored: Scored, labels: LabelSet, weights: np.ndarray, *, ranked: bool = True) -> dict[str, Figure]:
    """Return "label.metric" for each label and the figures over all; `ranked`: with average precision."""
    measures = measure(scored, labels, weights)
    if ranked:
        measures.per_label["average_precision"] = average_precision(scored, len(labels), weights)
    flat = {
        f"{name}.{metric}": values[:, k] for metric, values in measures.per_label.items() for k, name in enumerate(labels.names)
    }
    return {**flat, **measures.overall}


def text_figures(
    chars: np.ndarray, is_news: np.ndarray, found: np.ndarray, page: np.ndarray, site: np.ndarray, weights: np.ndarray
) -> dict[str, Figure]:
    """Return precision, recall and F1 of news characters, over all ("micro") and as the mean over pages that hold news.

    A page of which nothing is found has precision 0.

    Args:
        chars, is_news, found, page, site: [n] of each paragraph; `found`: whether it is taken for news.
        weights: see the module.
    """
    count = int(page.max(initial=-1)) + 1
    news, taken, both = (np.bincount(page, chars * mask, count) for mask in (is_news, found, is_news & found))
    site_of_page = np.zeros(count, np.intp)
    site_of_page[page] = site
    with np.errstate(invalid="ignore", divide="ignore"):
        micro = [weights @ np.bincount(site_of_page, values, weights.shape[1]) for values in (news, taken, both)]
        out = dict(zip(("char_precision", "char_recall", "char_f1"), _prf(*micro), strict=True))
        has = news > 0
        pages = weights @ np.bincount(site_of_page[has], minlength=weights.shape[1])
        for name, values in zip(("page_precision", "page_recall", "page_f1"), _prf(news, taken, both), strict=True):
            values = np.nan_to_num(values[has])
            out[name] = (weights @ np.bincount(site_of_page[has], values, weights.shape[1])) / pages
    return out


def _prf(news: np.ndarray, taken: np.ndarray, both: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return both / taken, both / news, 2 * both / (news + taken)


def removal_figures(
    chars: np.ndarray, is_news: np.ndarray, removed: np.ndarray, site: np.ndarray, weights: np.ndarray
) -> dict[str, Figure]:
    """Return what a decision removes: news characters lost per 1,000, and the share of junk characters."""

    def total(mask: np.ndarray) -> np.ndarray:
        return weights @ np.bincount(site, chars * mask, weights.shape[1])

    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "news_lost_per_1000": 1000 * total(is_news & removed) / total(is_news),
            "junk_removed": total(~is_news & removed) / total(~is_news),
        }


def junk_removed(
    residue: np.ndarray,
    chars: np.ndarray,
    is_news: np.ndarray,
    site: np.ndarray,
    weights: np.ndarray,
    points: Sequence[float],
) -> np.ndarray:
    """Return the share of junk characters that one threshold on `residue` removes, [resamples, points].

    The threshold is the lowest that loses at most a share `points` of the news characters, found on the very paragraphs
    it is measured on: a point of the curve, not a decision that a user could have taken.
    """
    order = np.argsort(-residue, kind="stable")
    level = residue[order]
    last = np.append(level[1:] != level[:-1], True)[: level.size]  # equal scores go together
    size, news, of_site = chars[order], is_news[order], site[order]
    out = np.full((len(weights), len(points)), np.nan)
    for i, weight in enumerate(weights):
        counted = weight[of_site] * size
        lost, junk = np.cumsum(counted * news), np.cumsum(counted * ~news)
        if junk.size and junk[-1]:
            budget = np.asarray(points) * lost[-1] + 1e-6
            at = np.searchsorted(lost[last], budget, side="right")
            out[i] = np.append(0, junk[last])[at] / junk[-1]
    return out


def calibration_error(probability: np.ndarray, hit: np.ndarray, site: np.ndarray, weights: np.ndarray) -> Figure:
    """Return the expected calibration error over BINS bins of equal width (Naeini et al., 2015, AAAI)."""
    cell = site * BINS + _bin(probability)
    gap = np.bincount(cell, hit - probability, weights.shape[1] * BINS).reshape(-1, BINS)
    total = np.bincount(site, minlength=weights.shape[1])
    return np.abs(weights @ gap).sum(axis=1) / (weights @ total)


def reliability(probability: np.ndarray, hit: np.ndarray) -> list[tuple[float, float, int]]:
    """Return (mean probability, share that is right, paragraphs) of each bin that holds any."""
    count, mean, share = (np.bincount(_bin(probability), values, BINS) for values in (np.ones(hit.size), probability, hit))
    return [(float(mean[b] / count[b]), float(share[b] / count[b]), int(count[b])) for b in np.flatnonzero(count)]


def _bin(probability: np.ndarray) -> np.ndarray:
    return np.minimum((probability * BINS).astype(np.intp), BINS - 1)


def cell(values: Figure, digits: int) -> str:
    """Show a figure with its interval."""
    value, low, high = interval(values)
    if math.isnan(value):
        return "–"
    return f"{value:.{digits}f}" if math.isnan(low) else f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def constant(value: float, weights: np.ndarray) -> Figure:
    """Return a count as a figure; it has no interval."""
    return np.append(float(value), np.full(len(weights) - 1, np.nan))


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
