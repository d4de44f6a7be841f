"""`trainer evaluate`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli import quality
from trainer.cli.options import DEFAULT_LABELS, ConfigFile, Labels, Overrides, say, stdout_console, tracked

NAME = "evaluate"


def command(
    labels: Labels = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", "-m", help="Score this saved model instead of cross-validating; news-en is the one of the package."
        ),
    ] = None,
    leakage: Annotated[bool, typer.Option("--leakage", help="Also split at random, to show how much that flatters.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the report as JSON to this file; - for stdout, without the table.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes; -1 for one a core.")] = -1,
    task: quality.Task = quality.TaskOption.paragraphs,
) -> None:
    """Cross-validate on sites the model has not seen, or score a saved model.

    Every figure comes with a 95 % bootstrap interval over sites. Near-duplicate stories stay on one side of a split.

    Example: trainer evaluate labels --config configs/news.toml --json report.json

    Example: trainer evaluate labels --task quality --config configs/quality.toml
    """
    run = quality.evaluate if task is quality.TaskOption.quality else evaluate
    run(
        labels or [DEFAULT_LABELS],
        config=config,
        overrides=overrides or (),
        model=model,
        leakage=leakage,
        json_file=json_file,
        jobs=jobs,
    )


def evaluate(
    labels: Sequence[Path],
    *,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    model: Path | None = None,
    leakage: bool = False,
    json_file: Path | None = None,
    jobs: int = -1,
) -> None:
    """Evaluate, print the tables, and write the JSON report where asked for."""
    from trainer import artifact
    from trainer.config import load_config
    from trainer.dataset import load_labels
    from trainer.errors import InputError
    from trainer.evaluation import cross_validate, evaluate_model
    from trainer.files import STDIO, write_whole
    from trainer.report import show, show_leakage, to_json

    if model and leakage:
        raise InputError("--leakage splits the data anew, --model does not", hint="Give one of the two.")
    if jobs == 0 or jobs < -1:
        raise InputError(f"--jobs is {jobs}", hint="Give a number of processes, or -1 for one a core.")
    settings = load_config(config, overrides)
    dataset = load_labels(labels, settings.label_set, settings.by_kind)
    for note in dataset.notes:
        say(f"note: {note}")
    with ExitStack() as stack:
        file = stack.enter_context(write_whole(json_file)) if json_file and json_file != STDIO else None
        if model:
            report, leaky = evaluate_model(artifact.load(model), dataset, settings), None
        else:
            report = cross_validate(dataset, settings, jobs=jobs, progress=tracked("folds"))
            random = {"split_sites": True, "progress": tracked("random folds")}
            leaky = cross_validate(dataset, settings, jobs=jobs, **random) if leakage else None
        if json_file != STDIO:
            console = stdout_console()
            show(report, console)
            if leaky:
                show_leakage(report, leaky, console)
        text = json.dumps({**to_json(report), **({"leaky": to_json(leaky)} if leaky else {})}, indent=1) + "\n"
        if file:
            file.write_text(text, "utf-8")
        elif json_file:
            sys.stdout.write(text)
    if file:
        say(f"wrote {json_file}")
