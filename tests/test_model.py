"""The classifier: nothing is lost, records keep their contract, bad input is refused."""

from __future__ import annotations

import json
import math
import textwrap
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts

from trainer import Classifier, FilterResult, InputError, Paragraph, characters, split
from trainer.explain import explain
from trainer.features import SHAPES, normalise

STORY = "The council voted 5-2 on Monday to close the bridge for a year, Mayor Ruth Vance said after the meeting."
APPEAL = "We need your help. Donate now to support our nonprofit newsroom and independent journalism."
MIX = [
    "",
    "\n\n",
    STORY,
    [],
    [""],
    ["", STORY, ""],
    [STORY, APPEAL],
    (APPEAL, APPEAL),
    "\ud800\n" + STORY,
    f"Home\r\nPolitics\r\n{STORY}\r\n{APPEAL}",
    [STORY + "\nsecond line"],
]


def same(left: FilterResult, right: FilterResult) -> bool:
    fields = ("paragraphs", "predictions", "keep", "flags", "text", "removed")
    return all(getattr(left, field) == getattr(right, field) for field in fields)


def with_policy(model: Classifier, **changes: Any) -> Classifier:
    policy = model.policy._replace(**changes)
    return Classifier(model.network, model.labels, policy, name=model.name, digest=model.digest, info=model.info)


@pytest.fixture(scope="module")
def greedy(model: Classifier) -> Classifier:
    """A model that would remove every paragraph of whatever label."""
    return with_policy(model, thresholds=(0.0,) * len(model.labels), headline=0, max_removed_share=1.0)


def check(result: FilterResult, paragraphs: list[Paragraph]) -> None:
    assert list(result.paragraphs) == paragraphs
    assert len(result.keep) == len(result.predictions) == len(paragraphs)
    assert result.text == "\n".join(p.text for p in result.kept)
    numbered = {item.index: Paragraph(item.text, item.start, item.end) for item in result.removed}
    stays = iter(result.kept)
    assert [numbered[i] if i in numbered else next(stays) for i in range(len(paragraphs))] == paragraphs
    assert next(stays, None) is None


def test_kept_and_removed_give_the_article_back(model: Classifier, articles: list[str]) -> None:
    results = list(model.filter_many(articles))
    for text, result in zip(articles, results, strict=True):
        check(result, split(text))
        assert all(text[item.start : item.end] == item.text for item in result.removed)
    assert sum(len(result.removed) for result in results) > 50


@given(text=texts)
def test_any_string_is_filtered(model: Classifier, text: str) -> None:
    check(model.filter(text, wrap="never"), split(text, "never"))


@given(paragraphs=st.lists(texts, max_size=8))
def test_any_list_of_strings_is_filtered_and_labelled(model: Classifier, paragraphs: list[str]) -> None:
    result = model.filter(paragraphs)
    assert [p.text for p in result.paragraphs] == paragraphs
    assert model.label(paragraphs) == result.predictions


def test_offsets_of_given_paragraphs_are_those_in_the_joined_text(model: Classifier) -> None:
    paragraphs = ["", STORY, APPEAL, "", APPEAL]
    whole = "\n".join(paragraphs)
    assert all(whole[p.start : p.end] == p.text for p in model.filter(paragraphs).paragraphs)


def test_hard_wrapped_text_keeps_its_place(model: Classifier, articles: list[str]) -> None:
    long = [line for line in articles[0].splitlines() if len(line) > 200][:5]
    text = "\n\n".join(textwrap.fill(line, 72) for line in long)
    check(model.filter(text), split(text))
    check(model.filter(text, wrap="never"), split(text, "never"))
    assert len(model.filter(text, wrap="never").paragraphs) > len(model.filter(text).paragraphs)


def test_predictions_are_probabilities_in_label_order(model: Classifier) -> None:
    for prediction in model.label([STORY, APPEAL, "", "Home"]):
        assert sum(prediction.probabilities) == pytest.approx(1)
        assert prediction.probability == max(prediction.probabilities)
        assert prediction.label == model.labels.names[prediction.probabilities.index(prediction.probability)]


def test_the_likeliest_labels_are_those_of_the_predictions(model: Classifier) -> None:
    result = model.filter([STORY, APPEAL, "", "Home"])
    assert result.likeliest == [prediction.label for prediction in result.predictions]


def test_the_record_lists_what_was_removed(greedy: Classifier) -> None:
    result = greedy.filter([STORY, APPEAL, STORY, "Home", APPEAL], allow_empty=True)
    assert len(result.removed) == 5
    listed = [(*item.values(),) for item in result.to_record()["removed"]]
    assert listed == [(*item[:5], round(item.probability, 6)) for item in result.removed]


def test_an_appeal_in_a_story_is_removed(model: Classifier) -> None:
    story = [f"{STORY} The {word} remains open." for word in ("library", "school", "station", "market", "clinic", "harbour")]
    result = with_policy(model, thresholds=(2.0, 0.5, 0.5, 0.5)).filter([*story, APPEAL, *story])
    assert [item.index for item in result.removed] == [6]
    assert result.by_label == {result.removed[0].label: 1}
    assert 0 < result.removed_share < 0.2


@pytest.mark.parametrize("nothing", ["", [], (), "\n \n\u200b"])
def test_nothing_gives_nothing(model: Classifier, nothing: Any) -> None:
    result = model.filter(nothing)
    assert (result.text, result.kept, result.removed, result.flags, result.removed_share) == ("", [], [], (), 0.0)
    assert model.label([]) == []


def test_empty_strings_are_labelled_too(model: Classifier) -> None:
    assert len(model.label(["", "", ""])) == 3


BAD = [b"bytes", bytearray(b"bytes"), memoryview(b"bytes"), None, 3, 2.5, {"body": "x"}, {STORY}, object(), iter([STORY])]


@pytest.mark.parametrize("given", BAD, ids=lambda value: type(value).__name__)
def test_what_is_no_article_is_refused(model: Classifier, given: Any) -> None:
    for call in (model.filter, model.label, lambda value: list(model.filter_many([value]))):
        with pytest.raises(InputError, match="expected a text or a list of paragraphs") as caught:
            call(given)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [[1, 2], [STORY, None], [STORY, b"bytes"], [[STORY]], range(3)], ids=repr)
def test_paragraphs_that_are_no_strings_are_refused(model: Classifier, given: Any) -> None:
    for call in (model.filter, model.label):
        with pytest.raises(InputError, match=r"paragraph \d is \w+, not str"):
            call(given)


def test_one_string_is_not_a_list_of_paragraphs(model: Classifier) -> None:
    with pytest.raises(InputError, match="one string"):
        model.label(STORY)


def test_the_error_names_what_was_given(model: Classifier) -> None:
    for value, name in [(None, "NoneType"), (b"x", "bytes"), (3, "int")]:
        with pytest.raises(InputError, match=f"got {name}"):
            model.filter(value)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan, math.inf])
def test_a_share_out_of_range_is_refused(model: Classifier, share: float) -> None:
    with pytest.raises(InputError, match="max_removed_share"):
        model.filter(STORY, max_removed_share=share)


def test_an_unknown_wrap_is_refused(model: Classifier) -> None:
    with pytest.raises(InputError, match="wrap"):
        model.filter(STORY, wrap="sideways")


def test_no_article_is_emptied_unasked(greedy: Classifier) -> None:
    result = greedy.filter([STORY, APPEAL, "Home"])
    assert (result.text, result.flags) == ("\n".join([STORY, APPEAL, "Home"]), ("empty",))


def test_an_article_is_emptied_when_asked(greedy: Classifier) -> None:
    result = greedy.filter([STORY, APPEAL, "Home"], allow_empty=True)
    assert (result.text, result.flags, len(result.removed), result.removed_share) == ("", (), 3, 1.0)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_no_more_than_the_share_is_removed(greedy: Classifier, articles: list[str], share: float) -> None:
    partly = with_policy(greedy, thresholds=(2.0, 0.0, 0.0, 0.0))
    results = list(partly.filter_many(articles, max_removed_share=share))
    assert all(result.removed_share <= share for result in results)
    assert any(result.flags == ("max_removed_share",) for result in results)


def test_the_models_own_policy_stays_as_it_is(model: Classifier) -> None:
    before = model.policy
    model.filter(STORY, allow_empty=True, max_removed_share=0.1)
    assert model.policy == before


def test_filter_many_equals_filter_one_by_one(model: Classifier, articles: list[str]) -> None:
    given = [*MIX, *articles, *(text.split("\n") for text in articles[:5]), *MIX, "x" * 300_000, *MIX]
    results = list(model.filter_many(given, site="here.example"))
    assert len(results) == len(given)
    assert all(same(result, model.filter(item)) for result, item in zip(results, given, strict=True))
    assert {result.site for result in results} == {"here.example"}


def test_filter_many_reads_lazily_and_in_order(model: Classifier, articles: list[str]) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield articles[taken % 7]

    assert [same(r, model.filter(articles[(i + 1) % 7])) for i, r in enumerate(islice(model.filter_many(endless()), 5))] == [
        True
    ] * 5
    assert taken < 200


def test_filter_many_does_not_read_empty_articles_without_end(model: Classifier) -> None:
    given = iter([""] * 300_000)
    next(model.filter_many(given))
    assert sum(1 for _ in given) > 100_000


def test_many_short_articles_take_little_memory(model: Classifier) -> None:
    tracemalloc.start()
    assert sum(1 for _ in model.filter_many(["weather"] * 16_000)) == 16_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6


def test_filter_many_of_nothing_gives_nothing(model: Classifier) -> None:
    assert list(model.filter_many([])) == []


def test_a_record_has_the_fields_of_the_contract(greedy: Classifier) -> None:
    result = greedy.filter([APPEAL, STORY, "Home"], max_removed_share=0.5, allow_empty=True)
    record = with_policy(greedy, thresholds=(2.0, 0.0, 0.0, 0.0)).filter([STORY, APPEAL], site="x").to_record(paragraphs=True)
    assert record.keys() == {"text", "removed", "paragraphs", "filter"}
    assert result.to_record().keys() == {"text", "removed", "filter"}
    assert [item.keys() for item in record["removed"]] == [{"index", "start", "end", "text", "label", "probability"}]
    assert [item.keys() for item in record["paragraphs"]] == [{"index", "text", "label", "probability", "keep"}] * 2
    assert record["filter"].keys() == {"model", "model_digest", "kept", "removed", "removed_share", "flags"}
    removed = record["removed"][0]
    assert (removed["index"], removed["text"]) == (1, APPEAL)
    assert (removed["start"], removed["end"]) == (len(STORY) + 1, len(STORY) + 1 + len(APPEAL))
    assert (removed["label"], removed["probability"]) == tuple(record["paragraphs"][1][key] for key in ("label", "probability"))
    assert [(item["index"], item["text"], item["keep"]) for item in record["paragraphs"]] == [
        (0, STORY, True),
        (1, APPEAL, False),
    ]


def test_a_record_says_which_model_judged(model: Classifier) -> None:
    described = model.filter([STORY, APPEAL]).to_record()["filter"]
    assert (described["model"], described["model_digest"]) == ("small", model.digest)
    assert described["kept"] + described["removed"] == 2
    assert described["flags"] == []


def test_other_fields_of_a_record_pass_through_unchanged(model: Classifier) -> None:
    given = {"id": "a", "url": "u", "site": "s", "text": "old", "paragraphs": [STORY], "date": {"deep": [1, None]}, "filter": 3}
    before = json.dumps(given)
    record = model.filter(given["paragraphs"]).to_record(given)
    assert json.dumps(given) == before
    assert {key: record[key] for key in ("id", "url", "site", "date")} == {
        "id": "a",
        "url": "u",
        "site": "s",
        "date": {"deep": [1, None]},
    }
    assert (record["text"], "paragraphs" in record, isinstance(record["filter"], dict)) == (STORY, False, True)


@pytest.mark.parametrize("given", [*MIX, "\ud800 \udfff\x00\u2028" + STORY])
def test_a_record_survives_json(model: Classifier, given: Any) -> None:
    record = model.filter(given).to_record({"id": "x"}, paragraphs=True)
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def folded(paragraph: str) -> str:
    code, _ = characters.fold(f"\n{normalise(paragraph)}\n")
    return "".join(map(chr, code)).strip("\n")


@pytest.fixture(scope="module")
def explained_article(articles: list[str]) -> list[str]:
    return [*articles[2].split("\n"), "", "Donate", "\ud800 odd “text”", "...", "क्षि 新聞", "\u200b"]


def test_explanations_agree_with_the_probabilities(model: Classifier, explained_article: list[str]) -> None:
    probability = model.predict_proba([explained_article])
    explained = explain(model, explained_article, range(len(explained_article)))
    for row, item, prediction in zip(probability, explained, model.label(explained_article), strict=True):
        k = model.labels.names.index(item.label)
        rivals = model.labels.residue if k in model.labels.kept else model.labels.kept
        assert item.label == prediction.label
        assert item.log_odds == pytest.approx(math.log(row[k] / max(row[j] for j in rivals)), abs=1e-6)


def test_explanations_have_four_groups_of_finite_contributions(model: Classifier, explained_article: list[str]) -> None:
    for i, item in enumerate(explain(model, explained_article, range(len(explained_article)), top=4)):
        assert item.index == i
        assert [group.name for group in item.groups] == ["words", "characters", "shape", "context"]
        assert np.isfinite([group.contribution for group in item.groups]).all()
        for group in item.groups[:3]:
            weights = [weight for _, weight in group.strongest]
            assert len(weights) <= 4
            assert weights == sorted(weights, reverse=True)


def test_explained_features_stand_in_the_paragraph(model: Classifier, explained_article: list[str]) -> None:
    named = 0
    for text, item in zip(
        explained_article, explain(model, explained_article, range(len(explained_article)), top=5), strict=True
    ):
        bordered = "¶" * 8 + folded(text) + "¶" * 8
        words, chars, shape, _ = (dict(group.strongest) for group in item.groups)
        assert all(part in bordered for name in words for part in name.split(" "))
        assert all(name[0] == "‹" and name[-1] == "›" and name[1:-1] in bordered for name in chars)
        assert set(shape) <= set(SHAPES)
        named += len(words) + len(chars) + len(shape)
    assert named > 100


def test_explaining_depends_on_nothing_before(model: Classifier, explained_article: list[str]) -> None:
    everything = explain(model, explained_article, range(len(explained_article)))
    assert explain(model, explained_article, [5, 3]) == [everything[5], everything[3]]


@pytest.mark.parametrize("paragraph", ["", "x", "\ud800", "x" * 10_000, "ﷺ" * 5000, " "])
def test_a_single_paragraph_is_explained(model: Classifier, paragraph: str) -> None:
    (explained,) = explain(model, [paragraph], [0])
    assert explained.groups[-1].contribution == pytest.approx(0)


def test_nothing_to_explain(model: Classifier) -> None:
    assert explain(model, [], []) == []
    assert explain(model, [STORY], []) == []
