"""Cross-validation on sites the model has not seen, with intervals over sites."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedGroupKFold

from trainer.config import Config
from trainer.dataset import Dataset
from trainer.errors import InputError
from trainer.estimator import encode
from trainer.grouping import join_near_duplicates
from trainer.model import Classifier
from trainer.policy import Policy, candidates
from trainer.schema import UNLABELLED, LabelSet
from trainer.sums import Measures, figures, site_sums
from trainer.text import Matrix
from trainer.training import Trained, fit, make_policy

Index = NDArray[np.intp]
Interval = tuple[float, float, float]  # value, lower and upper end of the 95 % interval


class Scored(NamedTuple):
    """Labelled paragraphs with out-of-fold predictions; arrays over all n of them.

    `truth`, `label`: columns of the true and the likeliest label. `probability`: [classes, n]. `chars`: length.
    `removed`: whether thresholds chosen without this site would remove the paragraph. `site`: number of its site.
    """

    truth: Index
    label: Index
    probability: Matrix
    chars: Index
    removed: NDArray[np.bool_]
    site: Index


class Detail(NamedTuple):
    """What a report was computed from.

    `scored`: the labelled paragraphs, in order within each article. `articles`: numbers of these articles, in the order in
    which `scored` has them. `average_precision`: [resamples, classes].
    """

    scored: Scored
    articles: Index
    average_precision: Matrix


@dataclass(frozen=True, slots=True)
class Report:
    """What an evaluation found. Every figure is (value, lower, upper): a 95 % bootstrap interval over sites.

    Attributes:
        title: how it was evaluated. labels: names in column order. support: paragraphs of each label. per_label: metric →
        one figure a label. overall: metric → figure. confusion: [true][predicted] paragraphs. thresholds: per fold.
        data: counts and digest. notes: one line each. detail: what it was computed from; not part of what is written.
    """

    title: str
    labels: tuple[str, ...]
    support: tuple[int, ...]
    per_label: dict[str, tuple[Interval, ...]]
    overall: dict[str, Interval]
    confusion: tuple[tuple[int, ...], ...]
    thresholds: tuple[tuple[float, ...], ...]
    data: dict[str, Any]
    notes: tuple[str, ...] = ()
    detail: Detail | None = field(default=None, repr=False, compare=False)


def cross_validate(
    dataset: Dataset,
    config: Config,
    *,
    jobs: int = -1,
    split_sites: bool = False,
    progress: Callable[[Iterable[Any], int], Iterable[Any]] = lambda items, _: items,
) -> Report:
    """Evaluate by K-fold cross-validation in which no site, and no story under two site names, is on both sides.

    Each fold fits everything anew, thresholds included, on the other folds.

    Args:
        dataset: labelled articles. config: settings. jobs: processes, -1 for one a core.
        split_sites: split articles at random instead, to show how much that flatters.
        progress: wraps the iterable of finished folds; gets their number too.
    """
    if split_sites:
        group, notes = np.arange(len(dataset.articles)), []
    else:
        group, joined = join_near_duplicates(dataset, config)
        notes = [f"{joined} articles were near-duplicates of one on another site and kept on its side of every split"]
    folds = split_folds(dataset, config, group, split_sites=split_sites)
    if len(folds) < config.evaluation.folds:
        notes.append(f"{len(folds)} folds instead of {config.evaluation.folds}: there are no more sites")
    work = (delayed(_run_fold)(dataset, config, group, held) for held in folds)
    done = Parallel(n_jobs=jobs, return_as="generator")(work)
    results = list(progress(done, len(folds)))
    for number, (scored, _) in enumerate(results, 1):
        absent = [name for k, name in enumerate(config.label_set.names) if not (scored.truth == k).any()]
        if absent:
            notes.append(f"fold {number} holds no {', '.join(absent)}; those paragraphs come from the other folds")
    whole = join_scored([scored for scored, _ in results])
    how = "articles split at random (leaky)" if split_sites else "site-grouped"
    title = f"{len(folds)}-fold cross-validation, {how}"
    thresholds = tuple(policy.thresholds for _, policy in results)
    return report(whole, config, dataset, np.concatenate(folds), title=title, thresholds=thresholds, notes=notes)


def evaluate_model(model: Classifier, dataset: Dataset, config: Config) -> Report:
    """Score a saved model on labelled articles with its own thresholds.

    Raises:
        InputError: the labels of the model and of the configuration differ.
    """
    if model.labels.names != config.label_set.names:
        raise InputError(
            f"the model has the labels {', '.join(model.labels.names)}, the configuration {', '.join(config.label_set.names)}",
            where=model.name,
            hint="Give the configuration it was trained with.",
        )
    everything = np.arange(len(dataset.articles))
    probability = model.predict_proba(dataset.texts).T
    scored = score_articles(dataset, everything, config, probability, model.policy)
    notes = []
    trained_on = model.info.get("data", {}).get("digest")
    if trained_on == dataset.digest:
        notes.append("this is the data the model was trained on: the figures say nothing about new sites")
    title = f"saved model {model.name}"
    return report(scored, config, dataset, everything, title=title, thresholds=(model.policy.thresholds,), notes=notes)


def evaluate_training(dataset: Dataset, config: Config, trained: Trained) -> Report:
    """Report the out-of-fold probabilities that training left behind; quick, and a little kinder than `cross_validate`."""
    everything = np.arange(len(dataset.articles))
    scored = score_articles(dataset, everything, config, trained.out_of_fold.T, trained.policy)
    notes = [
        "out-of-fold figures of the training run: thresholds were chosen on the same paragraphs; "
        "`trainer train --evaluate` gives fully nested ones"
    ]
    return report(
        scored,
        config,
        dataset,
        everything,
        title=f"out-of-fold in training, {config.inner_folds} site-grouped folds",
        thresholds=(trained.policy.thresholds,),
        notes=notes,
    )


def report(
    scored: Scored,
    config: Config,
    dataset: Dataset,
    articles: Index | None = None,
    *,
    title: str,
    thresholds: tuple[tuple[float, ...], ...],
    notes: Iterable[str] = (),
) -> Report:
    """Compute every figure of a report, with intervals from resampling sites; for `articles` see `Detail`."""
    labels = config.label_set
    sites, site = np.unique(scored.site, return_inverse=True)
    dense, weights = scored._replace(site=site), resample_sites(len(sites), config)
    measures = measure(dense, labels, weights)
    measures.per_label["average_precision"] = average = average_precision(dense, len(labels), weights)
    confusion = measures.confusion
    return Report(
        title=title,
        labels=labels.names,
        support=tuple(int(x) for x in confusion[0].sum(axis=1)),
        per_label={
            name: tuple(interval(values[:, k]) for k in range(len(labels))) for name, values in measures.per_label.items()
        },
        overall={name: interval(values) for name, values in measures.overall.items()},
        confusion=tuple(tuple(int(x) for x in row) for row in confusion[0]),
        thresholds=thresholds,
        data=dataset.summary(),
        notes=tuple(notes),
        detail=None if articles is None else Detail(scored, articles, average),
    )


def resample_sites(sites: int, config: Config) -> Index:
    """Return how often each site counts, [1 + resamples, sites]: the first row is the data as they are, then bootstrap draws."""
    rng = np.random.default_rng(config.seed)
    draws = rng.multinomial(sites, np.full(sites, 1 / sites), size=config.evaluation.resamples)
    return np.concatenate([np.ones((1, sites), np.intp), draws])


def measure(scored: Scored, labels: LabelSet, weights: Index) -> Measures:
    """Compute the figures of a report, but for average precision, once for each row of `weights` from `resample_sites`.

    `scored.site` are columns of `weights`; probabilities are not looked at.
    """
    return figures(site_sums(scored, labels, weights.shape[1]), weights)


def average_precision(scored: Scored, classes: int, weights: Index) -> Matrix:
    """Compute the average precision of each label, [resamples, classes]; see `measure`."""
    return np.array([_average_precision(scored, k, scored.site, weights) for k in range(classes)]).T


def split_folds(dataset: Dataset, config: Config, group: Index, *, split_sites: bool = False) -> list[Index]:
    """Return the article numbers held out in each fold; groups are whole unless `split_sites`."""
    count = min(config.evaluation.folds, int(np.unique(group).size))
    if count < 2:
        raise InputError(
            "all sites share a story, so they form one group; evaluation needs at least 2", hint="Add articles of other sites."
        )
    if split_sites:
        return [held for _, held in KFold(count, shuffle=True, random_state=config.seed).split(group)]
    truth = encode(dataset.labels, list(config.label_set.names))
    article = np.repeat(np.arange(len(dataset.articles)), [len(a.texts) for a in dataset.articles])
    known = truth != UNLABELLED
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=config.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # labels rarer than folds: said in a note
        folds = list(splitter.split(article[known], truth[known], group[article[known]]))
    held_groups = [np.unique(group[article[known][held]]) for _, held in folds]
    return [held for groups in held_groups if (held := np.flatnonzero(np.isin(group, groups))).size]


def _run_fold(dataset: Dataset, config: Config, group: Index, held: Index) -> tuple[Scored, Policy]:
    rest = np.setdiff1d(np.arange(len(dataset.articles)), held)
    training, test = dataset.select(rest), dataset.select(held)
    model = fit(training, config, group[rest])
    policy = make_policy(model, training, config)
    return score_articles(dataset, held, config, model.predict_proba(test.texts).T, policy), policy


def join_scored(parts: Sequence[Scored]) -> Scored:
    """Put the paragraphs of several parts together."""
    return Scored(*(np.concatenate(arrays, axis=-1) for arrays in zip(*parts, strict=True)))


def score_articles(dataset: Dataset, rows: Index, config: Config, probability: Matrix, policy: Policy) -> Scored:
    """Compare the probabilities of some articles, given by number, with their labels."""
    part = dataset.select(rows)
    truth = encode(part.labels, list(config.label_set.names))
    known = truth != UNLABELLED
    chars = np.fromiter((len(text) for article in part.texts for text in article), np.intp, truth.size)
    label, _, reached = candidates(probability, config.label_set.kept, policy.thresholds)
    return Scored(truth[known], label[known], probability[:, known], chars[known], reached[known], _site_rows(dataset, rows))


def _site_rows(dataset: Dataset, rows: Index) -> Index:
    """Return the site number of each labelled paragraph of some articles."""
    number = np.unique(dataset.sites, return_inverse=True)[1]
    return np.repeat(number[rows], [sum(label is not None for label in dataset.articles[i].labels) for i in rows])


def _average_precision(scored: Scored, k: int, site: Index, weights: Index) -> Matrix:
    """Average precision of one label in each resample (area under the precision-recall steps, as in scikit-learn)."""
    order = np.argsort(-scored.probability[k], kind="stable")
    level = scored.probability[k][order]
    last = np.append(level[1:] != level[:-1], True)[: level.size]  # equal probabilities count together
    is_k, of_site = scored.truth[order] == k, site[order]
    out = np.full(len(weights), np.nan)
    for i, weight in enumerate(weights):
        counted = weight[of_site]
        hits = np.cumsum(counted * is_k)[last]
        if hits.size and hits[-1]:
            ranked = np.maximum(np.cumsum(counted)[last], 1)
            out[i] = (np.diff(hits, prepend=0) * hits / ranked).sum() / hits[-1]
    return out


def interval(values: Matrix) -> Interval:
    """Return the value on the data and the 2.5 and 97.5 % quantiles over the resamples (percentile bootstrap)."""
    resampled = values[1:][~np.isnan(values[1:])]
    low, high = np.quantile(resampled, [0.025, 0.975]) if resampled.size else (np.nan, np.nan)
    return float(values[0]), float(low), float(high)
