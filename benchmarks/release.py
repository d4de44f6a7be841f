"""Train the English news model that ships with the package, and write its card.

    python benchmarks/release.py [--corpus FILE] [--quality FILE]

Trains on annotated public pages and everything under labels/ with the default settings. The card's tables come from
benchmarks/quality.py (`--quality`, its quality.json), which has to be run before; its prose is docs/news-en.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

from trainer import artifact
from trainer.card import files
from trainer.config import load_config
from trainer.dataset import Dataset, load_labels
from trainer.evaluation import evaluate_training
from trainer.training import train

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus" / "pages.jsonl"
QUALITY = ROOT / "benchmarks" / "out" / "quality"
NOTES = ROOT / "docs" / "news-en.md"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--quality", type=Path, default=QUALITY, help="folder that benchmarks/quality.py wrote")
    arguments = parser.parse_args()
    if not arguments.corpus.exists():
        print(f"release: no annotated pages at {arguments.corpus.name}; the model is trained on them", file=sys.stderr)
        return 2
    config = load_config()
    dataset = load_labels([arguments.corpus, ROOT / "labels"], config.label_set, config.by_kind)
    begin = time.monotonic()
    trained = train(dataset, config)
    print(f"release: trained on {len(dataset.articles):,} articles in {time.monotonic() - begin:.0f} s")
    texts = files(trained, evaluate_training(dataset, config, trained))
    metrics = json.loads(texts[artifact.METRICS])
    card = texts[artifact.CARD].partition("## Limits")[0] + sources(dataset)
    table, figures = arguments.quality / "quality.txt", arguments.quality / "quality.json"
    if figures.exists():
        metrics["benchmark"] = json.loads(figures.read_text("utf-8"))
        how = "`python benchmarks/quality.py`: every figure on sites that its model had not seen."
        card += f"## Benchmark\n\n{how}\n\n```\n{table.read_text('utf-8')}```\n\n"
    texts = {
        artifact.METRICS: json.dumps(metrics, indent=1, sort_keys=True) + "\n",
        artifact.CARD: card + NOTES.read_text("utf-8"),
    }
    folder = artifact.save(
        ROOT / "models" / artifact.DEFAULT, trained.network, trained.labels, trained.policy, trained.info, texts, force=True
    )
    size = (folder / artifact.WEIGHTS).stat().st_size
    print(f"release: wrote {folder.relative_to(ROOT)}, {size / 1e6:.1f} MB, digest {artifact.load(folder).digest[:12]}")
    return 0


def sources(dataset: Dataset) -> str:
    """Return the section of the card that counts articles by where they came from."""
    count = Counter(article.source.partition("@")[0] or "not named" for article in dataset.articles)
    rows = [f"| {source} | {articles:,} |" for source, articles in count.most_common()]
    return "\n".join(
        ["## Sources", "", "| public repository, or how they came about | articles |", "| --- | ---: |", *rows, "", ""]
    )


if __name__ == "__main__":
    sys.exit(main())
