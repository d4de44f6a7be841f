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
_SKETCH_BITS = 12
_TOPIC_WORD = 5  # characters of a word that may tell what the story is about


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """How far the second stage looks: paragraphs each side with scores and shapes, with scores alone, and summed up."""

    near: int = 2
    window: int = 6
    sums: tuple[int, ...] = (5, 15)


class Articles(NamedTuple):
    """What the second stage needs of a batch of articles besides scores; arrays over all N paragraphs in order.

    `first`, `last`: [N] index of the first paragraph of one's article, and of the first one behind it. `shape`:
    [measures, N]. `identity` [N]: see `features.Batch`. `copies` [N]: how often the paragraph stands in its article.
    `word`, `word_row`: hashes of the longer words, and the paragraph each stands in.
    """

    article: Index
    first: Index
    last: Index
    shape: Matrix
    identity: NDArray[np.uint64]
    copies: Index
    word: NDArray[np.uint64]
    word_row: Index

    @classmethod
    def build(cls, batches: Sequence[Batch], sizes: Sequence[int]) -> Articles:
        """Put batches of paragraphs together; `sizes` are the paragraphs of each article, empty articles included."""
        bounds = np.append(0, np.cumsum(sizes)).astype(np.intp)
        article = np.repeat(np.arange(len(sizes)), np.asarray(sizes, np.intp))
        identity = np.concatenate([batch.identity for batch in batches]) if batches else np.zeros(0, np.uint64)
        rows, words, at = [], [], 0
        for batch in batches:
            row = np.repeat(np.arange(at, at + len(batch)), np.diff(batch.word_indptr))
            topic = batch.word_size >= _TOPIC_WORD
            rows.append(row[topic])
            words.append(batch.word[topic])
            at += len(batch)
        return cls(
            article,
            bounds[article],
            bounds[article + 1],
            np.concatenate([batch.shape for batch in batches], axis=1) if batches else np.zeros((len(SHAPES), 0)),
            identity,
            _copies(article, identity),
            np.concatenate(words) if words else np.zeros(0, np.uint64),
            np.concatenate(rows) if rows else np.zeros(0, np.intp),
        )

    def select(self, rows: Index) -> Articles:
        """Return the articles with only some of their paragraphs, given in order."""
        article = self.article[rows]
        bounds = np.searchsorted(article, np.arange(int(self.article[-1]) + 2 if self.article.size else 1))
        place = np.full(self.article.size, -1)
        place[rows] = np.arange(rows.size)
        word_row = place[self.word_row]
        stays = word_row >= 0
        return Articles(
            article,
            bounds[article].astype(np.intp),
            bounds[article + 1].astype(np.intp),
            self.shape[:, rows],
            self.identity[rows],
            _copies(article, self.identity[rows]),
            self.word[stays],
            word_row[stays],
        )


def input_names(labels: Sequence[str], settings: ContextSettings) -> list[tuple[str, str]]:
    """Name each input as (group, name); groups are `text`, `earlier`, `shape` and `context`."""
    offsets = [d for d in range(-settings.window, settings.window + 1) if d]
    names = [("text", f"{x} by {family}") for family in FAMILIES for x in labels[1:]]
    names += [("earlier", f"log-odds of {x}") for x in labels[1:]] + [("earlier", f"probability of {x}") for x in labels]
    names += [("shape", name) for name in SHAPES]
    for d in offsets:
        names += [("context", f"probability of {x} at {d:+d}") for x in labels]
        names += [("context", f"{SHAPES[s]} at {d:+d}") for s in _NEIGHBOUR_SHAPES if abs(d) <= settings.near]
    for reach in (*(str(s) for s in settings.sums), "all"):
        for side in ("before", "behind"):
            names += [("context", f"{x}, {reach} paragraphs {side}") for x in (*labels, "prose")]
    names += [("context", f"distance to {x} {side}") for x in labels for side in ("before", "behind")]
    names += [("context", x) for x in ("run length", "place in run", "place", "place from the end", "relative place")]
    names += [("context", x) for x in ("paragraphs", "prose in all", "copies", "words shared with the story")]
    return names


def build_inputs(articles: Articles, parts: Matrix, earlier: Matrix, kept: Sequence[int], settings: ContextSettings) -> Matrix:
    """Return the inputs of the second stage, [inputs, N], on the grid of 1/INPUT_GRID.

    Args:
        articles: the batch.
        parts: first-stage contributions [families, classes - 1, N].
        earlier: log-odds [classes, N] of the stage before this one; the first-stage ones in the first pass.
        kept: columns of the labels that make up the story.
        settings: how far to look.
    """
    n = earlier.shape[1]
    first, last, i = articles.first, articles.last, np.arange(n)
    probability = _grid(softmax(earlier)) if n else np.zeros_like(earlier)
    story = probability[list(kept)].sum(axis=0)
    chars = np.exp2(articles.shape[0] * 2) - 1
    prose = _grid(story * np.minimum(chars, 512) / 128)
    rows: list[Matrix] = [parts.reshape(-1, n) / 2, earlier[1:] / 2, probability * 2, articles.shape / 2]

    pad = settings.window
    place = i + pad * (articles.article + 1)
    width = n + pad * (int(articles.article[-1]) + 2 if n else 1)
    channels = np.zeros((probability.shape[0] + len(_NEIGHBOUR_SHAPES), width))
    channels[:, place] = np.concatenate([probability * 2, articles.shape[list(_NEIGHBOUR_SHAPES)] / 2])
    rows += [
        channels[: None if abs(d) <= settings.near else len(probability)].take(place + d, axis=1)
        for d in range(-pad, pad + 1)
        if d
    ]

    mass = np.concatenate([probability, prose[None]])
    running = np.zeros((mass.shape[0], n + 1))
    np.cumsum(mass, axis=1, out=running[:, 1:])
    here, behind = running.take(i, axis=1), running.take(i + 1, axis=1)
    for reach in settings.sums:
        rows.append((here - running.take(np.maximum(i - reach, first), axis=1)) * (4 / reach))
        rows.append((running.take(np.minimum(i + 1 + reach, last), axis=1) - behind) * (4 / reach))
    rows.append(np.log2(1 + here - running.take(first, axis=1)) / 2)
    rows.append(np.log2(1 + running.take(last, axis=1) - behind) / 2)

    rows.extend(_distances(probability > 0.5, i, first, last))
    rows.extend(_runs(probability, i, first))
    count = last - first
    rows.extend(np.log2(1.0 + x)[None] / 2 for x in (i - first, last - 1 - i))
    rows.append((i - first + 0.5)[None] / np.maximum(count, 1) * 4)
    rows.append(np.log2(1.0 + count)[None] / 2)
    rows.append(np.log2(1 + running[-1].take(last) - running[-1].take(first))[None] / 2)
    rows.append(np.log2(articles.copies)[None])
    rows.append(_shared_words(articles, (story > _PROSE_SHARE) & (chars >= _PROSE_CHARS))[None] * 4)
    return _grid(np.concatenate(rows))


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


def _copies(article: Index, identity: NDArray[np.uint64]) -> Index:
    """Count, for each paragraph, the paragraphs of its article with the same words."""
    order = np.lexsort((identity, article))
    by = np.stack([article[order].astype(np.uint64), identity[order]])
    new = np.append(True, (by[:, 1:] != by[:, :-1]).any(axis=0))[: order.size]
    group = np.cumsum(new) - 1
    out = np.ones(order.size, np.intp)
    out[order] = np.bincount(group)[group] if order.size else 0
    return out


def _distances(strong: NDArray[np.bool_], i: Index, first: Index, last: Index) -> list[Matrix]:
    """Distance to the nearest paragraph that is surely of each label, before and behind, up to _FAR."""
    out = []
    for flags in strong:
        before = np.maximum.accumulate(np.where(flags, i, -_FAR))
        before = np.append(-_FAR, before[:-1])[: i.size]
        behind = np.minimum.accumulate(np.where(flags, i, i.size + _FAR)[::-1])[::-1]
        behind = np.append(behind[1:], i.size + _FAR)[: i.size]
        out.append(np.log2(np.where(before >= first, np.minimum(i - before, _FAR), _FAR))[None] / 2)
        out.append(np.log2(np.where(behind < last, np.minimum(behind - i, _FAR), _FAR))[None] / 2)
    return out


def _runs(probability: Matrix, i: Index, first: Index) -> list[Matrix]:
    """Length of the run of equal likeliest labels around each paragraph, and the place in it."""
    best = probability.argmax(axis=0) if i.size else i
    new = (i == first) | (best != np.roll(best, 1))
    run = np.cumsum(new) - 1
    length = np.bincount(run)[run] if i.size else i
    start = np.maximum.accumulate(np.where(new, i, 0)) if i.size else i
    return [np.log2(1.0 + x)[None] / 2 for x in (length, i - start)]


def _shared_words(articles: Articles, body: NDArray[np.bool_]) -> Matrix:
    """Share of a paragraph's longer words that also stand in the story's prose, other than in the paragraph itself."""
    n = body.size
    key = (articles.article[articles.word_row] << _SKETCH_BITS) | (articles.word >> np.uint64(64 - _SKETCH_BITS)).astype(np.intp)
    in_body = body[articles.word_row]
    seen = np.bincount(key[in_body], minlength=(int(articles.article[-1]) + 1) << _SKETCH_BITS if n else 1)
    shared = seen[key] > in_body
    hits = np.bincount(articles.word_row, shared, n)
    return np.asarray(hits / np.maximum(np.bincount(articles.word_row, minlength=n), 1))
