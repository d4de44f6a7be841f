"""Made-up predictions and the report on them; shared by the tests of evaluation."""

import numpy as np
from small import config

from trainer.dataset import Dataset
from trainer.evaluation import Scored, report
from trainer.policy import NEVER

NONE = Dataset(())
CLASSES = 4


def scored(seed=0, sites=12, paragraphs=40, *, truth=None, ties=False):
    """Return made-up predictions, right about two times in three."""
    rng = np.random.default_rng(seed)
    site = np.repeat(np.arange(sites), rng.integers(paragraphs // 2, paragraphs, sites))
    truth = rng.choice(CLASSES, site.size, p=[0.5, 0.1, 0.3, 0.1]) if truth is None else truth(rng, site)
    probability = rng.dirichlet(np.ones(CLASSES), site.size).T
    hit = rng.random(site.size) < 0.5
    probability[:, hit] = 0.3 * probability[:, hit] + 0.7 * (np.arange(CLASSES)[:, None] == truth[hit])
    if ties:
        probability = np.round(probability, 1)
    return Scored(
        truth=truth,
        label=probability.argmax(axis=0),
        probability=probability,
        chars=rng.integers(1, 900, site.size),
        removed=probability[0] < 0.2,
        site=site,
    )


def measured(found, *overrides):
    return report(found, config(*overrides), NONE, title="made up", thresholds=((NEVER, 0.5, 0.5, 0.5),))
