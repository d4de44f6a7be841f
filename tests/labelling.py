"""What the tests with Label Studio share: articles, and what people do with them, through the server's own interface."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest
from small import write
from studio_server import Studio

from trainer.studio import interface, server
from trainer.studio.client import Client, Task

NAMES = count(1)
COLLEAGUE = "colleague@example.com"
LINES = (
    "The harbour office closed the north ramp on Tuesday after divers found a crack in its third pile.",
    "Repairs should take until the spring, said Ada Holm, who runs the ferries.",
    "The ramp at dusk. Photo: M. Oduya",
    "Keep our night desk open: give what you can.",
    "Read more: The last boat leaves at four",
)


def scraped(number: int, paragraphs: int = 5, **fields: Any) -> dict[str, Any]:
    """Return a record of an article whose paragraphs are all different."""
    texts = [f"{LINES[i % len(LINES)]} ({number}/{i})" for i in range(paragraphs)]
    record = {"id": f"a{number}", "url": f"https://www.site{number % 7}.example/{number}", "title": f"Story {number}"}
    return {**record, "paragraphs": texts, **fields}


def project_name() -> str:
    """Return a name that no test has used."""
    return f"project {next(NAMES)}"


def use(studio: Studio, patch: pytest.MonkeyPatch) -> Client:
    """Let the commands find the server; return a client of one's own."""
    patch.setenv("LABEL_STUDIO_URL", studio.url)
    patch.setenv("LABEL_STUDIO_API_KEY", studio.token)
    return Client(studio.url, studio.token)


def file(folder: Path, records: Sequence[dict[str, Any]], name: str = "articles.jsonl") -> Path:
    """Write records to a file."""
    return write(folder / name, list(records))


def number_of(client: Client, project: str) -> int:
    """Return a project's number."""
    (found,) = client.projects(project)
    return int(found["id"])


def tasks_of(client: Client, project: str) -> list[Task]:
    """Return all tasks with annotations and predictions."""
    return [task for page, _ in client.tasks(number_of(client, project), whole=True) for task in page]


def ids(tasks: Sequence[Task]) -> list[str]:
    """Return the article of each task, in order."""
    return [task["data"]["id"] for task in tasks]


def predicted(task: Task) -> list[str]:
    """Return the labels of the one prediction of a task."""
    (prediction,) = task["predictions"]
    return [label for region in interface.regions(prediction["result"]) for label in region.labels]


def result(task: Task, labels: Sequence[str | None]) -> list[dict[str, Any]]:
    """Return the regions of an annotation; None labels nothing."""
    texts = [part["text"] for part in task["data"]["paras"]]
    regions = interface.prediction(texts, list(labels), None, "", "")["result"]
    return [region for region, label in zip(regions, labels, strict=True) if label is not None]


def submit(client: Client, task: Task, labels: Sequence[str | None], *, who: int | None = None, **fields: Any) -> int:
    """Submit an annotation as a person does; return its number."""
    more = {} if who is None else {"completed_by": who}
    made = client._sdk.annotations.create(task["id"], result=result(task, labels), lead_time=3.0, **more, **fields)
    return int(made.id)


def colleague(client: Client) -> int:
    """Return the number of a second person on the server."""
    known = {name: number for number, name in client.annotators().items()}
    return known.get(COLLEAGUE) or int(client._sdk.users.create(email=COLLEAGUE, username="colleague").id)


def versions(tasks: Sequence[Task]) -> Iterator[list[str]]:
    """Yield the model versions of the predictions of each task."""
    for task in tasks:
        yield [prediction["model_version"] for prediction in task["predictions"]]


def kill(studio: Studio) -> None:
    """Kill a server as a power cut would."""
    noted = server.find(studio.data)
    assert noted is not None
    parent = psutil.Process(noted.pid)
    for process in (*parent.children(recursive=True), parent):
        process.kill()
    psutil.wait_procs([parent], timeout=10)


def kill_and_restart(studio: Studio, seconds: float = 0.0) -> threading.Thread:
    """Kill a server after some seconds and start it again at the same address, in the background."""

    def run() -> None:
        time.sleep(seconds)
        kill(studio)
        time.sleep(1)
        studio.start()

    thread = threading.Thread(target=run)
    thread.start()
    return thread
