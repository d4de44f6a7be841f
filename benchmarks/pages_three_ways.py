"""Prove that a page is filtered alike whatever it comes in: WARC, JSON lines, Parquet, or as an HTML file.

    python benchmarks/pages_three_ways.py [--shared FOLDER] [--model FOLDER]

Takes all pages of FOLDER/pages; where they are absent, this says so and passes. The WARC file is made by warcio, packed as
crawlers do; JSON lines and Parquet hold the pages' visible blocks as paragraphs. Each goes through `trainer bulk` in processes
of its own; kept text, removed paragraphs and probabilities must be the same.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SHARED = Path(__file__).resolve().parents[2] / "shared"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=SHARED)
    parser.add_argument("--model", type=Path)
    args = parser.parse_args()
    found = sorted((args.shared / "pages").glob("*.html"))
    if not found:
        print("pages: no pages beside the checkout; nothing to compare, passed")
        return 0
    with tempfile.TemporaryDirectory() as name:
        results = run({path.stem: path.read_bytes() for path in found}, Path(name), args.model)
    first = results["warc"]
    for way, records in results.items():
        removed = sum(len(record["removed"]) for record in records.values())
        characters = sum(len(record["text"]) for record in records.values())
        differ = sorted(key for key in first.keys() | records.keys() if first.get(key) != records.get(key))
        print(f"{way:<8} {len(records):>4} pages  {characters:>9,} characters kept  {removed:>6,} paragraphs removed  ", end="")
        print(f"{len(differ)} differ from warc{': ' + ', '.join(differ[:5]) if differ else ''}")
    same = all(records == first for records in results.values()) and len(first) == len(found)
    print(f"pages: {'the same' if same else 'NOT the same'} in all {len(results)} forms")
    return 0 if same else 1


def run(pages: Mapping[str, bytes], folder: Path, model: Path | None) -> dict[str, dict[str, dict[str, Any]]]:
    """Filter pages in each form; return by form and page id what was kept and removed."""
    write(pages, folder)
    results = {}
    for way, name in (("warc", "pages.warc.gz"), ("jsonl", "pages.jsonl"), ("parquet", "pages.parquet"), ("html", "html")):
        out = folder / f"out-{way}"
        command = [sys.executable, "-m", "trainer", "bulk", folder / name, "--out", out, "--to", "jsonl"]
        subprocess.run([*command, *(("--model", model) if model else ())], check=True, stderr=subprocess.PIPE)
        lines = [line for path in sorted(out.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]
        records = {record["id"]: record for record in map(json.loads, lines)}
        results[way] = {key: {field: record[field] for field in ("text", "removed", "filter")} for key, record in records.items()}
    return results


def write(pages: Mapping[str, bytes], folder: Path) -> None:
    """Write pages as WARC, JSON lines, Parquet, and HTML files."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    from trainer.pages import blocks

    records = [{"id": name, "url": f"https://{name}.example/", "paragraphs": blocks(page)} for name, page in pages.items()]
    (folder / "pages.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    pq.write_table(pa.Table.from_pylist(records), folder / "pages.parquet")
    (folder / "html").mkdir()
    with (folder / "pages.warc.gz").open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        for name, page in pages.items():
            (folder / "html" / f"{name}.html").write_bytes(page)
            headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
            named = {"WARC-Record-ID": f"<{name}>", "WARC-Date": "2026-01-01T00:00:00Z"}
            given = {"payload": io.BytesIO(page), "length": len(page), "http_headers": headers, "warc_headers_dict": named}
            writer.write_record(writer.create_warc_record(f"https://{name}.example/", "response", **given))


if __name__ == "__main__":
    sys.exit(main())
