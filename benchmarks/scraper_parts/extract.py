"""A process that runs trafilatura alone and with the filter on each page, by turns; needs trafilatura and the runtime alone.

Reads {"files", "rounds", "model"} as JSON; writes for each page with an article the best milliseconds of
processor time of either, and for all of
them together the best of either, where the filter works on many at once.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trafilatura

import trainer
from trainer.integrations.trafilatura import extract, extract_many


def milliseconds(run: Callable[[], object]) -> float:
    begin = time.process_time()
    run()
    return (time.process_time() - begin) * 1000


def main() -> None:
    logging.disable(logging.CRITICAL)
    job = json.load(sys.stdin)
    model = trainer.load(job["model"])
    pages: list[dict[str, Any]] = []
    articles: list[str] = []
    for name in job["files"]:
        html = Path(name).read_bytes().decode("utf-8", "replace")
        record = extract(html, model)  # also the round that fills the caches of both
        if record is None:
            continue
        articles.append(html)
        alone, both = [], []
        for _ in range(job["rounds"]):
            alone.append(milliseconds(lambda html=html: trafilatura.bare_extraction(html, with_metadata=True)))
            both.append(milliseconds(lambda html=html: extract(html, model)))
        paragraphs = record["filter"]["kept"] + record["filter"]["removed"]
        pages.append({"alone": min(alone), "both": min(both), "paragraphs": paragraphs, "removed": record["filter"]["removed"]})
    alone, both = [], []
    for _ in range(job["rounds"]):
        alone.append(milliseconds(lambda: [trafilatura.bare_extraction(html, with_metadata=True) for html in articles]))
        both.append(milliseconds(lambda: list(extract_many(articles, model))))
    print(json.dumps({"version": trafilatura.__version__, "pages": pages, "alone": min(alone), "many": min(both)}))


if __name__ == "__main__":
    main()
