"""The watch on a site's articles: lasting changes are told, odd articles and steady sites are not."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

import numpy as np
import pytest

from trainer.drift import PASSED, WARM_UP, WINDOW, Drift


def alarms(shares: Iterable[float], drift: Drift | None = None, numbers: Iterable[int] = repeat(20)) -> list[int]:
    """Return the numbers of the articles that begin a stretch of flagged ones."""
    drift = drift or Drift()
    flagged = [drift.update(share, number) for share, number in zip(shares, numbers, strict=False)]
    return [i for i, now in enumerate(flagged) if now and not (i and flagged[i - 1])]


STEADY = {
    "mostly nothing": lambda rng, n: np.where(rng.random(n) < 0.7, 0.0, rng.beta(2, 8, n)),
    "a tenth": lambda rng, n: rng.beta(2, 18, n),
    "anything": lambda rng, n: rng.random(n),
    "always the same": lambda rng, n: np.full(n, 0.25),
    "two kinds of pages": lambda rng, n: np.where(rng.random(n) < 0.5, 0.1, 0.8),
}


@pytest.mark.parametrize("kind", STEADY)
def test_a_steady_site_raises_less_than_one_alarm_in_a_thousand_articles(kind: str) -> None:
    rng = np.random.default_rng(4)
    shares, numbers = STEADY[kind](rng, 20_000), rng.lognormal(3, 0.8, 20_000).astype(int)
    assert len(alarms(shares, numbers=numbers)) <= 10, "half of what is promised, since the draws are independent"


@pytest.mark.parametrize(("before", "after"), [((2, 8), (6, 4)), ((2, 8), (5, 5)), ((6, 4), (2, 8)), ((1, 30), (2, 8))])
def test_a_lasting_change_is_told_within_thirty_articles(before: tuple[int, int], after: tuple[int, int]) -> None:
    delays = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        steady = 60 + 3 * seed
        found = alarms([*rng.beta(*before, steady), *rng.beta(*after, 60)])
        delays.append(next((at - steady + 1 for at in found if at >= steady), 999))
    assert sorted(delays)[-2] <= 30, delays  # a false alarm just before the change may hide one of the fifty


@pytest.mark.parametrize(("before", "after"), [(15, 30), (30, 12), (40, 2)])
def test_a_lasting_change_of_the_number_of_paragraphs_is_told_where_the_share_stays(before: int, after: int) -> None:
    """Teasers that the model takes for news; lines that are gone; an extractor that finds the headline alone."""
    delays = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        steady = 60 + 3 * seed
        numbers = rng.lognormal(0, 0.5, steady + 60) * np.repeat([before, after], [steady, 60]) + 1
        found = alarms(rng.beta(2, 8, steady + 60), numbers=numbers.astype(int))
        delays.append(next((at - steady + 1 for at in found if at >= steady), 999))
    assert sorted(delays)[-2] <= 30, delays


def test_odd_articles_are_no_change() -> None:
    rng = np.random.default_rng(1)
    shares, numbers = rng.beta(2, 8, 400), rng.integers(5, 40, 400)
    shares[100::20] = 1.0
    numbers[110::20] = 100_000
    assert alarms(shares, numbers=numbers) == []


def test_a_site_is_not_judged_before_it_is_known() -> None:
    early = [0.1] * (PASSED + WARM_UP)
    assert alarms([*([0.9] * PASSED), *early[PASSED:]]) == []
    assert alarms([*early, *([0.9] * 20)]) == [len(early) + 9]


def test_a_change_is_flagged_for_some_articles_and_then_usual() -> None:
    drift = Drift()
    flagged = [drift.update(share, 20) for share in [*([0.1] * 100), *([0.6] * 200)]]
    assert sum(flagged) == PASSED
    assert flagged[108 : 108 + PASSED] == [True] * PASSED
    assert drift.usual == pytest.approx(0.6)


def test_the_latest_articles_are_what_is_usual() -> None:
    drift = Drift()
    assert drift.usual is None
    rng = np.random.default_rng(3)
    assert alarms(rng.uniform(0, 0.1, 5000) + rng.uniform(0, 0.5, 5000) + np.linspace(0, 0.2, 5000), drift) == []
    assert drift.usual == pytest.approx(0.3 + 0.2, abs=0.03), "so slow a trend is no change"


def test_a_watch_goes_on_from_its_bytes() -> None:
    shares = [*np.random.default_rng(2).beta(2, 8, 150), *([0.7] * 60)]
    whole, parts = Drift(), Drift()
    for number, share in enumerate(map(float, shares)):
        parts = Drift.from_bytes(parts.to_bytes())
        assert parts.update(share, number % 7) == whole.update(share, number % 7)
    assert parts.to_bytes() == whole.to_bytes()
    assert len(whole.to_bytes()) <= 34 + 4 * WINDOW
    assert Drift.from_bytes(b"").to_bytes() == Drift().to_bytes()
