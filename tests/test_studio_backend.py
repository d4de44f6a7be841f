"""`trainer studio backend` as Label Studio uses it: a real server asks a real backend."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from labelling import file, number_of, project_name, scraped, submit, tasks_of, use
from small import ROOT
from studio_server import Studio, copy_of_template, free_port

from trainer import artifact
from trainer.cli.labels.push import push
from trainer.schema import NEWS_LABELS
from trainer.studio import interface

pytestmark = pytest.mark.xdist_group("own-studio")
PATIENCE = 180.0
DOCUMENTED = (ROOT / "docs" / "backend.md").read_text("utf-8")
ALLOWED = dict(re.findall(r"^export (\w+)=(\S+)$", DOCUMENTED, re.MULTILINE))  # the settings that the guide tells to use
HOST = "127.128.0.1"
LABELS = ["news", "news", "caption", "fundraising", "navigation"]


class Served:
    """A backend in a process of its own."""

    def __init__(self, work: Path, *arguments: object, **environ: str) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.log = work / f"backend-{self.port}.log"
        command = [sys.executable, "-m", "trainer", "studio", "backend", "--host", HOST, "--port", self.port, *arguments]
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                list(map(str, command)),
                stdout=out,
                stderr=out,
                cwd=work,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
            )
        wait(lambda: self._answers() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8")

    @property
    def health(self) -> dict[str, Any]:
        return dict(httpx.get(f"{self.url}/health", timeout=30).json())

    def post(self, path: str, payload: Any, **headers: str) -> httpx.Response:
        return httpx.post(f"{self.url}/{path}", json=payload, headers=headers, timeout=60)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)

    def _answers(self) -> bool:
        try:
            return self.health["status"] == "UP"
        except httpx.HTTPError:
            return False


def wait(until: Any, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A Label Studio that may ask backends on this machine."""
    server = Studio(copy_of_template(tmp_path_factory.mktemp("backend") / "data"), **ALLOWED)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(labelled, monkeypatch):
    with use(labelled, monkeypatch) as client:
        yield client


@pytest.fixture
def project(client, tmp_path):
    """A project of eight articles without a model's labels."""
    name = project_name() + " live"
    push([file(tmp_path, map(scraped, range(8)))], name, no_model=True)
    return name


@pytest.fixture
def serve(tmp_path):
    """Return a function that starts a backend."""
    started = []

    def start(*arguments: object, **environ: str) -> Served:
        started.append(Served(tmp_path, *arguments, **environ))
        return started[-1]

    yield start
    for served in started:
        served.stop()


def connect(client, project: str, served: Served) -> int:
    """Add a backend to a project as its settings page does; return its number."""
    made = client._sdk.ml.create(url=served.url, project=number_of(client, project), title="live", is_interactive=False)
    return int(made.id)


def ask(client, project: str) -> None:
    """Let Label Studio ask the backend about all tasks."""
    selected = {"all": True, "excluded": []}
    client._sdk.actions.create(id="retrieve_tasks_predictions", project=number_of(client, project), selected_items=selected)


def of_version(task: dict[str, Any], version: str) -> list[str]:
    (found,) = [p for p in task["predictions"] if p["model_version"] == version]
    return [label for region in interface.regions(found["result"]) for label in region.labels]


def test_label_studio_gets_labels_for_new_tasks(client, project, serve, folder, labelled):
    served = serve("--model", folder)
    connect(client, project, served)
    ask(client, project)
    model = artifact.load(folder)
    version = served.health["model_version"]
    assert version == f"trainer:{model.name}@{model.digest[:12]}"
    tasks = tasks_of(client, project)
    assert len(tasks) == 8
    for task in tasks:
        expected = model.label([part["text"] for part in task["data"]["paras"]])
        assert of_version(task, version) == [one.label for one in expected]
    assert labelled.token not in served.said  # it was sent in clear by /setup


def test_submitted_articles_lead_to_a_new_model_while_the_old_one_serves(client, project, serve, folder, tmp_path, labelled):
    served = serve("--model", folder, "--project", project, "--retrain-after", 3, "--folder", tmp_path / "work")
    connect(client, project, served)
    ask(client, project)
    old = served.health["model_version"]
    tasks = tasks_of(client, project)
    request = {"tasks": tasks[:2], "label_config": interface.config(NEWS_LABELS), "project": "1.1"}
    answers: list[tuple[int, str]] = []
    over = threading.Event()

    def keep_asking() -> None:
        while not over.is_set():
            answer = served.post("predict", request)
            answers.append((answer.status_code, answer.json()["results"][0]["model_version"]))

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        for task in tasks[:2]:
            submit(client, task, LABELS)
        assert served.health["training"]["state"] == "idle"
        submit(client, tasks[2], LABELS)
        wait(lambda: served.health["training"]["trained"] == 1)
        wait(lambda: answers[-1][1] != old)
    finally:
        over.set()
        asking.join()
    new = served.health["model_version"]
    assert new != old
    assert new.startswith(f"trainer:{folder.name}-1@")
    assert {status for status, _ in answers} == {200}
    versions = [version for _, version in answers]
    assert set(versions) == {old, new}
    assert versions == sorted(versions, key=[old, new].index)  # one swap, and no way back
    ask(client, project)
    assert all(of_version(task, new) for task in tasks_of(client, project))
    pulled = [json.loads(line) for line in (tmp_path / "work" / "labels.jsonl").read_text("utf-8").splitlines()]
    assert [[p["label"] for p in record["paragraphs"]] for record in pulled] == [LABELS] * 3
    assert artifact.load(tmp_path / "work" / f"{folder.name}-1").info["base"]["name"] == folder.name
    assert labelled.token not in served.said + (tmp_path / "work" / "retraining.log").read_text("utf-8")


def test_a_failed_training_leaves_the_model_and_says_why(client, project, serve, folder, tmp_path):
    served = serve("--model", folder, "--project", project, "--retrain-after", 1, "--folder", tmp_path / "work")
    backend = connect(client, project, served)
    old = served.health["model_version"]
    client._sdk.ml.train(id=backend)  # nothing has been submitted, so there is nothing to learn from
    wait(lambda: served.health["training"]["state"] == "failed")
    health = served.health
    assert health["model_version"] == old
    assert "trainer train" in health["training"]["reason"] or "trainer labels pull" in health["training"]["reason"]
    assert "the model stays" in served.said
    submit(client, tasks_of(client, project)[0], LABELS)  # the next one works
    wait(lambda: served.health["training"]["trained"] == 1)
    assert served.health["model_version"] != old
