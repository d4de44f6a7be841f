"""Thousands of tasks, pushed to a real Label Studio and pulled from it and from an export."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from commands import read, succeed
from labelling import file, ids, number_of, project_name, result, scraped, tasks_of, use

from trainer.cli.labels.pull import pull
from trainer.cli.labels.push import push
from trainer.schema import NEWS_LABELS
from trainer.studio import articles

MANY, EXPORTED = 2_500, 10_000
LABELS = ["news", "caption", None, "navigation", "fundraising"]


@pytest.fixture
def client(studio, monkeypatch):
    """A client of the server that the commands find."""
    with use(studio, monkeypatch) as client:
        yield client


def test_many_articles_are_pushed_once_each(client, tmp_path, folder):
    project, source = project_name(), file(tmp_path, map(scraped, range(MANY)))
    assert push([source], project, folder)["new"] == MANY
    again = push([source], project, folder)
    assert (again["new"], again["predictions_replaced"], again["doubles_deleted"]) == (0, 0, 0)
    found = [task["data"]["id"] for page, _ in client.tasks(number_of(client, project)) for task in page]
    assert Counter(found) == Counter(f"a{i}" for i in range(MANY))
    assert client.model_versions(number_of(client, project)) == {again["model_version"]: MANY}


def test_all_of_many_annotated_tasks_are_pulled(client, tmp_path):
    project, source = project_name(), file(tmp_path, map(scraped, range(MANY)))
    push([source], project, no_model=True, limit=1)
    (task,) = tasks_of(client, project)
    annotation = {"result": result(task, LABELS)}
    rest = [{"data": a.data, "annotations": [annotation]} for a in articles.read([source], NEWS_LABELS, {}).articles[1:]]
    for begin in range(0, len(rest), 500):
        client.import_tasks(number_of(client, project), rest[begin : begin + 500])
    out = tmp_path / "out.jsonl"
    report = pull(project, out)
    assert (report["articles"], report["new"]) == (MANY - 1, 4 * (MANY - 1))
    assert ids([{"data": record} for record in read(out)]) == [f"a{i}" for i in range(1, MANY)]
    assert all([p["label"] for p in record["paragraphs"]] == LABELS for record in read(out))


def test_an_export_of_ten_thousand_tasks_is_read(tmp_path, cli):
    tasks = []
    for number, article in enumerate(articles.read([file(tmp_path, map(scraped, range(EXPORTED)))], NEWS_LABELS, {}).articles):
        task = {"id": number, "data": article.data}
        regions = result(task, LABELS)
        one = {"result": regions, "was_cancelled": number % 10 == 9, "completed_by": 1, "updated_at": "2026-01-01T00:00:00Z"}
        tasks.append({**task, "annotations": [one], "predictions": []})
    export = tmp_path / "export.json"
    export.write_text(json.dumps(tasks))
    out = tmp_path / "out.jsonl"
    outcome = succeed(cli("labels", "pull", "--from-export", export, "--out", out))
    assert "9,000 annotations of 9,000 articles, 1,000 skipped ones left out" in outcome.out
    assert [record["id"] for record in read(out)] == [f"a{i}" for i in range(EXPORTED) if i % 10 != 9]
