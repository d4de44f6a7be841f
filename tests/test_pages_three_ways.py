"""A page is filtered alike whatever it comes in."""

from __future__ import annotations

import json
import subprocess
import sys

from pages_three_ways import run
from small import ROOT, records
from warc_files import page


def test_pages_are_filtered_alike_in_every_form(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    texts = [[paragraph["text"] for paragraph in record["paragraphs"]] for record in records(20)]
    pages = {f"n{i:02}": page(*paragraphs).encode() for i, paragraphs in enumerate(texts)}
    pages["latin"] = page("Größe – naïve “quoted”", head='<meta charset="cp1252">').encode("cp1252")
    pages["wide"] = page("Größe 東京").encode("utf-16")
    pages["broken"] = b"<p>The council met.<div><span>on Tuesday</p><table><tr><td>and</b> voted"
    found = run(pages, tmp_path, folder)
    assert found.keys() == {"warc", "jsonl", "parquet", "html"}
    assert found["warc"].keys() == pages.keys()
    assert "Größe 東京" in json.dumps(found["warc"]["wide"], ensure_ascii=False)
    assert "Größe – naïve “quoted”" in json.dumps(found["warc"]["latin"], ensure_ascii=False)
    assert sum(len(record["removed"]) for record in found["warc"].values()) > 20
    for way, result in found.items():
        assert json.dumps(result, sort_keys=True) == json.dumps(found["warc"], sort_keys=True), way


def test_without_pages_the_script_says_so(tmp_path):
    command = [sys.executable, str(ROOT / "benchmarks" / "pages_three_ways.py"), "--shared", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "no pages beside the checkout" in done.stdout
