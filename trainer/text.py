"""The first stage: what a paragraph's own words and characters say of its label. A linear model over buckets.

Weights are 8-bit integers. Three classes share one 64-bit number (21 bits each), so that one look-up fetches all of a
bucket's weights and one running sum adds them up: sums of integers are exact, so a paragraph's scores do not depend on
the batch it is in, on threads or on the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from trainer.features import FAMILIES, Batch, Family, FeatureSettings, segment_sums

Matrix = NDArray[np.float64]

_LANES, _LANE_BITS, _OFFSET = 3, 21, 128
_MOST_WORDS = 4  # of a row of a table: NumPy copies rows of 8, 16 and 32 bytes the quickest
_LANE_MASK = np.uint64((1 << _LANE_BITS) - 1)
_SHIFTS = (np.arange(_LANES, dtype=np.uint64) * np.uint64(_LANE_BITS))[:, None]


class TextStage:
    """Linear scores of paragraphs; immutable.

    Args:
        settings: how paragraphs are hashed.
        weights: int8 [buckets of all families, classes - 1], relative to the first class.
        scale: float64 [families, classes - 1]; a weight counts `weights * scale`.
        bias: float64 [classes - 1].

    A family's weights are summed over the paragraph's buckets and divided by the square root of their number.
    """

    def __init__(self, settings: FeatureSettings, weights: NDArray[np.int8], scale: Matrix, bias: Matrix) -> None:
        self.settings, self.weights, self.scale, self.bias = settings, weights, scale, bias
        self._tables = [_pack(part) for part in np.split(weights, np.cumsum(settings.buckets)[:-1])]

    def contributions(self, batch: Batch) -> Matrix:
        """Return what each family adds to each class but the first: [families, classes - 1, n]."""
        classes = self.bias.size
        out = np.zeros((len(FAMILIES), classes, len(batch)))
        for family, (parts, tables) in enumerate(zip(batch.families, self._tables, strict=True)):
            count = bucket_counts(parts)
            weight = 1.0 / root_count(count)
            at = 0
            for table, used in tables:
                # Each part is unpacked by itself: a paragraph's buckets of one part fit into a lane, those of several may not.
                sums = [segment_sums(table.take(part.bucket, axis=0, mode="clip")[:, :used], part.indptr) for part in parts]
                total = reduce(np.add, map(_unpack, sums))[: classes - at]
                rows = slice(at, at + len(total))
                out[family, rows] = (total - _OFFSET * count) * self.scale[family, rows, None] * weight
                at += len(total)
        return out

    def scores(self, contributions: Matrix) -> Matrix:
        """Add contributions up to log-odds against the first class, [classes, n]; the first row is 0."""
        out = np.zeros((self.bias.size + 1, contributions.shape[2]))
        out[1:] = reduce(np.add, contributions) + self.bias[:, None]
        return out


def bucket_counts(parts: Sequence[Family]) -> NDArray[np.intp]:
    """Return the number of a family's buckets of each paragraph."""
    return reduce(np.add, [np.diff(part.indptr) for part in parts])


def root_count(count: NDArray[np.intp]) -> Matrix:
    """Return the divisor of a family's sum: the square root of its number of buckets."""
    return np.sqrt(np.maximum(count, 1))


def softmax(scores: Matrix) -> Matrix:
    """Return probabilities over the first axis, added up in a fixed order."""
    raised = np.exp(scores - scores.max(axis=0))
    return np.asarray(raised / reduce(np.add, raised))


def _pack(weights: NDArray[np.int8]) -> list[tuple[NDArray[np.uint64], int]]:
    """Pack the weights of a family [buckets, classes] into tables [buckets, words], with the words that are in use."""
    buckets, classes = weights.shape
    lanes = np.zeros((buckets, -(-classes // _LANES) * _LANES), np.uint64)
    lanes[:, :classes] = weights.astype(np.int16) + _OFFSET
    packed = reduce(np.bitwise_or, [lanes[:, i::_LANES] << np.uint64(i * _LANE_BITS) for i in range(_LANES)])
    tables = []
    for begin in range(0, packed.shape[1], _MOST_WORDS):
        words = packed[:, begin : begin + _MOST_WORDS]
        used = words.shape[1]
        padded = np.zeros((buckets, 1 << (used - 1).bit_length()), np.uint64)
        padded[:, :used] = words
        tables.append((padded, used))
    return tables


def _unpack(sums: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Take sums [n, words] apart into those of the classes, [words * _LANES, n]."""
    return ((sums.T[:, None] >> _SHIFTS) & _LANE_MASK).reshape(-1, len(sums)).view(np.int64)
