"""The network of the second stage written out paragraph by paragraph, and made-up ones; shared by the tests of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from trainer.sequence import INPUT_GRID, SequenceSettings, SequenceStage, to_input_grid, to_weight_grid

Arrays = dict[str, np.ndarray]
Rounding = Callable[[np.ndarray], np.ndarray]


def numbered(sizes: Sequence[int]) -> np.ndarray:
    """Return the number of each paragraph's article, for articles of these sizes."""
    return np.repeat(np.arange(len(sizes)), sizes)


def made_up(settings: SequenceSettings, inputs: int, outputs: int, seed: int = 0, size: float = 0.5) -> SequenceStage:
    """Return a network of random weights."""
    rng = np.random.default_rng(seed)
    shapes = settings.shapes(inputs, outputs)
    return SequenceStage(settings, {name: to_weight_grid(rng.normal(0, size, shape)) for name, shape in shapes.items()})


def drawn(inputs: int, paragraphs: int, seed: int = 0, size: float = 2.0) -> np.ndarray:
    """Return random inputs on their grid, [inputs, paragraphs]."""
    return to_input_grid(np.random.default_rng(seed).normal(0, size, (inputs, paragraphs)) * INPUT_GRID)


def on_grid(values: np.ndarray) -> np.ndarray:
    """Round to the grid of values between layers."""
    return np.clip(np.rint(values * 256) / 256, -255, 255)


def plain_scores(
    arrays: Arrays, dilations: Sequence[int], inputs: np.ndarray, article: np.ndarray, rounded: Rounding = on_grid
) -> np.ndarray:
    """Return what `SequenceStage.scores` should, article by article, paragraph by paragraph."""
    out = np.zeros((len(arrays["out"]), article.size))
    for number in np.unique(article):
        rows = np.flatnonzero(article == number)
        given = [inputs[:, i] for i in rows]
        values = [rounded(np.maximum(arrays["enter"] @ x + arrays["enter_bias"], 0)) for x in given]
        nothing = np.zeros_like(values[0])
        for block, distance in enumerate(dilations):
            whole = np.concatenate([np.sum(values, axis=0) / len(rows), np.max(values, axis=0)])
            after = []
            for i, own in enumerate(values):
                before = values[i - distance] if i >= distance else nothing
                behind = values[i + distance] if i + distance < len(rows) else nothing
                seen = arrays[f"near.{block}"] @ np.concatenate([before, own, behind])
                seen = seen + arrays[f"near_bias.{block}"] + arrays[f"all.{block}"] @ rounded(whole)
                step = arrays[f"back.{block}"] @ rounded(np.maximum(seen, 0)) + arrays[f"back_bias.{block}"]
                after.append(rounded(own + step))
            values = after
        for i, value, x in zip(rows, values, given, strict=True):
            last = rounded(np.maximum(arrays["head"] @ np.concatenate([value, x]) + arrays["head_bias"], 0))
            out[:, i] = arrays["out"] @ last + arrays["out_bias"]
    return out - out[:1]
