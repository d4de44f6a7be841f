"""What the filter costs a scraper: time per article in Scrapy and after trafilatura, memory, process start.

    python benchmarks/scraper.py [--pages FOLDER] [--rounds N] [--model FOLDER]

Serves a folder of pages on loopback and crawls it with and without the pipeline, by turns; then runs trafilatura on each page
with and without the filter, by turns (where `make extractors` was run). Checks on the way that every crawl gave the same items
and counters, and the items that the model gives. Times are the best of the rounds, memory is the median; processor time is little
disturbed by what else the machine does. The pages lie beside
the checkout; where they are absent, this says so and passes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import peers

import trainer

PARTS = Path(__file__).resolve().parent / "scraper_parts"
PAGES = peers.ROOT.parent / "shared" / "pages"
TRAFILATURA = peers.ROOT / ".extractors" / "trafilatura" / "venv" / "bin" / "python"
START = {
    "an empty Python": "pass",
    "import trainer, load": "import sys, trainer; trainer.load(sys.argv[1])",
    "import NumPy": "import numpy",
}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, default=PAGES, help="a folder of .html files")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--model", type=Path, help="a model folder, instead of the one that comes with the package")
    arguments = parser.parse_args()
    files = sorted(arguments.pages.glob("*.html")) if arguments.pages.is_dir() else []
    if not files:
        print(f"scraper: no pages in {arguments.pages.name}; nothing to measure, passed")
        return 0
    model = str(trainer.artifact.find(arguments.model))
    table = peers.table(
        f"{len(files)} pages, {arguments.rounds} rounds; {peers.machine()}", "what", "without", "with", "added", "goal"
    )
    same = crawl(table, files, model, arguments.rounds)
    after_trafilatura(table, files, model, arguments.rounds)
    process_start(table, model, arguments.rounds)
    peers.console().print(table)
    return 0 if same else 1


def child(executable: str | Path, *arguments: str, given: object = None) -> Any:
    """Run a process with this checkout's package and return the JSON that it writes."""
    environment = {**os.environ, "PYTHONPATH": str(peers.ROOT)}
    done = subprocess.run(
        [str(executable), *arguments], input=json.dumps(given), env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def crawl(table: Any, files: list[Path], model: str, rounds: int) -> bool:
    """Crawl by turns without and with the pipeline; return whether all crawls agree with each other and with the model."""
    runs: dict[bool, list[Any]] = {False: [], True: []}
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(files[0].parent))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        urls = [f"http://127.0.0.1:{server.server_address[1]}/{path.name}" for path in files]
        for number in range(2 * rounds):
            job = {"urls": urls, "pipeline": bool(number % 2), "model": model}
            runs[job["pipeline"]].append(child(sys.executable, str(PARTS / "crawl.py"), given=job))
        server.shutdown()
    without, with_it = runs[False], runs[True]
    count = len(files)
    for clock, name in (("processor", "processor time"), ("seconds", "by the clock")):
        plain, filtered = (min(run[clock] / count * 1000 for run in each) for each in (without, with_it))
        table.add_row(
            f"Scrapy: an article, {name}", f"{plain:.2f} ms", f"{filtered:.2f} ms", f"{filtered - plain:.2f} ms", "< 2 ms"
        )
    waited = [min(run["milliseconds"][url] for run in with_it) for url in with_it[0]["milliseconds"]]
    memory = [statistics.median(run["memory"] for run in each) for each in (without, with_it)]
    nine_tenths = statistics.quantiles(waited, n=10)[-1]
    table.add_row(
        "Scrapy: in the pipeline, median (9 in 10 below), by the clock",
        "–",
        "–",
        f"{statistics.median(waited):.2f} ({nine_tenths:.2f}) ms",
        "< 2 ms",
    )
    table.add_row(
        "Scrapy: peak memory", f"{memory[0]:.0f} MB", f"{memory[1]:.0f} MB", f"{memory[1] - memory[0]:.0f} MB", "< 100 MB"
    )
    loaded = min(run["load"] for run in with_it)
    table.add_row("Scrapy: import and load the pipeline, processor time", "–", "–", f"{loaded * 1000:.0f} ms", "< 200 ms")
    return check(without, with_it, model)


def check(without: list[Any], with_it: list[Any], model: str) -> bool:
    """Compare the items of all crawls with what the model makes of the texts, and the counters with the items."""
    classifier = trainer.load(model)
    expected, labels = {}, Counter[str]()
    for url, item in without[0]["items"].items():
        result = classifier.filter(item["text"])
        expected[url] = {**item, "text": result.text, "removed": json.loads(json.dumps(result.to_record()["removed"]))}
        labels.update(result.by_label)
    counters = {name.removeprefix("trainer/removed/"): n for name, n in with_it[0]["stats"].items() if "/removed/" in name}
    same = (
        all(run["items"] == without[0]["items"] and not run["stats"] for run in without)
        and all(run["items"] == expected and run["stats"] == with_it[0]["stats"] for run in with_it)
        and counters == labels
    )
    paragraphs = sum(len(classifier.filter(item["text"]).paragraphs) for item in without[0]["items"].values())
    print(
        f"{len(expected)} articles of {paragraphs:,} paragraphs, {labels.total():,} removed; items and counters of "
        f"{len(with_it)} crawls {'are the same and those of the model' if same else 'DIFFER'}"
    )
    return same


def after_trafilatura(table: Any, files: list[Path], model: str, rounds: int) -> None:
    """Add rows for trafilatura alone and with the filter: medians over pages, and all pages together."""
    if not TRAFILATURA.exists():
        print("scraper: no trafilatura; make extractors installs it")
        return
    job = {"files": [str(path.resolve()) for path in files], "rounds": rounds, "model": model}
    found = child(TRAFILATURA, str(PARTS / "extract.py"), given=job)
    pages = found["pages"]
    added = [page["both"] - page["alone"] for page in pages]
    shares = [both / page["alone"] for both, page in zip(added, pages, strict=True)]
    alone, both = (statistics.median(page[key] for page in pages) for key in ("alone", "both"))
    table.add_row(
        f"trafilatura {found['version']}: page, median",
        f"{alone:.1f} ms",
        f"{both:.1f} ms",
        f"{statistics.median(added):.2f} ms, {statistics.median(shares):.1%}",
        "< 5 %",
    )
    whole, total = sum(page["alone"] for page in pages), sum(added)
    for how, before, more in (
        ("extract", whole, total),
        ("extract_many", found["alone"], found["many"] - found["alone"]),
    ):
        table.add_row(
            f"trafilatura: {len(pages)} pages, {how}",
            f"{before:.0f} ms",
            f"{before + more:.0f} ms",
            f"{more:.0f} ms, {more / before:.1%}",
            "< 5 %",
        )


def process_start(table: Any, model: str, rounds: int) -> None:
    """Add a row for what importing and loading adds to the start of a Python process."""
    times: dict[str, list[float]] = {name: [] for name in START}
    environment = {**os.environ, "PYTHONPATH": str(peers.ROOT)}
    for _ in range(2 * rounds):
        for name, code in START.items():
            begin = _of_children()
            subprocess.run([sys.executable, "-c", code, model], env=environment, check=True)
            times[name].append((_of_children() - begin) * 1000)
    empty, ours, numpy = (min(times[name]) for name in ("an empty Python", "import trainer, load", "import NumPy"))
    table.add_row(
        "process start (NumPy alone), processor time",
        f"{empty:.0f} ms",
        f"{ours:.0f} ms",
        f"{ours - empty:.0f} ({numpy - empty:.0f}) ms",
        "< 200 ms",
    )


def _of_children() -> float:
    """Return the seconds of processor time of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
