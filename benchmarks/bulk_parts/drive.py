"""One contestant's run over a file of articles, in this process: what benchmarks/bulk.py starts and measures.

    python drive.py CONTESTANT FILE OUT MODEL [--profile]

With --profile it prints the share of each stage of the work as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trainer import context, network, result, text
from trainer.bulk import json_lines, run, stats, work, writers
from trainer.model import Classifier
from trainer.paragraph import Article
from trainer.sequence import SequenceStage

BATCH = 2000  # paragraphs that a peer is given at once


class Here:
    """The engine without processes."""

    def run(self, jobs: Iterator[work.Job]) -> Generator[work.ShardReport | work.Fault]:
        for job in jobs:
            yield work.attempt(job)


class Peer:
    """A paragraph classifier in the place of ours: paragraphs in, labels and their probabilities out, no context."""

    digest = ""

    def __init__(self, labels: tuple[str, ...], predict: Callable[[list[str]], tuple[list[str], list[float]]]) -> None:
        self._labels, self.predict = labels, predict

    def filter_many(self, articles: Iterable[str], **_: object) -> Iterator[result.FilterResult]:
        batch: list[Article] = []
        count = 0
        for given in articles:
            batch.append(Classifier._article(given, "auto"))
            count += len(batch[-1].paragraphs)
            if count >= BATCH:
                yield from self._results(batch)
                batch, count = [], 0
        yield from self._results(batch)

    def _results(self, batch: list[Article]) -> Iterator[result.FilterResult]:
        labels, sure = self.predict([paragraph.text for article in batch for paragraph in article.paragraphs])
        column = {label: number for number, label in enumerate(self._labels)}
        probability = np.zeros((len(column), len(labels)))
        probability[[column[label] for label in labels], np.arange(len(labels))] = sure
        keep = [label == "news" for label in labels]
        begin = 0
        for article in batch:
            end = begin + len(article.paragraphs)
            yield result.FilterResult(
                article.paragraphs, probability[:, begin:end], keep[begin:end], (),
                labels=self._labels, site=None, model="peer", model_digest="",
            )  # fmt: skip
            begin = end


def main() -> None:
    contestant, source, out, model = sys.argv[1:5]
    stages: dict[str, float] = {}
    if "--profile" in sys.argv:
        _watch(stages)
    began = time.process_time()
    if contestant == "datatrove":
        _datatrove(Path(source), out)
    elif contestant == "scikit-learn":
        _sklearn(source, out, model)
    else:
        if contestant == "fasttext":
            peer = _fasttext(model, stages)
            work._classifier = lambda *_: peer  # type: ignore[assignment, return-value]
            model = sys.argv[5]
        outcome = run.bulk([source], out, model, engine=Here())
        if outcome.left:
            sys.exit(str(outcome.missing))
    if stages:
        whole = time.process_time() - began
        shares = {name: seconds / whole for name, seconds in stages.items()}
        print(json.dumps({**shares, "rest": 1 - sum(shares.values())}))


def _fasttext(path: str, stages: dict[str, float]) -> Peer:
    import fasttext

    binding = fasttext.load_model(path).f

    def predict(texts: list[str]) -> tuple[list[str], list[float]]:
        labels, sure = binding.multilinePredict([f"{text.replace(chr(10), ' ')}\n" for text in texts], 1, 0.0, "strict")
        names = [found[0].removeprefix("__label__") if found else "news" for found in labels]
        return names, [found[0] if len(found) else 0.0 for found in sure]

    if stages:
        predict = _timed(predict, "predict", stages)
    return Peer(("news", "fundraising", "navigation", "caption"), predict)


def _sklearn(source: str, out: str, model: str) -> None:
    """Read, split, predict with joblib's two processes, write."""
    import joblib

    pipeline = joblib.load(model)
    with Path(source).open(encoding="utf-8") as file, Path(f"{out}.jsonl").open("w", encoding="utf-8") as target:
        batches = iter(lambda: [json.loads(line) for _, line in zip(range(500), file, strict=False)], [])
        found = joblib.Parallel(n_jobs=2, return_as="generator")(joblib.delayed(_kept)(pipeline, batch) for batch in batches)
        for batch in found:
            target.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in batch)


def _kept(pipeline: Any, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    articles = [record["text"].splitlines() for record in records]
    labels = iter(pipeline.predict([line for lines in articles for line in lines]))
    return [
        {**record, "text": "\n".join([line for line in lines if next(labels) == "news"])}
        for record, lines in zip(records, articles, strict=True)
    ]


def _datatrove(source: Path, out: str) -> None:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.filters import C4QualityFilter, GopherQualityFilter
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    LocalPipelineExecutor(
        [
            JsonlReader(str(source.parent), glob_pattern=source.name),
            C4QualityFilter(),
            GopherQualityFilter(),
            JsonlWriter(out, compression=None),
        ],
        logging_dir=f"{out}-log",
        skip_completed=False,
    ).run()


def _watch(stages: dict[str, float]) -> None:
    """Time the functions that do the work; none of them calls another of them."""
    places: list[tuple[Any, str, str]] = [
        (json_lines, "parse", "decode"),
        (Classifier, "_article", "split"),
        (network, "extract_all", "first stage"),
        (text.TextStage, "contributions", "first stage"),
        (context.Articles, "build", "second stage"),
        (network, "inputs", "second stage"),
        (SequenceStage, "scores", "second stage"),
        (result.FilterResult, "to_record", "record"),
        (stats.Tally, "add", "record"),
        (writers, "_write_line", "encode"),
    ]
    for owner, name, stage in places:
        made = _timed(getattr(owner, name), stage, stages)
        setattr(owner, name, staticmethod(made) if name in ("_article", "build") else made)


def _timed(function: Callable[..., Any], stage: str, stages: dict[str, float]) -> Callable[..., Any]:
    stages.setdefault(stage, 0.0)

    def timed(*given: Any, **named: Any) -> Any:
        began = time.process_time()
        try:
            return function(*given, **named)
        finally:
            stages[stage] += time.process_time() - began

    return timed


if __name__ == "__main__":
    main()
