"""Training of the second stage: true derivatives, the same bytes each time, context that is learnt, weights that count."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import drawn, numbered, plain_scores

from trainer import fitting
from trainer.fitting import Sample, Training, adjust_sequence, fit_sequence, loss_and_gradients
from trainer.schema import UNLABELLED
from trainer.sequence import INPUT_GRID, Neighbourhood, SequenceSettings, SequenceStage, to_input_grid
from trainer.text import softmax

INPUTS, OUTPUTS = 5, 3
SIZES = [4, 1, 7, 2, 3]
QUICK, SMALL = Training(epochs=2, batch=16), SequenceSettings(6, 5, (1, 2))


def exactly(values: np.ndarray) -> np.ndarray:
    """Round nothing: training knows no grids."""
    return values


def sample(sizes: list[int] = SIZES, seed: int = 0, unlabelled: float = 0.3) -> Sample:
    """Return articles of random inputs, labels and weights; some paragraphs have no label."""
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    truth = np.where(rng.random(n) < unlabelled, UNLABELLED, rng.integers(0, OUTPUTS, n))
    return Sample(drawn(INPUTS, n, seed).T.astype(np.float32), numbered(sizes), truth, rng.uniform(0.2, 3.0, n))


def fitted(one: Sample, settings: SequenceSettings = SMALL, training: Training = QUICK, outputs: int = OUTPUTS) -> SequenceStage:
    return fit_sequence(lambda: [one], outputs, settings, training)


def same(one: SequenceStage, other: SequenceStage) -> bool:
    return {name: a.tobytes() for name, a in one.arrays.items()} == {name: a.tobytes() for name, a in other.arrays.items()}


def start(settings: SequenceSettings, inputs: int = INPUTS, seed: int = 0) -> dict[str, np.ndarray]:
    """Return arrays to train in double precision, biases and all of them random."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.6, shape) for name, shape in settings.shapes(inputs, OUTPUTS).items()}


def loss(arrays: dict[str, np.ndarray], dilations: tuple[int, ...], one: Sample) -> float:
    """Return the weighted mean cross-entropy of the plain network, in double precision."""
    scores = plain_scores(arrays, dilations, one.inputs.T.astype(np.float64), one.article, exactly)
    known = one.truth != UNLABELLED
    own = softmax(scores)[one.truth[known], np.flatnonzero(known)]
    return float(-(np.log(own) * one.weight[known]).sum() / one.weight[known].sum())


# ── derivatives


@pytest.mark.parametrize(
    ("dilations", "sizes"), [((), [3, 1]), ((1,), [5, 1, 2]), ((1, 3), SIZES), ((2, 2, 9), [1, 4, 12]), ((5,), [2, 2, 1])]
)
def test_loss_and_derivatives_are_those_of_the_plain_network(dilations: tuple[int, ...], sizes: list[int]) -> None:
    """Central differences of the loss of a network written out paragraph by paragraph, by every single weight."""
    settings, one = SequenceSettings(3, 4, dilations), sample(sizes, seed=len(sizes))
    arrays = start(settings)
    place = Neighbourhood.build(one.article, dilations)
    inputs = one.inputs.T.astype(np.float64)
    found, gradients = loss_and_gradients(arrays, settings, inputs, place, one.truth, one.weight)
    assert found == pytest.approx(loss(arrays, dilations, one), rel=1e-12)
    assert gradients.keys() == arrays.keys()
    for name, array in arrays.items():
        assert gradients[name].dtype == np.float64
        expected = np.zeros_like(array)
        for at in np.ndindex(array.shape):
            kept, step = array[at], 1e-5
            array[at] = kept + step
            up = loss(arrays, dilations, one)
            array[at] = kept - step
            expected[at] = (up - loss(arrays, dilations, one)) / (2 * step)
            array[at] = kept
        np.testing.assert_allclose(gradients[name], expected, rtol=1e-5, atol=1e-8, err_msg=name)
        assert len(sizes) < 5 or np.abs(expected).max() > 1e-4, name


def test_what_is_not_labelled_has_no_part_in_the_loss() -> None:
    settings, one = SequenceSettings(3, 4, (1, 3)), sample()
    arrays, place = start(settings), Neighbourhood.build(one.article, (1, 3))
    inputs = one.inputs.T.astype(np.float64)
    odd = np.where(one.truth == UNLABELLED, 1e9, one.weight)
    first, second = (loss_and_gradients(arrays, settings, inputs, place, one.truth, weight) for weight in (one.weight, odd))
    assert first[0] == second[0]
    assert all(np.array_equal(first[1][name], second[1][name]) for name in arrays)


def test_dropout_leaves_out_its_share_and_keeps_the_mean() -> None:
    rng = np.random.default_rng(0)
    values = np.abs(rng.normal(size=(200, 500))).astype(np.float32)
    values[:, ::2] *= -1
    gate = fitting._gate(values, 0.25, rng)
    assert (gate[values <= 0] == 0).all()
    assert (gate[values > 0] == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert gate[values > 0].mean() == pytest.approx(1, abs=0.02)
    assert set(np.unique(fitting._gate(values, 0.0, rng))) == {0, 1}


# ── the inputs' mean and spread


@pytest.mark.parametrize("dilations", [(), (1, 2)])
def test_folding_mean_and_spread_into_the_weights_changes_no_score(dilations: tuple[int, ...]) -> None:
    rng = np.random.default_rng(4)
    settings, n = SequenceSettings(6, 5, dilations), sum(SIZES)
    arrays, inputs = start(settings), rng.normal(3, 2, (INPUTS, n))
    mean, spread = rng.normal(3, 1, INPUTS), rng.uniform(0.05, 3, INPUTS)
    folded = fitting._unscaled(arrays, mean, spread)
    before = plain_scores(arrays, dilations, (inputs - mean[:, None]) / spread[:, None], numbered(SIZES), exactly)
    after = plain_scores(folded, dilations, inputs, numbered(SIZES), exactly)
    np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-9)
    assert all(np.array_equal(folded[name], arrays[name]) for name in arrays if not name.startswith(("enter", "head")))


def test_shifting_and_stretching_the_inputs_changes_little() -> None:
    one = sample([6] * 40, unlabelled=0)
    other = one._replace(inputs=(one.inputs * 2 + 1).astype(np.float32))
    first = fitted(one).scores(one.inputs.T.astype(np.float64), one.article)
    second = fitted(other).scores(other.inputs.T.astype(np.float64), other.article)
    np.testing.assert_allclose(first, second, atol=0.2)


def test_an_input_that_is_always_the_same_does_no_harm() -> None:
    one = sample([5] * 20)
    one.inputs[:, 2] = 7.25
    scores = fitted(one).scores(one.inputs.T.astype(np.float64), one.article)
    assert np.isfinite(scores).all()
    assert np.abs(scores).max() < 100


# ── batches


@given(
    st.lists(st.lists(st.integers(0, 12), max_size=12), min_size=1, max_size=3),
    st.integers(1, 40),
    st.integers(0, 9),
)
def test_batches_hold_whole_articles_and_every_article_once(sizes: list[list[int]], size: int, seed: int) -> None:
    samples = [sample(of_one, seed) for of_one in sizes]
    runs = fitting._batches(samples, size, np.random.default_rng(seed))
    for number, one in enumerate(samples):
        own = [rows for chosen, rows in runs if chosen is samples[number]]
        assert sorted(np.concatenate([np.zeros(0, np.intp), *own])) == list(range(one.article.size))
        for rows in own:
            assert (np.diff(rows) > 0).all()
            for article in np.unique(one.article[rows]):
                assert np.isin(np.flatnonzero(one.article == article), rows).all()
    longest = max((max(of_one, default=0) for of_one in sizes), default=0)
    assert all(0 < rows.size < size + max(longest, 1) for _, rows in runs)


def test_batches_are_drawn_at_random() -> None:
    one, rng = sample([3] * 50), np.random.default_rng(0)
    first, second = ([rows.tolist() for _, rows in fitting._batches([one], 12, rng)] for _ in range(2))
    assert len(first) == len(second) == 13
    assert first != second
    assert sorted(map(sorted, first)) != sorted(map(sorted, second))


def test_every_pass_asks_for_its_data() -> None:
    given: list[Sample] = []

    def samples() -> list[Sample]:
        given.append(sample(seed=len(given)))
        return [given[-1]]

    first = fit_sequence(samples, OUTPUTS, SequenceSettings(4, 4, (1,)), Training(epochs=5))
    assert len(given) == 5
    assert not same(first, fitted(given[0], SequenceSettings(4, 4, (1,)), Training(epochs=5)))


# ── the same each time


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_training_again_gives_the_same_bytes(dropout: float) -> None:
    one, training = sample([5, 9, 1, 3] * 6), QUICK._replace(dropout=dropout, seed=3)
    assert same(fitted(one, training=training), fitted(one, training=training))
    assert not same(fitted(one, training=training), fitted(one, training=training._replace(seed=4)))


def test_training_leaves_its_data_alone() -> None:
    one = sample()
    before = [part.copy() for part in one]
    fitted(one)
    assert all(np.array_equal(a, b) for a, b in zip(one, before, strict=True))


def test_the_network_is_exact_and_on_its_grid() -> None:
    stage = fitted(sample([8] * 30), training=Training(epochs=10))
    assert stage.is_exact
    assert {name: array.shape for name, array in stage.arrays.items()} == stage.settings.shapes(INPUTS, OUTPUTS)


@pytest.mark.parametrize("change", [{"epochs": 3}, {"batch": 3}, {"learning_rate": 1e-2}, {"dropout": 0.5}, {"decay": 0.5}])
def test_every_setting_has_a_say(change: dict[str, float]) -> None:
    one = sample([2] * 120)
    assert not same(fitted(one), fitted(one, training=QUICK._replace(**change)))


# ── what is learnt

Task = Callable[[np.ndarray], np.ndarray]  # marks of one article's paragraphs, 0 or 1, to their labels


def before(marks: np.ndarray) -> np.ndarray:
    return np.append(0, marks[:-1])


def three_behind(marks: np.ndarray) -> np.ndarray:
    return np.append(marks[3:], [0] * min(3, marks.size))


def anywhere(marks: np.ndarray) -> np.ndarray:
    return np.full(marks.size, marks.max())


def mostly(marks: np.ndarray) -> np.ndarray:
    return np.full(marks.size, 2 * marks.sum() > marks.size)


def marked(task: Task, articles: int, seed: int, share: float = 0.5) -> Sample:
    """Return articles whose paragraphs are marked at random, each mark in a noisy input, labelled as the task has it."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, 12, articles)
    marks = [(rng.random(size) < share).astype(np.intp) for size in sizes]
    inputs = to_input_grid(np.stack([np.concatenate(marks) * 2.0, rng.normal(size=sizes.sum())]) * INPUT_GRID)
    truth = np.concatenate([task(mark) for mark in marks]).astype(np.intp)
    return Sample(inputs.T.astype(np.float32), numbered(sizes), truth, np.ones(truth.size))


def accuracy(stage: SequenceStage, one: Sample) -> float:
    return float((stage.scores(one.inputs.T.astype(np.float64), one.article).argmax(axis=0) == one.truth).mean())


@pytest.mark.parametrize(
    ("task", "dilations", "share"),
    [(before, (1,), 0.5), (three_behind, (1, 2), 0.5), (anywhere, (64,), 0.1), (mostly, (1,), 0.5)],
    ids=["the one before", "three behind", "anywhere in the article", "most of the article"],
)
def test_context_is_learnt(task: Task, dilations: tuple[int, ...], share: float) -> None:
    """What the paragraph itself shows leaves it near chance: the label follows from other paragraphs."""
    learnt, new = marked(task, 400, 1, share), marked(task, 200, 2, share)
    training = Training(epochs=15, batch=256, learning_rate=1e-2, dropout=0.0)
    assert accuracy(fitted(learnt, SequenceSettings(12, 12, dilations), training, 2), new) > 0.95
    own = new.inputs[:, 0] > 1
    best = sum(max(np.count_nonzero(new.truth[own == side] == k) for k in (0, 1)) for side in (False, True)) / own.size
    assert best < 0.8


def test_what_lies_beyond_its_distances_is_not_learnt() -> None:
    learnt, new = marked(three_behind, 400, 1), marked(three_behind, 200, 2)
    training = Training(epochs=15, batch=256, learning_rate=1e-2, dropout=0.0)
    assert accuracy(fitted(learnt, SequenceSettings(12, 12, (1,)), training, 2), new) < 0.85


def test_paragraphs_without_a_label_serve_as_context() -> None:
    """Every second paragraph is labelled, by the mark of the one before it, which is not."""
    learnt, new = marked(before, 600, 1), marked(before, 200, 2)
    place = np.arange(learnt.article.size) - np.searchsorted(learnt.article, learnt.article)
    some = learnt._replace(truth=np.where(place % 2 == 1, learnt.truth, UNLABELLED))
    training = Training(epochs=15, batch=256, learning_rate=1e-2, dropout=0.0)
    stage = fitted(some, SequenceSettings(12, 12, (1,)), training, 2)
    place = np.arange(new.article.size) - np.searchsorted(new.article, new.article)
    scores = stage.scores(new.inputs.T.astype(np.float64), new.article).argmax(axis=0)
    assert (scores == new.truth)[place % 2 == 1].mean() > 0.95


def test_weights_of_unlabelled_paragraphs_do_not_matter() -> None:
    one = sample([7, 2, 5] * 8)
    for weight in (0.0, 1e9, np.nan):
        assert same(fitted(one), fitted(one._replace(weight=np.where(one.truth == UNLABELLED, weight, one.weight))))


def test_where_nothing_is_labelled_no_class_is_likelier() -> None:
    one = sample(unlabelled=1)
    assert (fitted(one).scores(one.inputs.T.astype(np.float64), one.article) == 0).all()


def test_batches_of_unlabelled_paragraphs_teach_nothing() -> None:
    one = sample([6] * 30)
    one.truth[one.article % 2 == 1] = UNLABELLED
    stage = fitted(one, training=QUICK._replace(batch=1))
    assert all(np.isfinite(array).all() for array in stage.arrays.values())


@pytest.mark.parametrize("batch", [1, 8, 4096])
def test_heavier_articles_count_more_however_they_are_batched(batch: int) -> None:
    """Articles that say the same under two labels are believed by their weight, 4 to 1, alone in a batch or not."""
    n = 60
    truth = np.arange(n) % 2
    one = Sample(np.ones((n, 2), np.float32), np.arange(n), truth, np.where(truth == 1, 4.0, 1.0))
    training = Training(epochs=60, batch=batch, learning_rate=1e-2, dropout=0.0)
    probability = softmax(
        fitted(one, SequenceSettings(4, 4, ()), training, 2).scores(one.inputs.T.astype(np.float64), one.article)
    )
    assert probability[1].mean() == pytest.approx(0.8, abs=0.07)


def test_no_weight_matters_where_all_are_the_same() -> None:
    one = sample([4] * 20)
    first, second = (fitted(one._replace(weight=np.full(one.truth.size, weight))) for weight in (1.0, 8.0))
    assert same(first, second)


# ── a few steps on from a fitted network

TASK_SETTINGS = SequenceSettings(12, 12, (1,))
TASK_TRAINING = Training(epochs=10, batch=256, learning_rate=1e-2, dropout=0.0)


@pytest.fixture(scope="module")
def base() -> SequenceStage:
    """A network that has learnt the mark of the neighbour before."""
    return fitted(marked(before, 300, 1), TASK_SETTINGS, TASK_TRAINING, 2)


def test_adjusting_moves_the_last_layers_towards_the_labels(base: SequenceStage) -> None:
    new = marked(lambda marks: 1 - before(marks), 100, 5)
    assert accuracy(base, new) < 0.1
    turned = adjust_sequence(base, new, steps=300, learning_rate=1e-2)
    assert accuracy(turned, marked(lambda marks: 1 - before(marks), 100, 6)) > 0.9
    changed = {name for name, array in turned.arrays.items() if not np.array_equal(array, base.arrays[name])}
    assert changed == {"head", "head_bias", "out", "out_bias"}
    assert turned.is_exact


def test_few_small_steps_move_little(base: SequenceStage) -> None:
    new = marked(lambda marks: 1 - before(marks), 100, 5)
    near = adjust_sequence(base, new, steps=5, learning_rate=1e-4)
    farther = adjust_sequence(base, new, steps=50, learning_rate=1e-3)
    moved = [sum(np.abs(one.arrays[name] - a).sum() for name, a in base.arrays.items()) for one in (near, farther)]
    assert 0 < moved[0] < moved[1] / 5
    assert max(np.abs(near.arrays[name] - a).max() for name, a in base.arrays.items()) <= 5 * 1e-4 + 1 / 4096


def test_nothing_to_adjust_to_leaves_the_network_as_it_is(base: SequenceStage) -> None:
    new = marked(before, 10, 5)
    assert same(adjust_sequence(base, new._replace(truth=np.full(new.truth.size, UNLABELLED)), 50, 1e-2), base)
    assert same(adjust_sequence(base, new, 0, 1e-2), base)


def test_adjusting_again_gives_the_same_bytes(base: SequenceStage) -> None:
    new = marked(three_behind, 20, 5)
    assert same(adjust_sequence(base, new, 20, 1e-3), adjust_sequence(base, new, 20, 1e-3))
    heavier = new._replace(weight=np.where(new.truth == 1, 3.0, 1.0))
    assert not same(adjust_sequence(base, heavier, 20, 1e-3), adjust_sequence(base, new, 20, 1e-3))
