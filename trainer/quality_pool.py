"""A pool to choose from by what a quality model says of whole articles, instead of what a paragraph model says of paragraphs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from trainer.model import Classifier
from trainer.pool import Pool, texts_of
from trainer.quality import QualityModel
from trainer.records import Item
from trainer.verdicts import CODES

_TINY = 1e-12


def by_quality(pool: Pool, items: Iterable[Item], model: Classifier, quality: QualityModel) -> Pool:
    """Return the pool with an article's verdict in place of its paragraphs' labels, so that all strategies pick by that.

    Args:
        pool: see `pool.read_pool`. items: the same that it was read from. model: filters them. quality: judges what is kept.
    """
    places = set(pool.place.tolist())
    texts = (list(texts_of(item)) for place, item in enumerate(items) if place in places)
    results = list(model.filter_many(texts))
    probability = quality.probabilities(results).T if results else np.zeros((0, len(CODES)))
    return pool._replace(
        expected=probability,
        squares=probability**2,
        entropy=-(probability * np.log(probability + _TINY)).sum(axis=1),
        paragraphs=np.ones(len(results), np.intp),
        labels=CODES,
        whole=True,
    )
