"""examples/cluster/slurm.sh, as Slurm would start it."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from small import ROOT


@pytest.mark.parametrize(("task", "said"), [(1, "bulk {}/a.jsonl.gz --out out/part-1 --workers 2"), (2, "no files for task 2")])
def test_each_task_takes_its_files_and_one_without_files_is_done(tmp_path: Path, task: int, said: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl.gz").touch()
    echo = tmp_path / "trainer"
    echo.write_text('#!/bin/sh\necho "$@"\n')
    echo.chmod(echo.stat().st_mode | stat.S_IXUSR)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_ARRAY_TASK_ID": str(task)}
    env |= {"SLURM_ARRAY_TASK_COUNT": "3", "SLURM_CPUS_PER_TASK": "2"}
    script = ROOT / "examples" / "cluster" / "slurm.sh"
    ended = subprocess.run(["bash", script, tmp_path / "in", "out"], env=env, capture_output=True, text=True)
    assert ended.returncode == 0
    assert ended.stdout.startswith(said.format(tmp_path / "in"))
