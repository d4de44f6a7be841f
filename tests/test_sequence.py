"""The network of the second stage: what it computes, exactly, and that each article is judged by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import drawn, made_up, numbered, on_grid, plain_scores

from trainer.model import Classifier
from trainer.sequence import (
    INPUT_GRID,
    INPUT_LIMIT,
    WEIGHT_GRID,
    Neighbourhood,
    SequenceSettings,
    SequenceStage,
    product,
    to_input_grid,
    to_weight_grid,
)

SETTINGS = SequenceSettings(5, 4, (1, 3))
INPUTS, OUTPUTS = 6, 3
STAGE = made_up(SETTINGS, INPUTS, OUTPUTS)
sizes = st.lists(st.integers(0, 9), max_size=8)
distances = st.lists(st.integers(1, 12), max_size=3).map(tuple)


def split(values: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    return np.split(values, np.cumsum(sizes)[:-1], axis=1) if sizes else []


def same(left: np.ndarray, right: np.ndarray) -> bool:
    return np.array_equal(left, right)


# ── what it computes


@given(sizes=sizes, dilations=distances, seed=st.integers(0, 99))
def test_scores_are_those_of_the_plain_network(sizes: list[int], dilations: tuple[int, ...], seed: int) -> None:
    stage = made_up(SequenceSettings(4, 3, dilations), INPUTS, OUTPUTS, seed)
    inputs, article = drawn(INPUTS, sum(sizes), seed), numbered(sizes)
    assert same(stage.scores(inputs, article), plain_scores(stage.arrays, dilations, inputs, article))


def test_scores_are_relative_to_the_first_output() -> None:
    scores = STAGE.scores(drawn(INPUTS, 7), numbered([3, 4]))
    assert scores.shape == (OUTPUTS, 7)
    assert (scores[0] == 0).all()
    assert np.abs(scores[1:]).max() > 0.1


@given(sizes=sizes, dilations=distances.filter(len))
def test_neighbours_are_those_of_the_same_article(sizes: list[int], dilations: tuple[int, ...]) -> None:
    article = numbered(sizes)
    place = Neighbourhood.build(article, dilations)
    values = np.arange(1.0, 2 * article.size + 1).reshape(2, -1)
    for block, distance in enumerate(dilations):
        seen = place.both_sides(values, block, distance).reshape(3, 2, -1)
        assert same(seen[1], values)
        for i in range(article.size):
            for side, j in ((0, i - distance), (2, i + distance)):
                is_there = 0 <= j < article.size and article[j] == article[i]
                assert same(seen[side, :, i], values[:, j] if is_there else np.zeros(2))


@given(sizes=sizes.filter(any), seed=st.integers(0, 99))
def test_the_whole_article_is_its_mean_and_maximum(sizes: list[int], seed: int) -> None:
    place, values = Neighbourhood.build(numbered(sizes), ()), drawn(3, sum(sizes), seed)
    parts = [part for part in split(values, sizes) if part.size]
    expected = [np.concatenate([part.sum(axis=1) / part.shape[1], part.max(axis=1)]) for part in parts]
    whole = place.whole(values)
    assert same(whole, np.stack(expected, axis=1))
    assert same(place.spread(whole), np.repeat(whole, [part.shape[1] for part in parts], axis=1))


@pytest.mark.parametrize("number", [1, 3, 1000])
def test_numbers_of_articles_need_not_follow_each_other(number: int) -> None:
    inputs = drawn(INPUTS, 6)
    assert same(STAGE.scores(inputs, np.array([0, 0, 1, 1, 1, 2]) * number), STAGE.scores(inputs, numbered([2, 3, 1])))
    assert same(STAGE.scores(inputs, numbered([2, 3, 1]) + number), STAGE.scores(inputs, numbered([2, 3, 1])))


def test_it_sees_as_far_as_its_distances_and_no_farther() -> None:
    """Without the whole article, a paragraph matters to those that the distances reach, in each order of steps."""
    arrays = {
        name: array * (not name.startswith("all")) for name, array in made_up(SETTINGS, INPUTS, OUTPUTS, size=2).arrays.items()
    }
    stage, article, middle = SequenceStage(SETTINGS, arrays), numbered([21]), 10
    changes = np.zeros(21, bool)
    for seed in range(20):
        inputs = drawn(INPUTS, 21, seed)
        changed = inputs.copy()
        changed[:, middle] = drawn(INPUTS, 1, 1000 + seed)[:, 0]
        changes |= (stage.scores(inputs, article) != stage.scores(changed, article)).any(axis=0)
    reach = {near + far for near in (-1, 0, 1) for far in (-3, 0, 3)}
    assert {int(i) - middle for i in np.flatnonzero(changes)} == reach


def test_the_whole_article_reaches_every_paragraph_of_it() -> None:
    inputs, article = drawn(INPUTS, 60), numbered([50, 10])
    changed = inputs.copy()
    changed[:, 0] = INPUT_LIMIT
    different = (STAGE.scores(inputs, article) != STAGE.scores(changed, article)).any(axis=0)
    assert different[:50].all()
    assert not different[50:].any()


# ── each article by itself


@given(sizes=sizes.filter(any), dilations=distances, seed=st.integers(0, 99))
def test_scores_do_not_depend_on_what_shares_the_batch(sizes: list[int], dilations: tuple[int, ...], seed: int) -> None:
    stage = made_up(SequenceSettings(8, 8, dilations), INPUTS, OUTPUTS, seed)
    inputs = drawn(INPUTS, sum(sizes), seed)
    whole = split(stage.scores(inputs, numbered(sizes)), sizes)
    alone = [stage.scores(part, numbered([part.shape[1]])) for part in split(inputs, sizes)]
    assert all(same(a, b) for a, b in zip(whole, alone, strict=True))
    order = np.random.default_rng(seed).permutation(len(sizes))
    shuffled = np.concatenate([split(inputs, sizes)[k] for k in order], axis=1)
    again = split(stage.scores(shuffled, numbered([sizes[k] for k in order])), [sizes[k] for k in order])
    assert all(same(whole[k], part) for k, part in zip(order, again, strict=True))


@given(sizes=sizes.filter(lambda sizes: sum(map(bool, sizes)) > 1), which=st.integers(0, 7), seed=st.integers(0, 99))
def test_changing_an_article_changes_no_other(sizes: list[int], which: int, seed: int) -> None:
    inputs, article = drawn(INPUTS, sum(sizes), seed), numbered(sizes)
    own = article == article[which % article.size]
    changed = np.where(own, drawn(INPUTS, sum(sizes), seed + 1000, size=9.0), inputs)
    before, after = STAGE.scores(inputs, article), STAGE.scores(changed, article)
    assert same(before[:, ~own], after[:, ~own])


def test_an_empty_batch_has_no_scores() -> None:
    assert STAGE.scores(np.zeros((INPUTS, 0)), np.zeros(0, np.intp)).shape == (OUTPUTS, 0)


@pytest.mark.parametrize("dilations", [(), (1,), (64,), (1, 2, 4), (7, 7)])
def test_an_article_of_one_paragraph_has_no_neighbours(dilations: tuple[int, ...]) -> None:
    stage = made_up(SequenceSettings(5, 4, dilations), INPUTS, OUTPUTS)
    inputs = drawn(INPUTS, 1)
    scores = stage.scores(inputs, numbered([1]))
    assert scores.shape == (OUTPUTS, 1)
    cut = {name: array.copy() for name, array in stage.arrays.items()}
    for block in range(len(dilations)):
        cut[f"near.{block}"][:, :5] = cut[f"near.{block}"][:, 10:] = 0
    assert same(SequenceStage(stage.settings, cut).scores(inputs, numbered([1])), scores)


@pytest.mark.parametrize("distance", [4, 5, 64, 10**6])
def test_a_distance_beyond_the_articles_sees_nobody(distance: int) -> None:
    inputs, article = drawn(INPUTS, 11), numbered([4, 4, 3])
    far, farther = (SequenceStage(SequenceSettings(5, 4, (1, d)), STAGE.arrays) for d in (distance, 2 * distance))
    assert same(far.scores(inputs, article), farther.scores(inputs, article))
    near = SequenceStage(SequenceSettings(5, 4, (1, 3)), STAGE.arrays)
    assert not same(far.scores(inputs, article), near.scores(inputs, article))


# ── exact


def test_the_order_of_a_sum_does_not_matter() -> None:
    """Inputs and channels in another order, and so other blocks and roundings of an inexact sum, give the same bits."""
    settings = SequenceSettings(37, 29, (1, 2))
    stage, inputs, article = made_up(settings, 51, 5, size=0.8), drawn(51, 300, size=9.0), numbered([100, 7, 193])
    rng = np.random.default_rng(3)
    order, channel, unit = rng.permutation(51), rng.permutation(37), rng.permutation(29)
    a, moved = stage.arrays, {}
    moved |= {"enter": a["enter"][channel][:, order], "enter_bias": a["enter_bias"][channel]}
    for block in range(2):
        three, two = ([*channel, *channel + 37, *channel + 74], [*channel, *channel + 37])
        moved[f"near.{block}"], moved[f"all.{block}"] = a[f"near.{block}"][:, three], a[f"all.{block}"][:, two]
        moved |= {f"near_bias.{block}": a[f"near_bias.{block}"], f"back.{block}": a[f"back.{block}"][channel]}
        moved[f"back_bias.{block}"] = a[f"back_bias.{block}"][channel]
    moved |= {"head": a["head"][unit][:, [*channel, *order + 37]], "head_bias": a["head_bias"][unit]}
    moved |= {"out": a["out"][:, unit], "out_bias": a["out_bias"]}
    assert stage.is_exact
    assert same(SequenceStage(settings, moved).scores(inputs[order], article), stage.scores(inputs, article))


def test_the_trained_network_is_exact_and_on_its_grid(model: Classifier) -> None:
    stage = model.network.sequence
    assert stage.is_exact
    assert all((array * WEIGHT_GRID == np.rint(array * WEIGHT_GRID)).all() for array in stage.arrays.values())


@pytest.mark.parametrize("name", SETTINGS.shapes(INPUTS, OUTPUTS))
@pytest.mark.parametrize(
    "spoil", [lambda x: x * 2**40, lambda x: x + 2**-20, lambda x: x * np.nan], ids=["huge", "off grid", "nan"]
)
def test_a_network_with_huge_or_uneven_weights_is_not_exact(name: str, spoil) -> None:
    assert STAGE.is_exact
    assert not SequenceStage(SETTINGS, {**STAGE.arrays, name: spoil(STAGE.arrays[name])}).is_exact


def test_one_weight_too_large_is_enough() -> None:
    for name, array in STAGE.arrays.items():
        spoilt = array.copy()
        spoilt.flat[-1] = 2.0**33
        assert not SequenceStage(SETTINGS, {**STAGE.arrays, name: spoilt}).is_exact, name


@pytest.mark.parametrize("size", [1.0, 100.0, 5000.0])
def test_the_strongest_inputs_and_large_weights_give_finite_scores(size: float) -> None:
    stage = made_up(SETTINGS, INPUTS, OUTPUTS, size=size)
    inputs = np.where(drawn(INPUTS, 40) > 0, INPUT_LIMIT, -INPUT_LIMIT)
    assert stage.is_exact
    scores = stage.scores(inputs, numbered([30, 10]))
    assert np.isfinite(scores).all()
    assert same(scores, plain_scores(stage.arrays, SETTINGS.dilations, inputs, numbered([30, 10])))


def test_scoring_leaves_inputs_and_weights_alone() -> None:
    inputs, before = drawn(INPUTS, 9), {name: array.copy() for name, array in STAGE.arrays.items()}
    copy = inputs.copy()
    STAGE.scores(inputs, numbered([4, 5]))
    assert same(inputs, copy)
    assert all(same(array, before[name]) for name, array in STAGE.arrays.items())


# ── shapes and grids


@given(st.integers(1, 9), st.integers(1, 9), distances, st.integers(1, 9), st.integers(1, 9))
def test_shapes_are_those_the_network_takes(width: int, head: int, dilations: tuple[int, ...], inputs: int, outputs: int) -> None:
    settings = SequenceSettings(width, head, dilations)
    shapes = settings.shapes(inputs, outputs)
    assert len(shapes) == 6 + 5 * len(dilations)
    assert (shapes["enter"], shapes["out"]) == ((width, inputs), (outputs, head))
    assert shapes["head"] == (head, width + inputs)
    stage = made_up(settings, inputs, outputs)
    assert stage.scores(drawn(inputs, 5), numbered([2, 3])).shape == (outputs, 5)


@pytest.mark.parametrize("name", SETTINGS.shapes(INPUTS, OUTPUTS))
def test_every_array_has_a_say(name: str) -> None:
    inputs, article = drawn(INPUTS, 30), numbered([12, 18])
    without = SequenceStage(SETTINGS, {**STAGE.arrays, name: np.zeros_like(STAGE.arrays[name])})
    assert not same(without.scores(inputs, article), STAGE.scores(inputs, article))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_rounding_to_the_grids(values: list[float]) -> None:
    given = np.array([values])
    rounded = to_input_grid(given * INPUT_GRID)
    assert (rounded * INPUT_GRID == np.rint(rounded * INPUT_GRID)).all()
    assert (np.abs(rounded) <= INPUT_LIMIT).all()
    assert (np.abs(rounded - np.clip(given, -INPUT_LIMIT, INPUT_LIMIT)) <= 0.5 / INPUT_GRID).all()
    assert same(to_input_grid(rounded * INPUT_GRID), rounded)
    weights = to_weight_grid(given)
    assert (np.abs(weights - given) <= 0.5 / WEIGHT_GRID).all()
    assert same(to_weight_grid(weights), weights)
    assert same(on_grid(rounded), rounded)


@pytest.mark.parametrize("columns", [0, 1, 36, 37, 38, 74, 400])
@pytest.mark.parametrize("shape", [(48, 144), (10, 48), (1, 300_000)])
def test_a_product_in_blocks_is_the_whole_product(shape: tuple[int, int], columns: int) -> None:
    rng = np.random.default_rng(columns)
    weights = rng.integers(-9, 9, shape).astype(np.float64)
    values = rng.integers(-9, 9, (shape[1], min(columns, 10**7 // shape[1]))).astype(np.float64)
    into = np.full((2 * len(weights), values.shape[1]), np.nan)[::2]
    assert product(weights, values, into) is into
    np.testing.assert_array_equal(into, weights @ values)


def test_no_product_is_large_enough_for_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    whole = np.matmul

    def watched(first: np.ndarray, second: np.ndarray, out: np.ndarray) -> np.ndarray:
        sizes.append(first.size * second.shape[-1])
        return whole(first, second, out=out)

    monkeypatch.setattr(np, "matmul", watched)
    stage = made_up(SequenceSettings(), 60, 10)
    stage.scores(drawn(60, 3000), np.arange(3000) // 2)
    assert len(sizes) > 20
    assert max(sizes) <= 1 << 18
