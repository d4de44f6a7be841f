"""Bulk runs that are killed, stopped and starved of disk: what is done stays, and the same command completes it."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from bulk_runs import articles, finish, lines, outputs, run, start, wait_for, workers

SIZE = ("--shard-size", 30_000, "--workers", 2)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of many shards."""
    path = tmp_path_factory.mktemp("bulk") / "big.jsonl"
    path.write_bytes(lines(articles(2000)))
    return path


@pytest.fixture(scope="module")
def whole(big: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an undisturbed run makes of it."""
    out = tmp_path_factory.mktemp("whole") / "out"
    code, said = run(big, "--out", out, "--model", folder, *SIZE)
    assert code == 0, said
    return outputs(out)


def done(out: Path) -> int:
    return len(list(out.glob("_done/*.json")))


def test_killed_ten_times_a_run_completes_to_the_same_bytes(big, whole, folder, tmp_path):
    out, rng, kills = tmp_path / "out", random.Random(7), 0
    command = (big, "--out", out, "--model", folder, *SIZE)
    before = 0
    while kills < 10:
        process = start(*command)
        if kills % 3:  # at other times while it plans
            wait_for(lambda p=process: workers(p) or p.poll() is not None)
        time.sleep(rng.random() * 1.2)
        children = []
        if process.poll() is None:
            children = workers(process)
            process.kill()
            kills += 1
        finish(process)
        assert done(out) >= before
        before = done(out)
        assert all(whole[name] == data for name, data in outputs(out).items() if not name.startswith("_")), (
            "nothing is half-written"
        )
        _, alive = psutil.wait_procs(children, timeout=20)
        assert not alive, "no process outlives the one that started it"
        if before == len(whole):
            shutil.rmtree(out)
            before = 0
    code, said = run(*command)
    assert code == 0, said
    assert outputs(out) == whole


def test_a_killed_worker_costs_nothing_but_time(big, whole, folder, tmp_path):
    process = start(big, "--out", tmp_path / "out", "--model", folder, *SIZE)
    for finished in (1, 8):
        wait_for(lambda n=finished: done(tmp_path / "out") >= n)
        workers(process)[0].kill()
    code, said = finish(process)
    assert code == 0, said
    assert outputs(tmp_path / "out") == whole


def test_a_shard_that_loses_its_process_each_time_is_set_aside(big, folder, tmp_path):
    (tmp_path / "small.jsonl").write_bytes(lines(articles(3)))
    process = start(tmp_path / "small.jsonl", big, "--out", tmp_path / "out", "--model", folder, "--workers", 2, "--retries", 1)
    wait_for(lambda: done(tmp_path / "out"))
    killed = 0
    while process.poll() is None:
        if (tmp_path / "out" / "_tmp").is_dir() and any((tmp_path / "out" / "_tmp").iterdir()):
            for worker in workers(process):
                worker.kill()
            killed += 1
            time.sleep(0.1)
    code, said = finish(process)
    assert killed >= 2
    assert code == 1
    assert "1 of 2 shards missing" in said
    assert "big.jsonl: its process was lost 2 times" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_stopped_run_says_how_to_go_on(big, whole, folder, tmp_path, number):
    out = tmp_path / "out"
    process = start(big, "--out", out, "--model", folder, *SIZE)
    wait_for(lambda: done(out))
    os.killpg(process.pid, number)  # as a terminal does: to the workers too
    code, said = finish(process)
    assert code == 130
    assert "goes on from there" in said
    assert "Traceback" not in said
    assert 0 < done(out) < len(whole)
    assert not (out / "_tmp").exists()
    first = {path: path.stat().st_mtime_ns for path in out.glob("*.jsonl")}
    code, said = run(big, "--out", out, "--model", folder, *SIZE)
    assert code == 0, said
    assert "were done before" in said
    assert outputs(out) == whole
    marked = {path: path.stat().st_mtime_ns for path in first}
    assert sum(marked[path] == first[path] for path in first) >= len(first) - 2, "what was done is not done again"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system is not permitted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_said_and_the_run_completes_when_there_is_room(big, whole, folder, small_disk, tmp_path):
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 700_000)
    command = (big, "--out", small_disk / "out", "--model", folder, *SIZE)
    code, said = run(*command)
    assert code == 1
    assert "No space left on device" in said
    assert "Traceback" not in said
    assert all(whole[name] == data for name, data in outputs(small_disk / "out").items())
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    assert run(*command)[0] == 0
    assert outputs(small_disk / "out") == whole


def test_a_write_that_fails_is_said_and_the_run_completes(big, whole, folder, tmp_path):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))

    command = (big, "--out", tmp_path / "out", "--model", folder, *SIZE)
    code, said = run(*command, preexec_fn=limit)
    assert code == 1, said
    assert "cannot be written (File too large)" in said
    assert "Traceback" not in said
    assert run(*command)[0] == 0
    assert outputs(tmp_path / "out") == whole


def test_a_second_run_in_the_same_folder_is_refused(big, folder, tmp_path):
    out = tmp_path / "out"
    process = start(big, "--out", out, "--model", folder, *SIZE)
    wait_for(lambda: done(out))
    code, said = run(big, "--out", out, "--model", folder, *SIZE)
    assert code == 2
    assert "another run is at work" in said
    process.terminate()
    assert finish(process)[0] == 130
