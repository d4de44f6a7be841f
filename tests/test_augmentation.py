"""Thinned copies of articles: residue goes in runs, the story stays but for ends and short lines, and there is no last copy."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.augmentation import thinned_views
from trainer.schema import UNLABELLED

NEWS, JUNK = 0, 2
LONG, SHORT = 200, 20


def views(truth: np.ndarray, article: np.ndarray, count: int, seed: int = 0, chars: int = LONG) -> list[np.ndarray]:
    return list(islice(thinned_views(truth, truth, np.full(truth.size, chars), article, (NEWS,), seed), count))


def drawn(sizes: list[int], seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    article = np.repeat(np.arange(len(sizes)), sizes)
    return np.random.default_rng(seed).choice([NEWS, 1, JUNK, UNLABELLED], article.size), article


def shares(pattern: list[int], chars: int = LONG, articles: int = 400, count: int = 10) -> np.ndarray:
    """Return how often each paragraph of an article with these labels stays."""
    truth, article = np.tile(pattern, articles), np.repeat(np.arange(articles), len(pattern))
    found = views(truth, article, count, chars=chars)
    return np.mean([np.bincount(rows % len(pattern), minlength=len(pattern)) / articles for rows in found], axis=0)


@given(st.lists(st.integers(0, 12), max_size=12), st.integers(0, 99))
def test_what_is_long_and_not_residue_goes_only_with_a_beginning_or_an_end(sizes: list[int], seed: int) -> None:
    truth, article = drawn(sizes)
    stays = (truth == NEWS) | (truth == UNLABELLED)
    for rows in views(truth, article, 5, seed):
        assert (np.diff(rows) > 0).all()
        assert np.isin(rows, np.arange(article.size)).all()
        for number in range(len(sizes)):
            left = np.isin(np.flatnonzero((article == number) & stays), rows)
            places = np.flatnonzero(left)
            assert (np.diff(places) == 1).all()
            assert left.all() or not (left[0] and left[-1])


def test_articles_without_residue_lose_an_end_one_time_in_five() -> None:
    article = np.repeat(np.arange(500), 10)
    found = views(np.full(5000, NEWS), article, 4)
    whole = np.mean([np.bincount(article[rows], minlength=500) == 10 for rows in found])
    assert 0.78 < whole < 0.86


def test_some_short_lines_of_the_story_go_too() -> None:
    long, short = shares([NEWS] * 7)[3], shares([NEWS] * 7, SHORT)[3]
    assert 0.8 < short < long - 0.03 < 0.95
    assert shares([UNLABELLED] * 7, SHORT)[3] == pytest.approx(long, abs=0.02)


def test_residue_goes_more_outside_the_story_than_within() -> None:
    left = shares([JUNK, JUNK, NEWS, JUNK, NEWS, JUNK, JUNK])
    assert left[[2, 4]].min() > 0.85
    assert 0.1 < left[[0, 1, 5, 6]].min() <= left[[0, 1, 5, 6]].max() < left[3] < left[[2, 4]].min()


def test_residue_of_one_kind_in_a_row_goes_together() -> None:
    """Neighbours of one kind share their fate more often than those of two kinds."""
    pattern = np.array([NEWS, 1, 1, JUNK, NEWS])
    truth, article = np.tile(pattern, 500), np.repeat(np.arange(500), 5)
    stays = np.array([np.isin(np.arange(2500), rows).reshape(500, 5) for rows in views(truth, article, 10)])
    one_kind, two_kinds = ((stays[..., a] == stays[..., b]).mean() for a, b in ((1, 2), (2, 3)))
    assert one_kind > two_kinds + 0.15
    assert one_kind < 0.98


def test_copies_never_end_and_differ() -> None:
    found = views(*drawn([12] * 20), 50)
    assert len({rows.tobytes() for rows in found}) == 50


def test_the_same_seed_gives_the_same_copies() -> None:
    first, second, other = (views(*drawn([12] * 20), 5, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("sizes", [[], [0], [0, 0]])
def test_nothing_gives_empty_copies(sizes: list[int]) -> None:
    assert [rows.size for rows in views(*drawn(sizes), 3)] == [0, 0, 0]
