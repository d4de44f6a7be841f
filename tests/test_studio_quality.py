"""The verdict on a whole article in a real Label Studio: asked for with one key, pulled, compared between people."""

from __future__ import annotations

import json

import pytest
from commands import read, succeed
from labelling import colleague, file, number_of, project_name, result, scraped, tasks_of, use
from small import write

from trainer.cli.labels.pull import pull
from trainer.cli.labels.push import push
from trainer.dataset import load_labels
from trainer.schema import NEWS_LABELS
from trainer.studio import interface


@pytest.fixture
def client(studio, monkeypatch):
    """A client of the server that the commands find."""
    with use(studio, monkeypatch) as client:
        yield client


@pytest.fixture
def project(client, tmp_path):
    """A project with three articles, one of which comes with a verdict."""
    name = project_name()
    records = [scraped(0), scraped(1), scraped(2, quality="poor", quality_reason="promo")]
    push([file(tmp_path, records, "pushed.jsonl")], name)
    return name


def judge(client, task, code, *, who=None):
    """Submit an annotation of a task with a verdict."""
    regions = result(task, ["news", "news", "caption", "news", "navigation"])
    regions.append({"from_name": "quality", "to_name": "text", "type": "choices", "value": {"choices": [code]}})
    more = {} if who is None else {"completed_by": who}
    client._sdk.annotations.create(task["id"], result=regions, lead_time=3.0, **more)


def test_the_project_asks_for_a_verdict_and_shows_one_that_is_there(client, project):
    xml = client.project(number_of(client, project))["label_config"]
    assert interface.asks_quality(xml)
    keys = interface.quality_keys(NEWS_LABELS)
    assert len(set(keys.values()) | {label.hotkey for label in NEWS_LABELS}) == len(keys) + len(NEWS_LABELS)
    assert [interface.verdict(task["predictions"][0]["result"]) for task in tasks_of(client, project)] == [None, None, "promo"]


def test_a_verdict_is_pulled_into_the_label_file(client, project, tmp_path):
    one, two, _ = tasks_of(client, project)
    judge(client, one, "good")
    judge(client, two, "listing")
    out = tmp_path / "pulled.jsonl"
    assert pull(project, out)["verdicts"] == 2
    first, second = read(out)
    assert (first["quality"], "quality_reason" in first) == ("good", False)
    assert (second["quality"], second["quality_reason"]) == ("poor", "listing")
    assert [article.quality for article in load_labels([out], NEWS_LABELS).articles] == ["good", "poor"]
    before = out.read_bytes()
    assert pull(project, out)["verdicts"] == 0
    assert out.read_bytes() == before


def test_a_contested_verdict_is_null_and_check_says_so(client, project, tmp_path, cli):
    one, two, three = tasks_of(client, project)
    other = colleague(client)
    for task, codes in ((one, ("good", "good")), (two, ("good", "garbled")), (three, ("promo", "listing"))):
        judge(client, task, codes[0])
        judge(client, task, codes[1], who=other)
    out = tmp_path / "pulled.jsonl"
    report = pull(project, out)
    assert [case["id"] for case in report["verdict_conflicts"]] == ["a1"]
    same, contested, poor = read(out)
    assert same["quality"] == "good"
    assert "quality" not in contested
    assert {one["verdict"] for one in contested["quality_annotations"]} == {"good", "garbled"}
    assert (poor["quality"], "quality_reason" in poor) == ("poor", False)
    done = succeed(cli("labels", "check", out, "--no-model", "--json", "--fail-on", "never"))
    quality = json.loads(done.out)["quality"]
    assert quality["agreement"]["paragraphs"] == 3
    assert [case["id"] for case in quality["conflicts"]] == ["a1", "a2"]


def test_a_contested_verdict_that_was_settled_in_the_file_stays_until_somebody_says_more(client, project, tmp_path):
    task = tasks_of(client, project)[1]
    other = colleague(client)
    judge(client, task, "good")
    judge(client, task, "garbled", who=other)
    out = tmp_path / "pulled.jsonl"
    pull(project, out)
    (contested,) = read(out)
    write(out, [{**contested, "quality": "poor", "quality_reason": "garbled"}])
    report = pull(project, out)
    assert (report["verdicts"], report["verdict_conflicts"]) == (0, [])
    (settled,) = read(out)
    assert (settled["quality"], settled["quality_reason"]) == ("poor", "garbled")
    judge(client, task, "promo", who=other)
    assert [case["id"] for case in pull(project, out)["verdict_conflicts"]] == ["a1"]
    assert "quality" not in read(out)[0]


def test_a_verdict_that_was_taken_back_stays_unless_pruned(client, project, tmp_path):
    task = tasks_of(client, project)[0]
    judge(client, task, "good")
    out = tmp_path / "pulled.jsonl"
    assert pull(project, out)["annotators"] == ["tests@example.com"]
    (annotation,) = tasks_of(client, project)[0]["annotations"]
    client._sdk.annotations.update(annotation["id"], result=result(task, ["news", "news", "caption", "news", "navigation"]))
    report = pull(project, out)
    assert (report["gone"], report["pruned"], read(out)[0]["quality"]) == (1, False, "good")
    report = pull(project, out, prune=True)
    (record,) = read(out)
    assert (report["gone"], report["pruned"], record["paragraphs"][0]["label"]) == (1, True, "news")
    assert not {"quality", "quality_annotations"} & record.keys()


def test_a_project_from_before_gets_the_question_and_keeps_its_annotations(client, tmp_path):
    name = project_name()
    records = file(tmp_path, [scraped(0)], "pushed.jsonl")
    push([records], name, no_model=True)
    number = number_of(client, name)
    xml = client.project(number)["label_config"]
    start, end = xml.index("<Choices"), xml.index("</Choices>") + len("</Choices>")
    client.update_project(number, label_config=xml[:start] + xml[end:])
    (task,) = tasks_of(client, name)
    client._sdk.annotations.create(task["id"], result=result(task, ["news"] * 5), lead_time=1.0)
    push([records], name, no_model=True)
    assert interface.asks_quality(client.project(number)["label_config"])
    assert len(tasks_of(client, name)[0]["annotations"]) == 1
