"""The second stage: what the neighbours and the whole article say of a paragraph.

Its inputs are the scores that an earlier stage gave to all paragraphs of the article, their shapes, and where in the
article the prose lies; its network has one hidden layer. Inputs and weights lie on binary grids, coarse enough that every
sum in the network is exact in 64-bit floats: no result depends on the batch, on threads or on the linear-algebra library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.features import FAMILIES, SHAPES, Batch
from trainer.text import Matrix, softmax

Index = NDArray[np.intp]

INPUT_GRID, WEIGHT_GRID = 256, 4096
INPUT_LIMIT = 15.0
_NEIGHBOUR_SHAPES = tuple(SHAPES.index(name) for name in ("length", "title case", "stop words", "full stop", "glue"))
_PROSE_CHARS, _PROSE_SHARE = 100, 0.6
_FAR = 32
_TOPIC_WORD = 5  # characters of a word that may tell what the story is about


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """How far the second stage looks: paragraphs each side with scores and shapes, with scores alone, and summed up."""

    near: int = 2
    window: int = 6
    sums: tuple[int, ...] = (5, 15)


class Terms(NamedTuple):
    """64-bit hashes of words or word pairs, and the number of the paragraph each stands in."""

    hash: NDArray[np.uint64]
    row: Index

    @classmethod
    def build(cls, parts: Sequence[tuple[NDArray[np.uint64], Index, NDArray[np.bool_] | slice]]) -> Terms:
        """Put batches together, each given as hashes, their indptr, and which of them to take."""
        hashes, rows, at = [np.zeros(0, np.uint64)], [np.zeros(0, np.intp)], 0
        for hashed, indptr, chosen in parts:
            hashes.append(hashed[chosen])
            rows.append(np.repeat(np.arange(at, at + indptr.size - 1), np.diff(indptr))[chosen])
            at += indptr.size - 1
        return cls(np.concatenate(hashes), np.concatenate(rows))

    def select(self, place: Index) -> Terms:
        """Return those of the paragraphs whose new number in `place` is not -1."""
        row = place[self.row]
        return Terms(self.hash[row >= 0], row[row >= 0])

    def found(self, article: Index, counted: NDArray[np.bool_]) -> Matrix:
        """Share of each paragraph's terms that stand in another, counted paragraph of its article, [N].

        Args:
            article: [N] number of each paragraph's article. counted: [N] whether a paragraph's terms count.
        """
        n = article.size
        articles = int(article[-1]) + 1 if n else 0
        own, of_article = counted[self.row], article[self.row]
        # Each article has a table of its own, about eight times as large as the terms counted in it.
        bits = np.ceil(np.log2(8 * np.bincount(of_article[own], minlength=articles) + 8))
        begin = np.append(0, np.cumsum(np.exp2(bits).astype(np.intp)))
        key = begin[of_article] + (self.hash >> (64 - bits[of_article]).astype(np.uint64)).astype(np.intp)
        seen = np.bincount(key[own], minlength=begin[-1])
        hits = np.bincount(self.row, seen[key] > own, n)
        return np.asarray(hits / np.maximum(np.bincount(self.row, minlength=n), 1))


class Articles(NamedTuple):
    """What the second stage needs of a batch of articles besides scores; arrays over all N paragraphs in order.

    `article`: [N] number of one's article. `first`, `last`: [N] index of the first paragraph of one's article, and of the
    first one behind it. `shape`: [measures, N]. `identity` [N]: see `features.Batch`. `words`: the longer words. `pairs`: all
    pairs of neighbouring words.
    """

    article: Index
    first: Index
    last: Index
    shape: Matrix
    identity: NDArray[np.uint64]
    words: Terms
    pairs: Terms

    @classmethod
    def build(cls, batches: Sequence[Batch], sizes: Sequence[int]) -> Articles:
        """Put batches of paragraphs together; `sizes` are the paragraphs of each article, empty articles included."""
        bounds = np.append(0, np.cumsum(sizes)).astype(np.intp)
        article = np.repeat(np.arange(len(sizes)), np.asarray(sizes, np.intp))
        return cls(
            article,
            bounds[article],
            bounds[article + 1],
            np.concatenate([np.zeros((len(SHAPES), 0)), *(batch.shape for batch in batches)], axis=1),
            np.concatenate([np.zeros(0, np.uint64), *(batch.identity for batch in batches)]),
            Terms.build([(batch.word, batch.word_indptr, batch.word_size >= _TOPIC_WORD) for batch in batches]),
            Terms.build([(batch.pair, batch.pair_indptr, slice(None)) for batch in batches]),
        )

    def select(self, rows: Index) -> Articles:
        """Return the articles with only some of their paragraphs, given in order."""
        article = self.article[rows]
        bounds = np.searchsorted(article, np.arange(int(self.article[-1]) + 2 if self.article.size else 1)).astype(np.intp)
        place = np.full(self.article.size, -1)
        place[rows] = np.arange(rows.size)
        return Articles(
            article,
            bounds[article],
            bounds[article + 1],
            self.shape[:, rows],
            self.identity[rows],
            self.words.select(place),
            self.pairs.select(place),
        )


def input_names(labels: Sequence[str], settings: ContextSettings) -> list[tuple[str, str]]:
    """Name each input of a `Context` as (group, name); groups are `text`, `earlier`, `shape` and `context`."""
    offsets = _offsets(settings.window)
    names = [("text", f"{x} by {family}") for family in FAMILIES for x in labels[1:]]
    names += [("shape", name) for name in SHAPES]
    names += [("context", f"{SHAPES[s]} at {d:+d}") for s in _NEIGHBOUR_SHAPES for d in _offsets(settings.near)]
    names += [("context", x) for x in ("place", "place from the end", "relative place", "paragraphs", "copies", "repeated pairs")]
    names += [("earlier", f"log-odds of {x}") for x in labels[1:]] + [("earlier", f"probability of {x}") for x in labels]
    names += [("context", f"probability of {x} at {d:+d}") for x in labels for d in offsets]
    for side in ("before", "behind"):
        names += [("context", f"{x}, {reach} {side}") for x in (*labels, "prose") for reach in (*settings.sums, "all")]
    names += [("context", f"distance to {x} {side}") for side in ("before", "behind") for x in labels]
    names += [("context", x) for x in ("run length", "place in run", "prose in all", "words shared with the story")]
    return names


class Context:
    """The second stage's view of a batch of articles: inputs that stay, and those that follow from scores.

    Args:
        articles: the batch.
        parts: first-stage contributions [families, classes - 1, N].
        kept: columns of the labels that make up the story.
        settings: how far to look.
    """

    def __init__(self, articles: Articles, parts: Matrix, kept: Sequence[int], settings: ContextSettings) -> None:
        self._articles, self._kept, self._settings = articles, list(kept), settings
        n = articles.article.size
        self._i = i = np.arange(n)
        first, last = articles.first, articles.last
        # Neighbours beyond the article's ends are rows of zeros: so many between articles that none sees another.
        self._place = i + settings.window * (articles.article + 1)
        self._width = n + settings.window * (int(articles.article[-1]) + 2 if n else 1)
        self._reach = np.stack(
            [np.maximum(i - reach, first) for reach in settings.sums] + [first]
            + [np.minimum(i + 1 + reach, last) for reach in settings.sums] + [last]
        )  # fmt: skip
        self._chars = np.exp2(articles.shape[0] * 2) - 1
        count = last - first
        self._fixed = np.concatenate(
            [
                _grid(parts.reshape(-1, n) / 2),
                articles.shape / 2,
                self._neighbours(articles.shape[list(_NEIGHBOUR_SHAPES)] / 2, settings.near),
                _grid(np.log2(1.0 + np.stack([i - first, last - 1 - i])) / 2),
                _grid(((i - first + 0.5) / np.maximum(count, 1) * 4)[None]),
                _grid(np.log2(1.0 + count)[None] / 2),
                _grid(np.log2(_copies(articles.article, articles.identity))[None]),
                _grid(articles.pairs.found(articles.article, np.ones(n, np.bool_))[None] * 4),
            ]
        )

    def inputs(self, scores: Matrix) -> Matrix:
        """Return the inputs of a pass, [inputs, N], on the grid of 1/INPUT_GRID.

        Args:
            scores: log-odds [classes, N] of the stage before.
        """
        articles, i = self._articles, self._i
        probability = _grid(softmax(scores)) if i.size else np.zeros_like(scores)
        story = probability[self._kept].sum(axis=0)
        prose = _grid(story * np.minimum(self._chars, 512) / 128)
        running = np.zeros((len(probability) + 1, i.size + 1))
        np.cumsum(np.concatenate([probability, prose[None]]), axis=1, out=running[:, 1:])
        return np.concatenate(
            [
                self._fixed,
                _grid(scores[1:] / 2),
                probability * 2,
                self._neighbours(probability * 2, self._settings.window),
                _grid(self._sums(running)),
                _grid(self._distances(probability > 0.5)),
                _grid(self._runs(probability)),
                _grid(np.log2(1 + running[-1].take(articles.last) - running[-1].take(articles.first))[None] / 2),
                _grid(articles.words.found(articles.article, (story > _PROSE_SHARE) & (self._chars >= _PROSE_CHARS))[None] * 4),
            ]
        )

    def _neighbours(self, channels: Matrix, window: int) -> Matrix:
        """Return each channel at each of the neighbours up to `window` away, [channels * 2 * window, N]."""
        padded = np.zeros((len(channels), self._width))
        padded[:, self._place] = channels
        at = self._place + np.array(_offsets(window), np.intp)[:, None]
        return padded.take(at, axis=1).reshape(-1, self._i.size)

    def _sums(self, running: Matrix) -> Matrix:
        """Return each quantity summed up over paragraphs before and behind, near ones as means, all as a logarithm."""
        reaches = len(self._settings.sums)
        scale = np.array([4 / reach for reach in self._settings.sums])[:, None]
        far = running.take(self._reach, axis=1)
        out = []
        for side in (
            running[:, None, :-1] - far[:, : reaches + 1],
            far[:, reaches + 1 :] - running[:, None, 1:],
        ):
            side[:, :reaches] *= scale
            side[:, reaches] = np.log2(1 + side[:, reaches]) / 2
            out.append(side.reshape(-1, self._i.size))
        return np.concatenate(out)

    def _distances(self, strong: NDArray[np.bool_]) -> Matrix:
        """Distance to the nearest paragraph that is surely of each label, before and behind, up to _FAR."""
        i, n = self._i, self._i.size
        near = np.full((2, len(strong), n + 1), -_FAR)
        np.maximum.accumulate(np.where(strong, i, -_FAR), axis=1, out=near[0, :, 1:])
        np.minimum.accumulate(np.where(strong, i, n + _FAR)[:, ::-1], axis=1, out=near[1, :, 1:])
        near[1, :, 0] = n + _FAR
        before, behind = near[0, :, :-1], near[1, :, -2::-1]
        distance = np.stack(
            [
                np.where(before >= self._articles.first, i - before, _FAR),
                np.where(behind < self._articles.last, behind - i, _FAR),
            ]
        )
        return np.asarray(np.log2(np.minimum(distance, _FAR)).reshape(-1, n) / 2)

    def _runs(self, probability: Matrix) -> Matrix:
        """Length of the run of equal likeliest labels around each paragraph, and the place in it."""
        i, best = self._i, probability.argmax(axis=0)
        new = i == self._articles.first
        new[1:] |= best[1:] != best[:-1]
        start = np.flatnonzero(new)
        run = np.cumsum(new) - 1
        length = np.diff(start, append=i.size)
        return np.log2(1.0 + np.stack([length[run], i - start[run]])) / 2


class ContextStage:
    """A network with one hidden layer; immutable. Weights lie on the grid of 1/WEIGHT_GRID.

    Args:
        hidden: [hidden, inputs] and hidden_bias [hidden]; then a rectifier.
        out: [classes, hidden] and out_bias [classes].
    """

    def __init__(self, hidden: Matrix, hidden_bias: Matrix, out: Matrix, out_bias: Matrix) -> None:
        self.hidden, self.hidden_bias, self.out, self.out_bias = hidden, hidden_bias, out, out_bias

    @property
    def is_exact(self) -> bool:
        """Whether every sum over inputs within INPUT_LIMIT stays below 2^53 grid steps."""
        reach = np.abs(self.hidden).sum(axis=1) * INPUT_LIMIT + np.abs(self.hidden_bias)
        total = np.abs(self.out) @ reach + np.abs(self.out_bias)
        return bool(total.max(initial=0) * INPUT_GRID * WEIGHT_GRID * WEIGHT_GRID < 2**53)

    def scores(self, inputs: Matrix) -> Matrix:
        """Return log-odds against the first class, [classes, N], for inputs [inputs, N]."""
        active = self.hidden @ inputs
        active += self.hidden_bias[:, None]
        np.maximum(active, 0, out=active)
        scores = self.out @ active + self.out_bias[:, None]
        return np.asarray(scores - scores[0])


def to_weight_grid(weights: Matrix) -> Matrix:
    """Round to the grid of 1/WEIGHT_GRID."""
    return np.rint(weights * WEIGHT_GRID) / WEIGHT_GRID


def _grid(values: Matrix) -> Matrix:
    values = values * INPUT_GRID
    np.rint(values, out=values)
    values /= INPUT_GRID
    return np.clip(values, -INPUT_LIMIT, INPUT_LIMIT, out=values)


def _offsets(window: int) -> list[int]:
    return [d for d in range(-window, window + 1) if d]


def _copies(article: Index, identity: NDArray[np.uint64]) -> Index:
    """Count, for each paragraph, the paragraphs of its article with the same words."""
    order = np.lexsort((identity, article))
    same_article, same_words = np.diff(article[order]) == 0, np.diff(identity[order]) == 0
    new = np.append(True, ~(same_article & same_words))[: order.size]
    start = np.flatnonzero(new)
    out = np.empty(order.size, np.intp)
    out[order] = np.repeat(np.diff(start, append=order.size), np.diff(start, append=order.size))
    return out
