"""Filtering with a site memory: what it removes, what it saves, what stays as it was."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_imports import modules
from test_memory import story

import trainer
from trainer import Classifier, InputError
from trainer.memory import PROSE, SiteMemory
from trainer.policy import Candidates
from trainer.recall import SURE, WELL_KNOWN, prelabel, recall
from trainer.schema import NEWS_LABELS, Label, LabelSet

SITE = "lundbay.example"
NEWS = [
    "The council voted {} on Monday to close the bridge for a year, Mayor {} Vance said after the meeting in the town hall.",
    "Engineers from {} had found cracks in the north pier and told the county that {} lorries a day were too many for it.",
    "“We should have been asked,” said {} Brandt, who has run the ferry office in {} for twenty years and lost her contract.",
    "The county court in {} will hear the ferry company’s complaint in spring, according to a letter that {} showed reporters.",
    "Traders on {} Street expect to lose a third of their customers, and {} of them have asked for help with the rent.",
]
HOUSE = (
    "The paper was founded by a printer and his two daughters, and its first office stood where the customs house stands today."
)
APPEAL = "We are 120 gifts short of our goal. Donate now to support our nonprofit newsroom and independent journalism."
TEASER = "Storm closes the coast road again"
NAMES = "Ada Bram Carla Dario Edda Farid Greta Hamid Ines Jonas Kaya Lorenz Mira Nils Oona Pavel Rosa Sven Tamar Ulf".split()


def article(number: int, *more: str) -> list[str]:
    """Return a story that no other number gives, the further paragraphs within it."""
    name, other = NAMES[number % 20], NAMES[(number // 20 * 7 + number + 3) % 20] + "a" * (number // 20)
    headline, *rest = [text.format(name, other) for text in NEWS]
    return [headline, *rest[:3], *more, *rest[3:]]


@pytest.fixture(scope="module")
def news_model() -> Classifier:
    """The model that comes with the package."""
    return trainer.load()


@pytest.fixture
def memory(tmp_path: Path) -> SiteMemory:
    return SiteMemory(tmp_path / "sites.sqlite")


def run(model: Classifier, memory: SiteMemory | None, articles: list[list[str]]) -> list[trainer.FilterResult]:
    return list(model.filter_many(articles, site=SITE, memory=memory))


def test_what_a_site_repeats_goes_whatever_the_model_says(news_model: Classifier, memory: SiteMemory) -> None:
    assert news_model.filter(article(0, HOUSE)).keep == [True] * 6
    results = run(news_model, memory, [article(number, HOUSE) for number in range(12)])
    assert [result.keep[4] for result in results] == [True] * 5 + [False] * 7
    (gone,) = results[-1].removed
    assert (gone.reason, gone.label, gone.text) == ("repeated", "news", HOUSE)
    assert gone.probability == news_model.label(article(11, HOUSE))[4].probability
    assert all(sum(result.keep) >= 5 for result in results), "the stories stay whole"


def test_what_the_model_holds_for_residue_goes_once_it_has_recurred(news_model: Classifier, memory: SiteMemory) -> None:
    articles = [article(number, *([TEASER] if number % 20 == 19 else [])) for number in range(100)]
    prediction = news_model.label(articles[19])[4]
    assert prediction.label == "navigation"
    assert news_model.filter(articles[19]).keep[4], "not sure enough by itself"
    results = run(news_model, memory, articles)
    assert [result.keep[4] for result in results[19::20]] == [True, True, True, False, False]
    assert results[99].removed[0].reason == "repeated"
    share = memory.share(SITE, [TEASER])[0]
    assert 0 < share < memory.repeated


def test_news_that_recurs_in_few_articles_stays(news_model: Classifier, memory: SiteMemory) -> None:
    articles = [article(number, *([HOUSE] if number % 20 == 19 else [])) for number in range(100)]
    assert all(all(result.keep) for result in run(news_model, memory, articles))


def test_a_story_published_twice_is_not_eaten(news_model: Classifier, memory: SiteMemory) -> None:
    again = [article(number) for number in range(6)] * 4
    for given in ([article(number, HOUSE) for number in range(10, 30)], again):
        run(news_model, memory, given)
    results = run(news_model, memory, [["Another headline for the same old story about the bridge", *text[1:]] for text in again])
    assert all(all(result.keep) for result in results)
    assert not any(any(result.repeated or []) for result in results)


def test_reasons_are_in_the_record_only_where_a_memory_was_used(news_model: Classifier, memory: SiteMemory) -> None:
    run(news_model, memory, [article(number, HOUSE) for number in range(10)])
    given = article(11, HOUSE, APPEAL)
    remembered = news_model.filter(given, site=SITE, memory=memory).to_record()
    assert {item["text"]: item["reason"] for item in remembered["removed"]} == {HOUSE: "repeated", APPEAL: "model"}
    plain = news_model.filter(given)
    assert {item.reason for item in plain.removed} == {None}
    assert {*plain.to_record()["removed"][0]} == {"index", "start", "end", "text", "label", "probability"}
    assert json.loads(json.dumps(remembered)) == remembered


def test_what_recurs_is_repeated_even_if_the_model_removes_it_too(news_model: Classifier, memory: SiteMemory) -> None:
    results = run(news_model, memory, [article(number, APPEAL.replace("120", str(number))) for number in range(10)])
    assert [result.removed[0].reason for result in results] == ["model"] * 5 + ["repeated"] * 5


def test_the_valves_act_after_the_memory(news_model: Classifier, memory: SiteMemory) -> None:
    run(news_model, memory, [[HOUSE, *article(number)] for number in range(10)])
    first = news_model.filter([HOUSE, *article(11)], site=SITE, memory=memory)
    assert (first.keep[0], first.flags) == (True, ("headline",))
    alone = with_policy(news_model, headline=0).filter([HOUSE] * 5, site=SITE, memory=memory)
    assert (alone.text, alone.flags) == ("\n".join([HOUSE] * 5), ("empty",))
    capped = news_model.filter([*article(12)[:3], HOUSE, HOUSE], site=SITE, memory=memory, max_removed_share=0.3)
    assert capped.removed_share <= 0.3
    assert "max_removed_share" in capped.flags


def test_without_a_memory_nothing_changes(news_model: Classifier, articles: list[str]) -> None:
    plain = [result.to_record() for result in news_model.filter_many(articles)]
    assert [result.to_record() for result in news_model.filter_many(articles, site=SITE)] == plain
    assert [result.to_record() for result in news_model.filter_many(articles, sites=[SITE] * len(articles))] == plain
    assert all("reason" not in item for record in plain for item in record["removed"])


def test_many_with_a_memory_give_what_one_by_one_gives(news_model: Classifier, tmp_path: Path) -> None:
    articles = [article(number, HOUSE, APPEAL) for number in range(30)]
    sites = [f"s{number % 2}.example" for number in range(30)]
    with SiteMemory(tmp_path / "a") as together, SiteMemory(tmp_path / "b", batch=4) as single:
        many = list(news_model.filter_many(articles, sites=sites, memory=together))
        ones = [news_model.filter(text, site=site, memory=single) for text, site in zip(articles, sites, strict=True)]
    assert [result.to_record() for result in many] == [result.to_record() for result in ones]
    assert [result.site for result in many] == sites
    assert [result.flags for result in many] == [result.flags for result in ones]
    assert together.sites() == single.sites()


def test_threads_may_share_model_and_memory(news_model: Classifier, memory: SiteMemory) -> None:
    texts = [article(number, HOUSE) for number in range(200)]
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda text: news_model.filter(text, site=SITE, memory=memory), texts))
    assert sum(not result.keep[4] for result in results) >= 170
    assert all(all(result.keep[:4]) and result.keep[5] for result in results)
    assert memory.sites()[0].articles == 200


def test_a_memory_needs_a_site(news_model: Classifier, memory: SiteMemory) -> None:
    for call in (
        lambda: news_model.filter(article(1), memory=memory),
        lambda: list(news_model.filter_many([article(1)], memory=memory)),
        lambda: list(news_model.filter_many([article(1)], sites=[None], memory=memory)),
        lambda: news_model.filter(article(1), site=" ", memory=memory),
    ):
        with pytest.raises(InputError, match=r"needs the site of each article. Give site="):
            call()
    assert memory.sites() == []


@pytest.mark.parametrize("sites", [[SITE], [SITE] * 3])
def test_sites_are_one_for_each_article(news_model: Classifier, sites: list[str]) -> None:
    with pytest.raises(ValueError, match="zip"):
        list(news_model.filter_many([article(1), article(2)], sites=sites))


# ── removals that are taken back

LONG, SHORT = "x" * (PROSE - 2) + " a", "x b"


def judged(memory: SiteMemory, texts: list[str], residue: list[float], threshold: float = 0.9) -> tuple[list[bool], set[int]]:
    """Return what goes, and where removals were taken back, if the model says `residue` of navigation."""
    chances = np.array(residue)
    chosen = Candidates(np.full(len(texts), 2), chances, chances >= threshold)
    found = recall(memory, [SITE], [texts], chosen, NEWS_LABELS.kept, (2.0, threshold, threshold, threshold))
    return chosen.reached.tolist(), found.unseen


@pytest.fixture
def knowing(memory: SiteMemory) -> SiteMemory:
    for number in range(WELL_KNOWN):
        memory.observe(SITE, [*story(number), *([LONG.replace("a", "seen")] if number == 3 else [])])
    return memory


def test_an_unsure_removal_of_prose_never_seen_elsewhere_is_taken_back(knowing: SiteMemory) -> None:
    sure = SURE * 9 / (1 + SURE * 9)  # the odds of 0.9 are 9
    texts = [LONG, LONG.replace("a", "b"), LONG.replace("a", "seen"), SHORT]
    assert judged(knowing, texts, [0.92, sure + 1e-9, 0.92, 0.92]) == ([False, True, True, True], {0})


def test_a_site_that_is_hardly_known_takes_nothing_back(memory: SiteMemory) -> None:
    for number in range(WELL_KNOWN - 1):
        memory.observe(SITE, story(number))
    assert judged(memory, [LONG], [0.92]) == ([True], set())
    assert judged(memory, [LONG.replace("a", "b")], [0.92]) == ([False], {0})


def test_an_article_seen_before_is_judged_as_the_first_time(knowing: SiteMemory) -> None:
    texts = [LONG.replace("a", "new"), *story("new")]
    assert judged(knowing, texts, [0.92] + [0.0] * 5)[0][0] is False
    assert judged(knowing, texts, [0.92] + [0.0] * 5)[0][0] is False


def test_certainty_is_certain(knowing: SiteMemory) -> None:
    assert judged(knowing, [LONG], [1.0], threshold=1.0) == ([True], set())


def with_policy(model: Classifier, **changes: Any) -> Classifier:
    policy = model.policy._replace(**changes)
    return Classifier(model.network, model.labels, policy, name=model.name, digest=model.digest, info=model.info)


def test_a_removal_taken_back_is_flagged(news_model: Classifier, knowing: SiteMemory) -> None:
    caption = "Mayor Ruth Vance at the town hall after the vote on the bridge, members of the council behind her. Photo: K. Reyk"
    text = article(1, caption)
    residue = 1 - news_model.label(text)[4].probabilities[0]
    barely, clearly = (with_policy(news_model, thresholds=(2.0, *([limit] * 3))) for limit in (residue - 1e-6, residue / 2))
    assert [model.filter(text).keep[4] for model in (barely, clearly)] == [False, False]
    sure = clearly.filter(text, site=SITE, memory=knowing)
    unsure = barely.filter(text, site=SITE, memory=knowing)
    assert (sure.keep[4], sure.flags, unsure.keep[4], unsure.flags) == (False, (), True, ("unseen",))


# ── labels to begin with


def test_a_memory_gives_labels_to_begin_with(knowing: SiteMemory) -> None:
    for number in range(30):
        knowing.observe(SITE, ["Home | Politics", *story(f"more {number}")])
    texts = ["Home | Politics", LONG, LONG.replace("a", "b"), SHORT, LONG.replace("a", "seen")]
    expected = ["navigation", "news", "news", None, None]
    assert prelabel(knowing, SITE, texts, NEWS_LABELS) == expected
    other = LabelSet([Label("keep", kept=True), Label("drop"), Label("sell")])
    renamed = {"navigation": "drop", "news": "keep", None: None}
    assert prelabel(knowing, SITE, texts, other) == [renamed[label] for label in expected]
    assert prelabel(knowing, "unknown.example", texts, NEWS_LABELS) == [None] * 5


def test_sqlite_is_loaded_with_a_memory_alone(model_folder: Path) -> None:
    code = "import trainer\nmodel = trainer.load(sys.argv[1])\nmodel.filter('A text.', site='x.example')\n"
    assert "sqlite3" not in modules(code, str(model_folder))
    assert "sqlite3" in modules(f"{code}trainer.SiteMemory(sys.argv[1] + '/m.sqlite')", str(model_folder))
