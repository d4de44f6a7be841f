"""How far annotators agree: Krippendorff's alpha, Cohen's kappa, who takes what for what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import krippendorff
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from trainer.annotations import AnnotatedArticle
from trainer.config import Config
from trainer.evaluation import Interval, interval, resample_sites
from trainer.schema import UNLABELLED, LabelSet
from trainer.text import Matrix

Index = NDArray[np.intp]
_ENOUGH_SITES = 10  # from so many sites on, intervals are over sites


@dataclass(frozen=True, slots=True)
class Pair:
    """Two annotators on the paragraphs that both labelled.

    `kappa`: Cohen's. `per_label`: kappa of each label against the rest. `confusion`: [label of `one`][label of `other`].
    """

    one: str
    other: str
    paragraphs: int
    kappa: Interval
    per_label: tuple[Interval, ...]
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement on the paragraphs that several people labelled.

    Every figure is (value, lower, upper) with a 95 % bootstrap interval over `resampled`; NaN where it is not defined.

    Attributes:
        labels: names in column order. annotators: those who share paragraphs. paragraphs: how many are shared.
        articles: in how many articles. alpha: Krippendorff's, nominal. per_label: alpha of each label against the rest.
        pairs: of annotators who share paragraphs. resampled: what intervals are over, e.g. `12 articles`.
    """

    labels: tuple[str, ...]
    annotators: tuple[str, ...]
    paragraphs: int
    articles: int
    alpha: Interval
    per_label: tuple[Interval, ...]
    pairs: tuple[Pair, ...]
    resampled: str


def measure(articles: Sequence[AnnotatedArticle], labels: LabelSet, config: Config) -> Agreement | None:
    """Compute the agreement of all annotators; None where no paragraph was labelled by two."""
    shared = [(number, said) for number, article in enumerate(articles) for said in article.annotations if len(said) > 1]
    if not shared:
        return None
    people = sorted({annotation.annotator for _, said in shared for annotation in said})
    column = {name: number for number, name in enumerate(people)}
    table = np.full((len(shared), len(people)), UNLABELLED, np.intp)
    for row, (_, said) in enumerate(shared):
        for annotation in said:
            table[row, column[annotation.annotator]] = labels.index[annotation.label]
    article = np.array([number for number, _ in shared])
    sites = np.array([articles[number].article.site for number in article])
    over = "sites" if np.unique(sites).size >= _ENOUGH_SITES else "articles"
    unit = np.unique(sites if over == "sites" else article, return_inverse=True)[1]
    weights = resample_sites(int(unit.max()) + 1, config)
    pairs = (
        _pair(people[a], people[b], table[:, [a, b]], unit, weights, len(labels)) for a, b in combinations(range(len(people)), 2)
    )
    counts = (table[:, :, None] == np.arange(len(labels))).sum(axis=1)
    return Agreement(
        labels.names,
        tuple(people),
        len(shared),
        np.unique(article).size,
        _alpha(counts, unit, weights),
        tuple(_alpha(_against_rest(counts, k), unit, weights) for k in range(len(labels))),
        tuple(pair for pair in pairs if pair is not None),
        f"{unit.max() + 1:,} {over}" if unit.max() else "",
    )


def to_json(agreement: Agreement) -> dict[str, Any]:
    """Return the agreement as JSON-ready values; figures are [value, lower, upper], null where undefined."""

    def figure(values: Interval) -> list[float | None]:
        return [None if math.isnan(value) else value for value in values]

    def figures(values: Sequence[Interval]) -> dict[str, list[float | None]]:
        return {label: figure(value) for label, value in zip(agreement.labels, values, strict=True)}

    return {
        "annotators": list(agreement.annotators),
        "paragraphs": agreement.paragraphs,
        "articles": agreement.articles,
        "intervals_over": agreement.resampled,
        "alpha": figure(agreement.alpha),
        "alpha_per_label": figures(agreement.per_label),
        "pairs": [
            {
                "annotators": [pair.one, pair.other],
                "paragraphs": pair.paragraphs,
                "kappa": figure(pair.kappa),
                "kappa_per_label": figures(pair.per_label),
                "confusion": [list(row) for row in pair.confusion],
            }
            for pair in agreement.pairs
        ],
    }


def _pair(one: str, other: str, table: Index, unit: Index, weights: Index, labels: int) -> Pair | None:
    both = (table != UNLABELLED).all(axis=1)
    if not both.any():
        return None
    given, unit = table[both], unit[both]
    units = np.unique(unit).size
    cell = (unit * labels + given[:, 0]) * labels + given[:, 1]
    counts = np.bincount(cell, minlength=weights.shape[1] * labels**2).reshape(weights.shape[1], -1)
    confusions = (weights @ counts).reshape(-1, labels, labels)
    return Pair(
        one,
        other,
        len(given),
        _kappa(given, confusions, units),
        tuple(_kappa((given == k).astype(np.intp), _two_by_two(confusions, k), units) for k in range(labels)),
        tuple(tuple(int(count) for count in row) for row in confusions[0]),
    )


def _alpha(counts: Index, unit: Index, weights: Index) -> Interval:
    """Krippendorff's alpha from how many people gave each label [paragraphs, labels]; see the package `krippendorff`.

    Coincidences add up over paragraphs, so that resamples are sums over what their articles hold: alpha is 1 - (n - 1) times
    the observed over the expected disagreement (Krippendorff, Content Analysis, 2004, section 11.3).
    """
    if (counts.sum(axis=0) > 0).sum() < 2:
        return np.nan, np.nan, np.nan
    value = float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))
    given = counts.sum(axis=1)
    disagreeing = (given**2 - (counts**2).sum(axis=1)) / (given - 1)
    width = weights.shape[1]
    observed = weights @ np.bincount(unit, disagreeing, width)
    totals = np.stack([weights @ np.bincount(unit, column, width) for column in counts.T], axis=1)
    n = totals.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        resampled = 1 - (n - 1) * observed / (n**2 - (totals**2).sum(axis=1))
    return _with_interval(value, resampled, width)


def _kappa(given: Index, confusions: Index, units: int) -> Interval:
    """Cohen's kappa of two columns of labels [paragraphs, 2]; `confusions` [1 + resamples, labels, labels]."""
    if np.unique(given).size < 2:
        return np.nan, np.nan, np.nan
    value = float(cohen_kappa_score(given[:, 0], given[:, 1]))
    n = confusions.sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        chance = (confusions.sum(axis=1) * confusions.sum(axis=2)).sum(axis=1) / n**2
        resampled = (confusions.trace(axis1=1, axis2=2) / n - chance) / (1 - chance)
    return _with_interval(value, resampled, units)


def _with_interval(value: float, resampled: Matrix, units: int) -> Interval:
    """Put the library's value before the resamples' quantiles; a single article has no interval."""
    if units < 2:
        return value, np.nan, np.nan
    resampled[0] = value
    resampled[~np.isfinite(resampled)] = np.nan
    return interval(resampled)


def _against_rest(counts: Index, k: int) -> Index:
    return np.stack([counts[:, k], counts.sum(axis=1) - counts[:, k]], axis=1)


def _two_by_two(confusions: Index, k: int) -> Index:
    """Fold confusions [n, labels, labels] to one label against the rest [n, 2, 2]."""
    both, one, other = confusions[:, k, k], confusions[:, k].sum(axis=1), confusions[:, :, k].sum(axis=1)
    n = confusions.sum(axis=(1, 2))
    return np.stack([np.stack([both, one - both], axis=1), np.stack([other - both, n - one - other + both], axis=1)], axis=1)
