"""How much an article repeats itself: Gopher's measures of repeated n-grams, for many articles at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.scan import Hashes, Index, Scan, mixed, spread
from trainer.text import Matrix

TOP, DUPLICATE = (2, 3, 4), (5, 6, 7, 8, 9, 10)
_P = np.uint64(0x9E3779B97F4A7C15)


class _Repeated(NamedTuple):
    """N-grams that occur more than once in their article.

    `place` [k]: their first words, ascending. `run` [k]: number of the group of equal ones. `first`: whether it is the first.
    """

    place: Index
    run: Index
    first: NDArray[np.bool_]


def repetition(text: Scan) -> Matrix:
    """Measure repeated n-grams (Rae et al., 2021, appendix A.1.1 and table A1), [len(TOP) + len(DUPLICATE), articles].

    For n of TOP, the share of the words' bytes that the most frequent n-gram makes up; one that occurs once counts 0. For n of
    DUPLICATE, the share in n-grams that occurred before in the article, each byte counted once. N-grams run over line ends.

    An n-gram is repeated only if the two (n - 1)-grams in it are, so each n looks only at what the one before found.
    """
    articles = text.article_word.size - 1
    out = np.zeros((len(TOP) + len(DUPLICATE), articles))
    size = text.end - text.start
    total = np.maximum(np.add.reduceat(np.append(size, 0), text.article_word[:-1]), 1) if articles else np.zeros(0)
    hashed = mixed(text.hash[:-1] * _P + text.hash[1:]) if text.hash.size > 1 else text.hash[:0]
    place = np.arange(hashed.size)
    for n in range(2, DUPLICATE[-1] + 1):
        found = _repeated(hashed, place)
        if not found.place.size:
            break
        row = n - 2 if n <= TOP[-1] else len(TOP) + n - DUPLICATE[0]
        out[row] = (_top(text, found, n, size) if n <= TOP[-1] else _covered(text, found, n, size)) / total
        position = place.searchsorted(found.place)
        follows = np.flatnonzero(np.diff(found.place) == 1)  # the n-gram one word on is repeated too
        place = found.place[follows]
        hashed = mixed(hashed[position[follows]] * _P + text.hash[place + n])
    return out


def _repeated(hashed: Hashes, place: Index) -> _Repeated:
    """Return the n-grams whose hash occurs more than once: of numbers of hash and place, sorted, equal ones are neighbours."""
    bits = np.uint64(int(place[-1]).bit_length() if place.size else 0)
    low = (np.uint64(1) << bits) - np.uint64(1)
    number = (hashed & ~low) | place.astype(np.uint64)
    number.sort()
    high = number >> bits
    same = np.zeros(number.size + 1, np.bool_)
    np.equal(high[1:], high[:-1], out=same[1:-1])
    inside = np.flatnonzero(same[1:] | same[:-1])
    first = ~same[:-1][inside]
    found = (number[inside] & low).astype(np.intp)
    order = np.argsort(found)
    return _Repeated(found[order], np.cumsum(first)[order] - 1, first[order])


def _top(text: Scan, found: _Repeated, n: int, size: Index) -> Index:
    """Return the bytes that the most frequent n-gram of each article makes up, all its occurrences together."""
    starts = found.place[found.first]
    count = np.bincount(found.run)[found.run[found.first]]
    width = np.add.reduce([size[starts + offset] for offset in range(n)])
    article = text.article_word.searchsorted(starts, side="right") - 1
    best = np.zeros(text.article_word.size - 1, np.int64)
    np.maximum.at(best, article, count << 32 | width)  # the longest of those that are equally frequent
    return np.asarray((best >> 32) * (best & 0xFFFFFFFF))


def _covered(text: Scan, found: _Repeated, n: int, size: Index) -> Index:
    """Return the bytes of each article that stand in an n-gram that occurred before."""
    again = found.place[~found.first]
    word = np.unique(spread(again, again + n)[0])
    article = text.article_word.searchsorted(word, side="right") - 1
    return np.bincount(article, size[word], text.article_word.size - 1).astype(np.intp)
