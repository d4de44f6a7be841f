"""Whose out-of-fold probabilities decide the thresholds of a model."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from trainer.config import load_config
from trainer.dataset import Dataset, LabelledArticle
from trainer.policy import NEVER, choose_thresholds
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


def threshold(data: Dataset, story: list[float]) -> float:
    """Of navigation, where every line of residue has the probability 0.9 of being that and each line of story the one given."""
    probability = np.zeros((2 * len(data.articles), len(CONFIG.label_set)))
    probability[::2, NAVIGATION], probability[1::2, NAVIGATION] = story, 0.9
    probability[:, 0] = 1 - probability[:, NAVIGATION]
    return make_policy(SimpleNamespace(out_of_fold_=probability), data, CONFIG).thresholds[NAVIGATION]


def test_articles_of_full_weight_decide_where_there_are_enough():
    data = dataset(_DECIDING, 30)
    sure, hard = [0.1] * _DECIDING, [0.95] * 30  # the written stories look more like residue than residue does
    assert threshold(data, sure + hard) == pytest.approx(0.9)


def test_all_articles_decide_where_there_are_few_of_full_weight():
    data = dataset(_DECIDING - 1, 30)
    assert threshold(data, [0.1] * (_DECIDING - 1) + [0.95] * 30) == NEVER


def test_news_lost_stays_below_the_limit():
    data = dataset(400, 0)
    assert threshold(data, [0.95] * 2 + [0.1] * 398) == pytest.approx(0.9)  # 0.5 % of the news
    assert threshold(data, [0.95] * 3 + [0.1] * 397) == NEVER


def test_a_rare_label_does_not_stay_in_for_the_sake_of_the_commonest():
    rows = [  # true label, predicted label, its probability, characters
        (0, 0, 0.99, 9890),
        (1, 1, 0.99, 10_000), (0, 1, 0.99, 50),
        (1, 1, 0.90, 2000), (0, 1, 0.90, 50),  # 40 characters of residue for one of news
        (2, 2, 0.90, 100), (0, 2, 0.90, 10),  # 10 for one, but all there is of the label
    ]  # fmt: skip
    truth, label, sure, chars = map(np.array, zip(*rows, strict=True))
    probability = np.zeros((3, len(rows)))
    probability[0] = 1 - sure
    probability[label, np.arange(len(rows))] = sure
    chosen = choose_thresholds(probability, truth, chars, [0], 0.01)
    np.testing.assert_allclose(chosen[1:], [0.99, 0.90])
