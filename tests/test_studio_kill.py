"""Label Studio, or the command, killed in the middle: nothing is lost, nothing doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
from commands import read, refuse
from labelling import (
    file,
    ids,
    kill,
    kill_and_restart,
    number_of,
    predicted,
    project_name,
    result,
    scraped,
    submit,
    tasks_of,
    use,
    versions,
)
from small import ROOT

from trainer.cli.labels.push import push
from trainer.config import load_config
from trainer.errors import ServerError
from trainer.schema import NEWS_LABELS
from trainer.studio import articles, client, pull
from trainer.studio.client import connect
from trainer.studio.push import Predictor
from trainer.studio.push import push as push_articles

MANY = 700


@pytest.fixture
def own(new_studio, monkeypatch):
    """A server of the test's own, which the commands find."""
    studio = new_studio()
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.token)
    return studio


class _Once:
    """Kills and restarts a server the first time that enough of some work is done."""

    def __init__(self, studio, description, seconds):
        self.studio, self.description, self.seconds = studio, description, seconds
        self.thread = None

    def __call__(self, description, done, total):
        if self.thread is None and description == self.description and 0 < done < total:
            self.thread = kill_and_restart(self.studio, self.seconds)


def batch_of(path):
    return articles.read([path], NEWS_LABELS, load_config().by_kind).articles


def test_a_push_outlives_the_death_of_the_server(own, tmp_path, tiny, model):
    source = file(tmp_path, map(scraped, range(MANY)))
    notes = []
    with connect(note=notes.append) as there:
        tick = _Once(own, "articles", 0.3)
        report = push_articles(there, "news", batch_of(source), Predictor(NEWS_LABELS, tiny), tick=tick, note=notes.append)
        tick.thread.join()
        assert any("does not answer" in note or "looking what was done" in note for note in notes)
        tasks = tasks_of(there, "news")
        assert Counter(ids(tasks)) == Counter(f"a{i}" for i in range(MANY))
        assert report["new"] == MANY
        assert all(predicted(task) for task in tasks)
        tick = _Once(own, "predictions", 0.3)  # and while a newer model's predictions replace the older ones
        push_articles(there, "news", [], Predictor(NEWS_LABELS, model), tick=tick, note=notes.append)
        tick.thread.join()
        assert set(map(tuple, versions(tasks_of(there, "news")))) == {(Predictor(NEWS_LABELS, model).version,)}


def test_a_pull_outlives_the_death_of_the_server(own, tmp_path):
    with connect() as there:
        push([file(tmp_path, [scraped(0)])], "news", no_model=True)
        (task,) = tasks_of(there, "news")
        records = articles.read([file(tmp_path, map(scraped, range(MANY)))], NEWS_LABELS, {}).articles
        annotation = {"result": result(task, ["news", "caption", None, "navigation", "news"])}
        there.import_tasks(number_of(there, "news"), [{"data": one.data, "annotations": [annotation]} for one in records[1:]])
        tick = _Once(own, "tasks", 0.0)
        harvest = pull.pull(there, "news", NEWS_LABELS, tick=tick)
        tick.thread.join()
        assert sorted(harvest.articles) == sorted(f"a{i}" for i in range(1, MANY))
        assert harvest.annotations == MANY - 1


def test_a_server_that_stays_away_ends_the_command_and_touches_nothing(own, tmp_path, cli, monkeypatch):
    out = tmp_path / "out.jsonl"
    source = file(tmp_path, [scraped(0), scraped(1)])
    push([source], "news", no_model=True)
    with connect() as there:
        submit(there, tasks_of(there, "news")[0], ["news"] * 5)
    assert cli("labels", "pull", "--project", "news", "--out", out).code == 0
    before = out.read_bytes()
    monkeypatch.setattr(client, "PATIENCE", 2.0)
    with connect() as there:
        there.projects("news")  # it has answered, so that it is waited for
        kill(own)
        begun = time.monotonic()
        with pytest.raises(ServerError, match="no Label Studio answers"):
            pull.pull(there, "news", NEWS_LABELS)
        assert 2.0 <= time.monotonic() - begun < 20
    refuse(cli("labels", "pull", "--project", "news", "--out", out), "no Label Studio answers", "trainer studio up")
    refuse(cli("labels", "push", source, "--project", "news"), "no Label Studio answers", "trainer studio up")
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []
    own.start()
    push([source], "news", no_model=True)
    with connect() as there:
        assert ids(tasks_of(there, "news")) == ["a0", "a1"]
    assert cli("labels", "pull", "--project", "news", "--out", out).code == 0
    assert read(out)[0]["paragraphs"][0]["label"] == "news"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_push_that_was_stopped_goes_on_where_it_stood(studio, tmp_path, monkeypatch, how):
    source = file(tmp_path, map(scraped, range(MANY)))
    name = project_name()
    with use(studio, monkeypatch) as there:
        command = [sys.executable, "-m", "trainer", "labels", "push", str(source), "--project", name]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and not _some(there, name):
                time.sleep(0.05)
            process.send_signal(how)
            _, err = process.communicate()
        assert process.returncode == (130 if how is signal.SIGINT else -signal.SIGKILL), err
        assert b"Traceback" not in err
        begun = len(tasks_of(there, name))
        assert 0 < begun < MANY
        report = push([source], name)
        assert 0 < report["new"] <= MANY - begun + 200  # a request that was on its way may have ended meanwhile
        tasks = tasks_of(there, name)
        assert Counter(ids(tasks)) == Counter(f"a{i}" for i in range(MANY))
        assert all(predicted(task) for task in tasks)


def _some(there, name):
    found = there.projects(name)
    return bool(found) and found[0]["task_number"] > 0


def test_two_pushes_at_the_same_time_leave_no_doubles(studio, tmp_path, monkeypatch, tiny):
    source = file(tmp_path, map(scraped, range(120)))
    name = project_name()
    with use(studio, monkeypatch) as there:
        there.create_project(title=name)

        def run():
            with connect() as other:
                push_articles(other, name, batch_of(source), Predictor(NEWS_LABELS, tiny))

        both = [threading.Thread(target=run) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        push_articles(there, name, batch_of(source), Predictor(NEWS_LABELS, tiny))
        assert Counter(ids(tasks_of(there, name))) == Counter(f"a{i}" for i in range(120))
