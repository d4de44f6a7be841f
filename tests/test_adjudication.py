"""Gold labels by majority, by date, by one annotator; what no rule can settle stays open."""

import pytest
from annotated import annotated, files, joined, record

from trainer.adjudication import adjudicate, check_rules
from trainer.annotations import read_annotations
from trainer.errors import InputError
from trainer.schema import NEWS_LABELS

DATES = {"ann": "2026-03-01T10:00:00Z", "bob": "2026-03-02T09:00:00+00:00", "cid": "2026-02-01T00:00:00Z"}


def gold(result, number=0):
    return [paragraph["label"] for paragraph in result.records[number]["paragraphs"]]


def test_majority_settles_what_has_one(tmp_path):
    articles = annotated(tmp_path, joined(0, ann="nnnv", bob="nvvc", cid="nnfv"))
    result = adjudicate(articles, ["majority"])
    assert gold(result) == ["news", "news", None, "navigation"]
    assert result.settled == {"majority": 2}
    assert result.open == {(0, 2): "a tie"}
    assert [paragraph.get("settled") for paragraph in result.records[0]["paragraphs"]] == [None, "majority", None, "majority"]


def test_two_against_one_against_one_is_a_majority_and_two_against_two_is_none(tmp_path):
    articles = annotated(tmp_path, joined(0, ann="nn", bob="nn", cid="vv", dan="cv"))
    result = adjudicate(articles, ["majority"])
    assert gold(result) == ["news", None]


def test_newest_takes_the_last_word(tmp_path):
    articles = annotated(tmp_path, joined(0, ann="n", bob="v", cid="c", dates=DATES))
    result = adjudicate(articles, ["newest"])
    assert gold(result) == ["navigation"]
    assert result.settled == {"newest": 1}


def test_newest_compares_times_in_different_zones(tmp_path):
    dates = {"ann": "2026-03-01T12:00:00+02:00", "bob": "2026-03-01T11:00:00Z"}
    assert gold(adjudicate(annotated(tmp_path, joined(0, ann="n", bob="v", dates=dates)), ["newest"])) == ["navigation"]


@pytest.mark.parametrize(
    ("dates", "why"),
    [
        ({"ann": DATES["ann"]}, "bob's label has no date"),
        ({**DATES, "bob": "yesterday"}, "bob's label has no date"),
        ({}, "ann's label has no date"),
        ({**DATES, "bob": DATES["ann"]}, "two labels of the same time"),
        ({**DATES, "bob": "2026-03-02T09:00:00"}, "some dates have a time zone and some do not"),
    ],
)
def test_newest_never_guesses(tmp_path, dates, why):
    result = adjudicate(annotated(tmp_path, joined(0, ann="n", bob="v", dates=dates)), ["newest"])
    assert gold(result) == [None]
    assert result.open == {(0, 0): why}
    assert result.settled == {"newest": 0}


def test_one_annotator_decides_where_they_have_labelled(tmp_path):
    articles = annotated(tmp_path, joined(0, ann="nn", bob="vv", cid="-c"))
    result = adjudicate(articles, ["annotator=cid"])
    assert gold(result) == [None, "caption"]
    assert result.open == {(0, 0): "cid has not labelled it"}


def test_the_first_rule_that_can_settle_does(tmp_path):
    articles = annotated(tmp_path, joined(0, ann="nnn", bob="vvv", cid="v-c"))
    result = adjudicate(articles, ["majority", "annotator=cid", "annotator=ann"])
    assert gold(result) == ["navigation", "news", "caption"]
    assert result.settled == {"majority": 1, "annotator=cid": 1, "annotator=ann": 1}
    assert not result.open


def test_the_reasons_of_all_rules_are_given(tmp_path):
    result = adjudicate(annotated(tmp_path, joined(0, ann="n", bob="v")), ["majority", "newest"])
    assert result.open == {(0, 0): "a tie; ann's label has no date"}


def test_what_nobody_contests_stays_under_every_rule(tmp_path):
    item = joined(0, ann="nv-", bob="n--")
    for rule in ("majority", "newest", "annotator=bob"):
        assert gold(adjudicate(annotated(tmp_path, item), [rule])) == ["news", "navigation", None]


def test_without_rules_everything_contested_stays_open(tmp_path):
    result = adjudicate(annotated(tmp_path, joined(0, ann="nn", bob="vn")), [])
    assert gold(result) == [None, "news"]
    assert (result.settled, list(result.open)) == ({}, [(0, 0)])


def test_records_keep_their_fields_and_say_who_said_what(tmp_path):
    one = record(0, "nv", title="Ferry", weight=0.5)
    one["paragraphs"][1]["kind"] = "byline"
    other = record(0, "cv")
    articles = read_annotations(files(tmp_path, ann=[one], bob=[other]), NEWS_LABELS)
    (result,) = adjudicate(articles, ["annotator=bob"]).records
    assert (result["title"], result["weight"], result["site"]) == ("Ferry", 0.5, "lund.example")
    first, second = result["paragraphs"]
    assert first["label"] == "caption"
    assert [(one["annotator"], one["label"]) for one in first["annotations"]] == [("ann", "news"), ("bob", "caption")]
    assert (second["kind"], second["label"], "settled" in second) == ("byline", "navigation", False)


def test_a_finer_name_goes_with_its_label(tmp_path):
    one, other = record(0, "v"), record(0, "n")
    one["paragraphs"][0]["kind"], other["paragraphs"][0]["kind"] = "legal", "news"
    articles = read_annotations(files(tmp_path, ann=[one], bob=[other]), NEWS_LABELS)
    kinds = {}
    for name in ("ann", "bob"):
        kinds[name] = adjudicate(articles, [f"annotator={name}"]).records[0]["paragraphs"][0]["kind"]
    assert kinds == {"ann": "legal", "bob": "news"}
    pulled = joined(0, ann="v", bob="n")
    pulled["paragraphs"][0]["kind"] = "legal"
    assert "kind" not in adjudicate(annotated(tmp_path, pulled), ["annotator=bob"]).records[0]["paragraphs"][0]


def test_the_labels_that_count_go_on_to_the_next_checks(tmp_path):
    result = adjudicate(annotated(tmp_path, joined(0, ann="nn", bob="vc", cid="v-")), ["majority"])
    assert result.articles[0].article.labels == ("navigation", None)
    assert [result.articles[0].contested(i) for i in (0, 1)] == [False, True]


def test_adjudicating_again_changes_nothing(tmp_path):
    first = adjudicate(annotated(tmp_path, joined(0, ann="nn", bob="vc", cid="v-")), ["majority"])
    again = adjudicate(annotated(tmp_path, *first.records), ["majority"])
    assert again.records == first.records
    assert again.settled == {"majority": 0}


@pytest.mark.parametrize("rule", ["", "oldest", "annotator", "annotator=", "Majority"])
def test_unknown_rules_are_refused(rule):
    with pytest.raises(InputError, match="is no rule"):
        check_rules([rule], ["ann"])


def test_an_annotator_nobody_knows_is_refused():
    check_rules(["majority", "newest", "annotator=ann"], ["ann", "bob"])
    with pytest.raises(InputError, match=r"nobody of that name.*ann, bob"):
        check_rules(["annotator=cid"], ["ann", "bob"])
