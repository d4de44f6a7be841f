"""Seconds to push and pull thousands of articles with a real Label Studio, beside bare requests for the same tasks.

    python benchmarks/label_studio.py [--articles N] [--executable .studio/venv/bin/label-studio] [--port 8181]

Starts a server on an empty SQLite data folder and stops it at the end. The articles are those of labels/, repeated with a running
number put into each paragraph; models/news-en labels them. The bare requests import the same tasks, with their predictions and
annotations, 250 at a time, and read them all page by page: nothing is judged, validated, compared or written.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peers

from trainer.cli.labels.pull import pull
from trainer.cli.labels.push import push
from trainer.studio import server
from trainer.studio.client import Client
from trainer.studio.server import Account

EXECUTABLE = peers.ROOT / ".studio" / "venv" / "bin" / "label-studio"
ACCOUNT = Account("benchmark@example.com", "a-password-of-the-benchmark", "00112233445566778899aabbccddeeff00112233")
PAGE = 250


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=2_500)
    parser.add_argument("--executable", type=Path, default=EXECUTABLE)
    parser.add_argument("--port", type=int, default=8181)
    arguments = parser.parse_args()
    if not arguments.executable.exists():
        print(f"label_studio: {arguments.executable} is not there; make .studio/venv/ready installs it")
        return 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        source = folder / "articles.jsonl"
        paragraphs = generate(source, arguments.articles)
        with studio(arguments.executable, folder / "data", arguments.port) as client:
            rows = measure(client, source, folder / "pulled.jsonl")
    table = peers.table(
        f"{arguments.articles:,} articles, {paragraphs:,} paragraphs; SQLite; {peers.machine()}", "what", "seconds", "articles/s"
    )
    for name, seconds in rows.items():
        table.add_row(name, f"{seconds:.1f}", f"{arguments.articles / seconds:,.0f}")
    peers.console().print(table)
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return 0


def generate(file: Path, number: int) -> int:
    """Write the articles; return the number of their paragraphs."""
    articles = peers.load_articles().articles
    count = 0
    with file.open("w", encoding="utf-8") as out:
        for n in range(number):
            texts = [f"{text} {n}" for text in articles[n % len(articles)].texts]
            count += len(texts)
            record = {"id": f"a{n}", "url": f"https://www.site{n % 50}.example/{n}", "paragraphs": texts}
            out.write(json.dumps(record, ensure_ascii=False) + "\n")
    return count


@contextmanager
def studio(executable: Path, data: Path, port: int) -> Iterator[Client]:
    """Run a Label Studio that the commands find."""
    started = server.start(executable, data, port, account=ACCOUNT)
    try:
        os.environ |= {"LABEL_STUDIO_URL": started.url, "LABEL_STUDIO_API_KEY": ACCOUNT.token}
        yield Client(started.url, ACCOUNT.token)
    finally:
        server.stop(data)


def measure(client: Client, source: Path, out: Path) -> dict[str, float]:
    """Return the seconds of each step."""
    rows: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began = time.monotonic()
        result = work()
        rows[name] = time.monotonic() - began
        return result

    timed("push: judge, validate, send", lambda: push([source], "ours", peers.ROOT / "models" / "news-en"))
    timed("push again: nothing to add", lambda: push([source], "ours", peers.ROOT / "models" / "news-en"))
    ours = number_of(client, "ours")
    tasks = timed("bare requests: read all tasks", lambda: [task for page, _ in client.tasks(ours, whole=True) for task in page])
    bare = [
        {
            "data": task["data"],
            "predictions": [{key: p[key] for key in ("result", "score", "model_version")} for p in task["predictions"]],
            "annotations": [{"result": p["result"]} for p in task["predictions"]],
        }
        for task in tasks
    ]
    push([source], "bare", peers.ROOT / "models" / "news-en", limit=0)
    theirs = number_of(client, "bare")

    def send() -> None:
        for begin in range(0, len(bare), PAGE):
            client.import_tasks(theirs, bare[begin : begin + PAGE])

    timed("bare requests: import the same tasks, labelled", send)
    timed("pull: all of them labelled", lambda: pull("bare", out))
    timed("pull again: nothing new", lambda: pull("bare", out))
    return rows


def number_of(client: Client, project: str) -> int:
    return int(client.projects(project)[0]["id"])


if __name__ == "__main__":
    sys.exit(main())
