"""From a model and a few labelled articles of a user's own sites to a model that is better there.

Both stages keep what the base knows as their prior: each gets a correction that is added to its weights, fitted with a penalty
on the correction's own size, so that little data moves it little. Weights of words that the new paragraphs do not use stay as
they are, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from trainer.config import Config
from trainer.context import Articles, inputs
from trainer.dataset import Dataset
from trainer.errors import InputError
from trainer.estimator import encode, feature_matrix
from trainer.features import FAMILIES
from trainer.fitting import Sample
from trainer.model import Classifier
from trainer.network import Network
from trainer.policy import Policy
from trainer.schema import UNLABELLED
from trainer.sequence import SequenceStage, to_weight_grid
from trainer.text import Matrix, TextStage, softmax
from trainer.training import Trained, versions

Index = NDArray[np.intp]
Mask = NDArray[np.bool_]
_STEPS = 100  # of L-BFGS


def correction(
    features: Any, offset: Matrix, allowed: Mask, weight: NDArray[np.float64], strength: float, bias_size: float = 1.0
) -> tuple[Matrix, NDArray[np.float64]]:
    """Fit what to add to a linear model's weights [kinds, features] and biases [kinds].

    Minimises, by L-BFGS, the weighted negative log-probability of the allowed kinds plus |correction|^2 / (2 strength), a convex
    function.

    Args:
        features: [n, features], sparse or dense. offset: [kinds, n] log-odds of the model as it is. allowed: [kinds, n] what
            each paragraph may be: its kind, or every kind of its label. weight: [n]. strength: inverse of the penalty.
    """
    kinds, n = offset.shape
    width = features.shape[1]
    forbidden = np.where(allowed, 0.0, -np.inf)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        delta = flat.reshape(kinds, width + 1)
        scores = offset + (features @ delta[:, :width].T).T + bias_size * delta[:, width:]
        scores -= scores.max(axis=0)
        found, wanted = np.exp(scores), np.exp(scores + forbidden)
        total, right = found.sum(axis=0), np.maximum(wanted.sum(axis=0), 1e-300)
        slope = (found / total - wanted / right) * weight
        gradient = np.concatenate([(features.T @ slope.T).T, bias_size * slope.sum(axis=1, keepdims=True)], axis=1)
        value = float((weight * (np.log(total) - np.log(right))).sum()) + 0.5 * float(flat @ flat) / strength
        return value, (gradient + delta / strength).ravel()

    found = minimize(loss, np.zeros(kinds * (width + 1)), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
    delta = found.x.reshape(kinds, width + 1)
    return delta[:, :width], bias_size * delta[:, width]
