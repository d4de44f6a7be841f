"""What a site memory and the drift rule do on a simulated site, with the model that comes with the package."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from simulated_site import BUSY, CROWDED, Layout, SimulatedArticle, simulate

import trainer
from trainer import Classifier, FilterResult
from trainer.memory import SiteMemory

SITE = "lundbay.example"


@pytest.fixture(scope="module")
def news_model() -> Classifier:
    """The model that comes with the package."""
    return trainer.load()


@pytest.fixture(scope="module")
def year() -> list[SimulatedArticle]:
    """Five hundred articles of one site."""
    return list(simulate(SITE, 500, 1))


def lost(articles: list[SimulatedArticle], results: list[FilterResult], *, news: bool) -> float:
    """Return the share of the characters of news, or of residue, that went."""
    chars = [
        (len(text), keep)
        for article, result in zip(articles, results, strict=True)
        for text, is_news, keep in zip(article.paragraphs, article.is_news, result.keep, strict=True)
        if is_news == news
    ]
    return sum(size for size, keep in chars if not keep) / sum(size for size, _ in chars)


def test_the_site_is_the_same_every_time_and_publishes_stories_twice(year: list[SimulatedArticle]) -> None:
    assert list(simulate(SITE, 500, 1)) == year
    assert list(simulate("other.example", 500, 1)) != year
    twins = [article for article in year if article.twin is not None]
    assert len(twins) >= 10
    for article in twins:
        old = {text for text, news in zip(year[article.twin].paragraphs, year[article.twin].is_news, strict=True) if news}
        assert sum(text in old for text in article.paragraphs) >= 4
    assert {label for article in year for label in article.labels} == {"news", "fundraising", "navigation", "caption"}


def test_a_memory_removes_more_residue_and_no_more_news(
    news_model: Classifier, year: list[SimulatedArticle], tmp_path: Path
) -> None:
    texts = [article.paragraphs for article in year]
    without = list(news_model.filter_many(texts))
    with SiteMemory(tmp_path / "m.sqlite") as memory:
        remembered = list(news_model.filter_many(texts, site=SITE, memory=memory))
    plain, more = lost(year, without, news=False), lost(year, remembered, news=False)
    print(f"residue removed {plain:.3f} without, {more:.3f} with a memory; news lost", end=" ")
    print(f"{lost(year, without, news=True):.5f} without, {lost(year, remembered, news=True):.5f} with a memory")
    assert more >= plain + 0.1
    assert lost(year, remembered, news=True) <= max(0.001, lost(year, without, news=True))
    repeats = [
        text
        for article, result in zip(year, remembered, strict=True)
        for text, is_news, repeated in zip(article.paragraphs, article.is_news, result.repeated or [], strict=True)
        if is_news and repeated and article.paragraphs.index(text) > 3
    ]
    assert repeats == [], "stories published twice and the background of a running story stay"
    assert not any("drift" in result.flags for result in remembered)


def test_steady_sites_raise_less_than_one_false_alarm_in_a_thousand_articles(news_model: Classifier, tmp_path: Path) -> None:
    flagged = alarms = 0
    with SiteMemory(tmp_path / "m.sqlite") as memory:
        for number in range(10):
            pages = [page.paragraphs for page in simulate(f"s{number}.example", 500, 7)]
            results = news_model.filter_many(pages, site=f"s{number}.example", memory=memory)
            drifted = ["drift" in result.flags for result in results]
            flagged += sum(drifted)
            alarms += sum(now and not before for before, now in pairwise([False, *drifted]))
    print(f"{alarms} alarms, {flagged} articles flagged in 5,000")
    assert alarms < 5


@pytest.mark.parametrize("new", [BUSY, CROWDED], ids=["more lines", "and teasers like news"])
def test_a_changed_layout_is_told_within_thirty_articles(news_model: Classifier, tmp_path: Path, new: Layout) -> None:
    delays = []
    with SiteMemory(tmp_path / "m.sqlite") as memory:
        for number in range(30):
            site, change = f"c{number}.example", 60 + 5 * number
            pages = [page.paragraphs for page in simulate(site, change + 30, 11, changes_at=change, new=new)]
            drifted = [False, *("drift" in result.flags for result in news_model.filter_many(pages, site=site, memory=memory))]
            alarms = [i for i, (before, now) in enumerate(pairwise(drifted)) if now and not before]
            delays.append(next((at - change + 1 for at in alarms if at >= change), 999))
    print(f"articles until the alarm: {sorted(delays)}")
    assert sorted(delays)[-2] <= 30, "a false alarm just before the change may hide one of the thirty"
