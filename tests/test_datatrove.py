"""The block for datatrove in real runs of its executor."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from bulk_runs import articles, lines
from small import ROOT

pytest.importorskip("datatrove", reason="datatrove is not installed: pip install 'paragraph-trainer[datatrove]'")

RUN = """
import sys
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from trainer.integrations.datatrove import ParagraphFilter

source, out, model, drop_below, workers = sys.argv[1:]
if __name__ == "__main__":
    dropped = JsonlWriter(f"{out}/dropped")
    block = ParagraphFilter(model, drop_below=int(drop_below), options={"wrap": "never"}, batch_size=16, exclusion_writer=dropped)
    pipeline = [JsonlReader(source), block, JsonlWriter(f"{out}/clean")]
    LocalPipelineExecutor(pipeline, tasks=2, workers=int(workers), logging_dir=f"{out}/logs").run()
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("datatrove")
    items = articles(120)
    (folder / "a.jsonl").write_bytes(lines(items[:60]))
    (folder / "b.jsonl").write_bytes(lines(items[60:]))
    return folder


def trove(source: Path, out: Path, model: Path, drop_below: int = 0, workers: int = 2) -> dict[str, dict]:
    """Run the pipeline in a process of its own; return the documents it wrote, by id."""
    script = out.parent / "run.py"
    script.write_text(RUN)
    argv = [sys.executable, script, source, out, model, str(drop_below), str(workers)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DATATROVE_COLORIZE_LOGS": "0", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(list(map(str, argv)), env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return documents(out / "clean")


def documents(folder: Path) -> dict[str, dict]:
    found = [json.loads(line) for path in sorted(folder.glob("*.gz")) for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert len({doc["id"] for doc in found}) == len(found)
    return {doc["id"]: doc for doc in found}


def test_a_run_gives_what_the_filter_gives_with_the_scores_of_each_paragraph(source, model, model_folder, tmp_path):
    found = trove(source, tmp_path / "out", model_folder)
    assert len(found) == 120
    for item in articles(120):
        result, doc = model.filter(item["text"], wrap="never"), found[item["id"]]
        record = result.to_record()
        assert (doc["text"], doc["metadata"]["url"]) == (result.text, item["url"])
        assert (doc["metadata"]["removed"], doc["metadata"]["filter"]) == (record["removed"], record["filter"])
        scores = [(score["label"], score["keep"]) for score in doc["metadata"]["paragraph_scores"]]
        assert scores == [(said.label, keep) for said, keep in zip(result.predictions, result.keep, strict=True)]
    stats = json.loads((tmp_path / "out" / "logs" / "stats.json").read_text())[1]["stats"]
    assert stats["paragraphs_removed"]["total"] == sum(len(doc["metadata"]["removed"]) for doc in found.values())


def test_documents_are_dropped_only_where_told_to_and_go_to_the_exclusion_writer(source, model, model_folder, tmp_path):
    kept = {item["id"]: len(model.filter(item["text"], wrap="never").text) for item in articles(120)}
    limit = sorted(kept.values())[60]
    found = trove(source, tmp_path / "out", model_folder, drop_below=limit, workers=1)
    assert found.keys() == {name for name, size in kept.items() if size >= limit}
    dropped = documents(tmp_path / "out" / "dropped")
    assert dropped.keys() == kept.keys() - found.keys()
    assert {doc["metadata"]["filter_reason"] for doc in dropped.values()} == {"too_little_news"}


def test_the_block_can_be_sent_to_a_worker_after_it_has_worked(model_folder):
    from datatrove.data import Document

    from trainer.integrations.datatrove import ParagraphFilter

    block = ParagraphFilter(model_folder, options={"max_removed_share": 0.5})
    assert block.filter(Document("The council met on Tuesday and agreed on the budget for the coming year.", "a")) is True
    again = pickle.loads(pickle.dumps(block))
    assert (again.model, again.options) == (model_folder, {"max_removed_share": 0.5})
