"""Bulk runs in processes of their own, their inputs, and what they leave; shared by the tests of `trainer bulk`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from small import ROOT, records

_BOOKKEEPING = ("_run.json", "_stats.json", "_lock", "_done/")


def articles(count: int) -> list[dict[str, Any]]:
    """Return records of short articles, each with an id of its own."""
    base = records(30)
    return [
        {"id": f"n-{i}", "url": f"https://{item['site']}/{i}", "text": "\n".join(p["text"] for p in item["paragraphs"]), "n": i}
        for i, item in ((i, base[i % len(base)]) for i in range(count))
    ]


def lines(items: list[Any]) -> bytes:
    """Return items as JSON lines."""
    return b"".join(json.dumps(item, ensure_ascii=False).encode() + b"\n" for item in items)


def start(*argv: object, **options: Any) -> subprocess.Popen[bytes]:
    """Start `trainer bulk` in a session of its own."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "trainer", "bulk", *map(str, argv)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **options)


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Wait for a run; return its exit code and what it said."""
    _, said = process.communicate(timeout=120)
    return process.returncode, said.decode()


def run(*argv: object, **options: Any) -> tuple[int, str]:
    """Run `trainer bulk` to its end."""
    return finish(start(*argv, **options))


def workers(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the processes that do a run's work."""
    return [child for child in psutil.Process(process.pid).children() if "spawn_main" in " ".join(child.cmdline())]


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until something is so; return it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)
    return found


def outputs(out: Path) -> dict[str, bytes]:
    """Return what a run made, by name; without what it notes for itself."""
    found = {path.relative_to(out).as_posix(): path for path in sorted(out.rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(_BOOKKEEPING)}


def texts(out: Path) -> list[dict[str, Any]]:
    """Return the records of the JSON lines in a folder, in the order of the files' names."""
    return [json.loads(line) for path in sorted(out.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
