"""Labels made wrong on purpose are found by a model that has not seen their site."""

import json

import numpy as np
import pytest
from small import LABELS, config, records, write

from trainer.annotations import read_annotations
from trainer.config import load_config
from trainer.findings import ranked, spread
from trainer.schema import NEWS_LABELS
from trainer.suspects import QUICK, out_of_fold, probably_wrong

WRONG = 12


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Return labelled articles, what a model makes of them, and the paragraphs whose label was made wrong."""
    lines = (LABELS / "authored.jsonl").read_text("utf-8").splitlines()
    items = [json.loads(line) for line in lines[:120]]
    rng = np.random.default_rng(0)
    places = set()
    while len(places) < WRONG:
        item = items[int(rng.integers(len(items)))]
        index = int(rng.integers(len(item["paragraphs"])))
        paragraph = item["paragraphs"][index]
        if (item["id"], index) not in places:
            paragraph["label"] = str(rng.choice([label for label in NEWS_LABELS.names if label != paragraph["label"]]))
            paragraph.pop("kind", None)
            places.add((item["id"], index))
    file = write(tmp_path_factory.mktemp("labels") / "planted.jsonl", items)
    articles = [one.article for one in read_annotations([file], NEWS_LABELS)]
    return articles, out_of_fold(articles, load_config(None, QUICK)), places


def test_wrong_labels_are_at_the_top(planted):
    articles, opinions, places = planted
    found = ranked(probably_wrong(articles, opinions, NEWS_LABELS))
    top = {(one.article, one.index) for one in found[:30]}
    assert len(top & places) >= WRONG // 2  # by chance it would be none


def test_findings_say_what_is_suggested_and_why(planted):
    articles, opinions, places = planted
    found = {(one.article, one.index): one for one in probably_wrong(articles, opinions, NEWS_LABELS)}
    for place in found.keys() & places:
        one = found[place]
        assert one.kind == "model"
        assert one.suggested not in (None, one.label)
        assert f"labelled {one.label}" in one.reason
        assert f"a model that has not seen this site says {one.suggested} " in one.reason
        assert 0 < one.score <= 1


def test_opinions_come_in_the_order_of_the_articles(planted):
    articles, opinions, _ = planted
    assert [len(one) for one in opinions] == [len(article.texts) for article in articles]
    truth = np.concatenate([[NEWS_LABELS.index[label] for label in article.labels] for article in articles])
    assert (np.concatenate(opinions).argmax(axis=1) == truth).mean() > 0.75
    again = out_of_fold(articles[:20][::-1], config())
    first = out_of_fold(articles[:20], config())
    assert all(np.array_equal(a, b) for a, b in zip(first, again[::-1], strict=True))


def test_a_model_that_agrees_with_every_label_finds_nothing(planted):
    articles, _, _ = planted
    sure = [np.eye(4)[[NEWS_LABELS.index[label] for label in article.labels]] * 0.96 + 0.01 for article in articles]
    assert probably_wrong(articles, sure, NEWS_LABELS) == []


def test_a_lone_doubt_goes_before_one_among_many(tmp_path):
    items = records(4, 4)
    for item in items:
        item["paragraphs"] = [{"text": f"line {i}", "label": "navigation" if i < 9 else "news"} for i in range(18)]
    items[0]["paragraphs"][14]["label"] = "navigation"
    articles = [one.article for one in read_annotations([write(tmp_path / "x.jsonl", items)], NEWS_LABELS)]
    believed = np.full((18, 4), 0.01) + np.eye(4)[[2] * 9 + [0] * 9] * 0.96
    believed[4] = believed[14]  # the model takes one line of a long menu for news
    found = ranked(probably_wrong(articles, [believed] * 4, NEWS_LABELS))
    assert (found[0].article, found[0].index) == (items[0]["id"], 14)
    assert all(one.score < found[0].score / 2 for one in found[1:])


def test_labels_that_nobody_uses_and_paragraphs_without_label_do_no_harm(tmp_path):
    items = records(8, 4)
    for item in items:
        for paragraph in item["paragraphs"]:
            paragraph["label"] = {"news": "news", "navigation": "navigation"}.get(paragraph["label"])
    articles = [one.article for one in read_annotations([write(tmp_path / "x.jsonl", items)], NEWS_LABELS)]
    opinions = out_of_fold(articles, config())
    assert all(one.label in ("news", "navigation") for one in probably_wrong(articles, opinions, NEWS_LABELS))


def test_one_label_alone_is_never_wrong(tmp_path):
    items = records(2, 2)
    for item in items:
        for paragraph in item["paragraphs"]:
            paragraph["label"] = "news"
    articles = [one.article for one in read_annotations([write(tmp_path / "x.jsonl", items)], NEWS_LABELS)]
    total = sum(len(article.texts) for article in articles)
    assert probably_wrong(articles, spread(np.full((total, 4), 0.25), articles), NEWS_LABELS) == []


def test_quick_settings_are_those_of_the_file():
    assert load_config(None, QUICK) == load_config("configs/fast.toml")
