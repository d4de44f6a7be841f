"""Thinned copies of articles: residue goes, the story stays but for a lost beginning or end, and there is no last copy."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.augmentation import thinned_views
from trainer.schema import UNLABELLED

NEWS, JUNK = 0, 2


def views(sizes: list[int], count: int, seed: int = 0, truth: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, list]:
    article = np.repeat(np.arange(len(sizes)), sizes)
    drawn = np.random.default_rng(7).choice([NEWS, 1, JUNK, UNLABELLED], article.size) if truth is None else truth
    return drawn, article, list(islice(thinned_views(drawn, article, (NEWS,), seed), count))


@given(st.lists(st.integers(0, 12), max_size=12), st.integers(0, 99))
def test_what_is_not_residue_goes_only_with_a_beginning_or_an_end(sizes: list[int], seed: int) -> None:
    truth, article, found = views(sizes, 5, seed)
    stays = (truth == NEWS) | (truth == UNLABELLED)
    for rows in found:
        assert (np.diff(rows) > 0).all()
        assert np.isin(rows, np.arange(article.size)).all()
        for number in range(len(sizes)):
            own = np.flatnonzero((article == number) & stays)
            left = np.isin(own, rows)
            assert not left.any() or left[np.argmax(left) : len(left) - np.argmax(left[::-1])].all()
            assert not left.size or left.all() or not (left[0] and left[-1])


def test_articles_without_residue_lose_no_more_than_one_in_five_an_end() -> None:
    _, article, found = views([10] * 500, 4, truth=np.full(5000, NEWS))
    whole = np.mean([np.bincount(article[rows], minlength=500) == 10 for rows in found])
    assert 0.78 < whole < 0.86


def test_residue_goes_more_outside_the_story_than_within() -> None:
    pattern = np.array([JUNK, JUNK, NEWS, JUNK, NEWS, JUNK, JUNK])
    _, _, found = views([7] * 400, 10, truth=np.tile(pattern, 400))
    left = np.mean([np.bincount(rows % 7, minlength=7) / 400 for rows in found], axis=0)
    assert left[[2, 4]].min() > 0.85
    assert left[[0, 1, 5, 6]].max() < left[3] < left[[2, 4]].min()
    assert left[[0, 1, 5, 6]].min() > 0.2


def test_copies_never_end_and_differ() -> None:
    _, _, found = views([12] * 20, 50)
    assert len(found) == 50
    assert len({rows.tobytes() for rows in found}) == 50


def test_the_same_seed_gives_the_same_copies() -> None:
    first, second, other = (views([12] * 20, 5, seed)[2] for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("sizes", [[], [0], [0, 0]])
def test_nothing_gives_empty_copies(sizes: list[int]) -> None:
    assert [rows.size for rows in views(sizes, 3)[2]] == [0, 0, 0]
