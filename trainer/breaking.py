"""Broken copies of good articles, for a model of quality to learn from: what crawls, paywalls and careless tools make of text.

Broken texts are rare among annotated pages, yet nobody wants one in a corpus, so each good article gives one, broken in one way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trainer.dataset import Dataset, LabelledArticle
from trainer.verdicts import GOOD, POOR

Lines = list[str]
Break = Callable[[Sequence[str], np.random.Generator], Lines]
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_LEAST_CHARS = 200  # of a story that is worth breaking
_PROMPTS = (
    "Continue reading with a subscription",
    "Read the full story",
    "Subscribe to read on",
    "Sign in to continue reading",
    "The rest of this article is for members.",
    "…",
)


def copies(dataset: Dataset, kept: Sequence[str], seed: int, weight: float) -> tuple[Dataset, NDArray[np.intp]]:
    """Return a broken copy of each good article, the same for the same seed, and the number of the article of each.

    Args:
        dataset: articles with verdicts. kept: labels of the story. weight: of a copy, beside its article's.
    """
    found, of = [], []
    for number, article in enumerate(dataset.articles):
        story = [text for text, label in zip(article.texts, article.labels, strict=True) if label in kept]
        if weight and article.quality == GOOD and sum(map(len, story)) >= _LEAST_CHARS:
            rng = np.random.default_rng([seed, number])
            reason, change = BREAKS[int(rng.integers(len(BREAKS)))]
            texts = tuple(_within(article, kept, change(story, rng), cut=reason == "truncated"))
            none = (None,) * len(texts)
            own = article.weight * weight
            found.append(replace(article, texts=texts, labels=none, kinds=none, weight=own, quality=POOR, quality_reason=reason))
            of.append(number)
    return Dataset(tuple(found)), np.array(of, np.intp)


def _within(article: LabelledArticle, kept: Sequence[str], story: Lines, *, cut: bool) -> Lines:
    """Put a broken story in the place of the story, between the residue before it and, where it is not `cut`, behind it."""
    places = [place for place, label in enumerate(article.labels) if label in kept]
    return [*article.texts[: places[0]], *story, *([] if cut else article.texts[places[-1] + 1 :])]


def _cut_in_sentence(story: Sequence[str], rng: np.random.Generator) -> Lines:
    out = _beginning(story, float(rng.uniform(0.15, 0.6)))
    words = out[-1].split()
    return [*out[:-1], " ".join(words[: max(len(words) * 2 // 3, 1)]).rstrip(".,;:!?")]


def _cut_at_wall(story: Sequence[str], rng: np.random.Generator) -> Lines:
    return [*_beginning(story, float(rng.uniform(0.05, 0.35))), _PROMPTS[int(rng.integers(len(_PROMPTS)))]]


def _stub(story: Sequence[str], rng: np.random.Generator) -> Lines:
    longest = max(story[:5], key=len)
    return [_SENTENCE.split(longest)[0]] if rng.random() < 0.5 else [story[0], _SENTENCE.split(longest)[0]]


def _beginning(story: Sequence[str], share: float) -> Lines:
    """Return the first paragraphs, at least one, up to a share of the characters."""
    ends = np.cumsum([len(text) for text in story])
    return list(story[: max(int(ends.searchsorted(share * ends[-1])), 1)])


def _wrong_encoding(story: Sequence[str], rng: np.random.Generator) -> Lines:  # noqa: ARG001
    """UTF-8 read as Windows-1252; straight quotes are curled first, so that there is something to spoil."""
    curly = (re.sub(r'"(?=\w)', "“", text).replace('"', "”").replace("'", "’").replace(" - ", " – ") for text in story)
    return [text.encode("utf-8", "replace").decode("cp1252", "replace") for text in curly]


def _shuffled(story: Sequence[str], rng: np.random.Generator) -> Lines:
    return [" ".join(rng.permutation(text.split()).tolist()) for text in story]


def _repeated(story: Sequence[str], rng: np.random.Generator) -> Lines:
    """One word, sentence or paragraph over and over."""
    text = story[int(rng.integers(len(story)))]
    unit = (text, _SENTENCE.split(text)[0], (text.split() or [text])[0])[int(rng.integers(3))]
    times = int(rng.integers(10, 60))
    return [unit] * times if rng.random() < 0.5 else [" ".join([unit] * times)]


def _glued(story: Sequence[str], rng: np.random.Generator) -> Lines:
    """Half of the spaces are lost."""
    return ["".join(word if rng.random() < 0.5 else f"{word} " for word in text.split()) for text in story]


BREAKS: tuple[tuple[str, Break], ...] = (
    ("truncated", _cut_in_sentence),
    ("truncated", _cut_at_wall),
    ("truncated", _stub),
    ("garbled", _wrong_encoding),
    ("garbled", _shuffled),
    ("garbled", _repeated),
    ("garbled", _glued),
)
