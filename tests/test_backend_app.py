"""What a backend answers, and how retraining counts, without a Label Studio."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest
import uvicorn
from commands import refuse
from labelling import scraped
from small import ROOT
from studio_server import free_port

from trainer.schema import NEWS_LABELS, Label, LabelSet
from trainer.studio import interface
from trainer.studio.backend import Backend, create_app
from trainer.studio.push import Predictor
from trainer.studio.retraining import Retraining

TOKEN = "aabbccddeeff00112233aabbccddeeff00112233"
XML = interface.config(NEWS_LABELS)


def task(number: int, **data: object) -> dict[str, object]:
    texts = scraped(number)["paragraphs"]
    return {"id": number, "data": {"id": f"a{number}", "key": f"k{number}", "paras": interface.paras(texts), **data}}


def event(number: int, action: str = "ANNOTATION_CREATED", title: str = "news", **fields: object) -> dict[str, object]:
    return {"action": action, "annotation": {"id": number, **fields}, "project": {"id": 1, "title": title}}


@pytest.fixture
def retraining(tmp_path):
    return Retraining("news", 100, tmp_path, "tiny", NEWS_LABELS)


@pytest.fixture
def backend(tiny, retraining):
    return Backend(Predictor(NEWS_LABELS, tiny), retraining)


@pytest.fixture
def web(backend):
    """A client of the backend, which serves in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(create_app(backend), log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60) as client:
            yield client
        server.should_exit = True
        thread.join()


def test_health_and_setup_tell_the_model_version(web, tiny):
    version = f"trainer:{tiny.name}@{tiny.digest[:12]}"
    health = web.get("/health").json()
    assert (health["status"], health["model_version"]) == ("UP", version)
    assert health["training"] == {"state": "idle", "submitted": 0, "after": 100, "trained": 0}
    assert web.post("/setup", json={"schema": XML, "access_token": TOKEN}).json() == {"model_version": version}
    assert web.get("/versions").json() == {"versions": [version]}


def test_the_token_of_setup_goes_nowhere(web, caplog, backend):
    caplog.set_level(logging.DEBUG)
    for payload in ({"schema": XML, "access_token": TOKEN}, {"schema": "<View/>", "access_token": TOKEN}):
        answer = web.post("/setup", json=payload)
        assert TOKEN not in answer.text
    broken = web.post("/setup", content=f'{{"access_token": "{TOKEN}"', headers={"content-type": "application/json"})
    assert broken.status_code == 422
    assert TOKEN not in broken.text + caplog.text
    assert TOKEN not in str(vars(backend))


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ('<View><Text name="t" value="$t"/></View>', "not that of this toolkit"),
        (interface.config(LabelSet([Label("news", kept=True), Label("caption")])), "no label fundraising, navigation"),
        ("", "not that of this toolkit"),
    ],
)
def test_a_project_that_does_not_fit_is_refused(web, xml, reason):
    for path, payload in (("/setup", {"schema": xml}), ("/predict", {"tasks": [], "label_config": xml})):
        answer = web.post(path, json=payload)
        assert answer.status_code == 400
        assert reason in answer.json()["detail"]


def test_predictions_are_the_models_and_in_order(web, tiny):
    tasks = [task(1), {"id": 5, "data": {"text": "not ours"}}, task(2), {"id": 6}]
    first, foreign, second, empty = web.post("/predict", json={"tasks": tasks, "label_config": XML}).json()["results"]
    assert foreign == empty == []
    for number, found in ((1, first), (2, second)):
        expected = tiny.label(scraped(number)["paragraphs"])
        assert [region["value"]["paragraphlabels"] for region in found["result"]] == [[one.label] for one in expected]


def test_labels_that_a_task_came_with_go_before_the_models(web):
    labels = ["caption", None, None, None, None]
    (found,) = web.post("/predict", json={"tasks": [task(1, labels=labels)], "label_config": XML}).json()["results"]
    assert found["result"][0]["value"]["paragraphlabels"] == ["caption"]
    assert "score" not in found["result"][0]


@pytest.mark.parametrize("tasks", [None, "all", [1, 2], {"id": 1}])
def test_tasks_that_are_none_are_refused(web, tasks):
    assert web.post("/predict", json={"tasks": tasks, "label_config": XML}).status_code == 400


def test_web_pages_do_not_reach_it(web):
    assert web.get("/health", headers={"host": "evil.example"}).status_code == 400
    assert web.get("/health", headers={"host": "localhost:9090"}).status_code == 200
    plain = web.post("/webhook", content='{"action": "START_TRAINING"}', headers={"content-type": "text/plain"})
    assert plain.status_code == 422


def test_each_submitted_annotation_counts_once(web, retraining):
    told = [event(1), event(1), event(2), event(2, "ANNOTATION_UPDATED"), event(3, "ANNOTATION_UPDATED")]
    for payload in told:
        assert web.post("/webhook", json=payload).status_code == 200
    assert retraining.status()["submitted"] == 3


def test_what_is_no_submission_does_not_count(web, retraining):
    many = {"action": "ANNOTATIONS_CREATED", "annotations": [{"id": 8}, {"id": 9, "was_cancelled": True}, "x"]}
    for payload in (
        event(1, was_cancelled=True),
        event(2, title="another project"),
        event(3, "ANNOTATIONS_DELETED"),
        event(4, "PROJECT_UPDATED"),
        {"action": "ANNOTATION_CREATED"},
        {"action": "ANNOTATION_CREATED", "project": "news", "annotation": {"id": 7}},
        {**event(5), "annotation": {"id": None}},
        {**many, "project": {"title": "news"}},
    ):
        assert web.post("/webhook", json=payload).status_code == 200
    assert retraining.status()["submitted"] == 1


def test_closing_stops_a_training_that_hangs(retraining, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # a server that never answers
        monkeypatch.setenv("LABEL_STUDIO_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", TOKEN)
        retraining.start()
        deadline = time.monotonic() + 60
        while retraining._process is None and time.monotonic() < deadline:
            time.sleep(0.05)
        began = time.monotonic()
        retraining.close()
        assert time.monotonic() - began < 10
        assert retraining._process.poll() is not None
        assert retraining.status()["state"] == "failed"
        retraining.start()
        assert retraining.status()["state"] == "failed"  # no further one


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--retrain-after", "3"], "--project"),
        (["--project", "news"], "--retrain-after"),
        (["--labels", "labels"], "--project"),
        (["--retrain-after", "3", "--project", "news"], "token"),
        (["--port", "0"], "--port"),
    ],
)
def test_what_cannot_work_is_refused(cli, folder, monkeypatch, arguments, wanted):
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)
    refuse(cli("studio", "backend", "--model", folder, *arguments), wanted)


def test_a_busy_port_is_refused(cli, folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refuse(cli("studio", "backend", "--model", folder, "--port", port), f"127.0.0.1:{port}", "--port", started=True)


def test_interrupted_it_ends_with_130(folder, tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "trainer", "studio", "backend", "--model", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=ROOT)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{port}/health")
            break
        except httpx.HTTPError:
            time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in said
