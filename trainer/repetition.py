"""How much an article repeats itself: Gopher's measures of repeated n-grams, for many articles at once."""

from __future__ import annotations

import numpy as np

from trainer.scan import Index, Scan, mixed, repeated, sums
from trainer.text import Matrix

TOP, DUPLICATE = (2, 3, 4), (5, 6, 7, 8, 9, 10)
_P = np.uint64(0x9E3779B97F4A7C15)


def repetition(text: Scan) -> Matrix:
    """Measure repeated n-grams (Rae et al., 2021, appendix A.1.1 and table A1), [len(TOP) + len(DUPLICATE), articles].

    For n of TOP, the share of the words' bytes that the most frequent n-gram makes up; one that occurs once counts 0. For n of
    DUPLICATE, the share in n-grams that occurred before in the article, each byte counted once. N-grams run over line ends.

    An n-gram is repeated only if the two (n - 1)-grams in it are, so each n looks only at what the one before found.
    """
    out = np.zeros((len(TOP) + len(DUPLICATE), text.article_word.size - 1))
    before = np.zeros(text.start.size + 1, np.int64)  # bytes of all words before each
    np.cumsum(text.end - text.start, out=before[1:])
    total = np.maximum(np.diff(before[text.article_word]), 1)
    hashed = mixed(text.hash[:-1] * _P + text.hash[1:])
    place = np.arange(hashed.size)
    for n in range(2, DUPLICATE[-1] + 1):
        index, first = repeated(hashed)
        if not index.size:
            break
        if n <= TOP[-1]:
            out[n - TOP[0]] = _top(text, place[index[first]], np.flatnonzero(first), index.size, n, before) / total
        else:
            out[len(TOP) + n - DUPLICATE[0]] = _covered(text, place[index[~first]], n, before) / total
        index.sort()
        found = place[index]
        follows = np.flatnonzero(found[1:] - found[:-1] == 1)  # the n-gram one word on is repeated too
        place = found[follows]
        hashed = mixed(hashed[index[follows]] * _P + text.hash[place + n])
    return out


def _top(text: Scan, starts: Index, first: Index, found: int, n: int, before: Index) -> Index:
    """Return the bytes that the most frequent n-gram of each article makes up, all its occurrences together.

    Args:
        starts: first word of each repeated n-gram's first occurrence. first: that occurrence's number among all `found` ones.
    """
    count = np.append(first[1:], found) - first
    width = before[starts + n] - before[starts]
    article = text.article_word.searchsorted(starts, side="right") - 1
    best = np.zeros(text.article_word.size - 1, np.int64)
    np.maximum.at(best, article, count << 32 | width)  # the longest of those that are equally frequent
    return np.asarray((best >> 32) * (best & 0xFFFFFFFF))


def _covered(text: Scan, again: Index, n: int, before: Index) -> Index:
    """Return the bytes of each article that stand in an n-gram that occurred before; `again` are the first words of these."""
    again.sort()
    own = np.full(again.size, n)  # words that the next n-gram does not cover
    np.minimum(again[1:] - again[:-1], n, out=own[:-1])
    return sums(before[again + own] - before[again], again.searchsorted(text.article_word))
