"""A trained model as a fitted scikit-learn pipeline, for notebooks and as a peer to measure the runtime against."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from trainer.context import Articles, inputs
from trainer.estimator import feature_matrix
from trainer.features import FAMILIES, FeatureSettings, extract_all
from trainer.model import Classifier
from trainer.network import Network, merge
from trainer.sequence import SequenceStage
from trainer.text import Matrix, TextStage, softmax


class ContextInputs(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Articles to what the second stage reads of each paragraph, and the number of its article as a last column.

    Args:
        text: fitted logistic regression over hashed features. features: settings. kept: columns of the kinds of the story.
    """

    def __init__(self, text: LogisticRegression, features: FeatureSettings, kept: tuple[int, ...]) -> None:
        self.text = text
        self.features = features
        self.kept = kept

    def __sklearn_is_fitted__(self) -> bool:
        """It is made from fitted parts."""
        return True

    def fit(self, X: object, y: object = None) -> Self:  # noqa: N803, ARG002
        """Do nothing: the parts are fitted already."""
        return self

    def transform(self, X: Sequence[Sequence[str]]) -> Matrix:  # noqa: N803
        """Return [paragraphs of all articles, inputs + 1] for a list of articles, each a list of paragraphs."""
        batches = extract_all([text for article in X for text in article], self.features)
        articles = Articles.build(batches, [len(article) for article in X])
        coef, bounds = _differences(self.text.coef_), np.cumsum([0, *self.features.buckets])
        matrix = feature_matrix(batches, self.features)
        parts = np.stack([(matrix[:, a:b] @ coef[:, a:b].T).T for a, b in pairwise(bounds)])
        bias = _differences(self.text.intercept_[:, None])
        scores = np.concatenate([np.zeros((1, parts.shape[2])), parts.sum(axis=0) + bias])
        return np.concatenate([inputs(articles, parts, scores, self.kept), articles.article[None]]).T


class SequenceClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The second stage over the rows of `ContextInputs`.

    Args:
        sequence: its weights. labels: label names in column order. label_of: column of the label of each kind.
    """

    def __init__(self, sequence: SequenceStage, labels: tuple[str, ...], label_of: tuple[int, ...]) -> None:
        self.sequence = sequence
        self.labels = labels
        self.label_of = label_of

    def __sklearn_is_fitted__(self) -> bool:
        """It is made from fitted parts."""
        return True

    @property
    def classes_(self) -> NDArray[Any]:
        """Label names."""
        return np.array(self.labels)

    def fit(self, X: object, y: object = None) -> Self:  # noqa: N803, ARG002
        """Do nothing: the weights are fitted already."""
        return self

    def predict_proba(self, X: Matrix) -> Matrix:  # noqa: N803
        """Return probabilities [rows, labels]."""
        scores = self.sequence.scores(np.ascontiguousarray(X[:, :-1].T), X[:, -1].astype(np.intp))
        return merge(softmax(scores) if len(X) else scores, self.label_of, len(self.labels)).T

    def predict(self, X: Matrix) -> NDArray[Any]:  # noqa: N803
        """Return the likeliest label of each row."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


def to_pipeline(model: Classifier) -> Pipeline:
    """Return a fitted pipeline whose `predict_proba` takes articles and gives the model's probabilities, to rounding."""
    network: Network = model.network
    seen = ContextInputs(_regression(network.text), network.text.settings, network.kept_kinds)
    return Pipeline([("inputs", seen), ("sequence", SequenceClassifier(network.sequence, model.labels.names, network.label_of))])


def _differences(rows: Matrix) -> Matrix:
    """Return rows relative to the first class; scikit-learn keeps one row where there are two classes."""
    return rows if len(rows) == 1 else rows[1:] - rows[0]


def _regression(stage: TextStage) -> LogisticRegression:
    classes = stage.bias.size + 1
    bounds = np.cumsum([0, *stage.settings.buckets])
    coef = np.zeros((classes, stage.weights.shape[0]))
    for family in range(len(FAMILIES)):
        part = slice(bounds[family], bounds[family + 1])
        coef[1:, part] = (stage.weights[part] * stage.scale[family]).T
    model = LogisticRegression()
    model.classes_ = np.arange(classes)
    model.coef_, model.intercept_ = coef, np.append(0.0, stage.bias)
    if classes == 2:
        model.coef_, model.intercept_ = model.coef_[1:], model.intercept_[1:]
    model.n_features_in_ = coef.shape[1]
    return model
