"""`trainer train`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.cli import quality
from trainer.cli.options import DEFAULT_LABELS, ConfigFile, Force, Labels, Overrides, say, tracked, training_progress
from trainer.errors import InputError

if TYPE_CHECKING:
    from trainer.config import Config
    from trainer.dataset import Dataset
    from trainer.evaluation import Report
    from trainer.model import Classifier
    from trainer.training import Trained

NAME = "train"


def command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Model folder to write, e.g. models/mine.")],
    labels: Labels = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    base: Annotated[
        Path | None,
        typer.Option(
            "--base",
            "-b",
            help="Model to adapt to your sites instead of training from scratch, e.g. news-en: from about 50 labelled paragraphs "
            "of one page on, in seconds. Label whole stretches around the story.",
        ),
    ] = None,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Cross-validate too, for the model card; takes several times as long.")
    ] = False,
    task: quality.Task = quality.TaskOption.paragraphs,
    force: Force = False,
) -> None:
    """Train a model on label files and write it as a folder of plain arrays.

    Thresholds are chosen on out-of-fold probabilities so that at most policy.max_news_loss of the news goes.

    With --base, what the base knows stays where your labels say nothing; it works for new pages of the sites you label. With
    --evaluate it is tested on pages it was not adapted to, beside the base as it is.

    Example: trainer train labels --config configs/news.toml --out models/mine

    With --task quality, it learns from the articles' "quality" and "quality_reason" which articles are whole and readable.

    Example: trainer train labels/mine.jsonl --base news-en --evaluate --out models/mine

    Example: trainer train labels --task quality --config configs/quality.toml --out models/quality-mine
    """
    chosen = labels or [DEFAULT_LABELS]
    if task is quality.TaskOption.quality:
        if base or evaluate:
            raise InputError("--base and --evaluate are for paragraphs; with --task quality every model is cross-validated")
        quality.train(chosen, out, config=config, overrides=overrides or (), force=force)
        return
    train(chosen, out, config=config, overrides=overrides or (), base=base, evaluate=evaluate, force=force)


def train(
    labels: Sequence[Path],
    out: Path,
    *,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    base: Path | None = None,
    evaluate: bool = False,
    force: bool = False,
) -> Path:
    """Train on label files, or adapt a base to them, write the model folder and return its path."""
    from trainer import adaptation, artifact, card
    from trainer.config import load_config
    from trainer.dataset import load_labels

    settings = load_config(config, overrides)
    artifact.check_free(out, force=force)
    model = None if base is None else artifact.load(base)
    if model is not None:
        adaptation.check_labels(model, settings)
    dataset = load_labels(labels, settings.label_set, settings.by_kind, adapting=model is not None)
    for note in dataset.notes:
        say(f"note: {note}")
    data = dataset.summary()
    counts = ", ".join(f"{label} {count:,}" for label, count in data["labels"].items())
    how = "training" if model is None else f"adapting {model.name}"
    say(f"{how} on {data['articles']:,} articles of {data['sites']:,} sites, {data['paragraphs']:,} paragraphs: {counts}")
    trained, report = _train(dataset, settings, evaluate) if model is None else _adapt(model, dataset, settings, evaluate)
    texts = card.files(trained, report)
    folder = artifact.save(out, trained.network, trained.labels, trained.policy, trained.info, texts, force=force)
    size = (folder / artifact.WEIGHTS).stat().st_size
    say(f"wrote {folder} ({size / 1e6:.1f} MB, labels digest {data['digest'][:12]})")
    return folder


def _train(dataset: Dataset, settings: Config, evaluate: bool) -> tuple[Trained, Report]:
    from trainer import evaluation, training

    with training_progress():
        trained = training.train(dataset, settings)
    if evaluate:
        return trained, evaluation.cross_validate(dataset, settings, progress=tracked("folds"))
    return trained, evaluation.evaluate_training(dataset, settings, trained)


def _adapt(base: Classifier, dataset: Dataset, settings: Config, evaluate: bool) -> tuple[Trained, Report]:
    from trainer import adaptation, adaptation_evaluation

    with training_progress():
        trained = adaptation.adapt(base, dataset, settings)
    if evaluate:
        report = adaptation_evaluation.cross_validate(base, dataset, settings, progress=tracked("folds"))
    else:
        report = adaptation_evaluation.evaluate_training(base, dataset, settings, trained)
    say(f"{report.title}: {adaptation_evaluation.main_figures(report)}")
    for note in report.notes:
        say(note)
    return trained, report
