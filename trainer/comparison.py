"""Two evaluations side by side: a paired bootstrap over their sites says which differences are real."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trainer.config import Config
from trainer.dataset import Dataset
from trainer.errors import InputError
from trainer.evaluation import Interval, Report, interval
from trainer.report import METRICS, OVERALL
from trainer.sums import Measures, Sums, figures, site_sums
from trainer.text import Matrix

_LOWER_IS_BETTER = ("news_lost_per_1000",)
_LEAST_SITES = 2
_RESAMPLES = 1000
_HINT = "Make it with trainer evaluate --json FILE."


class Run(NamedTuple):
    """An evaluation as read from its file.

    `figures`: names of the overall ones it reports. `sites`: names in the order of `sums` and of `digests`, which are of the
    texts and true labels. `drawn`: [resamples, labels] average precision in each draw of sites with `seed`. `settings`: those
    that are not the defaults.
    """

    name: str
    title: str
    figures: tuple[str, ...]
    labels: tuple[str, ...]
    kept: tuple[str, ...]
    sites: tuple[str, ...]
    digests: tuple[str, ...]
    sums: Sums
    seed: int
    drawn: Matrix
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of both runs; all are (value, lower, upper) with 95 % intervals over the same draws of sites.

    `metric`: as in the report; `label`: None for overall figures. `verdict` on the second run: better, worse, or unclear where
    the interval of the difference holds 0.
    """

    metric: str
    label: str | None
    title: str
    first: Interval
    second: Interval
    difference: Interval
    verdict: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two runs differ in.

    Attributes:
        names, titles: of the runs. sites: how many were compared. items: labelled paragraphs, or judged articles, on these.
        labels: in column order. differences: overall figures first. confusion: of both, [run][true][predicted]. by_site:
        {"site", "items", "errors": of both}, those that differ most first. notes: one line each.
    """

    names: tuple[str, str]
    titles: tuple[str, str]
    sites: int
    items: int
    labels: tuple[str, ...]
    differences: tuple[Difference, ...]
    confusion: tuple[list[list[int]], list[list[int]]]
    by_site: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything, JSON-ready; null where undefined."""
        return dict(json.loads(json.dumps(asdict(self)), parse_constant=lambda _: None))


def comparable(report: Report, dataset: Dataset, config: Config, *, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what the file of a report must hold, besides its figures, to be compared with others.

    `sites`: for each a digest of texts and true labels, `confusion` [true][predicted], and `characters`, see `sums.Sums`.
    `draws`: average precision of each label in each draw of sites. `settings`: those that are not the defaults; the config's,
    where not given.
    """
    if report.detail is None:
        raise InputError("this report holds figures alone, no sites")
    names, labels = np.unique(dataset.sites), config.label_set
    sums = site_sums(report.detail.scored, labels, names.size)
    digests = _site_digests(dataset)
    sites = [
        {
            "site": str(names[s]),
            "digest": digests[str(names[s])],
            "confusion": sums.confusion[s].tolist(),
            "characters": {field: int(getattr(sums, field)[s]) for field in Sums._fields[1:]},
        }
        for s in np.flatnonzero(sums.confusion.sum(axis=(1, 2)))
    ]
    drawn = np.round(report.detail.average_precision, 6).tolist()
    draws = {"seed": config.seed, "average_precision": [[None if value != value else value for value in row] for row in drawn]}
    kept = [labels.names[k] for k in labels.kept]
    return {"kept": kept, "settings": config.changes if settings is None else settings, "sites": sites, "draws": draws}


def _site_digests(dataset: Dataset) -> dict[str, str]:
    parts: dict[str, list[str]] = {}
    for article in dataset.articles:
        parts.setdefault(article.site, []).append(json.dumps([article.texts, article.labels]))
    return {site: hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()[:16] for site, found in parts.items()}


def load_run(path: Path) -> Run:
    """Read the file of an evaluation.

    Raises:
        InputError: it cannot be read or is no such file.
    """
    try:
        fields = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from None
    except (ValueError, RecursionError):
        raise InputError("is not JSON", where=str(path), hint=_HINT) from None
    if isinstance(fields, dict) and "per_label" in fields and "sites" not in fields:
        raise InputError("has no figures of single sites", where=str(path), hint=f"It is of an older version. {_HINT}")
    try:
        return _run(fields, str(path))
    except (KeyError, TypeError, ValueError, IndexError):
        raise InputError("is not a report of an evaluation", where=str(path), hint=_HINT) from None


def _run(fields: dict[str, Any], name: str) -> Run:
    sites, classes = fields["sites"], len(fields["labels"])
    confusion = np.array([site["confusion"] for site in sites], np.intp).reshape(len(sites), classes, classes)
    chars = [np.array([site["characters"][field] for site in sites], float) for field in Sums._fields[1:]]
    drawn = np.array(fields["draws"]["average_precision"], float).reshape(-1, classes)
    return Run(
        name,
        str(fields["title"]),
        tuple(map(str, fields["overall"])),
        tuple(map(str, fields["labels"])),
        tuple(map(str, fields["kept"])),
        tuple(str(site["site"]) for site in sites),
        tuple(str(site["digest"]) for site in sites),
        Sums(confusion, *chars),
        int(fields["draws"]["seed"]),
        drawn,
        dict(fields["settings"]),
    )


def compare(first: Run, second: Run, *, resamples: int = _RESAMPLES, seed: int = 0) -> Comparison:
    """Compare two runs on the sites whose texts and labels are the same in both.

    Each draw of sites is used for both runs, so what makes a site hard cancels out (paired bootstrap; Efron and Tibshirani,
    1993, An Introduction to the Bootstrap).

    Raises:
        InputError: the runs have other labels, or fewer than two sites are the same in both.
    """
    if (first.labels, first.kept) != (second.labels, second.kept):
        labels = " and ".join(f"{', '.join(run.labels)} (kept: {', '.join(run.kept)})" for run in (first, second))
        raise InputError(f"{first.name} and {second.name} have different labels: {labels}", hint="Compare runs of one label set.")
    shared = sorted(set(zip(first.sites, first.digests, strict=True)) & set(zip(second.sites, second.digests, strict=True)))
    if len(shared) < _LEAST_SITES:
        raise InputError(
            f"{first.name} and {second.name} are over different data: of {len(first.sites):,} and {len(second.sites):,} sites "
            f"{len(shared)} have the same texts and labels in both",
            hint="Evaluate both on the same labels.",
        )
    names = [site for site, _ in shared]
    draws = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    weights = np.concatenate([np.ones((1, len(names)), np.intp), draws])
    sums = [_choose(run, names) for run in (first, second)]
    measured = [figures(each, weights) for each in sums]
    by_draw = _comparable_draws(first, second)
    confusion = [found.confusion[0].tolist() for found in measured]
    return Comparison(
        names=(first.name, second.name),
        titles=(first.title, second.title),
        sites=len(names),
        items=int(sums[0].confusion.sum()),
        labels=first.labels,
        differences=tuple(_differences(first, measured, (first.drawn, second.drawn) if by_draw else None)),
        confusion=(confusion[0], confusion[1]),
        by_site=_by_site(names, sums),
        notes=tuple(_notes(first, second, len(names), by_draw=by_draw)),
    )


def _choose(run: Run, names: Sequence[str]) -> Sums:
    number = {site: i for i, site in enumerate(run.sites)}
    return run.sums.select([number[site] for site in names])


def _comparable_draws(first: Run, second: Run) -> bool:
    """Whether both runs drew the same sites, so that their average precisions can be paired."""
    same = (first.sites, first.digests, first.seed) == (second.sites, second.digests, second.seed)
    return same and first.drawn.shape == second.drawn.shape


def _differences(run: Run, measured: Sequence[Measures], drawn: tuple[Matrix, Matrix] | None) -> list[Difference]:
    first, second = measured
    found = [
        _difference(name, None, title, first.overall[name], second.overall[name])
        for name, title in OVERALL.items()
        if name in run.figures and name in first.overall
    ]
    for name, title in METRICS.items():
        if name == "average_precision" and drawn is None:
            continue
        one, other = drawn if name == "average_precision" and drawn else (first.per_label[name], second.per_label[name])
        found += [_difference(name, label, f"{label}, {title}", one[:, k], other[:, k]) for k, label in enumerate(run.labels)]
    return found


def _difference(metric: str, label: str | None, title: str, first: Matrix, second: Matrix) -> Difference:
    difference = interval(second - first)
    _, low, high = difference
    better = high < 0 if metric in _LOWER_IS_BETTER else low > 0
    worse = low > 0 if metric in _LOWER_IS_BETTER else high < 0
    verdict = "better" if better else "worse" if worse else "unclear"
    return Difference(metric, label, title, interval(first), interval(second), difference, verdict)


def _by_site(names: Sequence[str], sums: Sequence[Sums]) -> tuple[dict[str, Any], ...]:
    items = sums[0].confusion.sum(axis=(1, 2))
    errors = [each.confusion.sum(axis=(1, 2)) - each.confusion.trace(axis1=1, axis2=2) for each in sums]
    order = np.argsort(-np.abs(errors[1] - errors[0]), kind="stable")
    rows = ({"site": names[s], "items": int(items[s]), "errors": [int(errors[0][s]), int(errors[1][s])]} for s in order)
    return tuple(row for row in rows if row["errors"][0] != row["errors"][1])


def _notes(first: Run, second: Run, shared: int, *, by_draw: bool) -> list[str]:
    notes = []
    if shared < max(len(first.sites), len(second.sites)):
        notes.append(
            f"compared on the {shared:,} sites whose texts and labels are the same in both, of {len(first.sites):,} and "
            f"{len(second.sites):,}"
        )
    changed = sorted(key for key in {**first.settings, **second.settings} if first.settings.get(key) != second.settings.get(key))
    if changed:
        said = (f"{key} {first.settings.get(key, 'default')} in A, {second.settings.get(key, 'default')} in B" for key in changed)
        notes.append(f"settings differ: {'; '.join(said)}")
    if not by_draw:
        notes.append("average precision is left out: it takes runs over the same sites with the same seed and resamples")
    notes.append("of twenty figures that do not differ, one is expected to look better or worse by chance")
    return notes
