"""What a site memory brings and costs, and how soon a changed layout is noticed, with the model that comes with the package.

    python benchmarks/memory.py [--only simulation,real,size,time,drift] [--shared FOLDER]

The sites are simulated (`simulated_site.py`): several articles of one site are hard to come by. `real` counts what recurs in
the annotated public pages, most of whose sites have one page only; where they are absent, it says so. Takes minutes.
"""

from __future__ import annotations

import peers  # first: it sets the number of threads

# isort: split
import argparse
import json
import statistics
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from simulated_site import BUSY, CROWDED, Layout, SimulatedArticle, simulate

import trainer
from trainer import Classifier, FilterResult
from trainer.fingerprints import fingerprints
from trainer.memory import SiteMemory

SHARED = peers.ROOT.parent / "shared"
SITES, ARTICLES = 5, 500
VIEWS = ("whole page", "trafilatura", "trafilatura_recall", "resiliparse")


def main() -> None:
    sections: dict[str, Callable[[Classifier, Path], Iterable[Table]]] = {
        "simulation": simulation,
        "real": real,
        "size": size,
        "time": time,
        "drift": drift,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(sections))
    parser.add_argument("--shared", type=Path, default=SHARED)
    arguments = parser.parse_args()
    model = trainer.load()
    for name in arguments.only.split(","):
        for table in sections[name](model, arguments.shared):
            peers.console().print(table)


def remembered(model: Classifier, site: str, articles: list[list[str]]) -> list[FilterResult]:
    with tempfile.TemporaryDirectory() as folder, SiteMemory(Path(folder) / "m.sqlite") as memory:
        return list(model.filter_many(articles, site=site, memory=memory))


# ── simulation: what goes


def simulation(model: Classifier, _: Path) -> Iterable[Table]:
    """What goes of each label, with and without a memory."""
    gone: dict[str, Counter[str]] = {"without a memory": Counter(), "with a memory": Counter()}
    chars: Counter[str] = Counter()
    for seed in range(SITES):
        articles = list(simulate(f"s{seed}.example", ARTICLES, seed))
        texts = [article.paragraphs for article in articles]
        chars.update(_chars(articles, None))
        gone["without a memory"].update(_chars(articles, list(model.filter_many(texts))))
        gone["with a memory"].update(_chars(articles, remembered(model, f"s{seed}.example", texts)))
    title = f"{SITES} simulated sites of {ARTICLES} articles: share of the characters that goes"
    labels = ["navigation", "fundraising", "caption", "twin stories", "background"]
    table = peers.table(title, "filter", "residue", "news lost per 1,000", *labels[:3], *(f"{x} per 1,000" for x in labels[3:]))
    for name, found in gone.items():
        residue = sum(found[label] for label in labels[:3]) / sum(chars[label] for label in labels[:3])
        shares = {label: found[label] / chars[label] for label in ("news", *labels)}
        plain = (f"{shares[label]:.3f}" for label in labels[:3])
        table.add_row(
            name, f"{residue:.3f}", f"{shares['news'] * 1000:.2f}", *plain, *(f"{shares[x] * 1000:.2f}" for x in labels[3:])
        )
    yield table


def _chars(articles: list[SimulatedArticle], results: list[FilterResult] | None) -> Counter[str]:
    """Count characters by label, of what goes or of all; stories published twice and repeated background once more."""
    counts: Counter[str] = Counter()
    times = Counter(text for article in articles if article.twin is None for text in article.paragraphs)
    for number, article in enumerate(articles):
        for place, (text, label) in enumerate(zip(article.paragraphs, article.labels, strict=True)):
            if results and results[number].keep[place]:
                continue
            counts[label] += len(text)
            if label == "news" and article.twin is not None:
                counts["twin stories"] += len(text)
            if label == "news" and len(text) > 100 and times[text] > 2:
                counts["background"] += len(text)
    return counts


# ── real pages: what recurs


def real(_: Classifier, shared: Path) -> Iterable[Table]:
    """Of the characters whose paragraph stands in another page of the same site, how many are residue."""
    corpus = shared / "corpus" / "pages.jsonl"
    if not corpus.exists():
        print("memory: no annotated pages beside the checkout; nothing to count")
        return
    sites = defaultdict(list)
    for page in map(json.loads, corpus.read_text("utf-8").splitlines()):
        sites[page["site"]].append(page)
    sites = {site: pages for site, pages in sites.items() if len(pages) > 1}
    pages = sum(map(len, sites.values()))
    title = f"{pages} annotated pages of {len(sites)} sites with more than one; copies of another page left out"
    names = ("view", "copies", "residue that recurs", "news that recurs", "of what recurs: residue", "news paragraphs")
    table = peers.table(title, *names)
    for view in VIEWS:
        chars: Counter[tuple[bool, bool]] = Counter()
        news = copies = 0
        for group in sites.values():
            kept = _without_copies([_part(page, view) for page in group])
            copies += len(group) - len(kept)
            for page in kept:
                others = {number for other in kept if other is not page for number in _numbers(other)}
                for part, number in zip(page, _numbers(page), strict=True):
                    recurs = number is not None and number in others
                    chars[part["label"] == "news", recurs] += len(part["text"])
                    news += part["label"] == "news" and recurs
        junk, story = (chars[is_news, True] / sum(chars[is_news, seen] for seen in (True, False)) for is_news in (False, True))
        pure = chars[False, True] / max(chars[False, True] + chars[True, True], 1)
        table.add_row(view, f"{copies}", f"{junk:.3f}", f"{story:.4f}", f"{pure:.4f}", f"{news:,}")
    yield table


def _part(page: dict[str, Any], view: str) -> list[dict[str, Any]]:
    return [part for i, part in enumerate(page["paragraphs"]) if view == VIEWS[0] or i in page["kept_by"][view]]


def _numbers(page: list[dict[str, Any]]) -> list[int | None]:
    return fingerprints([part["text"] for part in page])


def _without_copies(pages: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Leave out the pages that the memory takes for copies, given which paragraphs are the story."""
    with tempfile.TemporaryDirectory() as folder, SiteMemory(Path(folder) / "m.sqlite") as memory:
        texts = ([part["text"] for part in page] for page in pages)
        stories = ([part["label"] == "news" for part in page] for page in pages)
        seen = [memory.observe("site", text, story).copy for text, story in zip(texts, stories, strict=True)]
    return [page for page, copy in zip(pages, seen, strict=True) if not copy]


# ── size and time


def size(_: Classifier, __: Path) -> Iterable[Table]:
    """Bytes on disk for each distinct paragraph."""
    table = peers.table("size of the file, closed", "sites", "articles", "distinct paragraphs", "bytes", "bytes each")
    for sites, articles in ((1, 350), (20, 350), (1000, 5)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "m.sqlite"
            with SiteMemory(path) as memory:
                for seed in range(sites):
                    for article in simulate(f"s{seed}.example", articles, seed):
                        memory.observe(f"s{seed}.example", article.paragraphs)
                known = sum(site.paragraphs for site in memory.sites())
            taken = path.stat().st_size
        table.add_row(f"{sites:,}", f"{sites * articles:,}", f"{known:,}", f"{taken:,}", f"{taken / known:.1f}")
    yield table


def time(model: Classifier, _: Path) -> Iterable[Table]:
    """Time of an article with and without a memory, in the same run."""
    articles = [article.paragraphs for article in simulate("s.example", 200, 3)]
    with tempfile.TemporaryDirectory() as folder:
        number = iter(range(10_000))

        def run(*, together: bool, memory: bool) -> None:
            sites = SiteMemory(Path(folder) / f"{next(number)}.sqlite") if memory else None
            if together:
                list(model.filter_many(articles, site="s.example", memory=sites))
            else:
                for article in articles:
                    model.filter(article, site="s.example", memory=sites)
            if sites:
                sites.close()

        best = peers.best_of(
            [
                ("filter", lambda: run(together=False, memory=False)),
                ("filter, memory", lambda: run(together=False, memory=True)),
                ("filter_many", lambda: run(together=True, memory=False)),
                ("filter_many, memory", lambda: run(together=True, memory=True)),
            ],
            rounds=7,
        )
    paragraphs = sum(map(len, articles)) / len(articles)
    title = f"microseconds an article of {paragraphs:.0f} paragraphs, best of 7 rounds; {peers.machine()}"
    table = peers.table(title, "call", "without", "with a memory", "added")
    for name in ("filter", "filter_many"):
        plain, more = (best[key] / len(articles) * 1e6 for key in (name, f"{name}, memory"))
        table.add_row(name, f"{plain:.0f}", f"{more:.0f}", f"{more - plain:.0f}")
    yield table


# ── drift


def drift(model: Classifier, _: Path) -> Iterable[Table]:
    """False alarms on steady sites, and articles until a change is flagged."""
    for varied, stories in ((False, "stories of 4 to 11 paragraphs"), (True, "stories of 2 to 100 paragraphs")):
        steady = sum(len(_alarms(model, f"s{seed}.example", 500, seed, varied=varied)) for seed in range(20))
        title = f"{stories}: {steady} alarms in {20 * 500:,} articles of 20 steady sites; articles from 60 changes to the alarm"
        names = ("new layout", "removed before", "removed after", "median", "90 %", "most", "within 30", "alarms before")
        table = peers.table(title, *names)
        for name, layout in (("more lines between paragraphs", BUSY), ("the same, and teasers with summaries", CROWDED)):
            delays, early = [], 0
            shares: tuple[list[float], list[float]] = ([], [])
            for seed in range(60):
                change = 60 + 2 * seed
                found = _alarms(model, f"c{seed}.example", change + 60, seed, change, layout, shares, varied=varied)
                delays.append(next((at - change + 1 for at in found if at >= change), np.inf))
                early += sum(at < change for at in found)
            usual = (f"{statistics.mean(part):.3f}" for part in shares)
            quantiles = (f"{np.quantile(delays, q, method='higher'):.0f}" for q in (0.5, 0.9, 1.0))
            table.add_row(name, *usual, *quantiles, f"{np.mean(np.array(delays) <= 30):.0%}", f"{early}")
        yield table


def _alarms(
    model: Classifier,
    site: str,
    articles: int,
    seed: int,
    change: int | None = None,
    layout: Layout = CROWDED,
    shares: tuple[list[float], list[float]] | None = None,
    *,
    varied: bool,
) -> list[int]:
    """Return the numbers of the articles at which a stretch of flagged ones begins."""
    pages = simulate(site, articles, seed, changes_at=change, new=layout, varied=varied)
    results = remembered(model, site, [page.paragraphs for page in pages])
    if shares and change:
        shares[0].extend(len(result.removed) / len(result.paragraphs) for result in results[20:change])
        shares[1].extend(len(result.removed) / len(result.paragraphs) for result in results[change:])
    flagged = [False, *("drift" in result.flags for result in results)]
    return [number for number, (before, now) in enumerate(pairwise(flagged)) if now and not before]


if __name__ == "__main__":
    main()
