"""The commands of docs/labelling.md, in order, on a real Label Studio; a person labels where the guide says so."""

from __future__ import annotations

import re
import shlex

import pytest
from commands import succeed
from labelling import submit, tasks_of, use
from small import ROOT

GUIDE = (ROOT / "docs" / "labelling.md").read_text("utf-8")
STEPS = GUIDE[GUIDE.index("## 3. ") : GUIDE.index("## A Label Studio")]
LABELS = ["news"] * 14 + ["fundraising"] * 14
MINUTES = "labels curve"  # trains a dozen models


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with what the guide finds in a clone."""
    for name in ("seeds", "labels"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_guide_runs_from_push_to_the_next_batch(clone, studio, monkeypatch, cli):
    blocks = re.findall(r"```bash\n(.+?)```", STEPS, re.DOTALL)
    lines = [line.removeprefix("trainer ") for block in blocks for line in block.splitlines()]
    assert [line.split()[:2] for line in lines if line.startswith("labels")] == [
        ["labels", name] for name in ("push", "push", "pull", "check", "check", "next", "curve")
    ]
    with use(studio, monkeypatch) as client:
        for line in lines:
            if line.startswith("labels pull"):
                submit(client, tasks_of(client, "seeds")[0], LABELS)
            if not line.startswith(MINUTES):
                succeed(cli(*shlex.split(line)))
        assert len(tasks_of(client, "news")) == 2
    assert (clone / "models" / "mine" / "model.safetensors").is_file()
    assert (clone / "gold.jsonl").read_text() != ""
