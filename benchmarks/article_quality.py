"""How good the verdict on whole articles is, beside published rules, on annotated public pages; and what signals cost.

    python benchmarks/article_quality.py [--release]

Pages and their verdicts are not part of the repository; where they are absent, it says so. No site, and no story under two site
names, is on both sides of a split: neither the quality model nor the paragraph model that filters a page has seen its site.
What is trained on: the other folds' pages and everything under labels/; figures are about the pages alone. Rules and lengths are
applied to the same kept text. Intervals are bootstraps over sites, the same draws for every row. `--release` also trains
models/quality-en on everything and writes its card. The filtered pages are kept in benchmarks/out, so that a second run is quick.
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from threadpoolctl import threadpool_limits

import trainer
from trainer import quality_training as training
from trainer import signals
from trainer.artifact import CARD, METRICS
from trainer.dataset import Dataset, load_labels
from trainer.model import Classifier
from trainer.quality_artifact import DEFAULT, load_quality, save_quality
from trainer.quality_config import QualityConfig, load_quality_config
from trainer.quality_evaluation import QualityReport, cross_validate
from trainer.quality_report import baseline_table, card_files, show, to_json

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"
OUT = ROOT / "benchmarks" / "out" / "article-quality"
NOTES = ROOT / "docs" / "quality-en.md"
SEEDS = ROOT / "seeds"
FEW, ROUNDS = 200, 15  # articles at a time, and how often, when costs are measured
SINGLE = 20  # of the articles, every so many is measured by itself


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder with pages.jsonl and quality.jsonl")
    parser.add_argument("--release", action="store_true", help="train models/quality-en and write its card too")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    arguments = parser.parse_args()
    cost()
    if not (arguments.corpus / "quality.jsonl").exists():
        print("article_quality: no annotated pages beside the checkout; nothing to measure")
        return 0
    config = load_quality_config(ROOT / "configs" / "quality.toml")
    dataset, pages = load(arguments.corpus, config)
    found = prepared(dataset, config, arguments.jobs)
    report = cross_validate(dataset, config, found, only=pages)
    show(report, Console(width=150))
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "article_quality.json").write_text(json.dumps(to_json(report), indent=1) + "\n", "utf-8")
    (OUT / "table.md").write_text("\n".join(baseline_table(report)) + "\n", "utf-8")
    for key, least in (("average_precision", 0.0), ("f1", 0.15)):
        best = max(rule.per_label[key][1][0] for rule in report.baselines.values())
        ahead = report.verdict.per_label[key][1][0] - best
        print(f"{key} of poor: {ahead:+.3f} over the best rule; the goal is {least:+.2f}{'' if ahead > least else '  MISSED'}")
    if arguments.release:
        release(dataset, config, found, report)
    if (ROOT / "models" / DEFAULT).exists():
        seeds()
    return 0


def load(corpus: Path, config: QualityConfig) -> tuple[Dataset, list[str]]:
    """Return pages with their verdicts and the articles of labels/, and the ids of the pages."""
    lines = (corpus / "quality.jsonl").read_text("utf-8").splitlines()
    verdicts = {item["id"]: item for item in map(json.loads, lines)}
    dataset = load_labels([corpus / "pages.jsonl", ROOT / "labels"], config.paragraphs.label_set, config.paragraphs.by_kind)
    articles = [
        replace(article, quality=verdicts[article.id]["quality"], quality_reason=verdicts[article.id]["reason"])
        if article.id in verdicts
        else article
        for article in dataset.articles
    ]
    return Dataset(tuple(articles), dataset.notes), sorted(verdicts)


def prepared(dataset: Dataset, config: QualityConfig, jobs: int) -> training.Material:
    """Return the filtered articles, from the file of an earlier run on the same data with the same settings if there is one."""
    file = OUT / f"filtered-{dataset.quality_digest[:12]}-{config.digest[:12]}.pickle"
    if file.exists():
        return training.Material(*pickle.loads(file.read_bytes()))
    begin = time.monotonic()
    found = training.prepare(dataset, config, jobs=jobs)
    OUT.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(tuple(found)))
    print(f"filtered {len(dataset.articles):,} articles by paragraph models of other sites in {time.monotonic() - begin:.0f} s")
    return found


def release(dataset: Dataset, config: QualityConfig, found: training.Material, report: QualityReport) -> None:
    """Train on everything and save the model that ships with the package."""
    trained = training.train(dataset, config, found)
    texts = card_files(trained, report)
    texts[CARD] += "\n".join(["", "## Beside published rules", "", *baseline_table(report), "", NOTES.read_text("utf-8")])
    metrics = json.loads(texts[METRICS])
    del metrics["articles"]
    texts[METRICS] = json.dumps(metrics, indent=1, sort_keys=True) + "\n"
    folder = save_quality(ROOT / "models" / DEFAULT, *trained.fitted, trained.labels, trained.info, texts, force=True)
    print(f"released {folder.relative_to(ROOT)}, digest {load_quality(folder).digest[:12]}")


def seeds() -> None:
    """Print what the shipped models say of the four seeds; the second and third are rewritten by machine."""
    model, quality = trainer.load(), trainer.load_quality()
    for file in sorted(SEEDS.glob("*.txt")):
        verdict = quality.judge(model.filter(file.read_text("utf-8")))
        print(f"{file.stem}: {verdict.verdict}, good with probability {verdict.probability:.3f}, {verdict.reason or '–'}")


def cost() -> None:
    """Print what measuring signals costs beside filtering, on the articles of labels/, in bulk and one by one.

    Some articles are filtered, then measured, as on their way through a scraper; of several rounds the best counts for each some,
    in processor time, so that what else the machine does counts little. One thread: others that wait would count too.
    """
    model = trainer.load()
    articles = [
        [part["text"] for part in json.loads(line)["paragraphs"]]
        for name in ("authored.jsonl", "pages.jsonl")
        for line in (ROOT / "labels" / name).read_text("utf-8").splitlines()
    ]
    bulk = [articles[begin : begin + FEW] for begin in range(0, len(articles), FEW)]
    single = [[article] for article in articles[::SINGLE]]
    with threadpool_limits(1):
        for name, parts in (("in bulk", bulk), ("one by one", single)):
            times = [min_times(model, some) for some in parts]
            filtered, measured = (sum(column) for column in zip(*times, strict=True))
            number = sum(map(len, parts))
            share = measured / filtered
            print(f"signals {name}: {measured:.3f} s for {number:,} articles, {share:.1%} of the filter's {filtered:.3f} s")


def min_times(model: Classifier, articles: list[list[str]]) -> tuple[float, float]:
    """Return the least processor time, in seconds, of filtering the articles and of measuring what comes out."""
    rounds = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        results = list(model.filter_many(articles))
        between = time.process_time()
        signals.measure(results)
        rounds.append((between - begin, time.process_time() - between))
    return min(first for first, _ in rounds), min(second for _, second in rounds)


if __name__ == "__main__":
    sys.exit(main())
