"""From labelled articles to a model: fit, choose thresholds on out-of-fold probabilities, describe."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.config import Config
from trainer.dataset import Dataset
from trainer.errors import InputError
from trainer.estimator import ArticleClassifier, encode
from trainer.grouping import join_near_duplicates
from trainer.network import Network
from trainer.policy import Policy, choose_thresholds
from trainer.schema import UNLABELLED, LabelSet
from trainer.text import Matrix

_DECIDING = 50  # articles of full weight that are enough to choose thresholds on
_MORE_SITES = "Add label files of other sites."
_MORE_LABELS = "Label the stories of the articles too."


class Trained(NamedTuple):
    """A fitted model, what `artifact.save` takes, and the out-of-fold probabilities [paragraphs, classes] behind it."""

    network: Network
    labels: LabelSet
    policy: Policy
    info: dict[str, Any]
    out_of_fold: Matrix


def train(dataset: Dataset, config: Config) -> Trained:
    """Train on all articles of a dataset; the same data, configuration and seed give the same model."""
    labels = config.label_set
    kept = [labels.names[k] for k in labels.kept]
    if dataset.counts().keys().isdisjoint(kept):
        raise InputError(f"no paragraph is labelled {' or '.join(kept)}; a model needs to know what to keep", hint=_MORE_LABELS)
    groups = join_near_duplicates(dataset, config)
    if np.unique(groups.group).size < 2:
        raise InputError("all sites share a story, so they form one group; training needs at least 2", hint=_MORE_SITES)
    model = fit(dataset, config, groups.group)
    policy = make_policy(model, dataset, config)
    info = {
        "config": config.model_dump(mode="json"),
        "config_digest": config.digest,
        "data": dataset.summary(),
        "near_duplicates_joined": groups.joined,
        "versions": versions(),
    }
    return Trained(model.network_, labels, policy, info, model.out_of_fold_)


def fit(dataset: Dataset, config: Config, groups: NDArray[np.intp]) -> ArticleClassifier:
    """Fit the estimator; `groups` [articles] are never split between its inner folds."""
    if np.unique(groups).size < 2:  # one of two sites is held out: inner folds then take articles apart
        groups = np.arange(len(dataset.articles))
    try:
        model = ArticleClassifier(**config.estimator_params())
        return model.fit(dataset.texts, dataset.labels, groups, dataset.weights, dataset.kinds)
    except ValueError as error:
        raise InputError(f"cannot train on these labels: {error}", hint=_MORE_SITES) from None


def make_policy(model: ArticleClassifier, dataset: Dataset, config: Config) -> Policy:
    """Choose thresholds on the estimator's out-of-fold probabilities of its own training articles.

    Articles that weigh less than 1 are there to learn from, and written to be hard: where there are enough others, those alone
    decide.
    """
    labels = config.label_set
    truth = encode(dataset.labels, list(labels.names))
    chars = np.fromiter((len(text) for article in dataset.texts for text in article), np.intp, truth.size)
    settings = config.policy
    full = dataset.weights >= 1
    decides = np.repeat(full | (np.count_nonzero(full) < _DECIDING), [len(article) for article in dataset.texts])
    rows = np.flatnonzero((truth != UNLABELLED) & decides)
    probability = model.out_of_fold_[rows].T
    thresholds = choose_thresholds(probability, truth[rows], chars[rows], labels.kept, settings.max_news_loss)
    return Policy(thresholds, settings.headline, settings.headline_threshold, settings.max_removed_share, settings.allow_empty)


def versions() -> dict[str, str]:
    """Return the versions that a model's bytes may depend on."""
    names = ("paragraph-trainer", "numpy", "scikit-learn", "scipy", "safetensors")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}
