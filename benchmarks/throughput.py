"""Paragraphs per second of labelling and of the whole filter, against fastText and scikit-learn: one thread, same run.

    python benchmarks/throughput.py [--paragraphs N] [--rounds N] [--model FOLDER]

The texts are the articles of labels/, repeated with a running number put into each so that no two are the same.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import peers

import trainer
from trainer.features import chunks, extract


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paragraphs", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", type=Path, help="a model folder, instead of training one on labels/ first")
    arguments = parser.parse_args()
    dataset = peers.load_articles()
    articles: list[list[str]] = []
    count = 0
    while count < arguments.paragraphs:
        for article in dataset.articles:
            articles.append([f"{text} {count + i}" for i, text in enumerate(article.texts)])
            count += len(article.texts)
    paragraphs = [text for article in articles for text in article]
    texts = ["\n".join(article) for article in articles]
    size = sum(len(text.encode()) for text in paragraphs)

    with tempfile.TemporaryDirectory() as folder:
        path = arguments.model or peers.train_model(Path(folder) / "model")
        model = trainer.load(path)
        bigrams = peers.train_fasttext(dataset, wordNgrams=2)
        small = peers.train_fasttext(dataset, wordNgrams=2, bucket=1 << 18, dim=16)
        subwords = peers.train_fasttext(dataset, wordNgrams=2, minn=3, maxn=5)
        hashing = peers.train_sklearn(dataset)
        text_stage = model.network.text
        single = [" ".join(text.split()) for text in paragraphs]  # fastText refuses line breaks

        def label_bulk() -> None:
            for run in chunks(paragraphs):
                text_stage.scores(text_stage.contributions(extract(run, text_stage.settings)))

        def predict_bulk(fasttext: Any) -> None:  # its binding: the wrapper around it breaks with NumPy 2
            fasttext.f.multilinePredict([f"{text}\n" for text in single], 1, 0.0, "strict")

        def predict_each(fasttext: Any) -> None:
            for text in single:
                fasttext.f.predict(f"{text}\n", 1, 0.0, "strict")

        contestants = [
            ("fastText, word 2-grams, bulk", lambda: predict_bulk(bigrams)),
            ("fastText, the same with 16 dimensions instead of 100, bulk", lambda: predict_bulk(small)),
            ("fastText, word 2-grams and subwords 3–5, bulk", lambda: predict_bulk(subwords)),
            ("fastText, word 2-grams, one call a paragraph", lambda: predict_each(bigrams)),
            ("scikit-learn, hashing and logistic regression, bulk", lambda: hashing.predict(paragraphs)),
            ("ours, first stage alone, bulk", label_bulk),
            ("ours, both stages: label, one article a call", lambda: [model.label(article) for article in articles]),
            ("ours, whole filter, one article a call", lambda: [model.filter(text, wrap="never") for text in texts]),
            ("ours, whole filter, bulk", lambda: [result.text for result in model.filter_many(texts, wrap="never")]),
        ]  # fmt: skip
        best = peers.best_of(contestants, arguments.rounds)
        peak = _peak_memory(path)
    base = best["fastText, word 2-grams, bulk"]
    table = peers.table(
        f"{len(paragraphs):,} paragraphs, {size / len(paragraphs):.0f} bytes each; one thread; {peers.machine()}",
        "what", "paragraphs/s", "MB/s", "× fastText",
    )  # fmt: skip
    for name, seconds in best.items():
        table.add_row(name, f"{len(paragraphs) / seconds:,.0f}", f"{size / seconds / 1e6:.1f}", f"{base / seconds:.2f}")
    peers.console().print(table)
    print(f"peak memory of a process that loads the model and filters all texts of labels/: {peak:.0f} MB")


def _peak_memory(model: Path) -> float:
    """Return the peak resident size in MB of a fresh process with nothing but the runtime, as Linux reports it."""
    code = (
        "import sys, json, trainer\n"
        "m = trainer.load(sys.argv[1])\n"
        "for line in open(sys.argv[2], encoding='utf-8'):\n"
        "    m.filter([p['text'] for p in json.loads(line)['paragraphs']])\n"
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(model), str(peers.LABELS / "authored.jsonl")], capture_output=True, text=True, check=True
    )
    return int(run.stdout) / 1024


if __name__ == "__main__":
    main()
