"""What is picked to label next, and why."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from small import story, write

from trainer import records
from trainer.pool import NEAR_DUPLICATE, Pool, read_known, read_pool, reader, site_of, sketch_of, texts_of
from trainer.selection import STRATEGIES, choose

LABELS = ("news", "fundraising", "navigation", "caption")


def pool_of(expected, sites=None, entropy=None, sketch=None, squares=None) -> Pool:
    """A pool of articles of ten paragraphs each with the given numbers; all of different texts and, unless given, sites."""
    expected = np.array(expected, float)
    n = len(expected)
    names = [f"site{i}" for i in range(n)] if sites is None else list(sites)
    unique = list(dict.fromkeys(names))
    return Pool(
        np.arange(n),
        np.array([unique.index(name) for name in names]),
        tuple(unique),
        expected,
        expected * 0.6 if squares is None else np.array(squares, float),
        np.ones(n) if entropy is None else np.array(entropy, float),
        np.full(n, 10),
        np.arange(n * 64, dtype=np.uint32).reshape(n, 64) if sketch is None else sketch,
        LABELS,
        {},
    )


def rows(picks):
    return [pick.row for pick in picks]


def test_an_article_with_some_of_a_rare_label_comes_before_one_with_more_of_a_common_one():
    expected = [[4, 0.01, 6, 0.1]] * 20
    expected[7] = [2, 3, 5, 0.1]  # appeals
    expected[3] = [0, 0, 30, 0]  # a long menu
    picks = choose(pool_of(expected), 1, random_share=0)
    assert rows(picks) == [7]
    assert "3.0 paragraphs of fundraising" in picks[0].reason


def test_a_likely_paragraph_counts_more_than_many_unlikely_ones():
    expected = [[4, 0.5, 5, 0.5]] * 20 + [[4, 2, 4, 0], [4, 1, 5, 0]]
    squares = [[3, 0.05, 4, 0.05]] * 20 + [[3, 0.1, 3, 0], [3, 0.9, 4, 0]]  # 20 times a tenth; once nearly sure
    assert rows(choose(pool_of(expected, squares=squares), 1, random_share=0)) == [21]


def test_labels_that_the_model_is_sure_of_count_less():
    expected = [[4, 0.5, 5, 0.5]] * 20 + [[4, 3, 3, 0], [4, 0, 3, 3]]
    squares = [[4, 0.1, 5, 0.5]] * 20 + [[4, 1, 3, 0], [4, 0, 3, 3]]  # sure of captions, in doubt about appeals
    assert rows(choose(pool_of(expected, squares=squares), 1, random_share=0)) == [20]


def test_a_batch_is_not_filled_with_one_kind():
    appeals, captions = [[4, 3, 6, 0.1]] * 10, [[4, 0.1, 6, 2]] * 10
    plain = [[4, 0.1, 6, 0.1]] * 60
    picked = Counter(row // 10 for row in rows(choose(pool_of(appeals + captions + plain), 8, random_share=0)))
    assert picked[0] >= 3
    assert picked[1] >= 3


def test_uncertainty_takes_the_articles_of_most_doubt_a_paragraph():
    pool = pool_of([[4, 1, 4, 1]] * 6, entropy=[1, 5, 2, 8, 3, 0])
    assert rows(choose(pool, 3, "uncertainty", random_share=0)) == [3, 1, 4]


def test_rare_takes_the_most_of_what_the_pool_has_little_of():
    expected = [[8, 0.1, 8, 0.5]] * 9 + [[8, 2, 8, 0.5], [8, 0.1, 8, 3]]
    assert set(rows(choose(pool_of(expected), 2, "rare", random_share=0))) == {9, 10}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_site_gives_at_most_its_share_while_others_have_articles(strategy):
    sites = ["big"] * 40 + [f"small{i}" for i in range(12)]
    expected = [[4, 5, 4, 5]] * 40 + [[4, 0.1, 4, 0.1]] * 12
    picks = choose(pool_of(expected, sites), 10, strategy, random_share=0, per_site=2)
    if strategy != "random":
        assert sum(row < 40 for row in rows(picks)) <= 2
    assert len(set(rows(picks))) == 10


def test_a_pool_of_one_site_still_fills_a_batch():
    assert len(choose(pool_of([[4, 1, 4, 1]] * 30, ["only"] * 30), 20, per_site=3)) == 20


def test_new_sites_come_first():
    sites = [f"known{i}" for i in range(10)] + [f"new{i}" for i in range(10)]
    labelled = dict.fromkeys(sites[:10], 5)
    for strategy in ("mixed", "uncertainty", "rare", "diverse"):
        picks = choose(pool_of([[4, 1, 4, 1]] * 20, sites), 10, strategy, labelled_sites=labelled, random_share=0)
        assert min(rows(picks)) >= 10
        assert all("not labelled before" in pick.reason for pick in picks)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_near_duplicates_are_picked_once(strategy):
    rng = np.random.default_rng(0)
    sketch = rng.integers(0, 2**32, (12, 64), dtype=np.uint32)
    sketch[1:9] = sketch[0]
    sketch[1:9, :10] += 1  # 54 of 64 equal
    picks = choose(pool_of([[4, 1, 4, 1]] * 12, sketch=sketch), 12, strategy)
    assert len(picks) == 4
    assert sum(row < 9 for row in rows(picks)) == 1


def test_a_share_is_drawn_at_random_and_marked():
    expected = [[4, 9, 4, 9]] * 50 + [[4, 0.1, 4, 0.1]] * 450
    picks = choose(pool_of(expected), 50, random_share=0.4, seed=3)
    drawn = [pick for pick in picks if pick.random]
    assert len(drawn) == 20
    assert [pick.random for pick in picks] == [True] * 20 + [False] * 30
    assert all(pick.reason == "drawn at random" and pick.score == 0 for pick in drawn)
    assert sum(pick.row >= 50 for pick in drawn) >= 14  # as in the pool, where nine in ten have little
    assert all(pick.row < 50 for pick in picks if not pick.random)


def test_the_random_share_is_the_same_whatever_the_strategy():
    pool = pool_of(np.random.default_rng(0).random((60, 4)))
    drawn = [[pick.row for pick in choose(pool, 20, strategy, random_share=0.3) if pick.random] for strategy in STRATEGIES]
    assert len(drawn[0]) == 6
    assert all(part[:6] == drawn[0] for part in drawn)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_seed_decides(strategy):
    pool = pool_of(np.random.default_rng(0).random((60, 4)))
    assert choose(pool, 20, strategy, seed=1) == choose(pool, 20, strategy, seed=1)
    assert rows(choose(pool, 20, strategy, seed=1)) != rows(choose(pool, 20, strategy, seed=2))


def test_an_empty_pool_gives_nothing():
    assert choose(pool_of(np.zeros((0, 4))), 5) == []


# ── the pool


def article(number: int, site: str = "a.example", **fields):
    return {"id": f"p{number}", "site": site, "paragraphs": [story(10 * number + i, 15) for i in range(6)], **fields}


def read(path, model, known=()):
    return read_pool(records.read([path]), model, read_known(known))


def test_a_pool_knows_what_the_model_expects(tiny, tmp_path):
    items = [article(i, f"s{i % 3}.example") for i in range(7)]
    pool = read(write(tmp_path / "pool.jsonl", items), tiny)
    assert pool.sites == ("s0.example", "s1.example", "s2.example")
    assert pool.site.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert pool.paragraphs.tolist() == [6] * 7
    for item, expected, squares, entropy in zip(items, pool.expected, pool.squares, pool.entropy, strict=True):
        probability = tiny.predict_proba([item["paragraphs"]])
        np.testing.assert_allclose(expected, probability.sum(axis=0))
        np.testing.assert_allclose(squares, (probability**2).sum(axis=0))
        np.testing.assert_allclose(entropy, -(probability * np.log(probability)).sum())


def test_batches_of_articles_are_judged_like_single_ones(tiny, tmp_path, monkeypatch):
    path = write(tmp_path / "pool.jsonl", [article(i) for i in range(9)])
    whole = read(path, tiny)
    monkeypatch.setattr("trainer.pool.BATCH_CHARS", 1)
    np.testing.assert_array_equal(read(path, tiny).expected, whole.expected)


def test_what_is_labelled_already_is_left_out(tiny, tmp_path):
    items = [article(i) for i in range(6)]
    again = {**items[1], "id": "other"}  # the same text under another id
    changed = {**items[2], "id": "edited", "paragraphs": [*items[2]["paragraphs"][:5], "Corrected on 3 May."]}
    named = {**items[3], "paragraphs": ["Another text altogether, of which nothing is known."]}
    labelled = [
        items[0],
        *({**item, "paragraphs": [{"text": t, "label": "news"} for t in item["paragraphs"]]} for item in items[1:4]),
    ]
    file = write(tmp_path / "labels.jsonl", labelled)
    pool = read(write(tmp_path / "pool.jsonl", [items[0], again, changed, named, items[4], {"text": " "}]), tiny, [file])
    assert pool.place.tolist() == [4]
    assert pool.left_out == {"labelled already (id)": 2, "labelled already (text)": 2, "without text": 1}


def test_labels_and_sites_of_what_is_labelled_are_counted(tmp_path):
    labelled = {**article(0), "paragraphs": [{"text": "a", "label": "news"}, {"text": "b", "label": None}]}
    known = read_known(
        [write(tmp_path / "labels.jsonl", [labelled, article(1), {"text": "x", "url": "https://www.b.example/1"}])]
    )
    assert known.labels == {"news": 1}
    assert known.sites == {"a.example": 2, "b.example": 1}
    assert known.ids == {"p0", "p1"}


def test_articles_of_no_known_site_count_as_of_one_each(tiny, tmp_path):
    items = [{"text": story(i)} for i in range(4)]
    pool = read(write(tmp_path / "pool.jsonl", items), tiny)
    assert len(set(pool.site.tolist())) == 4
    assert pool.sites == ("",) * 4


@pytest.mark.parametrize(
    ("record", "site"),
    [
        ({"site": "a.example", "url": "https://b.example/x"}, "a.example"),
        ({"url": "https://www.b.example:8080/x"}, "b.example"),
        ({"site": "", "url": "b.example"}, ""),
        ({"url": "http://[bad"}, ""),
        ({"site": 3, "url": None}, ""),
    ],
)
def test_the_site_of_a_record(record, site):
    assert site_of(record) == site


def test_sketches_see_through_case_numbers_and_space():
    texts = [story(i, 12) for i in range(20)]
    changed = [f"  {text.upper()} " for text in texts]
    assert sketch_of(texts).jaccard(sketch_of(changed)) == 1
    assert sketch_of([*texts, "12 comments"]).jaccard(sketch_of([*texts, "340 comments"])) == 1
    assert sketch_of(texts).jaccard(sketch_of([story(100 + i, 12) for i in range(20)])) < 0.1
    near = [*texts[:18], "other", "words"]  # 18 of 22 are common
    assert abs(sketch_of(texts).jaccard(sketch_of(near)) - 18 / 22) < 0.2
    assert NEAR_DUPLICATE < 18 / 22


def test_a_reader_reads_again_and_tells_of_bad_records_once(tmp_path):
    path = tmp_path / "pool.jsonl"
    path.write_text('{"text": "one"}\nnot json\n{"text": "two"}\n')
    told = []
    with reader([path], told.append) as again:
        assert [texts_of(item) for item in again()] == [("one",), ("two",)] == [texts_of(item) for item in again()]
    assert [error.where for error in told] == [f"{path}:2"]
