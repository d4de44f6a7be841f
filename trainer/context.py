"""What the second stage reads of each paragraph: its first-stage scores, its shape, its place, and words shared in its article.

All inputs lie on a binary grid, see `sequence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.features import FAMILIES, SHAPES, Batch
from trainer.sequence import INPUT_GRID, to_input_grid
from trainer.text import Matrix, softmax

Index = NDArray[np.intp]

_PROSE_CHARS, _PROSE_SHARE = 100, 0.6
_LEAD = 3  # paragraphs of prose that open the story
_TOPIC_WORD = 5  # characters of a word that may tell what the story is about


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
        """Share of each paragraph's terms that stand once more in a counted paragraph of its article, be it the same one, [N].

        Up to one in eight of the terms that do not is taken for one that does: it has the place of another in the table.

        Args:
            article: [N] number of each paragraph's article. counted: [N] whether a paragraph's terms count.
        """
        n = article.size
        size = np.bincount(self.row, minlength=n)
        own = counted[self.row]
        # Each article has a table of its own, about eight times as large as the terms counted in it.
        terms, its = (np.bincount(article, x).astype(np.intp) for x in (size, size * counted))
        bits = np.ceil(np.log2(8 * its + 8))
        begin = np.append(0, np.cumsum(np.exp2(bits).astype(np.intp)))
        key = (self.hash >> (64 - bits).astype(np.uint64).repeat(terms)).view(np.intp)
        key += begin[:-1].repeat(terms)
        seen = np.bincount(key[own], minlength=begin[-1])
        hits = np.bincount(self.row[seen[key] > own], minlength=n)
        return np.asarray(hits / np.maximum(size, 1))


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


def input_names(kinds: Sequence[str]) -> list[tuple[str, str]]:
    """Name each of the inputs as (group, name); groups are `text`, `shape`, `layout` and `shared`.

    Args:
        kinds: names of the first stage's classes, in column order.
    """
    names = [("text", f"{kind} by {family}") for family in FAMILIES for kind in kinds[1:]]
    names += [("text", f"log-odds of {kind}") for kind in kinds[1:]] + [("text", f"probability of {kind}") for kind in kinds]
    names += [("shape", name) for name in SHAPES]
    names += [("layout", x) for x in ("copies", "place", "place from the end", "relative place", "paragraphs")]
    names += [("shared", x) for x in ("repeated pairs", "words shared with the story", "words shared with its beginning")]
    return names


def inputs(articles: Articles, parts: Matrix, scores: Matrix, kept: Sequence[int]) -> Matrix:
    """Return what the second stage reads, [inputs, N], on the grid of 1/INPUT_GRID; see `input_names`.

    Args:
        articles: the batch. parts: first-stage contributions [families, kinds - 1, N]. scores: first-stage log-odds
            [kinds, N]. kept: columns of the kinds that make up the story.
    """
    n = articles.article.size
    i, first, last = np.arange(n), articles.first, articles.last
    count = last - first
    probability = softmax(scores) if n else np.zeros_like(scores)
    chars = np.exp2(articles.shape[0] * 2) - 1
    story = reduce(np.add, probability[list(kept)], np.zeros(n))  # added up in a fixed order
    prose = (to_input_grid(story * INPUT_GRID) > _PROSE_SHARE) & (chars >= _PROSE_CHARS)
    so_far = np.append(0, np.cumsum(prose))
    lead = prose & (so_far[1:] - so_far[first] <= _LEAD)
    read = [
        (parts.reshape(parts.shape[0] * parts.shape[1], n), 1 / 2),
        (scores[1:], 1 / 2),
        (probability, 2),
        (articles.shape, 1 / 2),
        (np.log2(_copies(articles.article, articles.identity)), 1),
        (np.log2(1.0 + np.stack([i - first, last - 1 - i])), 1 / 2),
        ((i - first + 0.5) / np.maximum(count, 1), 4),
        (np.log2(1.0 + count), 1 / 2),
        (articles.pairs.found(articles.article, np.ones(n, np.bool_)), 4),
        (articles.words.found(articles.article, prose), 4),
        (articles.words.found(articles.article, lead), 4),
    ]
    rows = [np.atleast_2d(values) for values, _ in read]
    out = np.empty((sum(map(len, rows)), n))
    at = 0
    for values, (_, factor) in zip(rows, read, strict=True):
        np.multiply(values, factor * INPUT_GRID, out=out[at : at + len(values)])
        at += len(values)
    return to_input_grid(out)


def _copies(article: Index, identity: NDArray[np.uint64]) -> Index:
    """Count, for each paragraph, the paragraphs of its article with the same words."""
    order = np.lexsort((identity, article))
    same_article, same_words = np.diff(article[order]) == 0, np.diff(identity[order]) == 0
    new = np.append(True, ~(same_article & same_words))[: order.size]
    start = np.flatnonzero(new)
    out = np.empty(order.size, np.intp)
    out[order] = np.repeat(np.diff(start, append=order.size), np.diff(start, append=order.size))
    return out
