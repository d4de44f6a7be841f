"""Training of the second stage: back-propagation through `sequence.SequenceStage`, written out in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.schema import UNLABELLED
from trainer.sequence import Neighbourhood, SequenceSettings, SequenceStage, to_weight_grid

Array = NDArray[np.float32]
Arrays = dict[str, Array]
Index = NDArray[np.intp]
_MOMENTUM, _SQUARES, _TINY = 0.9, 0.999, 1e-8  # Adam's constants (Kingma and Ba 2015)
_LEAST_SPREAD = 0.05
_LAST_LAYERS = ("head", "head_bias", "out", "out_bias")
_LARGEST = 1.0  # norm of a step's gradient
_LEAST_STEPS = 32  # of a pass over the data; little data goes in smaller batches


class Sample(NamedTuple):
    """Articles to learn from, N paragraphs in all.

    `inputs`: [N, inputs] float32. `article`: [N] non-decreasing. `truth`: [N] column of the output, or UNLABELLED. `weight`: [N].
    """

    inputs: Array
    article: Index
    truth: Index
    weight: NDArray[np.float64]


class Training(NamedTuple):
    """How to train: passes over the data, most paragraphs of a step, largest step size, dropout, weight decay."""

    epochs: int = 40
    batch: int = 4096
    learning_rate: float = 3e-3
    dropout: float = 0.3
    decay: float = 1e-4
    seed: int = 0
    warm_up: int = 100  # steps until the full step size


def fit_sequence(
    samples: Callable[[], Sequence[Sample]], outputs: int, settings: SequenceSettings, training: Training
) -> SequenceStage:
    """Fit the network.

    Args:
        samples: gives the data of the next pass; the first of them also tells the inputs' mean and spread.
        outputs: number of classes. settings: size of the network. training: how to train it.
    """
    rng = np.random.default_rng(training.seed)
    data = samples()
    mean = np.asarray(np.mean(data[0].inputs, axis=0, dtype=np.float64))
    spread = np.maximum(np.std(data[0].inputs, axis=0, dtype=np.float64), _LEAST_SPREAD)
    shift, scale = mean.astype(np.float32), (1 / spread).astype(np.float32)
    arrays = _start(settings.shapes(mean.size, outputs), rng)
    adam = _Adam(arrays, training)
    # Not the mean of each batch: there an article alone would count the same whatever its weight.
    known = data[0].truth != UNLABELLED
    usual = float(data[0].weight[known].mean()) if known.any() else 1.0
    size = min(training.batch, max(1, sum(sample.article.size for sample in data) // _LEAST_STEPS))
    for epoch in range(training.epochs):
        runs = _batches(data if epoch == 0 else samples(), size, rng)
        for number, (sample, rows) in enumerate(runs):
            place = Neighbourhood.build(sample.article[rows], settings.dilations)
            seen = ((sample.inputs[rows] - shift) * scale).T
            truth = sample.truth[rows]
            known = truth != UNLABELLED
            if known.any():
                share = np.where(known, sample.weight[rows], 0.0) / (usual * np.count_nonzero(known))
                gradients, _ = _backward(arrays, settings, seen, place, truth, share, training.dropout, rng)
                adam.step(gradients, (epoch + number / len(runs)) / training.epochs)
    if not adam.steps:  # nothing was labelled, so no class is likelier than another
        arrays["out"][:] = 0
    return SequenceStage(settings, {name: to_weight_grid(a) for name, a in _unscaled(arrays, mean, spread).items()})


def adjust_sequence(stage: SequenceStage, sample: Sample, steps: int, learning_rate: float) -> SequenceStage:
    """Take a few steps with the last two layers from a fitted network's weights, without decay; what they read stays as it is.

    Args:
        sample: all of it is learnt from in each step. steps, learning_rate: how far to go; the step size falls as a cosine.
    """
    share = np.where(sample.truth == UNLABELLED, 0.0, sample.weight)
    arrays: Arrays = {name: array.astype(np.float32) for name, array in stage.arrays.items()}
    adam = _Adam(arrays, Training(learning_rate=learning_rate, decay=0.0, warm_up=1))
    place = Neighbourhood.build(sample.article, stage.settings.dilations)
    seen, rng = np.ascontiguousarray(sample.inputs.T), np.random.default_rng(0)
    for step in range(steps if share.any() else 0):
        gradients, _ = _backward(arrays, stage.settings, seen, place, sample.truth, share / share.sum(), 0.0, rng)
        adam.step({name: gradients[name] for name in _LAST_LAYERS}, step / steps)
    return SequenceStage(stage.settings, {name: to_weight_grid(array) for name, array in arrays.items()})


def loss_and_gradients(
    arrays: Arrays, settings: SequenceSettings, inputs: Array, place: Neighbourhood, truth: Index, weight: Array
) -> tuple[float, Arrays]:
    """Return the mean loss of a batch and its derivatives, without dropout; for checks."""
    share = np.where(truth == UNLABELLED, 0.0, weight)
    gradients, loss = _backward(arrays, settings, inputs, place, truth, share / share.sum(), 0.0, np.random.default_rng(0))
    return loss, gradients


def _backward(
    a: Arrays,
    settings: SequenceSettings,
    inputs: Array,
    place: Neighbourhood,
    truth: Index,
    share: NDArray[Any],
    dropout: float,
    rng: np.random.Generator,
) -> tuple[Arrays, float]:
    """Return the derivatives of the cross-entropy by every array, and itself; `share` is what each paragraph counts in it."""
    dtype = a["out"].dtype
    width, n = settings.width, len(truth)
    values = np.maximum(a["enter"] @ inputs + a["enter_bias"][:, None], 0)
    entered = values > 0
    kept = []
    for number, distance in enumerate(settings.dilations):
        around = place.both_sides(values, number, distance)
        whole = place.whole(values)
        seen = a[f"near.{number}"] @ around + a[f"near_bias.{number}"][:, None]
        seen += place.spread(a[f"all.{number}"] @ whole)
        gate = _gate(seen, dropout, rng)
        seen *= gate
        kept.append((values, around, whole, gate, seen))
        values = values + a[f"back.{number}"] @ seen + a[f"back_bias.{number}"][:, None]
    joined = np.concatenate([values, inputs])
    last = a["head"] @ joined + a["head_bias"][:, None]
    last_gate = _gate(last, dropout, rng)
    last *= last_gate
    scores = a["out"] @ last + a["out_bias"][:, None]
    scores -= scores.max(axis=0)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=0)
    share = share.astype(dtype)
    label, column = np.where(truth == UNLABELLED, 0, truth), np.arange(n)
    loss = float(-(np.log(np.maximum(scores[label, column], 1e-30)) * share).sum())
    scores[label, column] -= 1
    scores *= share

    out: Arrays = {"out": scores @ last.T, "out_bias": scores.sum(axis=1)}
    d_last = (a["out"].T @ scores) * last_gate
    out |= {"head": d_last @ joined.T, "head_bias": d_last.sum(axis=1)}
    d = a["head"][:, :width].T @ d_last
    for number, distance in reversed(list(enumerate(settings.dilations))):
        values, around, whole, gate, seen = kept[number]
        out |= {f"back.{number}": d @ seen.T, f"back_bias.{number}": d.sum(axis=1)}
        d_seen = (a[f"back.{number}"].T @ d) * gate
        of_article = np.add.reduceat(d_seen, place.start, axis=1)
        out |= {
            f"near.{number}": d_seen @ around.T,
            f"near_bias.{number}": d_seen.sum(axis=1),
            f"all.{number}": of_article @ whole.T,
        }
        d = d + _to_neighbours((a[f"near.{number}"].T @ d_seen).reshape(3, width, n), place.cut[number], distance)
        d_whole = a[f"all.{number}"].T @ of_article
        d += place.spread((d_whole[:width] / place.size).astype(dtype))
        d += place.spread(d_whole[width:]) * (values == place.spread(whole[width:]))
    d *= entered
    out |= {"enter": d @ inputs.T, "enter_bias": d.sum(axis=1)}
    return out, loss


def _to_neighbours(d: Array, cut: tuple[Index, Index], distance: int) -> Array:
    """Carry derivatives of `Neighbourhood.both_sides` back to the values they came from."""
    before, own, behind = d[0], d[1], d[2]
    before[:, cut[0]] = 0
    behind[:, cut[1]] = 0
    if distance < own.shape[1]:
        own[:, :-distance] += before[:, distance:]
        own[:, distance:] += behind[:, :-distance]
    return np.asarray(own)


def _gate(values: Array, dropout: float, rng: np.random.Generator) -> Array:
    """Return what a rectifier with dropout multiplies with: 0, or more than 1 where a unit stands in for those left out."""
    gate = values > 0
    if dropout:
        left_out = rng.integers(0, 256, values.shape, np.uint8) < round(dropout * 256)
        return (gate & ~left_out) * np.float32(1 / (1 - dropout))
    return gate.astype(values.dtype)


def _batches(samples: Sequence[Sample], size: int, rng: np.random.Generator) -> list[tuple[Sample, Index]]:
    """Put whole articles together at random, about `size` paragraphs at a time; return the rows of each batch."""
    runs: list[tuple[Sample, Index]] = []
    for sample in samples:
        start = np.flatnonzero(np.diff(sample.article, prepend=-1))
        end = np.append(start[1:], sample.article.size)
        chosen: list[Index] = []
        count = 0
        for number in rng.permutation(start.size):
            chosen.append(np.arange(start[number], end[number]))
            count += chosen[-1].size
            if count >= size:
                runs.append((sample, np.sort(np.concatenate(chosen))))
                chosen, count = [], 0
        if chosen:
            runs.append((sample, np.sort(np.concatenate(chosen))))
    return [runs[number] for number in rng.permutation(len(runs))]


def _start(shapes: dict[str, tuple[int, ...]], rng: np.random.Generator) -> Arrays:
    """Draw weights of such a size that values neither grow nor fade; those that add to a value start small."""
    out: Arrays = {}
    for name, shape in shapes.items():
        if len(shape) == 1:
            out[name] = np.zeros(shape, np.float32)
        else:
            gain = 0.1 if name.startswith(("back", "all")) else 1.0
            out[name] = rng.normal(0.0, np.sqrt(gain / shape[1]), shape).astype(np.float32)
    return out


def _unscaled(arrays: Arrays, mean: NDArray[np.float64], spread: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Fold the inputs' mean and spread into the layers that read them."""
    out = {name: np.asarray(array, np.float64) for name, array in arrays.items()}
    for name in ("enter", "head"):
        weights = out[name].copy()
        own = weights.shape[1] - mean.size
        weights[:, own:] /= spread
        out[f"{name}_bias"] = out[f"{name}_bias"] - weights[:, own:] @ mean
        out[name] = weights
    return out


class _Adam:
    """Adam with decoupled weight decay of matrices and a step size that rises shortly, then falls as a cosine."""

    def __init__(self, arrays: Arrays, training: Training) -> None:
        self._arrays, self._training, self.steps = arrays, training, 0
        self._mean = {name: np.zeros_like(array) for name, array in arrays.items()}
        self._square = {name: np.zeros_like(array) for name, array in arrays.items()}

    def step(self, gradients: Arrays, progress: float) -> None:
        """Take one step down the gradients; `progress` is the share of the training that is done."""
        self.steps += 1
        norm = float(np.sqrt(sum(float(np.vdot(g, g)) for g in gradients.values())))
        share = min(1.0, _LARGEST / max(norm, _TINY))
        size = self._training.learning_rate * 0.5 * (1 + np.cos(np.pi * progress)) * min(1.0, self.steps / self._training.warm_up)
        for name, gradient in gradients.items():
            array, mean, square = self._arrays[name], self._mean[name], self._square[name]
            gradient *= np.float32(share)
            mean += (1 - _MOMENTUM) * (gradient - mean)
            square += (1 - _SQUARES) * (gradient * gradient - square)
            rise = mean / (1 - _MOMENTUM**self.steps)
            rise /= np.sqrt(square / (1 - _SQUARES**self.steps)) + _TINY
            if array.ndim == 2:
                rise += np.float32(self._training.decay) * array
            array -= np.float32(size) * rise
