"""Filter results made by hand; shared by the tests of article quality."""

from collections.abc import Collection

import numpy as np

from trainer.paragraph import Article
from trainer.result import FilterResult
from trainer.schema import NEWS_LABELS


def filtered(*paragraphs: str, removed: Collection[int] = (), labels: tuple[str, ...] = NEWS_LABELS.names) -> FilterResult:
    """Return the result of a filter that removed the paragraphs of these numbers as navigation, and was sure of all."""
    keep = [index not in removed for index in range(len(paragraphs))]
    probability = np.zeros((len(labels), len(paragraphs)))
    probability[0, :] = keep
    probability[2, :] = np.logical_not(keep)
    placed = Article.from_paragraphs(paragraphs).paragraphs
    return FilterResult(placed, probability, keep, (), labels=labels, site=None, model="m", model_digest="0")
