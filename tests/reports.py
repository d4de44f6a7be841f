"""Reports on made-up predictions for real label records; shared by the tests of the page and of comparisons."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import numpy as np
from small import config

from trainer.config import Config
from trainer.dataset import Dataset
from trainer.estimator import encode
from trainer.evaluation import Report, report, score_articles
from trainer.policy import Policy
from trainer.schema import UNLABELLED

THRESHOLDS = (2.0, 0.9, 0.8, 0.85)


class Evaluated(NamedTuple):
    """A report and what it was made from."""

    report: Report
    dataset: Dataset
    config: Config


def evaluated(dataset: Dataset, *overrides: str, seed: int = 0, right: float = 0.7, policy: Any = None) -> Evaluated:
    """Judge every paragraph at random, so that the likeliest label is right about that often."""
    settings = config(*overrides)
    names, rng = list(settings.label_set.names), np.random.default_rng(seed)
    truth = encode(dataset.labels, names)
    aim = np.where((rng.random(truth.size) < right) & (truth != UNLABELLED), truth, rng.integers(0, len(names), truth.size))
    probability = 0.3 * rng.dirichlet(np.ones(len(names)), truth.size).T
    probability += 0.7 * (np.arange(len(names))[:, None] == aim)
    order = np.arange(len(dataset.articles))
    thresholds = THRESHOLDS if len(names) == len(THRESHOLDS) else (2.0, *[0.8] * (len(names) - 1))
    scored = score_articles(dataset, order, settings, probability, policy or Policy(thresholds))
    made = report(scored, settings, dataset, order, title="made up, site-grouped", thresholds=(thresholds,), notes=["a note"])
    return Evaluated(made, dataset, settings)


def data_of(page: str) -> dict[str, Any]:
    """Return what a report page holds."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))
