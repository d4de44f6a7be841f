"""Thresholds stay within their budget; each valve acts when it should and leaves its inputs alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.policy import LOWEST, NEVER, Policy, apply_valves, candidates, choose_thresholds

BUDGETS = (0.0, 0.005, 0.01, 0.05, 0.2, 0.5, 1.0)


def sample(seed: int, n: int, classes: int = 4, steps: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random probabilities [classes, n] that are right more often than not, true labels, lengths; with steps, many ties."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    scores = rng.normal(size=(classes, n)) * 1.5
    scores[truth, np.arange(n)] += rng.uniform(0, 3)
    if steps:
        scores = np.rint(scores * steps) / steps
    raised = np.exp(scores)
    return raised / raised.sum(axis=0), truth, rng.integers(0, 400, n)


def outcome(
    data: tuple[np.ndarray, np.ndarray, np.ndarray], kept: tuple[int, ...], thresholds: tuple[float, ...]
) -> tuple[int, int, int]:
    """Characters of residue removed, of news removed, and of news in all."""
    probability, truth, chars = data
    news, gone = np.isin(truth, kept), candidates(probability, kept, thresholds).reached
    return int(chars[gone & ~news].sum()), int(chars[gone & news].sum()), int(chars[news].sum())


samples = st.builds(sample, st.integers(0, 10_000), st.integers(0, 120), st.integers(2, 6), st.sampled_from([0, 1, 4]))


@pytest.mark.parametrize("budget", BUDGETS)
@given(data=samples)
def test_thresholds_stay_within_the_budget(data: tuple[np.ndarray, np.ndarray, np.ndarray], budget: float) -> None:
    thresholds = choose_thresholds(*data, kept=(0,), max_news_loss=budget)
    _, lost, news = outcome(data, (0,), thresholds)
    assert lost <= budget * news
    assert len(thresholds) == len(data[0])


@pytest.mark.parametrize("budget", BUDGETS)
@given(data=samples)
def test_what_is_likeliest_news_is_never_removed(data: tuple[np.ndarray, np.ndarray, np.ndarray], budget: float) -> None:
    thresholds = choose_thresholds(*data, kept=(0,), max_news_loss=budget)
    found = candidates(data[0], (0,), thresholds)
    assert thresholds[0] == NEVER
    assert not found.reached[found.label == 0].any()
    assert all(LOWEST <= threshold <= 1 or threshold == NEVER for threshold in thresholds)


@given(data=samples)
def test_two_kept_labels_are_both_never_removed(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    kept = (0, len(data[0]) - 1)
    thresholds = choose_thresholds(*data, kept=kept, max_news_loss=1.0)
    _, lost, news = outcome(data, kept, thresholds)
    assert [thresholds[k] for k in kept] == [NEVER, NEVER]
    assert lost <= news


@given(data=samples)
def test_a_larger_budget_never_removes_less_residue(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    removed = [outcome(data, (0,), choose_thresholds(*data, kept=(0,), max_news_loss=budget))[0] for budget in BUDGETS]
    assert removed == sorted(removed)


@given(data=samples)
def test_without_a_limit_all_residue_that_can_go_goes(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    probability, truth, chars = data
    removed, _, _ = outcome(data, (0,), choose_thresholds(*data, kept=(0,), max_news_loss=1.0))
    found = candidates(probability, (0,), [NEVER] + [LOWEST] * (len(probability) - 1))
    assert removed == chars[found.reached & (truth != 0)].sum()


def test_without_news_at_risk_no_budget_is_needed() -> None:
    probability = np.array([[0.9, 0.1, 0.2, 0.3], [0.1, 0.9, 0.8, 0.7]])
    thresholds = choose_thresholds(probability, np.array([0, 1, 1, 1]), np.full(4, 100), (0,), 0.0)
    assert thresholds == (NEVER, pytest.approx(0.7))


def test_equal_probabilities_go_together_or_not_at_all() -> None:
    probability = np.array([[0.8, 0.2, 0.2, 0.2, 0.2], [0.2, 0.8, 0.8, 0.8, 0.8]])
    truth, chars = np.array([0, 0, 1, 1, 1]), np.full(5, 10)
    assert choose_thresholds(probability, truth, chars, (0,), 0.4) == (NEVER, NEVER)
    assert choose_thresholds(probability, truth, chars, (0,), 0.5) == (NEVER, pytest.approx(0.8))


def test_a_label_without_examples_is_never_removed() -> None:
    probability = np.array([[0.9, 0.1], [0.05, 0.8], [0.05, 0.1]])
    assert choose_thresholds(probability, np.array([0, 1]), np.array([10, 10]), (0,), 0.01)[2] == NEVER


def test_no_examples_at_all_remove_nothing() -> None:
    nothing = np.zeros(0, np.intp)
    assert choose_thresholds(np.zeros((4, 0)), nothing, nothing, (0,), 0.01) == (NEVER,) * 4


def test_a_threshold_reached_exactly_removes() -> None:
    probability = np.array([[0.25, 0.5], [0.75, 0.5]])
    assert candidates(probability, (0,), (NEVER, 0.75)).reached.tolist() == [True, False]


def test_residue_of_all_kinds_counts_towards_the_threshold() -> None:
    probability = np.array([[0.3], [0.36], [0.34]])
    found = candidates(probability, (0,), (NEVER, 0.7, NEVER))
    assert (found.label.tolist(), found.reached.tolist()) == ([1], [True])


OPEN = Policy((NEVER, 0.5), headline=0, max_removed_share=1.0, allow_empty=True)


def valves(remove: list[bool], residue: list[float], chars: list[int], policy: Policy) -> tuple[list[bool], tuple[str, ...]]:
    """Apply the valves to an article that stands between two others, which they must not touch."""
    given = np.array([True, *remove, False, True]), np.array([0.95, *residue, 0.1, 0.95]), np.array([5, *chars, 5, 5])
    decided, sizes = given[0].copy(), np.array([1, 0, len(remove), 2])
    flags = apply_valves(decided, given[1], given[2], sizes, policy)
    apart = {}
    for number, part in enumerate((slice(0, 1), slice(1, 1), slice(1, 1 + len(remove)), slice(1 + len(remove), None))):
        alone = given[0][part].copy()
        found = apply_valves(alone, given[1][part], given[2][part], sizes[number : number + 1], policy)
        if found:
            apart[number] = found[0]
        assert (alone == decided[part]).all()
    assert apart == flags
    assert not (decided & ~given[0]).any()
    return decided[1 : 1 + len(remove)].tolist(), flags.get(2, ())


def test_without_valves_the_thresholds_decide() -> None:
    assert valves([True, False, True], [0.6, 0.1, 0.9], [5, 5, 5], OPEN) == ([True, False, True], ())


def test_nothing_to_remove_sets_no_flag() -> None:
    assert valves([False] * 3, [0.4] * 3, [5] * 3, Policy((NEVER, 0.5))) == ([False] * 3, ())


def test_unsure_removals_at_the_top_are_taken_back() -> None:
    policy = OPEN._replace(headline=2, headline_threshold=0.9)
    assert valves([True] * 4, [0.89, 0.9, 0.6, 0.6], [5] * 4, policy) == ([False, True, True, True], ("headline",))


def test_sure_removals_at_the_top_stay() -> None:
    policy = OPEN._replace(headline=9, headline_threshold=0.5)
    assert valves([True, True], [0.9, 0.5], [5, 5], policy) == ([True, True], ())


def test_a_whole_article_is_kept_unless_it_may_be_empty() -> None:
    assert valves([True, True], [0.99, 0.99], [5, 5], OPEN._replace(allow_empty=False)) == ([False, False], ("empty",))
    assert valves([True, True], [0.99, 0.99], [5, 5], OPEN) == ([True, True], ())


def test_empty_paragraphs_alone_do_not_save_an_article() -> None:
    policy = OPEN._replace(allow_empty=False)
    assert valves([True, False, True], [0.99, 0.4, 0.99], [5, 0, 5], policy) == ([False] * 3, ("empty",))


def test_the_least_sure_removals_are_taken_back_first() -> None:
    policy = OPEN._replace(max_removed_share=0.5)
    got = valves([True, True, True, False], [0.9, 0.7, 0.8, 0.1], [25] * 4, policy)
    assert got == ([True, False, True, False], ("max_removed_share",))


def test_a_share_met_exactly_is_allowed() -> None:
    policy = OPEN._replace(max_removed_share=0.75)
    assert valves([True, True, True, False], [0.9] * 4, [25] * 4, policy) == ([True, True, True, False], ())


def test_of_equally_sure_removals_the_first_is_taken_back() -> None:
    policy = OPEN._replace(max_removed_share=0.5)
    assert valves([True, True, False], [0.9, 0.9, 0.1], [10] * 3, policy) == ([False, True, False], ("max_removed_share",))


def test_a_share_of_zero_takes_all_removals_back() -> None:
    policy = OPEN._replace(max_removed_share=0.0)
    assert valves([True, True, False], [0.9, 0.8, 0.1], [10] * 3, policy) == ([False] * 3, ("max_removed_share",))


def test_headline_and_share_may_both_act() -> None:
    policy = Policy((NEVER, 0.5), headline=1, headline_threshold=0.9, max_removed_share=0.5)
    got = valves([True] * 4, [0.6, 0.95, 0.99, 0.97], [25] * 4, policy)
    assert got == ([False, False, True, True], ("headline", "max_removed_share"))


@given(
    rows=st.lists(st.tuples(st.booleans(), st.floats(0.5, 1), st.integers(0, 50)), min_size=1, max_size=30),
    headline=st.integers(0, 5),
    share=st.floats(0, 1),
)
def test_valves_keep_their_promises(rows: list[tuple[bool, float, int]], headline: int, share: float) -> None:
    remove, residue, chars = map(list, zip(*rows, strict=True))
    policy = Policy((NEVER, 0.5), headline=headline, headline_threshold=0.9, max_removed_share=share)
    got, flags = valves(remove, residue, chars, policy)
    gone = sum(size for size, goes in zip(chars, got, strict=True) if goes)
    assert gone <= share * sum(chars)
    assert not any(goes and sure < 0.9 for goes, sure in zip(got[:headline], residue, strict=False))
    assert not sum(chars) or gone < sum(chars)
    assert (got == remove) == (not flags)
