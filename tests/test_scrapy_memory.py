"""The Scrapy pipeline with a site memory, in real crawls: what a second crawl gains, what a stopped one loses, the queue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Any

import pytest
from commands import read
from crawls import Crawl, crawl, serving
from simulated_site import BUSY, simulate
from small import ROOT
from test_recall import HOUSE, article

from trainer import queue_folder
from trainer.memory import SiteMemory

pytest.importorskip("scrapy")
HOST = "127.0.0.1"
IN_ORDER = {"CONCURRENT_REQUESTS": 1}  # nearly: an item may overtake another in the pipeline


def publish(folder: Path, name: str, paragraphs: list[str]) -> str:
    """Write a page; return its name."""
    body = "".join(f"<p>{escape(text)}</p>" for text in paragraphs)
    (folder / name).write_text(f"<!doctype html><meta charset=utf-8><main>{body}</main>", "utf-8")
    return name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def urls(folder: Path) -> Any:
    """Addresses of 150 stories, each with the same house line; the server runs meanwhile."""
    names = [publish(folder, f"{number}.html", article(number, HOUSE)) for number in range(150)]
    with serving(folder) as server:
        yield [server.url(name) for name in names]


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    return {"TRAINER_MEMORY": str(folder / "sites.sqlite"), "TRAINER_REMOVED_FIELD": "removed", **more}


def counted(folder: Path) -> int:
    """Return how many articles of the site the file knows."""
    with SiteMemory(folder / "sites.sqlite") as memory:
        return sum(site.articles for site in memory.sites() if site.site == HOST)


def houses(found: Crawl) -> int:
    """Return how many items still have the house line."""
    return sum(HOUSE in item["text"] for item in found.items.values())


def test_a_crawl_removes_what_the_site_repeats_and_says_so(urls: list[str], tmp_path: Path) -> None:
    found = crawl(urls=urls[:12], yields=["dict"], settings=settings(tmp_path))
    stories = {url: article(number) for number, url in enumerate(urls[:12])}
    whole, without = [], []
    for item in found.items.values():
        if item["removed"]:
            assert [(gone["text"], gone["reason"]) for gone in item["removed"]] == [(HOUSE, "repeated")]
            without.append(item["text"] == "\n".join(stories[item["url"]]))
        else:
            whole.append(HOUSE in item["text"])
    assert (whole, without) == ([True] * 5, [True] * 7), "five articles of a site are the least"
    assert (found.stats["trainer/repeated"], found.stats["trainer/articles"]) == (7, 12)


def test_a_second_crawl_knows_what_the_first_one_saw(urls: list[str], tmp_path: Path) -> None:
    first = crawl(urls=urls[:40], yields=["dict"], settings=settings(tmp_path))
    assert houses(first) >= 5
    assert counted(tmp_path) == len(first.items) == 40, "written when the spider was closed, though the batch was not full"
    assert houses(crawl(urls=urls[40:60], yields=["dict"], settings=settings(tmp_path))) == 0
    assert counted(tmp_path) == 60
    again = crawl(urls=urls[:40], yields=["dict"], settings=settings(tmp_path))
    assert houses(again) == 0
    assert counted(tmp_path) == 60, "articles that come again do not count"
    assert houses(crawl(urls=urls[40:60], yields=["dict"], settings={})) == 20, "and without a memory nothing changes"


def test_crawls_of_one_process_may_share_a_file(urls: list[str], tmp_path: Path) -> None:
    found = crawl(urls=urls[:30], yields=["dict"], settings=settings(tmp_path), crawls=2)
    assert found.code == 0
    assert "ERROR" not in found.log
    assert 30 <= counted(tmp_path) <= 60, "each sees what the other has written"


def test_an_item_without_a_site_is_filtered_without_the_memory(urls: list[str], tmp_path: Path) -> None:
    found = crawl(urls=urls[:12], yields=["no url"], settings=settings(tmp_path))
    assert found.stats["trainer/articles"] == 12
    assert not found.of("trainer/untouched/")
    with SiteMemory(tmp_path / "sites.sqlite") as memory:
        assert memory.sites() == []


def test_the_share_that_counts_as_repeated_can_be_set(tmp_path: Path) -> None:
    """The house line stands in each third article."""
    names = [publish(tmp_path, f"{n}.html", article(n, *([HOUSE] if n % 3 == 0 else []))) for n in range(40)]
    left = []
    with serving(tmp_path) as server:
        for share in (0.2, 0.6):
            more = {"TRAINER_MEMORY": str(tmp_path / f"{share}.sqlite"), "TRAINER_REPEATED_SHARE": share, **IN_ORDER}
            left.append(houses(crawl(urls=[server.url(name) for name in names], yields=["dict"], settings=more)))
    assert left[0] < left[1] == 14


class Running:
    """A crawl in a process of its own that can be stopped; `scraped` counts the items so far."""

    def __init__(self, urls: list[str], folder: Path, slow: float) -> None:
        job = {"urls": urls, "yields": ["dict"], "settings": settings(folder, LOG_LEVEL="DEBUG"), "slow": slow}
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "crawl_worker.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert self.process.stdin
        self.process.stdin.write(json.dumps(job))
        self.process.stdin.close()
        self.scraped, self.log = 0, ""

    def until(self, scraped: int | None = None) -> None:
        """Read the log until so many items are scraped, or to its end."""
        assert self.process.stderr
        for line in self.process.stderr:
            self.log += line
            self.scraped += "Scraped from" in line
            if self.scraped == scraped:
                return

    def end(self) -> int:
        """Wait for the process; return how it ended."""
        self.until()
        assert self.process.stdout
        self.process.stdout.read()
        self.process.stdout.close()
        assert self.process.stderr
        self.process.stderr.close()
        return self.process.wait(60)


def test_ctrl_c_loses_nothing(urls: list[str], tmp_path: Path) -> None:
    running = Running(urls, tmp_path, slow=0.02)
    running.until(scraped=15)
    running.process.send_signal(signal.SIGINT)
    assert running.end() == 0
    assert "Spider closed (shutdown)" in running.log
    assert 15 <= running.scraped < 150
    assert counted(tmp_path) == running.scraped


def test_a_killed_crawl_loses_a_batch_at_most(urls: list[str], tmp_path: Path) -> None:
    running = Running(urls, tmp_path, slow=0.005)
    running.until(scraped=115)
    running.process.kill()
    assert running.end() == -signal.SIGKILL
    assert counted(tmp_path) == 100
    rest = crawl(urls=urls[100:], yields=["dict"], settings=settings(tmp_path))
    assert houses(rest) == 0
    assert counted(tmp_path) >= 115, "the file is whole and is added to"


@pytest.mark.parametrize(("kind", "field"), [("dict", "text"), ("paragraphs", "text"), ("no field", "body")])
def test_articles_of_a_changed_layout_are_put_aside_as_they_came(kind: str, field: str, tmp_path: Path) -> None:
    pages = [page.paragraphs for page in simulate("lundbay.example", 125, 5, changes_at=80, new=BUSY)]
    names = [publish(tmp_path, f"{number}.html", page) for number, page in enumerate(pages)]
    with serving(tmp_path) as server:
        places = [server.url(name) for name in names]
        aside = {"TRAINER_QUEUE": str(tmp_path / "queue"), "TRAINER_FIELD": field}
        options = settings(tmp_path, **aside, **IN_ORDER)
        found = crawl(urls=places, yields=[kind], settings=options)
    waiting = read(tmp_path / "queue" / f"{HOST}.jsonl")
    assert 80 <= places.index(waiting[0]["url"]) < 110
    assert found.stats["trainer/queued"] == found.stats["trainer/flag/drift"] == len(waiting) == 20
    for record in waiting:
        page = pages[places.index(record["url"])]
        assert record["site"] == HOST
        assert record["review"].startswith("drift: ")
        assert record["paragraphs"] == page if kind == "paragraphs" else record["text"] == "\n".join(page)
        assert "removed" not in record


def test_without_a_changed_layout_nothing_is_put_aside(urls: list[str], tmp_path: Path) -> None:
    found = crawl(urls=urls, yields=["dict"], settings=settings(tmp_path, TRAINER_QUEUE=str(tmp_path / "queue")))
    assert "trainer/queued" not in found.stats
    assert list((tmp_path / "queue").iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"TRAINER_QUEUE": "to-label"}, "TRAINER_QUEUE needs a site memory"),
        ({"TRAINER_MEMORY": str(ROOT / "README.md")}, "cannot be used as a site memory"),
        ({"TRAINER_MEMORY": "{folder}/m.sqlite", "TRAINER_REPEATED_SHARE": 3}, "repeated is 3"),
        ({"TRAINER_MEMORY": "{folder}/m.sqlite", "TRAINER_QUEUE": str(ROOT / "README.md")}, "folder for the queue"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_a_wrong_setting_stops_the_crawl_before_its_first_request(wrong: dict[str, Any], says: str, tmp_path: Path) -> None:
    publish(tmp_path, "one.html", article(1))
    given = {key: value.format(folder=tmp_path) if isinstance(value, str) else value for key, value in wrong.items()}
    with serving(tmp_path) as server:
        found = crawl(urls=[server.url("one.html")], yields=["dict"], settings=given)
        assert (found.items, server.asked) == ({}, [])
    assert says in found.log


def test_threads_may_share_a_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_folder, "MOST", 30)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for run in range(20):
            queue, together = queue_folder.QueueFolder(tmp_path / f"queue {run}"), threading.Barrier(16)

            def add(number: int, queue: queue_folder.QueueFolder = queue, together: threading.Barrier = together) -> None:
                together.wait()
                for more in range(5):
                    queue.add("one.example", {"id": f"{number} {more}"}, "drift")

            with ThreadPoolExecutor(16) as pool:
                list(pool.map(add, range(16)))
            waiting = read(queue.folder / "one.example.jsonl")
            assert (len(waiting), queue.added, queue.full) == (30, 30, 50)
            assert len({record["id"] for record in waiting}) == 30
    finally:
        sys.setswitchinterval(before)
