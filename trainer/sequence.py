"""The second stage: a network that reads an article's paragraphs in their order, from first to last and back.

Every paragraph starts from its own inputs. In each block it then sees its neighbours a few paragraphs away (each block looks
farther than the one before), and the mean and the strongest of the whole article. Inputs, weights and the values between
layers lie on binary grids, coarse enough that every sum in the network is exact in 64-bit floats: no result depends on the
batch, on threads or on the linear-algebra library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.intp]
Matrix = NDArray[np.float64]

INPUT_GRID, VALUE_GRID, WEIGHT_GRID = 256, 256, 4096
INPUT_LIMIT, VALUE_LIMIT = 15.0, 255.0


@dataclass(frozen=True, slots=True)
class SequenceSettings:
    """Size of the network: channels of a paragraph, units of the last layer, and how far each block looks to both sides."""

    width: int = 48
    head: int = 48
    dilations: tuple[int, ...] = (1, 2, 4)

    def shapes(self, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
        """Name every array with its shape, in the order of the layers."""
        width, head = self.width, self.head
        out: dict[str, tuple[int, ...]] = {"enter": (width, inputs), "enter_bias": (width,)}
        for number in range(len(self.dilations)):
            out |= {
                f"near.{number}": (width, 3 * width),
                f"all.{number}": (width, 2 * width),
                f"near_bias.{number}": (width,),
                f"back.{number}": (width, width),
                f"back_bias.{number}": (width,),
            }
        return out | {"head": (head, width + inputs), "head_bias": (head,), "out": (outputs, head), "out_bias": (outputs,)}


class Neighbourhood(NamedTuple):
    """Where the articles of a batch begin and end; arrays over all N paragraphs or over the articles that have any.

    `article`: [N] number of one's article. `start`, `size`: [articles] first paragraph and number of paragraphs.
    `cut`: for each distance, the paragraphs that have no neighbour so far before them, and none so far behind them.
    """

    article: Index
    start: Index
    size: Index
    cut: tuple[tuple[Index, Index], ...]

    @classmethod
    def build(cls, article: Index, dilations: Sequence[int]) -> Neighbourhood:
        """Find the borders in `article`, [N] non-decreasing numbers."""
        start = np.flatnonzero(np.diff(article, prepend=-1)).astype(np.intp)
        count = np.diff(start, append=article.size)
        number = np.repeat(np.arange(start.size), count)
        place = np.arange(article.size) - start[number]
        left = count[number] - 1 - place
        cut = tuple((np.flatnonzero(place < d), np.flatnonzero(left < d)) for d in dilations)
        return cls(number, start, count, cut)

    def spread(self, of_article: NDArray[Any]) -> NDArray[Any]:
        """Give every paragraph the column of its article: [channels, articles] to [channels, N]."""
        return of_article.take(self.article, axis=1)

    def both_sides(self, values: NDArray[Any], block: int, distance: int) -> NDArray[Any]:
        """Return values of the neighbour before, of oneself, and of the neighbour behind, [3 * channels, N]."""
        channels, n = values.shape
        out = np.zeros((3, channels, n), values.dtype)
        before, behind = self.cut[block]
        if distance < n:
            out[0, :, distance:] = values[:, :-distance]
            out[2, :, :-distance] = values[:, distance:]
            out[0][:, before] = 0
            out[2][:, behind] = 0
        out[1] = values
        return out.reshape(3 * channels, n)

    def whole(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return each channel's mean and maximum over the article, [2 * channels, articles]."""
        total = np.add.reduceat(values, self.start, axis=1)
        return np.concatenate([total / self.size.astype(values.dtype), np.maximum.reduceat(values, self.start, axis=1)])


class SequenceStage:
    """The network; immutable. Its arrays are named and shaped by `SequenceSettings.shapes`, on the grid of 1/WEIGHT_GRID."""

    def __init__(self, settings: SequenceSettings, arrays: Mapping[str, Matrix]) -> None:
        self.settings, self.arrays = settings, dict(arrays)

    @property
    def is_exact(self) -> bool:
        """Whether all weights lie on their grid, and every sum over values within their limits stays below 2^53 grid steps."""
        most = 0.0
        for name, array in self.arrays.items():
            if (array * WEIGHT_GRID != np.rint(array * WEIGHT_GRID)).any():
                return False
            if array.ndim == 2:
                bias = self.arrays[_bias_of(name)]
                most = max(most, float((np.abs(array).sum(axis=1) * VALUE_LIMIT + np.abs(bias)).max(initial=0)))
        return 4 * most * VALUE_GRID * WEIGHT_GRID < 2**53

    def scores(self, inputs: Matrix, article: Index) -> Matrix:
        """Return log-odds against the first output, [outputs, N], for inputs [inputs, N] on the grid of 1/INPUT_GRID."""
        scores = _affine(self.arrays["out"], self.last(inputs, article), self.arrays["out_bias"])
        return np.asarray(scores - scores[0])

    def last(self, inputs: Matrix, article: Index) -> Matrix:
        """Return the values of the last layer before the outputs, [head, N]; see `scores`."""
        a = self.arrays
        if not article.size:
            return np.zeros((len(a["head"]), 0))
        place = Neighbourhood.build(article, self.settings.dilations)
        values = _settle(_affine(a["enter"], inputs, a["enter_bias"]))
        for number, distance in enumerate(self.settings.dilations):
            seen = _affine(a[f"near.{number}"], place.both_sides(values, number, distance), a[f"near_bias.{number}"])
            seen += place.spread(a[f"all.{number}"] @ _grid(place.whole(values)))
            step = _affine(a[f"back.{number}"], _settle(seen), a[f"back_bias.{number}"])
            values = _grid(values + step)
        return _settle(_affine(a["head"], np.concatenate([values, inputs]), a["head_bias"]))


def to_weight_grid(weights: NDArray[Any]) -> Matrix:
    """Round to the grid of 1/WEIGHT_GRID."""
    return np.asarray(np.rint(np.asarray(weights, np.float64) * WEIGHT_GRID) / WEIGHT_GRID)


def to_input_grid(values: Matrix) -> Matrix:
    """Round to the grid of 1/INPUT_GRID, within INPUT_LIMIT."""
    values = values * INPUT_GRID
    np.rint(values, out=values)
    values /= INPUT_GRID
    return np.clip(values, -INPUT_LIMIT, INPUT_LIMIT, out=values)


def _affine(weights: Matrix, values: Matrix, bias: Matrix) -> Matrix:
    out = weights @ values
    out += bias[:, None]
    return out


def _grid(values: Matrix) -> Matrix:
    values *= VALUE_GRID
    np.rint(values, out=values)
    values /= VALUE_GRID
    return np.clip(values, -VALUE_LIMIT, VALUE_LIMIT, out=values)


def _settle(values: Matrix) -> Matrix:
    """Rectify, and round to the grid of values."""
    values *= VALUE_GRID
    np.rint(values, out=values)
    values /= VALUE_GRID
    return np.clip(values, 0, VALUE_LIMIT, out=values)


def _bias_of(name: str) -> str:
    layer, dot, number = name.partition(".")
    return f"{'near' if layer in ('near', 'all') else layer}_bias{dot}{number}"
