"""A run's fits, and the figures of a variant's out-of-fold predictions."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from quality_parts.figures import POINTS, Figure, Row, junk_removed, label_figures, removal_figures, text_figures
from quality_parts.jobs import Job, Outcome, Predictions, assemble, of
from quality_parts.material import SHORT_OF, WHOLE, Material
from trainer.config import Config
from trainer.evaluation import Scored
from trainer.schema import UNLABELLED

PAGES, WRITTEN = f"pages/{WHOLE}", f"written/{WHOLE}"
PRODUCT = "product"
Variant = Sequence[Job]


class Seen(NamedTuple):
    """The labelled paragraphs of a view with their predictions; `removed`: by thresholds and valves; `page`: article number."""

    scored: Scored
    is_news: np.ndarray
    residue: np.ndarray
    removed: np.ndarray
    page: np.ndarray


@dataclass
class Results:
    """A run's fits; `weights`: bootstrap draws of sites of each collection; `failures` gathers what went wrong."""

    config: Config
    material: Material
    weights: dict[str, np.ndarray]
    outcomes: dict[str, Outcome]
    failed: dict[str, str]
    failures: list[str] = field(default_factory=list)

    def predictions(self, variant: Variant, which: str) -> Predictions:
        """Out-of-fold predictions of a variant; the reason as RuntimeError where a fit failed."""
        reasons = [self.failed[job.id] for job in variant if job.id in self.failed]
        if reasons:
            raise RuntimeError(reasons[0])
        return assemble(self.material, self.config, [self.outcomes[job.id] for job in variant], which)

    def row(self, name: str, figures: Callable[[], Mapping[str, Figure]], note: str = "") -> Row:
        """Return a row; where its figures cannot be had, one that says why."""
        try:
            return Row(name, figures(), note)
        except Exception as error:  # the rest of the table goes on; the exit code says that something failed
            if not isinstance(error, RuntimeError):
                traceback.print_exc()
            self.failures.append(f"{name}: {error}")
            return Row(name, {}, f"{error}")

    def see(self, which: str, found: Predictions) -> Seen:
        """Put predictions beside the truth."""
        collection, view = of(self.material, which)
        known = collection.truth[view.rows] != UNLABELLED
        rows = view.rows[known]
        scored = Scored(
            collection.truth[rows],
            found.label[known],
            found.probability[:, known],
            collection.chars[rows],
            found.reached[known],
            collection.site[rows],
        )
        is_news = np.isin(scored.truth, self.config.label_set.kept)
        return Seen(scored, is_news, found.residue[known], found.removed[known], collection.article[rows])

    def decided(self, keep: np.ndarray) -> Predictions:
        """Predictions of something that only keeps or drops: kept is news, the rest the commonest of the other labels."""
        names, kept = self.config.label_set.names, list(self.config.label_set.kept)
        truth = self.material.pages.truth
        others = [k for k in range(len(names)) if k not in kept]
        rest = max(others, key=lambda k: int((truth == k).sum()))
        label = np.where(keep, kept[0], rest)
        return Predictions(np.zeros((len(names), keep.size)), label, (~keep).astype(float), ~keep, ~keep)


def figures(results: Results, which: str, found: Predictions, *, ranked: bool = True) -> dict[str, Figure]:
    """All label and character figures of predictions on a view."""
    seen, weights = results.see(which, found), results.weights[which.partition("/")[0]]
    labels, scored = results.config.label_set, seen.scored
    is_kept = np.isin(scored.label, labels.kept)
    return {
        **label_figures(scored, labels, weights, ranked=ranked),
        **text_figures(scored.chars, seen.is_news, is_kept, seen.page, scored.site, weights),
    }


def removal(results: Results, which: str, found: Predictions, points: Mapping[str, float] = POINTS) -> dict[str, Figure]:
    """Junk removed at points of news lost, and what thresholds from the training side remove, without and with the valves."""
    seen, weights = results.see(which, found), results.weights["pages"]
    chars, site = seen.scored.chars, seen.scored.site
    curve = junk_removed(seen.residue, chars, seen.is_news, site, weights, list(points.values()))
    thresholds = removal_figures(chars, seen.is_news, seen.scored.removed, site, weights)
    valves = removal_figures(chars, seen.is_news, seen.removed, site, weights)
    return {
        **{f"junk_at {name}": curve[:, i] for i, name in enumerate(points)},
        **thresholds,
        **{f"{key} valves": values for key, values in valves.items()},
    }


def written_figures(results: Results, variant: Variant) -> dict[str, Figure]:
    if not results.material.written.article.size:
        return {}
    found = figures(results, WRITTEN, results.predictions(variant, WRITTEN), ranked=False)
    return {f"written {key}": values for key, values in found.items()}


def few_figures(results: Results, variant: Variant) -> dict[str, Figure]:
    """What ablations and the learning curve are judged by."""
    out = figures(results, PAGES, results.predictions(variant, PAGES), ranked=False)
    if SHORT_OF in results.material.pages.views:
        which = f"pages/{SHORT_OF}"
        out[f"junk_at {SHORT_OF}"] = removal(results, which, results.predictions(variant, which))["junk_at 0.5 %"]
    return {**out, **written_figures(results, variant)}


def with_differences(rows: Sequence[Row], base: Row | None, keys: Sequence[str], sign: int = 1) -> list[Row]:
    """Return the rows with "key difference": row − base, or base − row where `sign` is -1; paired, draw by draw."""
    if base is None:
        return list(rows)
    out = []
    for row in rows:
        known = [key for key in keys if key in row.figures and key in base.figures and row is not base]
        gaps = {f"{key} difference": sign * (row.figures[key] - base.figures[key]) for key in known}
        out.append(row._replace(figures={**row.figures, **gaps}))
    return out
