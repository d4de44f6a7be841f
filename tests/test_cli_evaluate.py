"""`trainer evaluate`: tables for people, JSON for machines."""

import json

import pytest
from commands import refuse, spawn, succeed
from reports import data_of
from small import SET, records, write

from trainer.learning_curve import FAST


def test_evaluate_prints_tables(cli, label_path):
    result = succeed(cli("evaluate", label_path, "--jobs", "1", *SET))
    for wanted in ("3-fold cross-validation, site-grouped", "macro-F1", "navigation", "confusion", "thresholds", "note:"):
        assert wanted in result.out


def test_evaluate_writes_json_beside_the_tables(cli, label_path, tmp_path):
    path = tmp_path / "deep" / "report.json"
    result = succeed(cli("evaluate", label_path, "--jobs", "1", "--json", path, *SET))
    report = json.loads(path.read_text("utf-8"))
    assert f"{report['overall']['macro_f1'][0]:.3f}" in result.out
    assert "leaky" not in report


def test_evaluate_gives_nothing_but_json_where_asked(cli, label_path):
    result = succeed(cli("evaluate", label_path, "--jobs", "1", "--json", "-", *SET))
    report = json.loads(result.out, parse_constant=pytest.fail)
    assert set(report) >= {"title", "labels", "support", "per_label", "overall", "confusion", "thresholds", "data", "notes"}


def test_evaluate_shows_leakage(cli, label_path):
    result = succeed(cli("evaluate", label_path, "--jobs", "1", "--leakage", *SET))
    assert "leakage" in result.out
    assert "random split" in result.out
    report = json.loads(succeed(cli("evaluate", label_path, "--jobs", "1", "--leakage", "--json", "-", *SET)).out)
    assert "leaky" in report["leaky"]["title"]
    assert "leaky" not in report["title"]


def test_evaluate_scores_a_saved_model(cli, folder, label_path, tmp_path):
    other = write(tmp_path / "other.jsonl", records(30)[24:])
    report = json.loads(succeed(cli("evaluate", other, "--model", folder, "--json", "-", *SET)).out)
    assert (report["title"], report["notes"]) == ("saved model tiny", [])
    report = json.loads(succeed(cli("evaluate", label_path, "--model", folder, "--json", "-", *SET)).out)
    assert "trained on" in report["notes"][0]


def test_evaluate_is_quiet_about_rare_labels(tmp_path):
    items = records()
    for item in items:
        item["paragraphs"] = [p for p in item["paragraphs"] if p["label"] != "caption"]
    items[0]["paragraphs"].append({"text": "Jane Doe / Wire", "label": "caption"})
    result = succeed(spawn("evaluate", write(tmp_path / "x.jsonl", items), "--jobs", "1", "--json", "-", *SET))
    assert "Warning" not in result.err


def test_evaluate_on_two_sites_works_or_is_refused_in_one_line(cli, tmp_path):
    result = cli("evaluate", write(tmp_path / "x.jsonl", records(8, 2)), "--jobs", "1", *SET)
    assert result.code == 0 or refuse(result, started=True)


def test_evaluate_refuses_a_report_it_cannot_write(cli, folder, label_path, tmp_path):
    (tmp_path / "taken").write_text("mine")
    result = cli("evaluate", label_path, "--model", folder, "--json", tmp_path / "taken" / "report.json", *SET)
    refuse(result, "taken", started=True)


# ── the report page


def test_evaluate_writes_a_page_with_all_that_was_asked_for(cli, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("trainer.learning_curve.FAST", (*FAST, "context.epochs=1"))
    labels = write(tmp_path / "labels.jsonl", records(36, 18))
    page, curve = tmp_path / "deep" / "report.html", tmp_path / "curve.json"
    result = succeed(
        cli(
            "evaluate",
            labels,
            "--jobs",
            "1",
            "--leakage",
            "--report",
            page,
            "--curve",
            curve,
            "--json",
            tmp_path / "r.json",
            *SET,
        )
    )
    data, report = data_of(page.read_text("utf-8")), json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert f"wrote {page}" in result.err
    assert f"{curve} is not there yet" in result.err
    assert data["report"]["overall"] == report["overall"]
    assert data["leaky"]["overall"] == report["leaky"]["overall"]
    assert data["curve"] == json.loads(curve.read_text("utf-8"))
    assert data["curve"]["data"]["digest"] == data["report"]["data"]["digest"]
    assert data["settings"]["context.width"] == report["settings"]["context.width"] == 12
    assert data["weaknesses"]
    assert sum(data["removal"]["total"]["items"]) == sum(report["support"])
    again = succeed(cli("evaluate", labels, "--model", folder, "--report", page, "--curve", curve, *SET))
    assert "not there yet" not in again.err
    assert data_of(page.read_text("utf-8"))["curve"] == data["curve"]


def test_evaluate_makes_a_page_of_a_saved_model(cli, folder, label_path, tmp_path):
    page = tmp_path / "report.html"
    succeed(cli("evaluate", label_path, "--model", folder, "--report", page, *SET))
    data = data_of(page.read_text("utf-8"))
    assert data["report"]["title"] == "saved model tiny"
    assert data["leaky"] is data["curve"] is None


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--report", "r.pdf"], ".html"),
        (["--curve", "c.json"], "--report"),
        (["--curve", "c.png", "--report", "r.html"], ".json"),
        (["--json", "r.html", "--report", "r.html"], "same file"),
    ],
)
def test_evaluate_refuses_a_page_it_cannot_make(cli, label_path, tmp_path, monkeypatch, options, wanted):
    monkeypatch.chdir(tmp_path)
    refuse(cli("evaluate", label_path, *options, *SET), wanted)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["{", "[]", '{"articles": []}'])
def test_evaluate_refuses_what_is_no_learning_curve(cli, label_path, tmp_path, text):
    (tmp_path / "curve.json").write_text(text)
    options = ("--report", tmp_path / "r.html", "--curve", tmp_path / "curve.json")
    refuse(cli("evaluate", label_path, *options, *SET), "curve.json", "trainer labels curve", started=True)
    assert not (tmp_path / "r.html").exists()
