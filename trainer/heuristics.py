"""The published rules for whole documents, as conditions on signals; see `signals` for the sources.

Where paper and code differ, the paper's threshold stands: FineWeb drops documents with a tenth of their characters in repeated
lines (datatrove's default is a hundredth). Left out are rules on language and on bad words, and those across documents.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from trainer.signals import NAMES
from trainer.text import Matrix

_COLUMN = {name: column for column, name in enumerate(NAMES)}


class Rule(NamedTuple):
    """A document breaks it where `breaks(signal, threshold)`."""

    signal: str
    breaks: Callable[[Any, float], Any]
    threshold: float


RULES: dict[str, tuple[Rule, ...]] = {
    "Gopher": (
        Rule("words", operator.lt, 50),
        Rule("words", operator.gt, 100_000),
        Rule("word_length", operator.lt, 3),
        Rule("word_length", operator.gt, 10),
        Rule("hashes", operator.gt, 0.1),
        Rule("ellipses", operator.gt, 0.1),
        Rule("bullet_lines", operator.gt, 0.9),
        Rule("ellipsis_lines", operator.gt, 0.3),
        Rule("alphabetic_words", operator.lt, 0.8),
        Rule("gopher_stop_words", operator.lt, 2),
        Rule("duplicate_lines", operator.gt, 0.3),
        Rule("duplicate_line_characters", operator.gt, 0.2),
        Rule("top_2_gram", operator.gt, 0.2),
        Rule("top_3_gram", operator.gt, 0.18),
        Rule("top_4_gram", operator.gt, 0.16),
        Rule("duplicate_5_grams", operator.gt, 0.15),
        Rule("duplicate_6_grams", operator.gt, 0.14),
        Rule("duplicate_7_grams", operator.gt, 0.13),
        Rule("duplicate_8_grams", operator.gt, 0.12),
        Rule("duplicate_9_grams", operator.gt, 0.11),
        Rule("duplicate_10_grams", operator.gt, 0.1),
    ),
    "C4": (
        Rule("c4_sentences", operator.lt, 3),
        Rule("lorem_ipsum", operator.ge, 1),
        Rule("curly_brackets", operator.ge, 1),
    ),
    "FineWeb": (
        Rule("punctuated_lines", operator.le, 0.12),
        Rule("duplicate_line_characters", operator.ge, 0.1),
        Rule("short_lines", operator.ge, 0.67),
        Rule("line_breaks", operator.gt, 0.3),
    ),
}


def broken(name: str, measured: Matrix) -> Matrix:
    """Return how many rules of a set each article breaks, [articles]; `measured` as `signals.measure` returns it."""
    found = [rule.breaks(measured[:, _COLUMN[rule.signal]], rule.threshold) for rule in RULES[name]]
    return np.asarray(np.sum(found, axis=0), np.float64)
