"""Cross-validation of verdicts on whole articles, on sites that neither the quality model nor the paragraph model has seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer import quality_training as training
from trainer.config import Config
from trainer.dataset import Dataset
from trainer.evaluation import Detail, Report, Scored, average_precision, interval, measure, resample_sites
from trainer.heuristics import RULES, broken
from trainer.quality import QualityModel, measures, probability_of_poor
from trainer.quality_config import QualityConfig
from trainer.quality_training import Material, Progress, best_threshold
from trainer.result import FilterResult
from trainer.schema import Label, LabelSet
from trainer.signals import NAMES
from trainer.text import Matrix
from trainer.verdicts import GOOD, POOR, REASONS

Index = NDArray[np.intp]
LABELS = LabelSet([Label(GOOD, kept=True), Label(POOR)])


class Predicted(NamedTuple):
    """What was said of n articles: `poor` [n] probability or rank, `called` [n] whether called poor, `reason` [n] columns."""

    poor: Matrix
    called: NDArray[np.bool_]
    reason: Index


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What an evaluation found: reports of the verdict and, on the poor articles whose reason is known, of the reason.

    Figures are those of `evaluation.Report`, an article counting where there a paragraph does. `scored`: an element an article,
    `ids` theirs. `baselines`: the verdict's report by each set of rules, and by length alone.
    """

    verdict: Report
    reasons: Report | None
    scored: Scored
    ids: tuple[str, ...]
    baselines: dict[str, Report]


def cross_validate(
    dataset: Dataset,
    config: QualityConfig,
    found: Material,
    *,
    only: Sequence[str] | None = None,
    progress: Progress = lambda items, _: items,
) -> QualityReport:
    """Evaluate in the folds in which the articles were filtered; each fold's model is fitted on the others, threshold included.

    Args:
        dataset: as `quality_training.prepare` got it, `found` what that returned.
        only: ids of the articles that figures are about; the others are trained on alone. All where left out.
        progress: wraps the iterable of folds; gets their number too.
    """
    dataset = training.judged(dataset)
    numbers = np.unique(found.fold)
    counted = (
        np.isin([article.id for article in dataset.articles], list(only)) if only is not None else np.ones(len(found.fold), bool)
    )
    predicted = Predicted(np.zeros(counted.size), np.zeros(counted.size, bool), np.zeros(counted.size, np.intp))
    by_rule = {name: predicted._replace(poor=np.zeros(counted.size), called=np.zeros(counted.size, bool)) for name in baselines()}
    thresholds = []
    for number in progress(numbers, numbers.size):
        rest, held = np.flatnonzero(found.fold != number), np.flatnonzero(found.fold == number)
        fitted, _ = training.fit(found.select(rest), config)
        scores = fitted.scores(found.select(held))
        predicted.poor[held] = probability_of_poor(scores)
        predicted.called[held] = predicted.poor[held] >= fitted.threshold
        predicted.reason[held] = scores[1:].argmax(axis=0)
        thresholds.append((1 - fitted.threshold, fitted.threshold))
        own = rest[counted[rest]] if counted[rest].any() else rest
        for name, rank in baselines().items():
            value = rank(found.signals)
            by_rule[name].poor[held] = value[held]
            least = best_threshold(found.poor[own], value[own]) if name in LENGTHS else 1
            by_rule[name].called[held] = value[held] >= least
    rows = np.flatnonzero(counted)
    title = f"{numbers.size}-fold cross-validation of article quality, site-grouped"
    return report(dataset, found.signals, rows, predicted, by_rule, config, title=title, thresholds=tuple(thresholds))


def evaluate_model(
    model: QualityModel, dataset: Dataset, results: Sequence[FilterResult], config: QualityConfig
) -> QualityReport:
    """Score a saved model on articles with a verdict; `results` are those of the paragraph model it is used with."""
    scores = model.scores(results)
    poor = probability_of_poor(scores)
    predicted = Predicted(poor, poor >= model.threshold, scores[1:].argmax(axis=0))
    if model.info.get("data", {}).get("digest") == dataset.quality_digest:
        notes = ["this is the data the model was trained on: the figures say nothing about new sites"]
    else:
        notes = ["the figures are about new sites only if neither model was trained on any of these articles"]
    thresholds = ((1 - model.threshold, model.threshold),)
    found = measures(results)
    rows = np.arange(len(dataset.articles))
    return report(
        dataset, found.signals, rows, predicted, {}, config, title=f"saved model {model.name}", thresholds=thresholds, notes=notes
    )


LENGTHS = {"length, short is poor": -1.0, "length, long is poor": 1.0}


def baselines() -> dict[str, Any]:
    """Return by name what ranks articles from their signals: rules broken, and length alone."""
    column = NAMES.index("characters")
    ranks: dict[str, Any] = {name: (lambda signals, name=name: broken(name, signals)) for name in RULES}
    ranks["any of the three"] = lambda signals: np.sum([broken(name, signals) for name in RULES], axis=0)
    return ranks | {name: (lambda signals, sign=sign: sign * signals[:, column]) for name, sign in LENGTHS.items()}


def report(
    dataset: Dataset,
    signals: Matrix,
    rows: Index,
    predicted: Predicted,
    by_rule: dict[str, Predicted],
    config: QualityConfig,
    *,
    title: str,
    thresholds: tuple[tuple[float, ...], ...],
    notes: Iterable[str] = (),
) -> QualityReport:
    """Compute every figure, with intervals from resampling sites; the same resamples for all."""
    part = dataset.select(rows)
    truth = np.array([article.quality == POOR for article in part.articles], np.intp)
    site = np.unique(part.sites, return_inverse=True)[1]
    chars = np.asarray(signals[rows, NAMES.index("characters")], np.intp)

    def scored_by(said: Predicted) -> Scored:
        called = said.called[rows]
        poor = said.poor[rows]
        return Scored(truth, called.astype(np.intp), np.stack([-poor if poor.max() > 1 else 1 - poor, poor]), chars, called, site)

    def report_of(scored: Scored, labels: LabelSet, title: str, thresholds: tuple[tuple[float, ...], ...]) -> Report:
        return _report(
            scored, labels, config.paragraphs.model_copy(update={"evaluation": config.evaluation}), part, title, thresholds
        )

    scored = scored_by(predicted)
    verdict = report_of(scored, LABELS, title, thresholds)
    reason = np.array([REASONS.index(article.quality_reason) if article.quality_reason else -1 for article in part.articles])
    known = np.flatnonzero(reason >= 0)
    reasons = None
    if known.size:
        given = predicted.reason[rows][known]
        of_reason = Scored(reason[known], given, np.eye(len(REASONS))[given].T, chars[known], given < 0, site[known])
        reason_labels = LabelSet([Label(name, kept=k == 0) for k, name in enumerate(REASONS)])
        reasons = report_of(of_reason, reason_labels, "reasons of the poor articles", ())
        reasons.per_label.pop("average_precision")
        verdict.overall["reasons_macro_f1"] = reasons.overall["macro_f1"]
    rules = {name: report_of(scored_by(said), LABELS, name, ()) for name, said in by_rule.items()}
    verdict = _with_notes(verdict, notes)
    return QualityReport(verdict, reasons, scored, tuple(article.id for article in part.articles), rules)


def _report(
    scored: Scored, labels: LabelSet, config: Config, part: Dataset, title: str, thresholds: tuple[tuple[float, ...], ...]
) -> Report:
    sites, site = np.unique(scored.site, return_inverse=True)
    scored, weights = scored._replace(site=site), resample_sites(len(sites), config)
    found = measure(scored, labels, weights)
    found.per_label["average_precision"] = average = average_precision(scored, len(labels), weights)
    return Report(
        title=title,
        labels=labels.names,
        support=tuple(int(x) for x in found.confusion[0].sum(axis=1)),
        per_label={name: tuple(interval(values[:, k]) for k in range(len(labels))) for name, values in found.per_label.items()},
        overall={name: interval(found.overall[name]) for name in ("macro_f1", "accuracy")},
        confusion=tuple(tuple(int(x) for x in row) for row in found.confusion[0]),
        thresholds=thresholds,
        data=training.summary(part),
        detail=Detail(scored, np.arange(len(part.articles)), average),
    )


def _with_notes(report: Report, notes: Iterable[str]) -> Report:
    from dataclasses import replace

    return replace(report, notes=tuple(notes))
