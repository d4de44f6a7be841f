"""`trainer labels prelabel`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer.cli.options import Force, progress_bar, say

NAME = "prelabel"


def command(
    articles: Annotated[
        list[Path], typer.Argument(help="Articles: .txt, .jsonl, .jsonl.gz, .parquet, or folders of them; read twice.")
    ],
    memory: Annotated[Path, typer.Option("--memory", help="Site memory (SQLite; made where absent).", metavar="FILE")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Articles with their first labels (.jsonl).")],
    site: Annotated[str | None, typer.Option("--site", help="Site of articles whose record has neither site nor url.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
    force: Force = False,
) -> None:
    """Give articles first labels before there is a model: what a site repeats is navigation, prose seen once is news.

    The memory first learns all articles, then says what it can of each paragraph; the others get no label. Give it some tens of
    articles a site, and people the result to correct, e.g. with trainer labels push.

    Example: trainer labels prelabel scraped.jsonl --memory sites.sqlite --out first.jsonl
    """
    counts = prelabel(articles, memory, out, site=site, force=force)
    if as_json:
        typer.echo(json.dumps(counts))
    labels = ", ".join(f"{label} {count:,}" for label, count in counts["labels"].items())
    say(f"wrote {out}: {counts['articles']:,} articles, {counts['paragraphs']:,} paragraphs ({labels or 'none labelled'})")


def prelabel(paths: list[Path], memory: Path, out: Path, *, site: str | None = None, force: bool = False) -> dict[str, Any]:
    """Write the articles with first labels; return `articles`, `paragraphs`, and `labels` by name."""
    from trainer import records
    from trainer.errors import InputError
    from trainer.files import STDIO
    from trainer.memory import SiteMemory
    from trainer.paragraph import split
    from trainer.recall import prelabel as first_labels
    from trainer.schema import NEWS_LABELS

    if STDIO in paths:
        raise InputError("articles are read twice, which standard input cannot be", hint="Write them to a file first.")
    if not out.name.endswith((".jsonl", ".jsonl.gz")):
        raise InputError("is not the name of a label file", where=str(out), hint="Give --out a name like first.jsonl.")
    counts: Counter[str] = Counter()
    total = paragraphs = 0
    with records.writer(out, force=force) as write, SiteMemory(memory) as known, progress_bar() as bar:

        def read(what: str) -> Any:
            task = bar.add_task(what, total=None)
            for item in records.placed(records.read(paths), site):
                article = item.article
                texts = [part.text for part in split(article)] if isinstance(article, str) else article
                yield item, str(item.site), texts
                bar.advance(task)

        for _, host, texts in read("learning"):
            known.observe(host, texts)
        for item, host, texts in read("labelling"):
            labels = first_labels(known, host, texts, NEWS_LABELS)
            parts = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
            kept = {key: value for key, value in item.record.items() if key not in ("text", "paragraphs")}
            write({"id": item.where, **kept, "site": host, "paragraphs": parts})
            counts.update(label for label in labels if label)
            total, paragraphs = total + 1, paragraphs + len(texts)
    return {"articles": total, "paragraphs": paragraphs, "labels": dict(counts.most_common())}
