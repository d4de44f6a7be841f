"""The sample, the colours and the file of the review page; what it does in a browser is in test_review_browser.py."""

from __future__ import annotations

import json
import random
import re
import weakref
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from scipy.stats import chisquare

import trainer
from trainer.errors import InputError
from trainer.records import Item
from trainer.review.colours import CONTRAST, PAPER, contrast, ink
from trainer.review.page import write_review
from trainer.review.sample import reservoir

TEXT = "The harbour office closed the swing bridge on Tuesday.\nDivers found cracks in two of its six bearings.\nShare this story"


def items(number: int) -> list[Item]:
    return [
        Item(f"in.jsonl:{i}", {"id": f"a-{i}", "site": "lundbay.example", "text": f"{TEXT}\nStory {i}"}) for i in range(number)
    ]


def shown(page: Path) -> dict:
    """Return the data of a page, as a browser finds it."""
    (block,) = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    return json.loads(block)


# ── the sample


def test_every_article_and_every_pair_has_the_same_chance():
    alone, together = dict.fromkeys(range(8), 0), dict.fromkeys(combinations(range(8), 2), 0)
    for seed in range(6000):
        chosen, _ = reservoir(range(8), 3, seed)
        for place in chosen:
            alone[place] += 1
        for pair in combinations(chosen, 2):
            together[pair] += 1
    assert sum(alone.values()) == 18000
    assert chisquare(list(alone.values())).pvalue > 0.001
    assert chisquare(list(together.values())).pvalue > 0.001


def test_the_sample_depends_on_the_seed_alone_and_keeps_the_order():
    random.seed(1)
    first, total = reservoir(range(10_000), 50, seed=7)
    random.seed(2)
    assert reservoir(iter(range(10_000)), 50, seed=7) == (first, total)
    assert reservoir(range(10_000), 50, seed=8)[0] != first
    assert first == sorted(set(first))
    assert total == 10_000


@pytest.mark.parametrize("number", [3, 4, 100])
def test_of_fewer_articles_all_are_drawn(number):
    assert reservoir("abc", number, seed=0) == (["a", "b", "c"], 3)
    assert reservoir("", number, seed=0) == ([], 0)


def test_no_more_articles_are_held_than_drawn():
    class Article:
        pass

    alive: weakref.WeakSet[Article] = weakref.WeakSet()
    most = 0

    def read() -> Iterator[Article]:
        nonlocal most
        for _ in range(5000):
            made = Article()
            alive.add(made)
            most = max(most, len(alive))
            yield made

    assert len(reservoir(read(), 10, seed=0)[0]) == 10
    assert most <= 10 + 2  # the one that is read, and the one before it


# ── the colours


@pytest.mark.parametrize("paper", PAPER)
@pytest.mark.parametrize(
    "colour", ["#43a047", "#e53935", "#1e88e5", "#fb8c00", "#ffffff", "#000000", "#ffff00", "#888888", "red; }"]
)
def test_labels_can_be_read_in_their_colour(paper, colour):
    text, ground = ink(colour, paper)
    assert contrast(text, paper) >= CONTRAST
    assert contrast(text, ground) >= CONTRAST
    assert re.fullmatch(r"#[0-9a-f]{6}#[0-9a-f]{6}", text + ground)


def test_a_colour_that_can_be_read_stays_as_it_is():
    assert ink("#a12", PAPER[0]).text == "#aa1122"
    assert ink("#b3261e", PAPER[0]).text == "#b3261e"
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


# ── the file


def test_the_page_holds_what_the_filter_says(tmp_path):
    model = trainer.load()
    page = tmp_path / "new" / "review.html"
    review = write_review(items(40), model, page, number=12, seed=3)
    data = shown(page)
    drawn, _ = reservoir(items(40), 12, 3)
    assert [article["id"] for article in data["articles"]] == [item.record["id"] for item in drawn]
    for article, item in zip(data["articles"], drawn, strict=True):
        result = model.filter(item.article)
        assert article["paragraphs"] == [
            [paragraph.text, model.labels.index[said.label], round(said.probability, 4), int(keep)]
            for paragraph, said, keep in zip(result.paragraphs, result.predictions, result.keep, strict=True)
        ]
        assert article["flags"] == list(result.flags)
    gone = sum(not keep for article in data["articles"] for *_, keep in article["paragraphs"])
    assert review == (12, 40, 48, gone)
    assert (data["total"], data["seed"], data["model_digest"]) == (40, 3, model.digest)


def test_options_of_the_filter_pass_through(tmp_path):
    assert write_review(items(5), trainer.load(), tmp_path / "a.html", number=5).removed
    assert not write_review(items(5), trainer.load(), tmp_path / "b.html", number=5, max_removed_share=0.0).removed


def test_the_same_run_gives_the_same_page(tmp_path):
    pages = [tmp_path / "a.html", tmp_path / "b.html", tmp_path / "c.html"]
    for page, seed in zip(pages, (5, 5, 6), strict=True):
        write_review(iter(items(30)), trainer.load(), page, number=10, seed=seed)
    one, same, other = (page.read_bytes() for page in pages)
    assert one == same
    assert one != other


def test_ids_are_given_once_and_a_site_always(tmp_path):
    names = ["a", "a", "a-2", None, 7, ""]
    some = [Item(f"in:{i}", {"id": name, "text": f"{TEXT} {i}"}) for i, name in enumerate(names)]
    some.append(Item("page.warc", {"text": TEXT, "url": "https://www.lundbay.example/x"}))
    write_review(some, trainer.load(), tmp_path / "review.html", number=99)
    articles = shown(tmp_path / "review.html")["articles"]
    found = [article["id"] for article in articles]
    assert len(set(found)) == len(found)
    assert found[0] == "a"
    assert found[4] == "7"
    assert all(found)
    assert [article["site"] for article in articles] == ["unknown"] * 6 + ["lundbay.example"]


@pytest.mark.parametrize(
    ("number", "given", "name", "cause"),
    [
        (0, 3, "r.html", "of 0 articles"),
        (5, 0, "r.html", "no articles"),
        (5, 3, "r.txt", "not the name of a page"),
        (5, 3, "there.html", "there already"),
        (5, 3, "there.html/r.html", "cannot be written"),
    ],
)
def test_a_page_that_cannot_be_made_leaves_nothing(tmp_path, number, given, name, cause):
    (tmp_path / "there.html").write_text("mine", "utf-8")
    with pytest.raises(InputError, match=cause):
        write_review(items(given), trainer.load(), tmp_path / name, number=number)
    assert [path.name for path in tmp_path.iterdir()] == ["there.html"]
    assert (tmp_path / "there.html").read_text("utf-8") == "mine"


def test_an_output_that_is_there_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "there.html").write_text("mine", "utf-8")
    with pytest.raises(InputError, match="--force"):
        write_review((pytest.fail("was read") for _ in range(1)), trainer.load(), tmp_path / "there.html", number=1)
    write_review(items(1), trainer.load(), tmp_path / "there.html", number=1, force=True)
    assert shown(tmp_path / "there.html")["total"] == 1
