"""What `trainer train`, `trainer evaluate` and `trainer filter` do with `--task quality` and `--quality`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from enum import StrEnum
from functools import cache, partial
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainer import records
from trainer.cli.curve_file import read_or_measure
from trainer.cli.options import say, stdout_console, tracked
from trainer.errors import InputError
from trainer.files import STDIO, write_whole
from trainer.quality import QualityModel, Verdict
from trainer.result import FilterResult

if TYPE_CHECKING:
    from trainer.dataset import Dataset
    from trainer.quality_config import QualityConfig
    from trainer.quality_evaluation import QualityReport
    from trainer.quality_training import Material


class TaskOption(StrEnum):
    """What is trained or evaluated."""

    paragraphs = "paragraphs"
    quality = "quality"


Task = Annotated[
    TaskOption,
    typer.Option("--task", "-t", help="Labels of paragraphs, or the quality of whole articles: good or poor, and why."),
]


def train(
    labels: Sequence[Path],
    out: Path,
    *,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    force: bool = False,
    jobs: int = -1,
) -> Path:
    """Train on label files whose articles carry a verdict, write the model folder and return its path."""
    from trainer import artifact
    from trainer import quality_training as training
    from trainer.quality_artifact import save_quality
    from trainer.quality_evaluation import cross_validate
    from trainer.quality_report import card_files

    settings, dataset = _load(labels, config, overrides)
    artifact.check_free(out, force=force)
    data = training.summary(training.judged(dataset))
    counts = ", ".join(f"{name} {count:,}" for name, count in data["labels"].items())
    say(f"training on {data['articles']:,} articles of {data['sites']:,} sites: {counts}; first paragraph models for each fold")
    found = _prepared(dataset, settings, jobs)
    trained = training.train(dataset, settings, found)
    report = cross_validate(dataset, settings, found, progress=tracked("folds"))
    fitted = trained.fitted
    folder = save_quality(
        out,
        fitted.text,
        fitted.centre,
        fitted.spread,
        fitted.weights,
        fitted.threshold,
        trained.labels,
        trained.info,
        card_files(trained, report),
        force=force,
    )
    size = (folder / artifact.WEIGHTS).stat().st_size
    say(f"wrote {folder} ({size / 1e6:.1f} MB, labels digest {data['digest'][:12]})")
    return folder


def evaluate(
    labels: Sequence[Path],
    *,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    model: Path | None = None,
    paragraph_model: Path | None = None,
    leakage: bool = False,
    report_file: Path | None = None,
    curve: Path | None = None,
    json_file: Path | None = None,
    jobs: int = -1,
) -> None:
    """Evaluate, print the tables, and write the JSON report and the page where asked for."""
    from trainer import quality_training as training
    from trainer.comparison import comparable
    from trainer.quality_curve import learning_curve
    from trainer.quality_evaluation import cross_validate
    from trainer.quality_report import as_items, item_config, page, show, show_leakage, to_json

    settings, dataset = _load(labels, config, overrides)
    articles = training.judged(dataset)
    prepared = cache(partial(_prepared, dataset, settings, jobs))  # not needed for a saved model
    with ExitStack() as stack:
        file = stack.enter_context(write_whole(json_file)) if json_file and json_file != STDIO else None
        html = stack.enter_context(write_whole(report_file)) if report_file else None
        measure = partial(learning_curve, dataset, settings, progress=tracked("fits of the learning curve"))
        learnt = read_or_measure(curve, lambda: measure(prepared())) if curve else None
        if model:
            report = _evaluate_saved(model, paragraph_model, dataset, settings)
        else:
            report = cross_validate(dataset, settings, prepared(), progress=tracked("folds"))
        leaky = None
        if leakage:
            random = training.prepare(dataset, settings, jobs=jobs, split_sites=True, progress=tracked("random folds"))
            leaky = cross_validate(dataset, settings, random, progress=tracked("folds"))
        if json_file != STDIO:
            console = stdout_console()
            show(report, console)
            if leaky:
                show_leakage(report, leaky, console)
        items, counted = as_items(articles), item_config(settings)
        compared = comparable(report.verdict, items, counted, settings=settings.changes) if json_file else {}
        text = json.dumps({**to_json(report), **({"leaky": to_json(leaky)} if leaky else {}), **compared}, indent=1) + "\n"
        if file:
            file.write_text(text, "utf-8")
        elif json_file:
            sys.stdout.write(text)
        if html:
            html.write_text(page(report, leaky, learnt, articles, settings), "utf-8")
    for written in (json_file if file else None, report_file):
        if written:
            say(f"wrote {written}")


def _prepared(dataset: Dataset, settings: QualityConfig, jobs: int) -> Material:
    from trainer.quality_training import prepare

    return prepare(dataset, settings, jobs=jobs, progress=tracked("folds of paragraph models"))


def _evaluate_saved(model: Path, filtered_by: Path | None, dataset: Dataset, settings: QualityConfig) -> QualityReport:
    from trainer import artifact
    from trainer.quality_artifact import load_quality
    from trainer.quality_evaluation import evaluate_model
    from trainer.quality_training import judged

    quality, found = load_quality(model), judged(dataset)
    results = list(artifact.load(filtered_by).filter_many([list(texts) for texts in found.texts]))
    return evaluate_model(quality, found, results, settings)


def _load(labels: Sequence[Path], config: Path | None, overrides: Sequence[str]) -> tuple[QualityConfig, Dataset]:
    from trainer.dataset import load_labels
    from trainer.quality_config import load_quality_config

    settings = load_quality_config(config, overrides)
    return settings, load_labels(labels, settings.paragraphs.label_set, settings.paragraphs.by_kind)


class Gate:
    """Judges filtered articles on their way out, and puts those that are refused into a file of their own.

    Args:
        model: the quality model. least: articles under this probability of being good are refused; None refuses none.
        refused: where to; needed with `least`. force: replace it.
    """

    def __init__(self, model: QualityModel, least: float | None, refused: Path | None, stack: ExitStack, *, force: bool) -> None:
        self._model, self._least, self._refused = model, least, refused
        self._write = stack.enter_context(records.writer(refused, force=force)) if refused is not None else None
        self.poor, self.count = Counter[str](), 0

    def judge(self, results: Iterable[FilterResult]) -> Iterator[Verdict]:
        """Judge articles, some ahead, and count them."""
        for verdict in self._model.judge_many(results):
            if verdict.reason:
                self.poor[verdict.reason] += 1
            yield verdict

    def takes(self, record: dict[str, Any], verdict: Verdict | None) -> bool:
        """Put the verdict into the record; return whether the article stays, and if not, write it to the file of the refused."""
        if verdict is None:
            return True
        record["quality"] = verdict.record()
        if self._least is None or self._write is None:
            return True
        if verdict.probability >= self._least:
            record.pop("refused", None)  # of an earlier run
            return True
        why = verdict.reason or f"quality {verdict.probability:.3f} is under {self._least:g}"
        self._write({**record, "refused": {"reason": why, "probability": round(verdict.probability, 6), "least": self._least}})
        self.count += 1
        return False

    def line(self) -> str:
        """Return the summary for people."""
        reasons = "".join(f", {reason} {count:,}" for reason, count in self.poor.most_common())
        refused = f"; refused {self.count:,}, in {self._refused}" if self._least is not None else ""
        return f"quality: {self.poor.total():,} poor{reasons}{refused}"


def judged(
    gate: Gate | None, filtered: Iterable[tuple[records.Item, FilterResult]]
) -> Iterator[tuple[records.Item, FilterResult, Verdict | None]]:
    """Add to each article its verdict, if it gets one."""
    if gate is None:
        yield from ((item, result, None) for item, result in filtered)
        return
    pairs, ahead = tee(filtered)
    for (item, result), verdict in zip(pairs, gate.judge(result for _, result in ahead), strict=True):
        yield item, result, verdict


def open_gate(
    quality: Path | None, least: float | None, refused: Path | None, out: Path | None, stack: ExitStack, *, force: bool
) -> Gate | None:
    """Check the options of `trainer filter` and return the gate; None where no quality model was asked for."""
    from trainer.quality_artifact import load_quality

    if quality is None:
        if least is not None or refused is not None:
            raise InputError("--min-quality and --refused need a quality model", hint="Add --quality quality-en.")
        return None
    if refused is not None and least is None:
        raise InputError("--refused is for articles under a least quality", hint="Add --min-quality 0.5.")
    if least is not None and refused is None:
        if out is None or out == STDIO or not out.name.endswith((".jsonl", ".jsonl.gz", ".parquet")):
            raise InputError("--min-quality needs a file for what is refused", hint="Add --refused refused.jsonl.")
        stem, _, suffix = out.name.partition(".")
        refused = out.with_name(f"{stem}.refused.{suffix}")
    if refused is not None and (refused == STDIO or (out is not None and refused.resolve() == out.resolve())):
        raise InputError("--refused needs a file of its own", where=str(refused), hint="Add --refused refused.jsonl.")
    return Gate(load_quality(quality), least, refused, stack, force=force)
