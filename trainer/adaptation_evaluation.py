"""How good an adapted model is on its user's pages, beside the base as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from trainer.adaptation import adapt
from trainer.config import Config
from trainer.dataset import Dataset
from trainer.errors import InputError
from trainer.estimator import article_runs
from trainer.evaluation import Interval, Report, Scored, join_scored, report, score_articles
from trainer.grouping import join_near_duplicates
from trainer.model import Classifier
from trainer.network import Network
from trainer.text import Matrix
from trainer.training import Trained

Index = NDArray[np.intp]
_SHOWN = {
    "macro_f1": "macro-F1",
    "news_char_f1": "F1 of news characters",
    "news_lost_per_1000": "news characters lost per 1,000",
    "junk_removed": "share of junk characters removed",
}


def cross_validate(
    base: Classifier,
    dataset: Dataset,
    config: Config,
    *,
    progress: Callable[[Iterable[Any], int], Iterable[Any]] = lambda items, _: items,
) -> Report:
    """Adapt to some of the articles and test on the others, in turn: of other sites, or of the same one if there is no other.

    The notes give the base's figures on the same paragraphs and, where sites were left out, those with articles left out
    instead: how good the model is on new pages of the sites it was adapted to.

    Raises:
        InputError: fewer than two articles have labels.
    """
    labelled = _labelled(dataset)
    if labelled.size < 2:
        raise InputError(
            "only one article has labels; cross-validation needs two", hint="Label another, or leave out --evaluate."
        )
    group = {"sites": join_near_duplicates(dataset, config).group, "articles": np.arange(len(dataset.articles))}
    ways = ["articles"] if np.unique(group["sites"][labelled]).size < 2 else ["sites", "articles"]
    work = [(way, *split) for way in ways for split in _splits(group[way][labelled], labelled, config)]
    done: dict[str, list[tuple[Scored, tuple[float, ...]]]] = {way: [] for way in ways}
    for way, rest, held in progress(work, len(work)):
        trained = adapt(base, dataset.select(rest), config)
        probability = _probabilities(trained.network, dataset.select(held))
        scored = score_articles(_units(dataset), held, config, probability, trained.policy)
        done[way].append((scored, trained.policy.thresholds))
    reports = {}
    for way, results in done.items():
        title = f"{len(results)}-fold cross-validation of the adaptation, {way} left out"
        thresholds = tuple(chosen for _, chosen in results)
        reports[way] = report(join_scored([scored for scored, _ in results]), config, dataset, title=title, thresholds=thresholds)
    notes = list(_notes(base, dataset, config))
    if len(ways) > 1:
        notes.append(f"on new pages of the same sites (articles left out instead of sites): {main_figures(reports['articles'])}")
    return replace(reports[ways[0]], notes=tuple(notes))


def evaluate_training(base: Classifier, dataset: Dataset, config: Config, trained: Trained) -> Report:
    """Report the out-of-fold probabilities that `adapt` left behind; quick. The notes give the base's figures."""
    folds = trained.info["adapted"]["folds"]
    how = f"{folds} folds by article" if folds > 1 else "one article with labels, so these are the base's own figures"
    scored = score_articles(_units(dataset), _labelled(dataset), config, trained.out_of_fold[_rows(dataset)].T, trained.policy)
    found = report(scored, config, dataset, title=f"out-of-fold in adaptation, {how}", thresholds=(trained.policy.thresholds,))
    notes = list(_notes(base, dataset, config))
    return replace(found, notes=tuple(notes))


def _notes(base: Classifier, dataset: Dataset, config: Config) -> Iterator[str]:
    labelled = _labelled(dataset)
    probability = _probabilities(base.network, dataset.select(labelled))
    scored = score_articles(_units(dataset), labelled, config, probability, base.policy)
    found = report(scored, config, dataset, title="", thresholds=(base.policy.thresholds,))
    yield f"the base as it is, on the same paragraphs: {main_figures(found)}"
    if _units(dataset) is not dataset:
        yield "all labels are of one site: intervals are over its articles, and other sites were not looked at"


def _labelled(dataset: Dataset) -> Index:
    """Return the numbers of the articles that have labels."""
    found = [i for i, article in enumerate(dataset.articles) if any(label is not None for label in article.labels)]
    return np.array(found, np.intp)


def _rows(dataset: Dataset) -> NDArray[np.bool_]:
    """Return which paragraphs are of articles that have labels."""
    inside = np.isin(np.arange(len(dataset.articles)), _labelled(dataset))
    return np.repeat(inside, [len(texts) for texts in dataset.texts])


def _units(dataset: Dataset) -> Dataset:
    """Return the articles with what intervals are over in place of the site: that, or for one site the article."""
    if len(set(dataset.select(_labelled(dataset)).sites.tolist())) > 1:
        return dataset
    return Dataset(tuple(replace(article, site=f"article {i}") for i, article in enumerate(dataset.articles)))


def _splits(group: Index, labelled: Index, config: Config) -> Iterator[tuple[Index, Index]]:
    """Yield the articles to adapt to and those held out; groups are whole."""
    folds = min(config.evaluation.folds, np.unique(group).size)
    for rest, held in GroupKFold(folds, shuffle=True, random_state=config.seed).split(labelled, groups=group):
        yield labelled[rest], labelled[held]


def _probabilities(network: Network, dataset: Dataset) -> Matrix:
    return np.concatenate([network.probabilities(run) for run in article_runs(dataset.texts)], axis=1)


def main_figures(found: Report) -> str:
    """Return a few figures of a report as one line."""
    return ", ".join(f"{title} {_figure(found.overall[name])}" for name, title in _SHOWN.items())


def _figure(interval: Interval) -> str:
    value, low, high = interval
    return "–" if np.isnan(value) else f"{value:.3f} ({low:.3f}–{high:.3f})"
