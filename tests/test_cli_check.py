"""`trainer labels check`: the report, what it writes, how it ends, and the way to Label Studio and back."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from annotated import files, joined, record
from commands import files as listed
from commands import read, refuse, spawn, succeed
from small import LABELS, ROOT, SET, records, write

from trainer.dataset import load_labels
from trainer.schema import NEWS_LABELS

QUICK = ("--no-model",)
APPEAL = "Leave a gift in your will so that the lamp in the harbour tower burns for those who come after you"


@pytest.fixture
def two(tmp_path):
    """Return label files of two people who disagree on two paragraphs of two articles."""
    ann = [record(0, "vnnnv"), record(1, "nnvvv"), record(2, "ncnvv")]
    bob = [record(0, "vnnnv"), record(1, "nfvvv"), record(2, "ncvvv")]
    return files(tmp_path, ann=ann, bob=bob)


@pytest.fixture
def check(cli):
    """Return a function that runs the command without a model."""
    return lambda *argv: cli("labels", "check", *argv, *QUICK)


def report(result):
    return json.loads(result.out)


def test_clean_labels_end_well(check, tmp_path):
    result = succeed(check(write(tmp_path / "a.jsonl", [record(0, "vvnncnnnvv"), record(1, "nnnffff")])))
    assert "2 articles, 17 of 17 paragraphs labelled" in result.out
    assert "no paragraph was labelled by two people" in result.out
    assert "found: nothing" in result.out


def test_conflicts_are_shown_and_end_with_one(check, two):
    result = check(*two)
    assert result.code == 1
    for wanted in ("Krippendorff", "ann – bob", "annotators disagree", "ann says news, bob says fundraising", "ann.jsonl:2"):
        assert wanted in result.out
    assert "annotators disagree: 2" in result.out


def test_json_has_everything(check, two):
    found = report(check(*two, "--json"))
    assert found["counts"]["conflict"] == 2
    assert found["annotators"] == ["ann", "bob"]
    assert found["agreement"]["paragraphs"] == 15
    (one, *_) = found["findings"]
    assert (one["kind"], one["article"], one["index"], one["label"]) == ("conflict", "s-1", 1, None)
    assert [said["annotator"] for said in one["annotations"]] == ["ann", "bob"]
    confusion = found["agreement"]["pairs"][0]["confusion"]
    assert sum(map(sum, confusion)) == 15
    assert confusion[0][1] == 1


def test_a_folder_of_annotations_as_they_are_pulled(check, tmp_path):
    (tmp_path / "labels").mkdir()
    write(tmp_path / "labels" / "x.jsonl", [joined(0, ann="nnv", bob="nvv"), joined(1, ann="ncv", bob="ncv")])
    found = report(check(tmp_path / "labels", "--json"))
    assert found["counts"]["conflict"] == 1


@pytest.mark.parametrize(("fail_on", "conflict", "clash"), [("conflict", 1, 0), ("any", 1, 1), ("never", 0, 0)])
def test_what_ends_with_one_can_be_chosen(check, two, tmp_path, fail_on, conflict, clash):
    appeal = [record(i, "nnvv") for i in range(3, 6)]
    for number, item in enumerate(appeal):
        item["paragraphs"][3] = {"text": APPEAL, "label": "navigation" if number == 1 else "fundraising"}
    assert check(*two, "--fail-on", fail_on).code == conflict
    assert check(write(tmp_path / "clash.jsonl", appeal), "--fail-on", fail_on).code == clash


def test_adjudicated_labels_train_and_check_clean(check, two, tmp_path):
    cid = write(tmp_path / "cid.jsonl", [record(1, "nfvvv"), record(2, "ncvvv")])
    gold = tmp_path / "gold" / "gold.jsonl"
    result = succeed(check(*two, cid, "--adjudicate", "majority", "--out", gold))
    assert "majority: settled 2 paragraphs" in result.out
    assert "not settled: 0 paragraphs" in result.out
    assert f"wrote {gold} (3 articles)" in result.err.replace("\n", "")
    assert load_labels([gold], NEWS_LABELS, adapting=True).counts()[None] == 0
    assert read(gold)[1]["paragraphs"][1]["label"] == "fundraising"
    again = succeed(check(gold))
    assert "Krippendorff" in again.out


def test_what_no_rule_settles_goes_to_review(check, two, tmp_path):
    gold, review = tmp_path / "gold.jsonl", tmp_path / "review.jsonl"
    result = check(*two, "--adjudicate", "majority", "--out", gold, "--review", review)
    assert result.code == 1
    assert "not settled: 2 paragraphs" in result.out
    assert [item["id"] for item in read(gold)] == ["s-0", "s-1", "s-2"]
    one, other = read(review)
    assert (one["id"], other["id"]) == ("s-1", "s-2")
    assert one["paragraphs"][1]["label"] is None
    assert one["paragraphs"][1]["review"] == "ann says news, bob says fundraising; a tie"
    assert [("review" in paragraph) for paragraph in one["paragraphs"]] == [False, True, False, False, False]


def test_rules_are_tried_in_order(check, two, tmp_path):
    gold = tmp_path / "gold.jsonl"
    rules = ("--adjudicate", "majority", "--adjudicate", "annotator=bob")
    found = report(succeed(check(*two, *rules, "--out", gold, "--json")))
    assert found["adjudicated"] == {"settled": {"majority": 0, "annotator=bob": 2}, "open": 0}


def test_the_limit_is_for_what_is_shown_and_reviewed_and_not_for_conflicts(check, tmp_path):
    items = [record(i, "nnvv") for i in range(8)]
    for number, item in enumerate(items):
        item["paragraphs"][3]["text"] = f"{APPEAL}, said story {'abcd'[number // 2]}"
        item["paragraphs"][3]["label"] = "navigation" if number % 2 else "fundraising"
    items.append(joined(8, ann="nn", bob="nv"))
    review = tmp_path / "review.jsonl"
    result = check(write(tmp_path / "x.jsonl", items), "--limit", "1", "--review", review)
    assert "same text, other label: 1 of 4" in result.out
    assert sorted(item["id"] for item in read(review)) == ["s-0", "s-8"]


def test_probably_wrong_labels_are_looked_for_with_a_model(cli, tmp_path):
    items = records()
    file = write(tmp_path / "x.jsonl", items)
    result = cli("labels", "check", file, *SET, "--json", "--fail-on", "never")
    found = report(succeed(result))
    assert found["counts"]["model"] > 0
    assert "24 articles are little" in found["notes"][0]
    model = [one for one in found["findings"] if one["kind"] == "model"]
    assert [one["score"] for one in model] == sorted((one["score"] for one in model), reverse=True)
    assert "a model that has not seen this site" in model[0]["reason"]
    shown = succeed(cli("labels", "check", file, *SET, "--fail-on", "never"))
    assert "probably wrong" in shown.out


def test_of_few_articles_the_model_of_the_package_judges_the_labels(cli, tmp_path):
    items = [json.loads(line) for line in (LABELS / "authored.jsonl").read_text("utf-8").splitlines()[:12]]
    (slip,) = [paragraph for paragraph in items[4]["paragraphs"] if paragraph["label"] == "news"][3:4]
    slip["label"] = "fundraising"
    slip.pop("kind", None)
    result = cli("labels", "check", write(tmp_path / "x.jsonl", items), "--json")
    found = report(succeed(result))
    model = [one for one in found["findings"] if one["kind"] == "model"]
    assert (model[0]["article"], model[0]["text"], model[0]["suggested"]) == (items[4]["id"], slip["text"], "news")
    assert "the model news-en says news" in model[0]["reason"]
    assert len(model) < 12  # a model trained on these alone doubts some ninety
    assert "too little to train a model on" in found["notes"][0]
    assert "Warning" not in result.err


def test_too_little_for_a_model_is_said_and_the_rest_is_checked(cli, tmp_path):
    file = write(tmp_path / "x.jsonl", [joined(0, ann="nnn", bob="nnv")])
    result = cli("labels", "check", file)
    assert result.code == 1
    assert "a model needs two articles and two labels" in result.out
    assert "annotators disagree: 1" in result.out


def test_neighbours_that_say_the_same_are_one_row(capsys):
    from trainer.cli.labels.check_tables import show

    one = {
        "kind": "model",
        "article": "a",
        "where": "x.jsonl:1",
        "text": "t",
        "label": "news",
        "suggested": "caption",
        "reason": "r",
    }
    found = [{**one, "index": i, "score": score} for i, score in ((5, 0.9), (3, 0.8), (4, 0.7), (9, 0.6))]
    counts = {"conflict": 0, "model": 4, "same": 0, "near": 0, "run": 0}
    base = {"articles": 1, "paragraphs": 10, "labelled": 10, "agreement": None, "adjudicated": None, "notes": []}
    show({**base, "findings": found, "counts": counts}, 10)
    out = capsys.readouterr().out
    assert "paragraphs 3 to 5: news → caption (0.90)" in out
    assert out.count("x.jsonl:1") == 2


def test_neighbouring_conflicts_are_one_row_only_where_the_same_is_said(check, tmp_path):
    three = [joined(0, ann="nnvn", bob="vvnv", cid="vvvc")]
    out = check(write(tmp_path / "x.jsonl", three)).out
    assert "paragraphs 0 to 1: ? → navigation (0.33)" in out
    assert "paragraph 2: ? → navigation (0.33)" in out
    assert "paragraph 3: ? → ? (0.67)" in out


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        (("--adjudicate", "majority"), "--adjudicate and --out go together"),
        (("--out", "gold.jsonl"), "--adjudicate and --out go together"),
        (("--adjudicate", "oldest", "--out", "gold.jsonl"), "is no rule"),
        (("--adjudicate", "annotator=dan", "--out", "gold.jsonl"), "Known are: ann, bob"),
        (("--adjudicate", "majority", "--out", "gold.csv"), "is not the name of a label file"),
        (("--adjudicate", "majority", "--out", "gold.jsonl", "--review", "gold.jsonl"), "name the same file"),
        (("--review", "review.standoff.jsonl"), "is not the name of a label file"),
        (("--push", "ferry"), "--push needs --review"),
        (("--fail-on", "rain"), "--fail-on"),
    ],
)
def test_wrong_use_is_refused_in_one_line(check, two, tmp_path, monkeypatch, argv, wanted):
    monkeypatch.chdir(tmp_path)
    refuse(check(*two, *argv), wanted)
    assert listed(tmp_path) == ["ann.jsonl", "bob.jsonl"]


def test_bad_lines_are_refused_with_file_and_line(check, tmp_path):
    for content, wanted in (
        ("{", "bad JSON"),
        ("[]", "expected an object"),
        ('{"id": "a", "site": "b"}', "missing field 'paragraphs'"),
    ):
        (tmp_path / "x.jsonl").write_text(json.dumps(record(0, "n")) + "\n" + content + "\n")
        refuse(check(tmp_path / "x.jsonl"), wanted, "x.jsonl:2")
    refuse(check(tmp_path / "nowhere.jsonl"), "nowhere.jsonl")
    (tmp_path / "empty.jsonl").touch()
    refuse(check(tmp_path / "empty.jsonl"), "no articles")


def test_files_are_replaced_only_with_force(check, two, tmp_path):
    gold = tmp_path / "gold.jsonl"
    gold.write_text("mine\n")
    rule = ("--adjudicate", "annotator=ann", "--out", gold)
    refuse(check(*two, *rule), gold, "--force")
    assert gold.read_text() == "mine\n"
    succeed(check(*two, *rule, "--force"))
    assert len(read(gold)) == 3


def test_a_failing_write_leaves_nothing_half_written(check, two, tmp_path):
    (tmp_path / "file").touch()
    refuse(check(*two, "--adjudicate", "annotator=ann", "--out", tmp_path / "file" / "gold.jsonl"), "cannot be written")
    assert listed(tmp_path) == ["ann.jsonl", "bob.jsonl", "file"]


def test_packed_files_and_lone_surrogates_come_through(check, tmp_path):
    items = [record(0, "nv"), joined(1, ann="n", bob="v")]
    items[0]["paragraphs"][0]["text"] = "\ud83d and \U0001f600"
    gold = tmp_path / "gold.jsonl.gz"
    succeed(check(write(tmp_path / "x.jsonl.gz", items), "--adjudicate", "annotator=bob", "--out", gold))
    assert [paragraph["text"] for paragraph in read(gold)[0]["paragraphs"]] == [p["text"] for p in items[0]["paragraphs"]]


def test_an_interrupt_keeps_what_was_settled(two, tmp_path):
    gold = tmp_path / "gold.jsonl"
    command = ["labels", "check", *two, "--adjudicate", "annotator=ann", "--out", gold, "--set", "context.epochs=100000"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-m", "trainer", *map(str, command)], stderr=subprocess.PIPE, env=env) as process:
        deadline = time.monotonic() + 60
        while not gold.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
    assert process.returncode == 130
    assert len(read(gold)) == 3
    assert listed(tmp_path) == ["ann.jsonl", "bob.jsonl", "gold.jsonl"]


def test_labels_from_standard_input(two):
    result = spawn("labels", "check", "-", two[1], "--no-model", stdin=two[0].read_bytes())
    assert result.code == 1
    assert "bob – stdin" in result.out


def test_help_teaches(cli):
    result = succeed(cli("labels", "check", "--help"))
    for wanted in ("--adjudicate", "majority", "annotator=NAME", "Example:", "Exits with 0"):
        assert wanted in result.out


# ── with Label Studio


@pytest.fixture
def server(studio, monkeypatch):
    """Return a running Label Studio that the commands find."""
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.token)
    return studio


def test_what_is_left_open_is_pushed_as_a_project_and_comes_back_settled(check, cli, server, tmp_path):
    import httpx

    pulled = write(tmp_path / "pulled.jsonl", [joined(0, ann="vnnv", bob="vnnv"), joined(1, ann="nnvv", bob="nfvv")])
    gold, review = tmp_path / "gold.jsonl", tmp_path / "review.jsonl"
    rules = ("--adjudicate", "majority", "--out", gold, "--review", review)
    result = check(pulled, *rules, "--push", "ferry")
    assert result.code == 1, result.err
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Token {server.token}"}, timeout=60) as http:
        projects = {one["title"]: one["id"] for one in http.get("/api/projects", params={"page_size": 1000}).json()["results"]}
        project = projects["ferry review"]
        (task,) = http.get("/api/tasks", params={"project": project, "fields": "all"}).json()["tasks"]
        assert task["data"]["id"] == "s-1"
        assert "ann says news, bob says fundraising; a tie" in task["data"]["review"]
        regions = task["predictions"][0]["result"]
        for region in regions:
            if int(region["value"]["start"]) == 1:
                region["value"]["paragraphlabels"] = ["fundraising"]
        http.post(f"/api/tasks/{task['id']}/annotations/", json={"result": regions}).raise_for_status()
    succeed(cli("labels", "pull", "--project", "ferry review", "--out", gold))
    assert succeed(check(gold)).code == 0
    settled = {item["id"]: item for item in read(gold)}["s-1"]["paragraphs"][1]
    assert settled["label"] == "fundraising"


def test_nothing_is_pushed_where_nothing_was_found(check, tmp_path):
    clean = write(tmp_path / "x.jsonl", [record(0, "vvnnnnvv"), record(1, "nnnffff")])
    result = succeed(check(clean, "--review", tmp_path / "review.jsonl", "--push", "nothing"))
    assert "nothing to push" in result.err
    assert read(tmp_path / "review.jsonl") == []


def test_without_a_server_the_review_is_not_lost(check, two, tmp_path, monkeypatch):
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "0" * 40)
    review = tmp_path / "review.jsonl"
    result = check(*two, "--review", review, "--push", "ferry", "--url", "http://127.0.0.1:9")
    refuse(result, "127.0.0.1:9", started=True)
    assert len(read(review)) == 2
    assert "0" * 40 not in result.out + result.err
