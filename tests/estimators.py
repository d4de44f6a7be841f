"""An estimator that fits in a fraction of a second, and what it is fitted on; shared by its tests."""

from functools import cache

import numpy as np
from small import records

from trainer.estimator import ArticleClassifier

TINY = {
    "word_bits": 12,
    "pair_bits": 12,
    "char_bits": 12,
    "width": 8,
    "head": 8,
    "dilations": (1, 2),
    "epochs": 4,
    "folds": 2,
}


def tiny(**params):
    return ArticleClassifier(**{**TINY, **params})


@cache
def data(articles=12, sites=6):
    """Return texts, labels and sites of some articles."""
    items = records(articles, sites)
    texts = [[p["text"] for p in item["paragraphs"]] for item in items]
    labels = [[p["label"] for p in item["paragraphs"]] for item in items]
    return texts, labels, [item["site"] for item in items]


@cache
def kinds(articles=12, sites=6):
    """Return the kinds of the paragraphs of some articles."""
    return [[p["kind"] for p in item["paragraphs"]] for item in records(articles, sites)]


@cache
def fitted():
    return tiny(epochs=10).fit(*data())


def arrays(model):
    """Return every array of a fitted network."""
    text = model.network_.text
    return [text.weights, text.scale, text.bias, *model.network_.sequence.arrays.values()]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(arrays(one), arrays(other), strict=True))
