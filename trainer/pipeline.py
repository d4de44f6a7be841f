"""A trained model as a fitted scikit-learn pipeline, for notebooks and as a peer to measure the runtime against."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline

from trainer.context import Articles, Context, ContextSettings, ContextStage
from trainer.estimator import feature_matrix
from trainer.features import FAMILIES, FeatureSettings, extract_all
from trainer.model import Classifier
from trainer.text import Matrix, TextStage


class ContextInputs(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Articles to the inputs of the last network: first-stage and earlier networks' scores of a paragraph and its neighbours.

    Args:
        text: fitted logistic regression over hashed features. earlier: fitted networks of all passes but the last.
        features, context: settings. kept: columns of the labels that make up the story.
    """

    def __init__(
        self,
        text: LogisticRegression,
        earlier: Sequence[MLPClassifier],
        features: FeatureSettings,
        context: ContextSettings,
        kept: tuple[int, ...],
    ) -> None:
        self.text = text
        self.earlier = earlier
        self.features = features
        self.context = context
        self.kept = kept

    def __sklearn_is_fitted__(self) -> bool:
        """It is made from fitted parts."""
        return True

    def fit(self, X: object, y: object = None) -> Self:  # noqa: N803, ARG002
        """Do nothing: the parts are fitted already."""
        return self

    def transform(self, X: Sequence[Sequence[str]]) -> Matrix:  # noqa: N803
        """Return [paragraphs of all articles, inputs] for a list of articles, each a list of paragraphs."""
        batches = extract_all([text for article in X for text in article], self.features)
        articles = Articles.build(batches, [len(article) for article in X])
        coef, bounds = _differences(self.text.coef_), np.cumsum([0, *self.features.buckets])
        matrix = feature_matrix(batches, self.features)
        parts = np.stack([(matrix[:, a:b] @ coef[:, a:b].T).T for a, b in pairwise(bounds)])
        bias = _differences(self.text.intercept_[:, None])
        scores = np.concatenate([np.zeros((1, parts.shape[2])), parts.sum(axis=0) + bias])
        view = Context(articles, parts, self.kept, self.context)
        for network in self.earlier:
            inputs = view.inputs(scores).T
            raw = np.log(network.predict_proba(inputs).T) if len(inputs) else scores
            scores = raw - raw[0]
        return view.inputs(scores).T


def to_pipeline(model: Classifier) -> Pipeline:
    """Return a fitted pipeline whose `predict_proba` takes articles and gives the model's probabilities, to rounding."""
    network = model.network
    networks = [_mlp(stage, len(model.labels)) for stage in network.passes]
    inputs = ContextInputs(
        _regression(network.text, len(model.labels)), networks[:-1], network.text.settings, network.context, network.kept
    )
    return Pipeline([("inputs", inputs), ("network", networks[-1])])


def _differences(rows: Matrix) -> Matrix:
    """Return rows relative to the first class; scikit-learn keeps one row where there are two classes."""
    return rows if len(rows) == 1 else rows[1:] - rows[0]


def _regression(stage: TextStage, classes: int) -> LogisticRegression:
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


def _mlp(stage: ContextStage, classes: int) -> MLPClassifier:
    """Return a network with a stage's weights; a fit on one row of zeros a class sets up the rest of it."""
    hidden, inputs = stage.hidden.shape
    model: Any = MLPClassifier((hidden,), solver="lbfgs", max_iter=1, max_fun=1, random_state=0)
    rows = np.zeros((classes, inputs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(rows, np.arange(classes))
    out, bias = stage.out, stage.out_bias
    if classes == 2:
        out, bias = out[1:] - out[:1], bias[1:] - bias[:1]
    model.coefs_ = [stage.hidden.T.copy(), out.T.copy()]
    model.intercepts_ = [stage.hidden_bias.copy(), bias.copy()]
    return model
