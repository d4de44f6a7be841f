"""Runs compared: what is real, what is not, and what cannot be compared."""

from __future__ import annotations

import json

import numpy as np
import pytest
from commands import refuse, succeed
from reports import evaluated
from sklearn.metrics import f1_score
from small import SET, load, records

from trainer.comparison import comparable, compare, load_run
from trainer.report import to_json, to_text


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return load(tmp_path_factory.mktemp("labels") / "labels.jsonl", records(36, 18))


@pytest.fixture
def run(tmp_path, dataset):
    """Write a run with made-up predictions and return its file."""

    def write(name, data=dataset, *overrides, **options):
        made = evaluated(data, *overrides, **options)
        file = tmp_path / f"{name}.json"
        file.write_text(to_text({**to_json(made.report), **comparable(*made)}), "utf-8")
        return file

    return write


def compared(first, second):
    return compare(load_run(first), load_run(second))


# ── what is real


def test_a_run_does_not_differ_from_itself(run):
    found = compared(run("a"), run("b"))
    assert {each.verdict for each in found.differences} == {"unclear"}
    assert all(each.difference == (0, 0, 0) for each in found.differences)
    assert found.by_site == ()
    assert found.sites == 18


def test_a_clearly_better_run_is_really_better(run):
    found = compared(run("a", right=0.6), run("b", right=0.95, seed=1))
    verdicts = {(each.metric, each.label): each.verdict for each in found.differences}
    assert verdicts["macro_f1", None] == verdicts["f1", "navigation"] == verdicts["average_precision", "news"] == "better"
    assert verdicts["news_lost_per_1000", None] == "better"  # fewer are lost
    assert "worse" not in verdicts.values()
    assert all(row["errors"][0] > row["errors"][1] for row in found.by_site[:5])
    back = compared(run("b", right=0.95, seed=1), run("a", right=0.6))
    assert {(each.metric, each.label): each.verdict for each in back.differences}["macro_f1", None] == "worse"


def test_runs_of_equal_worth_seldom_differ(run):
    first = run("a", seed=100)
    seen = [each.verdict for seed in range(12) for each in compared(first, run("b", seed=seed)).differences]
    assert np.mean([verdict != "unclear" for verdict in seen]) < 0.2


def test_pairing_tells_what_separate_intervals_do_not(run):
    found = compared(run("a", right=0.80), run("b", right=0.83))  # the same random numbers: nearly the same predictions
    (macro,) = [each for each in found.differences if each.metric == "macro_f1"]
    assert macro.verdict == "better"
    assert macro.first[2] > macro.second[1]  # the runs' own intervals overlap
    assert macro.difference[2] - macro.difference[1] < 0.5 * (macro.first[2] - macro.first[1])


def test_the_same_files_give_the_same_comparison(run):
    files = run("a", seed=1), run("b", seed=2)
    assert compared(*files).to_json() == compared(*files).to_json()


def test_differences_are_those_of_a_slow_paired_bootstrap(run, dataset):
    first, second = evaluated(dataset, seed=1), evaluated(dataset, seed=2)
    found = compared(run("a", seed=1), run("b", seed=2))
    scored = [made.report.detail.scored for made in (first, second)]
    draws = np.random.default_rng(0).multinomial(18, np.full(18, 1 / 18), size=1000)
    rows = [np.flatnonzero(scored[0].site == s) for s in range(18)]
    values = []
    for draw in draws[:200]:
        drawn = np.concatenate([rows[s].repeat(times) for s, times in enumerate(draw)])
        one, other = (f1_score(s.truth[drawn], s.label[drawn], average="macro", labels=range(4)) for s in scored)
        values.append(other - one)
    (macro,) = [each for each in found.differences if each.metric == "macro_f1"]
    assert macro.difference[1:] == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=0.01)
    assert macro.first[0] == pytest.approx(first.report.overall["macro_f1"][0])
    assert macro.second[0] == pytest.approx(second.report.overall["macro_f1"][0])


def test_every_figure_of_the_reports_is_compared(run, dataset):
    found = {(each.metric, each.label): each for each in compared(run("a"), run("b", seed=1)).differences}
    report = evaluated(dataset).report
    assert set(found) == {(name, None) for name in report.overall} | {(m, k) for m in report.per_label for k in report.labels}
    for (metric, label), each in found.items():
        wanted = report.overall[metric] if label is None else report.per_label[metric][report.labels.index(label)]
        assert each.first[0] == pytest.approx(wanted[0], abs=1e-6)


# ── what is compared


def test_runs_over_partly_the_same_data_are_compared_there_and_it_is_said(run, tmp_path):
    items = records(36, 18)
    items[0]["paragraphs"][0]["text"] += " More."  # the site of this article is another one now
    found = compared(run("a"), run("b", load(tmp_path / "other.jsonl", items[:24]), seed=1))
    assert 2 <= found.sites < 18
    assert any(f"compared on the {found.sites} sites" in note and "of 18" in note for note in found.notes)
    assert any("average precision is left out" in note for note in found.notes)
    assert not any(each.metric == "average_precision" for each in found.differences)


def test_settings_that_differ_are_named(run, dataset):
    found = compared(run("a"), run("b", dataset, "text.C=0.25", seed=1))
    assert "settings differ: text.C default in A, 0.25 in B" in found.notes
    assert not any("settings differ" in note for note in compared(run("a"), run("c", seed=1)).notes)


def test_other_random_numbers_leave_average_precision_out(run, dataset):
    found = compared(run("a"), run("b", dataset, "seed=4"))
    assert any("same seed" in note for note in found.notes)
    assert not any(each.metric == "average_precision" for each in found.differences)


def test_order_and_ids_of_articles_do_not_matter(run, tmp_path):
    items = [{**item, "id": f"other-{item['id']}"} for item in records(36, 18)[::-1]]
    assert compared(run("a"), run("b", load(tmp_path / "other.jsonl", items))).sites == 18


def test_runs_over_different_data_are_refused_in_one_line(cli, run, tmp_path):
    other = load(tmp_path / "other.jsonl", [{**item, "site": f"other-{item['site']}"} for item in records(36, 18)])
    refuse(cli("compare", run("a"), run("b", other)), "over different data", "18 sites")


def test_runs_with_other_labels_are_refused(cli, run, tmp_path):
    items = records(36, 18)
    for item in items:
        for paragraph in item["paragraphs"]:
            paragraph["label"] = "news" if paragraph["label"] == "news" else "navigation"
    labels = 'labels=[{name="news", kept=true}, {name="navigation"}]'
    refuse(cli("compare", run("a"), run("b", load(tmp_path / "x.jsonl", items), labels)), "different labels")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"sites": []}', '{"labels": ["a"], "sites": [1], "draws": {}}'])
def test_what_is_no_report_is_refused(cli, run, tmp_path, text):
    (tmp_path / "bad.json").write_text(text)
    refuse(cli("compare", run("a"), tmp_path / "bad.json"), "bad.json", "trainer evaluate --json")


def test_a_report_of_an_older_version_is_refused_with_the_way_out(cli, run, tmp_path, dataset):
    old = tmp_path / "old.json"
    old.write_text(json.dumps(to_json(evaluated(dataset).report)))
    refuse(cli("compare", old, run("a")), "old.json", "no figures of single sites", "trainer evaluate --json")


def test_an_absent_file_is_refused(cli, run, tmp_path):
    refuse(cli("compare", run("a"), tmp_path / "none.json"), "none.json")


# ── the command


def test_the_command_prints_both_runs_and_what_differs(cli, run):
    result = succeed(cli("compare", run("a", right=0.6), run("b", right=0.95, seed=1)))
    for wanted in ("a.json", "b.json", "macro-F1", "▲ better", "18 sites", "fewer errors in B"):
        assert wanted in result.out


def test_the_command_gives_json_and_a_page(cli, run, tmp_path):
    page = tmp_path / "compare.html"
    result = succeed(cli("compare", run("a"), run("b", seed=1), "--json", "--report", page))
    found = json.loads(result.out, parse_constant=pytest.fail)
    assert {"names", "sites", "differences", "by_site", "notes"} <= set(found)
    assert "Two evaluations compared" in page.read_text("utf-8")
    assert len(page.read_bytes()) < 200_000


def test_a_page_of_another_kind_is_refused_before_the_work(cli, run, tmp_path):
    refuse(cli("compare", run("a"), run("b"), "--report", tmp_path / "x.pdf"), ".html")
    assert not (tmp_path / "x.pdf").exists()


def test_two_evaluations_by_the_command_can_be_compared(cli, label_path, folder, tmp_path):
    files = [tmp_path / "cv.json", tmp_path / "model.json"]
    succeed(cli("evaluate", label_path, "--jobs", "1", "--json", files[0], *SET))
    succeed(cli("evaluate", label_path, "--model", folder, "--json", files[1], *SET))
    found = json.loads(succeed(cli("compare", *files, "--json")).out)
    assert found["sites"] == 12
    assert [title.split()[0] for title in found["titles"]] == ["3-fold", "saved"]
    figures = [json.loads(file.read_text("utf-8"))["overall"]["macro_f1"][0] for file in files]
    (macro,) = [each for each in found["differences"] if each["metric"] == "macro_f1"]
    assert [macro["first"][0], macro["second"][0]] == pytest.approx(figures)
