"""`--task quality`, `trainer filter --quality`, on the command line."""

from __future__ import annotations

import json

import judged
import numpy as np
import pytest
from commands import read, refuse, succeed
from reports import data_of
from small import ROOT, SET, records, write

import trainer

STORY = (
    "Ferry company loses island contract\n"
    "The council said on Tuesday that the ferry would stop in May, and that no other company had asked for the route.\n"
    "“We will miss it,” said Ada Holm, who has run the shop at the pier for thirty years.\n"
    "The last boat leaves on the thirtieth, the company said. Tickets bought for later will be paid back.\n"
)
OFFER = (
    "10 best kettle deals this weekend\n"
    "Save up to 40 percent on your favourite kettles! You can get yours today from our shop with free delivery.\n"
    "Buy now: $29.99 (was $59.99). You will love how quickly you can boil your water.\n"
)


@pytest.fixture
def articles(tmp_path):
    """A file with a story and an offer."""
    return write(tmp_path / "in.jsonl", [{"id": "story", "text": STORY, "more": 1}, {"id": "offer", "text": OFFER}])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A quality model trained by the command."""
    from trainer.cli.train import quality

    folder = tmp_path_factory.mktemp("cli-quality")
    labels = write(folder / "labels.jsonl", judged.records())
    return quality.train([labels], folder / "model", overrides=judged.SETTINGS, jobs=1)


def test_train_writes_a_model_with_card_and_metrics(model):
    assert trainer.load_quality(model).info["task"] == "quality"
    assert "good" in (model / "card.md").read_text("utf-8")
    assert json.loads((model / "metrics.json").read_text("utf-8"))["task"] == "quality"


def test_evaluate_writes_the_report(cli, tmp_path, model):
    labels = write(tmp_path / "labels.jsonl", judged.records())
    done = succeed(cli("evaluate", labels, "--task", "quality", *judged.SET, "--json", "-", "--jobs", "1"))
    assert json.loads(done.out)["task"] == "quality"
    done = succeed(cli("evaluate", labels, "--task", "quality", *judged.SET, "--model", model))
    assert "saved model model" in done.out
    assert "the figures say nothing about new sites" in done.out
    done = succeed(cli("evaluate", labels, "--task", "quality", *judged.SET, "--model", "quality-en"))
    assert "about new sites only if neither model was trained on any of these articles" in done.out


def test_evaluate_takes_the_model_that_filters_before(cli, tmp_path, model, folder):
    labels = write(tmp_path / "labels.jsonl", judged.records())
    arguments = ("evaluate", labels, "--task", "quality", *judged.SET, "--model", model, "--json", "-", "--paragraph-model")
    default, other = (json.loads(succeed(cli(*arguments, name)).out)["articles"] for name in ("news-en", folder))
    assert default != other
    refuse(cli("evaluate", labels, *SET, "--paragraph-model", folder), "--task quality")
    five = tmp_path / "five"
    kinds = ("--config", ROOT / "configs" / "five-labels.toml")
    succeed(cli("train", write(tmp_path / "all.jsonl", records(40)), *kinds, *SET, "--out", five))
    refuse(cli(*arguments, five), "filtered with the labels", "quality model")


def test_evaluate_writes_a_page_and_a_file_that_can_be_compared(cli, tmp_path, model):
    labels = write(tmp_path / "labels.jsonl", judged.records())
    page, file = tmp_path / "report.html", tmp_path / "report.json"
    succeed(cli("evaluate", labels, "--task", "quality", *judged.SET, "--model", model, "--report", page, "--json", file))
    shown = data_of(page.read_text("utf-8"))
    report = json.loads(file.read_text("utf-8"))
    assert shown["names"] == {"unit": "article", "kept": "good", "rest": "poor", "any": True}
    assert [label["name"] for label in shown["labels"]] == ["good", "poor"]
    assert shown["confusion"]["items"] == report["confusion"]
    assert np.sum([site["confusion"] for site in report["sites"]], axis=0).tolist() == report["confusion"]
    compared = succeed(cli("compare", file, file)).out
    assert "unclear" in compared
    assert "news" not in compared
    assert "better" not in compared
    assert "worse" not in compared


def test_settings_that_are_not_the_defaults_are_named_on_the_page_and_in_comparisons(cli, tmp_path, model):
    labels = write(tmp_path / "labels.jsonl", judged.records())
    page, files = tmp_path / "report.html", [tmp_path / "a.json", tmp_path / "b.json"]
    wanted = ("evaluate", labels, "--task", "quality", *judged.SET, "--model", model)
    succeed(cli(*wanted, "--json", files[0]))
    changed = ("--set", "model.C=2.0", "--set", "paragraphs.text.C=3.0")
    succeed(cli(*wanted, *changed, "--json", files[1], "--report", page))
    shown = data_of(page.read_text("utf-8"))["settings"]
    assert (shown["model.C"], shown["paragraphs.text.C"], shown["features.word_bits"]) == (2.0, 3.0, 12)
    assert "model.reason_C" not in shown
    said = succeed(cli("compare", *files)).err
    assert "settings differ: model.C default in A, 2.0 in B; paragraphs.text.C default in A, 3.0 in B" in said.replace("\n", " ")


def test_a_learning_curve_is_measured_once_and_read_afterwards(cli, tmp_path, model):
    labels = write(tmp_path / "labels.jsonl", judged.records(36, 18))
    page, curve = tmp_path / "report.html", tmp_path / "curve.json"
    wanted = ("evaluate", labels, "--task", "quality", *judged.SET, "--model", model, "--report", page, "--curve", curve)
    succeed(cli(*wanted, "--jobs", "1"))
    measured = curve.read_bytes()
    found = json.loads(measured)
    assert [label["name"] for label in found["labels"]] == ["macro-F1", "good", "poor"]
    assert found["articles"] == sorted(found["articles"])
    assert found["articles"][-1] == 24  # of 36 in 3 folds
    assert found["data"]["digest"] == data_of(page.read_text("utf-8"))["report"]["data"]["digest"]
    assert "measuring" not in succeed(cli(*wanted)).err
    assert data_of(page.read_text("utf-8"))["curve"] == found
    assert curve.read_bytes() == measured
    few = write(tmp_path / "few.jsonl", judged.records())
    refuse(
        cli("evaluate", few, *wanted[2:-1], tmp_path / "none.json", "--jobs", "1"), "needs 16 sites, there are 12", started=True
    )
    assert not (tmp_path / "none.json").exists()


def test_filter_adds_the_verdict_to_records(cli, articles, tmp_path):
    out = tmp_path / "out.jsonl"
    done = succeed(cli("filter", articles, "--quality", "quality-en", "--out", out))
    story, offer = read(out)
    assert story["quality"].keys() == {"verdict", "probability", "reason", "signals"}
    assert story["more"] == 1
    expected = trainer.load_quality().judge(trainer.load().filter(STORY))
    assert story["quality"] == json.loads(json.dumps(expected.record()))
    assert offer["quality"]["verdict"] == "poor"
    assert "quality: 1 poor" in done.err


def test_articles_under_the_least_quality_go_to_a_file_of_their_own_with_the_reason(cli, articles, tmp_path):
    out = tmp_path / "out.jsonl"
    done = succeed(cli("filter", articles, "--quality", "quality-en", "--min-quality", "0.5", "--out", out))
    (story,), (offer,) = read(out), read(tmp_path / "out.refused.jsonl")
    assert (story["id"], offer["id"]) == ("story", "offer")
    assert offer["refused"]["reason"] == offer["quality"]["reason"]
    assert offer["refused"]["least"] == 0.5
    assert offer["text"]
    assert "refused 1, in" in done.err
    assert "out.refused.jsonl" in done.err


def test_what_was_refused_once_and_is_taken_now_is_not_called_refused(cli, articles, tmp_path):
    out, again = tmp_path / "out.jsonl", tmp_path / "again.jsonl"
    succeed(cli("filter", articles, "--quality", "quality-en", "--min-quality", "1", "--out", out))
    succeed(cli("filter", tmp_path / "out.refused.jsonl", "--quality", "quality-en", "--min-quality", "0", "--out", again))
    assert [(record["id"], "refused" in record) for record in read(again)] == [("story", False), ("offer", False)]


def test_the_refused_go_where_they_are_told_to_and_the_rest_to_stdout(cli, articles, tmp_path):
    to = tmp_path / "bad.jsonl"
    done = succeed(cli("filter", articles, "--quality", "quality-en", "--min-quality", "0.5", "--refused", to))
    assert [record["id"] for record in read(to)] == ["offer"]
    assert "Ferry company" in done.out
    assert "kettle" not in done.out


def test_the_refused_do_not_go_where_the_others_go(cli, articles, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wanted = ("filter", articles, "--quality", "quality-en", "--min-quality", "0.5", "--out", "out.jsonl")
    for other in (tmp_path / "out.jsonl", "./out.jsonl", "-"):
        refuse(cli(*wanted, "--refused", other), "--refused needs a file of its own")
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("how", ["--diff", "--explain"])
def test_the_verdict_is_shown_with_what_was_removed(cli, articles, how):
    done = succeed(cli("filter", articles, "--quality", "quality-en", how))
    assert "quality: good" in done.out
    assert "quality: poor, likely promo" in done.out


def test_wrong_options_are_refused_in_one_line(cli, articles, tmp_path, model):
    refuse(cli("filter", articles, "--min-quality", "0.5"), "--quality")
    refuse(cli("filter", articles, "--quality", "quality-en", "--refused", "x.jsonl"), "--min-quality")
    refuse(cli("filter", articles, "--quality", "quality-en", "--min-quality", "0.5"), "--refused")
    refuse(cli("filter", articles, "--quality", ROOT / "models" / "news-en"), "model of paragraphs")
    refuse(cli("filter", articles, "--model", model), "model of article quality")
    refuse(cli("filter", articles, "--quality", tmp_path / "none"), "cannot read the model")
    taken = write(tmp_path / "taken.jsonl", [])
    refuse(
        cli("filter", articles, "--quality", "quality-en", "--min-quality", "0.5", "--refused", taken), "taken.jsonl", "--force"
    )
    refuse(cli("train", articles, "--task", "quality", "--base", "news-en", "--out", tmp_path / "m"), "--base")


def test_labels_without_verdicts_are_refused(cli, tmp_path):
    items = [{key: value for key, value in item.items() if not key.startswith("quality")} for item in judged.records()]
    labels = write(tmp_path / "labels.jsonl", items)
    refuse(cli("train", labels, "--task", "quality", "--out", tmp_path / "m"), "fewer than 2 articles are judged")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"quality": "fine"}, "'quality' is 'fine'"),
        ({"quality": "good", "quality_reason": "promo"}, "'quality_reason'"),
        ({"quality": "poor", "quality_reason": "boring"}, "'quality_reason' is 'boring'"),
    ],
)
def test_a_bad_verdict_is_named_with_its_line(cli, tmp_path, fields, message):
    labels = write(tmp_path / "labels.jsonl", [*judged.records(4), {**judged.records(5)[4], **fields}])
    refuse(cli("train", labels, "--task", "quality", "--out", tmp_path / "m"), message, "labels.jsonl:5")


def test_next_picks_by_what_a_quality_model_doubts(cli, tmp_path, articles):
    out = tmp_path / "batch.jsonl"
    more = ("next", articles, "-n", "1", "--random-share", "0", "--quality", "quality-en")
    labels = write(tmp_path / "none.jsonl", judged.records(2))
    done = succeed(cli("labels", *more, "--labels", labels, "--strategy", "rare", "--out", out))
    assert "paragraph" not in done.err
    (picked,) = read(out)
    assert picked["id"] == "offer"
    assert picked["selection"]["reason"].startswith("promo with probability 0.")


def test_check_reports_how_far_people_agree_on_articles(cli, tmp_path):
    items = judged.records(8)
    other = [{**item, "quality": "good"} for item in items]
    for item in other:
        item.pop("quality_reason", None)
    files = write(tmp_path / "ann.jsonl", items), write(tmp_path / "bob.jsonl", other)
    done = cli("labels", "check", *files, "--no-model", "--json", "--fail-on", "never")
    quality = json.loads(succeed(done).out)["quality"]
    assert quality["articles"] == quality["agreement"]["paragraphs"] == 8
    assert len(quality["conflicts"]) == 4
    assert quality["conflicts"][0]["verdicts"] == {"ann": "promo", "bob": "good"}
    assert "good" in succeed(cli("labels", "check", *files, "--no-model", "--fail-on", "never")).out


def test_info_shows_what_a_quality_model_is(cli, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quality = trainer.load_quality(model)
    found = json.loads(succeed(cli("info", model, "--json")).out)
    assert (found["task"], found["digest"], found["threshold"]) == ("quality", quality.digest, quality.threshold)
    assert found["metrics"]["task"] == "quality"
    said = succeed(cli("info", model)).out
    assert f"{quality.threshold:.3f}" in said
    assert "Model of article quality" in said
    assert json.loads(succeed(cli("info", "quality-en", "--json")).out)["digest"] == trainer.load_quality().digest
    assert json.loads(succeed(cli("info", "--json")).out)["task"] == "paragraphs"
    refuse(cli("filter", "-", "--quality", "news-en"), "is a model of paragraphs")


def test_a_quality_model_of_other_labels_is_refused_where_articles_are_judged(cli, tmp_path, articles):
    from trainer.cli.train import quality

    two = tmp_path / "two.toml"
    two.write_text('[[paragraphs.labels]]\nname = "news"\nkept = true\nkinds = ["caption"]\n' + _OTHERS, "utf-8")
    labels = write(tmp_path / "labels.jsonl", judged.records())
    other = quality.train([labels], tmp_path / "other", config=two, overrides=judged.SETTINGS, jobs=1)
    refuse(cli("evaluate", labels, "--task", "quality", *judged.SET, "--model", other), "filtered with the labels")
    refuse(cli("labels", "next", articles, "--labels", labels, "--quality", other), "filtered with the labels")


_OTHERS = "".join(f'[[paragraphs.labels]]\nname = "{name}"\n' for name in ("fundraising", "navigation", "caption", "more"))
