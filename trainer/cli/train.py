"""`trainer train`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.options import DEFAULT_LABELS, ConfigFile, Force, Labels, Overrides, say, tracked, training_progress

NAME = "train"


def command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Model folder to write, e.g. models/mine.")],
    labels: Labels = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Cross-validate too, for the model card; takes several times as long.")
    ] = False,
    force: Force = False,
) -> None:
    """Train a model on label files and write it as a folder of plain arrays.

    Thresholds are chosen on out-of-fold probabilities so that at most policy.max_news_loss of the news goes.

    Example: trainer train labels --config configs/news.toml --out models/mine
    """
    train(labels or [DEFAULT_LABELS], out, config=config, overrides=overrides or (), evaluate=evaluate, force=force)


def train(
    labels: Sequence[Path],
    out: Path,
    *,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    evaluate: bool = False,
    force: bool = False,
) -> Path:
    """Train on label files, write the model folder and return its path."""
    from trainer import artifact, card, evaluation, training
    from trainer.config import load_config
    from trainer.dataset import load_labels

    settings = load_config(config, overrides)
    artifact.check_free(out, force=force)
    dataset = load_labels(labels, settings.label_set, settings.by_kind)
    for note in dataset.notes:
        say(f"note: {note}")
    data = dataset.summary()
    counts = ", ".join(f"{label} {count:,}" for label, count in data["labels"].items())
    say(f"training on {data['articles']:,} articles of {data['sites']:,} sites, {data['paragraphs']:,} paragraphs: {counts}")
    with training_progress():
        trained = training.train(dataset, settings)
    if evaluate:
        report = evaluation.cross_validate(dataset, settings, progress=tracked("folds"))
    else:
        report = evaluation.evaluate_training(dataset, settings, trained)
    texts = card.files(trained, report)
    folder = artifact.save(out, trained.network, trained.labels, trained.policy, trained.info, texts, force=force)
    size = (folder / artifact.WEIGHTS).stat().st_size
    say(f"wrote {folder} ({size / 1e6:.1f} MB, labels digest {data['digest'][:12]})")
    return folder
