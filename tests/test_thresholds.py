"""Whose out-of-fold probabilities decide the thresholds of a model."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from trainer.config import load_config
from trainer.dataset import Dataset, LabelledArticle
from trainer.policy import NEVER
from trainer.training import _DECIDING, make_policy

CONFIG = load_config()
NAVIGATION = CONFIG.label_set.index["navigation"]


def dataset(full: int, written: int) -> Dataset:
    """Articles of one line of story and one of residue each; `written` ones weigh a half."""
    weights = [1.0] * full + [0.5] * written
    return Dataset(
        tuple(
            LabelledArticle(f"{i}", f"{i}.example", ("s" * 100, "r" * 100), ("news", "navigation"), (None, None), weight=weight)
            for i, weight in enumerate(weights)
        )
    )


def outcome(data: Dataset, story: list[float], thinned_story: list[float] | None = None) -> SimpleNamespace:
    """Probabilities of being navigation: 0.9 for every residue line, as given for each story line."""

    def probability(of_story: list[float]) -> np.ndarray:
        out = np.zeros((2 * len(data.articles), len(CONFIG.label_set)))
        out[::2, NAVIGATION], out[1::2, NAVIGATION] = of_story, 0.9
        out[:, 0] = 1 - out[:, NAVIGATION]
        return out

    whole = probability(story)
    thinned = probability(thinned_story or story)
    return SimpleNamespace(out_of_fold_=whole, thinned_rows_=np.arange(len(whole)), thinned_out_of_fold_=thinned)


def threshold(data: Dataset, *probabilities: list[float]) -> float:
    return make_policy(outcome(data, *probabilities), data, CONFIG).thresholds[NAVIGATION]


def test_articles_of_full_weight_decide_where_there_are_enough():
    data = dataset(_DECIDING, 30)
    sure, hard = [0.1] * _DECIDING, [0.95] * 30  # the written stories look more like residue than residue does
    assert threshold(data, sure + hard) == pytest.approx(0.9)


def test_all_articles_decide_where_there_are_few_of_full_weight():
    data = dataset(_DECIDING - 1, 30)
    assert threshold(data, [0.1] * (_DECIDING - 1) + [0.95] * 30) == NEVER


def test_the_limit_holds_on_thinned_copies_too():
    data = dataset(_DECIDING, 0)
    sure, doubtful = [0.1] * _DECIDING, [0.95] * _DECIDING
    assert threshold(data, sure) == pytest.approx(0.9)
    assert threshold(data, sure, doubtful) == NEVER
    assert threshold(data, doubtful, sure) == NEVER
