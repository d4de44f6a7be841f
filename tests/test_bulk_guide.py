"""The commands of docs/bulk.md do what it says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bulk_runs import articles, lines
from commands import succeed
from small import ROOT
from test_bulk_inputs import data_set, names, put
from warc_files import NEWS, conversion, page, response, write

GUIDE = (ROOT / "docs" / "bulk.md").read_text("utf-8")
COMMANDS = [
    line.partition("  #")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", GUIDE, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("trainer bulk") and "://" not in line and "trafilatura" not in line
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the inputs that the guide speaks of."""
    put(tmp_path / "scraped" / "a.jsonl", lines(articles(10)))
    put(tmp_path / "texts" / "2026" / "march" / "bridge.txt", "\n".join(NEWS))
    put(tmp_path / "pages" / "bridge.html", page())
    write(tmp_path / "crawl" / "a.warc.gz", [response("https://www.a.example/", page().encode())])
    write(tmp_path / "crawl" / "a.warc.wet.gz", [conversion("https://a.example/", "\n".join(NEWS))])
    data_set(tmp_path / "saved" / "train", articles(10), parts=2)
    data_set(tmp_path / "saved" / "test", articles(5))
    (tmp_path / "hub" / "data").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(articles(5)), tmp_path / "hub" / "data" / "train-00000-of-00001.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_its_commands_run(home, folder, cli):
    assert len(COMMANDS) >= 8
    for command in COMMANDS:
        succeed(cli(*shlex.split(command)[1:], "--model", folder, "--workers", 1))
    assert names(home / "clean-mirror") == ["2026/march/bridge.txt"]
    (text,) = (home / "clean-texts").glob("*.jsonl")
    assert json.loads(text.read_bytes())["id"] == "2026/march/bridge"
    assert names(home / "clean-crawl") == ["a.jsonl.gz"]
    assert json.loads((home / "clean-crawl" / "_stats.json").read_bytes())["sites"].keys() == {"a.example"}
    assert names(home / "clean-saved")[-1] == "train/data-00001-of-00002.parquet"
    assert names(home / "clean-hub") == ["data/train-00000-of-00001.parquet"]
    assert names(home / "clean-each")[0].startswith("a.texts/")
