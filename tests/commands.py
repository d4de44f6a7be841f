"""Run the command line and judge how it went; shared by the tests of the commands."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from small import ROOT

from trainer.cli import main
from trainer.model import Classifier


class Outcome(NamedTuple):
    """How a run ended and what it printed."""

    code: int
    out: str
    err: str


def outcome(argv: tuple[object, ...], capsys: pytest.CaptureFixture[str]) -> Outcome:
    """Run the command line in this process."""
    capsys.readouterr()
    try:
        main([str(part) for part in argv])
        code = 0
    except SystemExit as stop:
        code = stop.code or 0
    return Outcome(code, *capsys.readouterr())


def spawn(
    *argv: object, stdin: bytes = b"", cwd: Path | None = None, start: tuple[str, ...] = ("-m", "trainer"), **env: str
) -> Outcome:
    """Run the command line in a process of its own."""
    command = [sys.executable, *start, *map(str, argv)]
    where = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=120, env=where, cwd=cwd, check=False)
    return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def succeed(result: Outcome) -> Outcome:
    """Check that a run ended well."""
    assert result.code == 0, result.err
    assert "Traceback" not in result.err, result.err
    return result


def refuse(result: Outcome, *wanted: object, started: bool = False) -> str:
    """Check that a run failed as it should: exit code 2, one line on stderr, nothing on stdout.

    A run that had `started` may have said before what it works on, and have printed what it found.
    """
    assert result.code == 2, result
    lines = result.err.strip("\n").split("\n")
    assert len(lines) == 1 or started, result.err
    assert lines[-1].startswith("trainer: "), result.err
    assert "Traceback" not in result.err, result.err
    assert started or result.out == "", result.out
    for part in wanted:
        assert str(part) in lines[-1], result.err
    return lines[-1]


def expected(model: Classifier, item: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Return what the library makes of a record."""
    return model.filter(item["text"], **options).to_record(item)


def parquet(path: Path, items: list[dict[str, Any]]) -> Path:
    """Write records to a Parquet file; skip the test where pyarrow is missing."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(items), path)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines, packed or not."""
    data = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(data) if path.suffix == ".gz" else data).decode().split("\n") if line]


def files(path: Path) -> list[str]:
    """Return what lies in a folder, at any depth."""
    return sorted(str(file.relative_to(path)) for file in path.rglob("*"))
