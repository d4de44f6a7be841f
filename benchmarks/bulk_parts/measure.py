"""A command's time, and the memory of each of its processes, measured from outside."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

import psutil

_POLL = 0.02  # seconds


class Run(NamedTuple):
    """What a command took: seconds by the clock, seconds of all cores, and the largest peak of one of its processes in MB."""

    wall: float
    cpu: float
    peak: float


def measure(command: Sequence[str], environment: dict[str, str]) -> Run:
    """Run a command to its end.

    Raises:
        RuntimeError: it fails; with the end of what it said.
    """
    began = time.perf_counter()
    cpu: dict[int, float] = {}
    peak: dict[int, float] = {}
    with tempfile.TemporaryFile("w+") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            for one in _family(watched):
                try:
                    times = one.cpu_times()
                    cpu[one.pid] = times.user + times.system
                    peak[one.pid] = max(peak.get(one.pid, 0.0), one.memory_info().rss / 1e6)
                except psutil.Error:
                    continue
            time.sleep(_POLL)
        wall = time.perf_counter() - began
        log.seek(0)
        said = log.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {said[-2000:]}")
    return Run(wall, sum(cpu.values()), max(peak.values()))


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []
