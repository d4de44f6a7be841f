"""Broken copies of good articles: what they are like, and that a model learns from them and is not judged by them."""

from __future__ import annotations

import judged
import numpy as np
import pytest
import small

from trainer import breaking
from trainer import quality_training as training
from trainer.quality_evaluation import cross_validate

STORY = [
    "Ferry company loses island contract",
    "The council said on Tuesday that the ferry would stop in May, and that no other company had asked for the route.",
    "“We will miss it,” said Ada Holm, who has run the shop at the pier for thirty years. She didn't vote for it.",
    "The last boat leaves on the thirtieth, the company said. Tickets bought for later will be paid back.",
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return small.load(tmp_path_factory.mktemp("judged") / "labels.jsonl", judged.records())


@pytest.mark.parametrize(("reason", "change"), breaking.BREAKS, ids=lambda x: getattr(x, "__name__", x))
def test_every_way_to_break_a_story_leaves_text_that_is_another(reason, change):
    for seed in range(20):
        broken = change(STORY, np.random.default_rng(seed))
        assert broken != STORY
        assert all(text.strip() for text in broken)
        if reason == "truncated":
            assert sum(map(len, broken)) < 0.75 * sum(map(len, STORY)) + 40


def test_wrong_encodings_words_and_spaces_are_what_is_broken():
    rng = np.random.default_rng(0)
    assert "didnâ€™t" in breaking._wrong_encoding(STORY, rng)[2]
    assert sorted(breaking._shuffled(STORY, rng)[1].split()) == sorted(STORY[1].split())
    assert breaking._glued(STORY, rng)[1].replace(" ", "") == STORY[1].replace(" ", "")
    assert len(set(" ".join(breaking._repeated(STORY, rng)).split())) < 25


def test_good_articles_give_one_copy_each_the_same_for_a_seed(dataset):
    found, of = breaking.copies(dataset, ["news"], 0, 0.1)
    again, _ = breaking.copies(dataset, ["news"], 0, 0.1)
    assert found == again
    assert [dataset.articles[i].quality for i in of] == ["good"] * of.size
    assert len(set(of.tolist())) == of.size > 5
    assert {article.quality for article in found.articles} == {"poor"}
    assert all(copy.weight == pytest.approx(0.1 * dataset.articles[i].weight) for copy, i in zip(found.articles, of, strict=True))
    assert not breaking.copies(dataset, ["news"], 0, 0.0)[1].size


def test_copies_are_learnt_from_and_not_counted(dataset):
    config, without = judged.config("model.broken=1"), judged.config("model.broken=0")
    found = training.prepare(dataset, config, jobs=1)
    assert found.broken is not None
    assert found.poor.size == len(dataset.articles)
    for number in np.unique(found.fold):
        part = found.select(np.flatnonzero(found.fold != number))
        assert not set(part.broken.group) & set(found.group[found.fold == number]), "a copy of an article that is judged"
    assert sum(cross_validate(dataset, config, found).verdict.support) == len(dataset.articles)
    plain, _ = training.fit(found._replace(broken=None), without)
    taught, _ = training.fit(found, config)
    assert taught.scores(found.broken)[0].mean() > plain.scores(found.broken)[0].mean() + 0.5
