"""Interrupts, closed pipes and the terminal's encoding."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from commands import files, spawn, succeed
from small import LABELS, ROOT, write


def interrupt(command, ready, tmp_path):
    """Start a command, interrupt it when stderr shows it is at work, and return how it ended."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "trainer", *map(str, command)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=tmp_path,
    ) as process:  # fmt: skip
        try:
            said = ""
            while ready not in said:
                line = process.stderr.readline().decode()
                assert line, said
                said += line
            time.sleep(0.7 if ready else 1.5)
            process.send_signal(signal.SIGINT)
            return process.wait(30), said + process.stderr.read().decode()
        finally:
            process.kill()


def test_interrupted_training_exits_with_130_and_leaves_nothing(tmp_path):
    slow = ["train", LABELS / "authored.jsonl", "--out", "m", "--set", "context.epochs=5000", "--set", "inner_folds=2"]
    code, said = interrupt(slow, "training on", tmp_path)
    assert code == 130, said
    assert "Traceback" not in said
    assert files(tmp_path) == []


def test_interrupted_filtering_exits_with_130_and_leaves_nothing(folder, tmp_path):
    code, said = interrupt(["filter", "-", "--model", folder, "--out", "o.jsonl"], "", tmp_path)
    assert code == 130, said
    assert "Traceback" not in said
    assert files(tmp_path) == []


@pytest.mark.parametrize("flags", [["--out", "-"], [], ["--diff"]], ids=["records", "text", "diff"])
def test_closed_pipe_ends_quietly(folder, scraped, tmp_path, flags):
    path = write(tmp_path / "in.jsonl", scraped * 20)
    command = [sys.executable, "-m", "trainer", "filter", str(path), "--model", str(folder), *flags]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        assert process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
        process.wait(30)
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert "Error" not in said


@pytest.mark.parametrize("flags", [["--out", "-"], [], ["--diff"], ["--explain"]], ids=["records", "text", "diff", "explain"])
def test_output_does_not_depend_on_the_terminals_encoding(folder, tmp_path, flags):
    path = write(tmp_path / "in.jsonl", [{"id": "é", "text": "“Café” — 新聞 ☃\nDonate now"}])
    result = succeed(spawn("filter", path, "--model", folder, *flags, PYTHONIOENCODING="ascii"))
    assert result.out
    if flags == ["--out", "-"]:
        assert "新聞" in json.loads(result.out)["text"]
