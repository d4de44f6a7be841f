"""Prove that hydrating gives the annotated pages back: same texts, labels and digest.

    python benchmarks/hydrate.py [--shared FOLDER]

The annotated pages lie beside the checkout; where they are absent, this says so and passes. Two checks, since only some of the
pages are there as HTML:

- the stand-off file, given the texts of the annotated pages, yields their labels: all pages, one digest;
- `trainer labels hydrate`, given clones made here that hold the HTML where the stand-off file says, yields texts and labels.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from standoff import STANDOFF

from trainer.cli.labels.hydrate import hydrate
from trainer.dataset import Dataset, load_labels
from trainer.schema import NEWS_LABELS
from trainer.standoff import Page, annotate, load_standoff

SHARED = STANDOFF.parents[2] / "shared"
IDENTITY = {f"GIT_{who}_{what}": "x@x.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=SHARED)
    shared = parser.parse_args().shared
    corpus, html = shared / "corpus" / "pages.jsonl", shared / "pages"
    if not corpus.exists() or not html.is_dir():
        print("hydrate: no annotated pages beside the checkout; nothing to compare, passed")
        return 0
    pages = load_standoff(STANDOFF)
    annotated = {record["id"]: record for record in map(json.loads, corpus.read_text("utf-8").splitlines())}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = [annotate(page, [p["text"] for p in annotated[page.id]["paragraphs"]]).record for page in pages]
        same = compare("labels of all pages", folder, whole, list(annotated.values()))
        here = [page for page in pages if (html / f"{page.id}.html").exists()]
        moved = [page for repo in sorted({page.repo for page in here}) for page in publish(html, folder / "clones", repo, here)]
        (folder / "moved.standoff.jsonl").write_text("".join(json.dumps(page._asdict()) + "\n" for page in moved), "utf-8")
        report = hydrate(folder / "moved.standoff.jsonl", folder / "clones", folder / "hydrated.jsonl")
        print(f"hydrate: {report['rebuilt']} pages rebuilt, {report['matched']:,} of {report['paragraphs']:,} paragraphs matched")
        rebuilt = [json.loads(line) for line in (folder / "hydrated.jsonl").read_text("utf-8").splitlines()]
        same &= compare("pages from HTML", folder, rebuilt, [annotated[page.id] for page in here])
    return 0 if same and report["complete"] else 1


def compare(what: str, folder: Path, made: Sequence[dict[str, Any]], annotated: Sequence[dict[str, Any]]) -> bool:
    """Say whether two lists of label records have the same texts, labels and digest."""
    first, second = load(folder, made), load(folder, annotated)
    same = first.texts == second.texts and first.labels == second.labels and first.digest == second.digest
    print(f"hydrate: {what}: {len(first.articles)} pages, digest {first.digest}, {'the same' if same else 'NOT THE SAME'}")
    return same


def load(folder: Path, records: Sequence[dict[str, Any]]) -> Dataset:
    file = folder / "compared.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return load_labels([file], NEWS_LABELS)


def publish(html: Path, clones: Path, repo: str, pages: Sequence[Page]) -> list[Page]:
    """Commit the HTML of a repository's pages to a new repository; return the pages with its commit."""
    folder = clones / repo
    ours = [page for page in pages if page.repo == repo]
    for page in ours:
        file = folder / page.path
        file.parent.mkdir(parents=True, exist_ok=True)
        page_html = (html / f"{page.id}.html").read_bytes()
        file.write_bytes(gzip.compress(page_html) if page.path.endswith(".gz") else page_html)
    for arguments in (["init", "--quiet"], ["add", "--all", "--force"], ["commit", "--quiet", "--message", "pages"]):
        git(folder, *arguments)
    commit = git(folder, "rev-parse", "HEAD").strip()
    return [page._replace(commit=commit) for page in ours]


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "core.autocrlf=false", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **IDENTITY}).stdout


if __name__ == "__main__":
    sys.exit(main())
