"""The site memory with several processes, forks and threads, and killed in the middle of a write."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from small import ROOT
from test_memory import APPEAL, MENU, SITE, page

from trainer.memory import SiteMemory

ENV = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
OBSERVE = """
import sys
from test_memory import SITE, page
from trainer.memory import SiteMemory

path, name, articles, batch = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with SiteMemory(path, batch=batch) as memory:
    for number in range(articles):
        memory.observe(SITE, page(f"{name} {number}"))
        print(number + 1, flush=True)
"""


def start(path: Path, name: str, articles: int, batch: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OBSERVE, str(path), name, str(articles), str(batch)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENV)


def counts(path: Path) -> tuple[int, list[int]]:
    """Check the file; return the site's number of articles, and how often the menu and the appeal were counted."""
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (stored,) = db.execute("SELECT coalesce(sum(paragraphs), 0) FROM site").fetchone()
        assert db.execute("SELECT count(*) FROM paragraph").fetchone() == (stored,)
    db.close()
    with SiteMemory(path) as memory:
        seen = memory.look(SITE, [MENU, APPEAL.format(1)])
    return seen.articles, seen.df.tolist()


def test_a_process_killed_while_writing_loses_its_last_batch_at_most(tmp_path: Path) -> None:
    """Killed twenty times, on one file; each time what was there before, and every full batch, is there whole."""
    path, batch, before = tmp_path / "m.sqlite", 5, 0
    rng = random.Random(1)
    for kill in range(20):
        process = start(path, f"run {kill}", 100_000, batch)
        assert process.stdout
        for _ in range(rng.randint(1, 15)):
            last = process.stdout.readline()
        time.sleep(rng.random() / 50)
        process.send_signal(signal.SIGKILL)
        observed = int((process.stdout.read().split() or [last])[-1])
        process.wait()
        process.stdout.close()
        assert process.returncode == -signal.SIGKILL
        articles, df = counts(path)
        assert df == [articles, articles], "a batch is there whole or not at all"
        assert articles % batch == 0
        assert articles >= before + max(0, observed - batch + 1) // batch * batch
        assert articles <= before + observed + batch
        before = articles
        if articles > 250:  # counts are halved at 400
            path, before = tmp_path / f"m{kill}.sqlite", 0
    assert kill == 19


def test_processes_add_up(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    processes = [start(path, f"process {i}", 40, batch) for i, batch in enumerate((1, 3, 7, 100))]
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert (process.returncode, out.split()[-1]) == (0, "40")
    assert counts(path) == (160, [160, 160])


def test_a_process_sees_what_another_has_written(tmp_path: Path) -> None:
    with SiteMemory(tmp_path / "m.sqlite") as memory:
        assert memory.look(SITE, [MENU]).articles == 0
        start(memory.path, "other", 10, 100).communicate(timeout=120)
        assert memory.look(SITE, [MENU]).df.tolist() == [10]


def _observe_in_fork(memory: SiteMemory) -> None:
    for number in range(10):
        memory.observe(SITE, page(f"child {number}"))
    memory.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_has_a_batch_of_its_own(tmp_path: Path) -> None:
    memory = SiteMemory(tmp_path / "m.sqlite")
    for number in range(5):
        memory.observe(SITE, page(f"parent {number}"))
    child = multiprocessing.get_context("fork").Process(target=_observe_in_fork, args=[memory])
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert memory.look(SITE, [MENU]).articles == 15, "10 written by the child, 5 in the parent's batch"
    memory.close()
    assert counts(memory.path) == (15, [15, 15])


def test_threads_may_share_a_memory(tmp_path: Path) -> None:
    with SiteMemory(tmp_path / "m.sqlite", batch=10) as memory, ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: memory.observe(SITE, page(number)), range(300)))
    assert counts(memory.path) == (300, [300, 300])


def test_one_memory_waits_for_another(tmp_path: Path) -> None:
    with SiteMemory(tmp_path / "m.sqlite", batch=1) as memory:
        other = sqlite3.connect(memory.path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(1.0, other.execute, ["COMMIT"])
        release.start()
        began = time.monotonic()
        memory.observe(SITE, page(1))
        assert time.monotonic() - began > 0.5
        release.join()
        other.close()
    assert counts(memory.path)[0] == 1
