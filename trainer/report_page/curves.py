"""The page's curves: precision against recall, calibration, and what each threshold removes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from trainer.evaluation import interval
from trainer.report_page.material import Material
from trainer.text import Matrix

_POINTS = 160
_BINS = 10
_STEPS = 185


def precision_recall(material: Material) -> list[dict[str, Any]]:
    """Return for each class the curve (recall rising) and its two marks.

    Marks are [recall, precision]: `likeliest` where each item has its likeliest class, `chosen` at the chosen thresholds: what
    goes as this class, or, for a class that is kept, what stays. Null where nothing is there, or classes are given at thresholds.
    """
    scored, kept = material.scored, material.labels.kept
    out = []
    for k, name in enumerate(material.labels.names):
        truth, found = scored.truth == k, scored.label == k
        chosen = ~scored.removed if kept == (k,) else found & scored.removed
        marks = {
            "likeliest": None if material.any_label else _mark(truth, found),
            "chosen": _mark(truth, chosen) if k not in kept or kept == (k,) else None,
        }
        out.append({"name": name, "kept": k in kept, "curve": _curve(truth, scored.probability[k]), **marks})
    return out


def _curve(truth: NDArray[np.bool_], probability: Matrix) -> list[list[float]]:
    """Return [recall, precision, threshold] rows, at most _POINTS, evenly over recall; none where the class is absent."""
    if not truth.any():
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        precision, recall, threshold = precision_recall_curve(truth, probability)
    rows = np.stack([recall[:-1], precision[:-1], threshold], axis=1)[::-1]  # without the made-up last point
    wanted = np.linspace(rows[0, 0], rows[-1, 0], _POINTS)
    chosen = np.unique(np.searchsorted(rows[:, 0], wanted - 1e-12))
    return np.round(rows[chosen], 4).tolist()  # type: ignore[no-any-return]


def _mark(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> list[float] | None:
    hits = int((truth & found).sum())
    return [round(hits / int(truth.sum()), 4), round(hits / int(found.sum()), 4)] if truth.any() and found.any() else None


def calibration(material: Material) -> list[dict[str, Any]]:
    """Return, for what goes and for each class, how often it is so at each predicted probability.

    Bins are {"from", "to", "items", "predicted", "observed": [share, lower, upper]}, with 95 % intervals over sites; `gap` is the
    mean distance of predicted and observed, weighted by items (expected calibration error; Naeini et al., 2015, AAAI).
    """
    scored = material.scored
    events = {material.rest: (material.residue, ~material.stays)}
    events |= {name: (scored.probability[k], scored.truth == k) for k, name in enumerate(material.labels.names)}
    return [{"name": name, **_reliability(material, *event)} for name, event in events.items()]


def _reliability(material: Material, probability: Matrix, truth: NDArray[np.bool_]) -> dict[str, Any]:
    which = np.clip((probability * _BINS).astype(np.intp), 0, _BINS - 1)
    sites = len(material.sites)
    cell = material.scored.site * _BINS + which

    def sums(values: NDArray[Any] | None) -> Matrix:
        return np.bincount(cell, values, sites * _BINS).reshape(sites, _BINS).astype(float)

    items, hits = sums(None), sums(truth)
    with np.errstate(invalid="ignore"):
        observed = (material.weights @ hits) / (material.weights @ items)
    count, mean = items.sum(axis=0), np.bincount(which, probability, _BINS) / np.maximum(np.bincount(which, minlength=_BINS), 1)
    bins: list[dict[str, Any]] = []
    for b in np.flatnonzero(count).tolist():
        shares = [round(value, 4) for value in interval(observed[:, b])]
        part = {"from": b / _BINS, "to": (b + 1) / _BINS, "items": int(count[b])}
        bins.append({**part, "predicted": round(float(mean[b]), 4), "observed": shares})
    gap = sum(b["items"] * abs(b["predicted"] - b["observed"][0]) for b in bins) / max(count.sum(), 1)
    return {"bins": bins, "gap": round(float(gap), 4)}


def removal(material: Material) -> dict[str, Any]:
    """Return what goes at each threshold of the slider: items and characters of each class, [classes][thresholds].

    At a threshold every item goes whose likeliest class is not kept (of `any_label`, whatever it is) and whose probability to be
    one that goes reaches it.
    `chosen` has what the chosen thresholds remove, `total` what there is; [classes] each.
    """
    scored, classes = material.scored, len(material.labels)
    thresholds = np.round(1 / (1 + np.exp(-np.linspace(*material.odds, _STEPS))), 5)
    candidate = ~np.isin(scored.label, material.labels.kept) | material.any_label

    def counts(chosen: NDArray[np.bool_]) -> dict[str, list[int]]:
        truth = scored.truth[chosen]
        return {
            "items": np.bincount(truth, minlength=classes).tolist(),
            "chars": np.bincount(truth, scored.chars[chosen], classes).astype(int).tolist(),
        }

    def row(k: int) -> tuple[list[int], list[int]]:
        mine = candidate & (scored.truth == k)
        order = np.argsort(material.residue[mine])
        first = np.searchsorted(material.residue[mine][order], thresholds)
        chars = np.append(np.cumsum(scored.chars[mine][order][::-1])[::-1], 0)
        return (order.size - first).tolist(), chars[first].tolist()

    rows = [row(k) for k in range(classes)]
    return {
        "thresholds": thresholds.tolist(),
        "items": [items for items, _ in rows],
        "chars": [chars for _, chars in rows],
        "chosen": counts(scored.removed),
        "total": counts(np.ones(scored.truth.size, bool)),
    }
