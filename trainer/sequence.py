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
_BLOCK = 1 << 18  # multiplications in a product for which OpenBLAS starts no threads


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
        return of_article.repeat(self.size, axis=1)

    def both_sides(self, values: NDArray[Any], block: int, distance: int) -> NDArray[Any]:
        """Return values of the neighbour before, of oneself, and of the neighbour behind, [3 * channels, N]."""
        channels, n = values.shape
        out = np.empty((3, channels, n), values.dtype)
        self.fill_sides(values, block, distance, out[0], out[2])
        out[1] = values
        return out.reshape(3 * channels, n)

    def fill_sides(self, values: NDArray[Any], block: int, distance: int, before: NDArray[Any], behind: NDArray[Any]) -> None:
        """Write the values of the neighbour before and of the neighbour behind, each [channels, N]; 0 where there is none."""
        if distance >= values.shape[1]:
            before[...], behind[...] = 0, 0
            return
        before[:, distance:] = values[:, :-distance]
        behind[:, :-distance] = values[:, distance:]
        before[:, self.cut[block][0]] = 0
        behind[:, self.cut[block][1]] = 0

    def whole(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return each channel's mean and maximum over the article, [2 * channels, articles]."""
        total = np.add.reduceat(values, self.start, axis=1)
        return np.concatenate([total / self.size.astype(values.dtype), np.maximum.reduceat(values, self.start, axis=1)])


class SequenceStage:
    """The network; immutable. Its arrays are named and shaped by `SequenceSettings.shapes`, on the grid of 1/WEIGHT_GRID."""

    def __init__(self, settings: SequenceSettings, arrays: Mapping[str, Matrix]) -> None:
        self.settings, self.arrays = settings, dict(arrays)
        self._stepped = {name: self._for_steps(name, array) for name, array in self.arrays.items()}

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

    def _for_steps(self, name: str, array: Matrix) -> Matrix:
        """Return an array as `scores` multiplies it: biases in grid steps, neighbours before and behind side by side."""
        if array.ndim == 1:
            return np.asarray(array * VALUE_GRID)[:, None]
        if name.startswith("near."):
            sides = array.reshape(len(array), 3, -1)
            return np.ascontiguousarray(sides[:, [0, 2, 1]].reshape(array.shape))
        return array

    def scores(self, inputs: Matrix, article: Index) -> Matrix:
        """Return log-odds against the first output, [outputs, N], for inputs [inputs, N] on the grid of 1/INPUT_GRID."""
        scores = _affine(self.arrays["out"], self.last(inputs, article), self.arrays["out_bias"][:, None])
        scores -= scores[0].copy()
        return scores

    def last(self, inputs: Matrix, article: Index) -> Matrix:
        """Return the values of the last layer before the outputs, [head, N]; see `scores`."""
        a, width = self._stepped, self.settings.width
        if not article.size:
            return np.zeros((len(a["head"]), 0))
        place = Neighbourhood.build(article, self.settings.dilations)
        # One array holds what the layers read, so that each reads its rows where they stand: the neighbour before, the one
        # behind, oneself, and the inputs. Values are counted in steps of their grid.
        rows = np.empty((3 * width + len(inputs), article.size))
        before, behind, own, given = np.split(rows, (width, 2 * width, 3 * width))
        seen, step = np.empty((2, width, article.size))
        np.multiply(inputs, VALUE_GRID, out=given)
        _settle(_affine(a["enter"], given, a["enter_bias"], own))
        for number, distance in enumerate(self.settings.dilations):
            place.fill_sides(own, number, distance, before, behind)
            of_article = _affine(a[f"all.{number}"], _grid(place.whole(own)), a[f"near_bias.{number}"])
            product(a[f"near.{number}"], rows[: 3 * width], seen)
            seen += place.spread(of_article)
            own += _affine(a[f"back.{number}"], _settle(seen), a[f"back_bias.{number}"], step)
            _grid(own)
        last = _settle(_affine(a["head"], rows[2 * width :], a["head_bias"]))
        last /= VALUE_GRID
        return last


def to_weight_grid(weights: NDArray[Any]) -> Matrix:
    """Round to the grid of 1/WEIGHT_GRID."""
    return np.asarray(np.rint(np.asarray(weights, np.float64) * WEIGHT_GRID) / WEIGHT_GRID)


def to_input_grid(steps: Matrix) -> Matrix:
    """Round to the grid of 1/INPUT_GRID, within INPUT_LIMIT, in place; `steps` are values times INPUT_GRID."""
    np.rint(steps, out=steps)
    steps *= 1 / INPUT_GRID
    return np.clip(steps, -INPUT_LIMIT, INPUT_LIMIT, out=steps)


def _affine(weights: Matrix, values: Matrix, bias: Matrix, out: Matrix | None = None) -> Matrix:
    out = product(weights, values, np.empty((len(weights), values.shape[1])) if out is None else out)
    out += bias
    return out


def product(weights: Matrix, values: Matrix, out: Matrix) -> Matrix:
    """Multiply in blocks of columns, each by one thread: where other work keeps the cores busy, threads wait for each other."""
    width = max(_BLOCK // weights.size, 1)
    whole = values.shape[1] // width * width
    if whole:
        blocks, into = (part[:, :whole].reshape(len(part), -1, width).swapaxes(0, 1) for part in (values, out))
        np.matmul(weights, blocks, out=into)
    np.matmul(weights, values[:, whole:], out=out[:, whole:])
    return out


def _grid(steps: Matrix) -> Matrix:
    """Round to whole steps of the grid of values, in place."""
    np.rint(steps, out=steps)
    return np.clip(steps, -VALUE_LIMIT * VALUE_GRID, VALUE_LIMIT * VALUE_GRID, out=steps)


def _settle(steps: Matrix) -> Matrix:
    """Rectify, and round to whole steps of the grid of values, in place."""
    np.rint(steps, out=steps)
    return np.clip(steps, 0, VALUE_LIMIT * VALUE_GRID, out=steps)


def _bias_of(name: str) -> str:
    layer, dot, number = name.partition(".")
    return f"{'near' if layer in ('near', 'all') else layer}_bias{dot}{number}"
