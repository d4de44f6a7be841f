"""`trainer evaluate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainer.cli import quality
from trainer.cli.curve_file import read_or_measure
from trainer.cli.options import DEFAULT_LABELS, ConfigFile, Labels, Overrides, say, stdout_console, tracked
from trainer.errors import InputError

if TYPE_CHECKING:
    from trainer.config import Config
    from trainer.dataset import Dataset
    from trainer.evaluation import Report
    from trainer.learning_curve import LearningCurve

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
    report_file: Annotated[
        Path | None,
        typer.Option("--report", help="Write a web page (.html) with curves and the errors in context; works without network."),
    ] = None,
    curve: Annotated[
        Path | None,
        typer.Option(
            "--curve", help="Learning curve for the page, of trainer labels curve --out FILE; measured first where not there yet."
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the report as JSON to this file; - for stdout, without the table.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes; -1 for one a core.")] = -1,
    task: quality.Task = quality.TaskOption.paragraphs,
    paragraph_model: Annotated[
        Path | None,
        typer.Option("--paragraph-model", help="With --task quality and --model: filters the articles first; else news-en does."),
    ] = None,
) -> None:
    """Cross-validate on sites the model has not seen, or score a saved model.

    Every figure comes with a 95 % bootstrap interval over sites. Near-duplicate stories stay on one side of a split. Two reports
    in JSON are compared by trainer compare.

    Example: trainer evaluate labels --config configs/news.toml --json report.json --report report.html

    Example: trainer evaluate labels --task quality --config configs/quality.toml
    """
    is_quality = task is quality.TaskOption.quality
    check(
        model=model,
        paragraph_model=paragraph_model,
        is_quality=is_quality,
        leakage=leakage,
        json_file=json_file,
        report_file=report_file,
        curve=curve,
        jobs=jobs,
    )
    run = partial(quality.evaluate, paragraph_model=paragraph_model) if is_quality else evaluate
    run(
        labels or [DEFAULT_LABELS],
        config=config,
        overrides=overrides or (),
        model=model,
        leakage=leakage,
        report_file=report_file,
        curve=curve,
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
    report_file: Path | None = None,
    curve: Path | None = None,
    json_file: Path | None = None,
    jobs: int = -1,
) -> None:
    """Evaluate, print the tables, and write the JSON report and the page where asked for."""
    from trainer import artifact
    from trainer.comparison import comparable
    from trainer.config import load_config
    from trainer.dataset import load_labels
    from trainer.evaluation import cross_validate, evaluate_model
    from trainer.files import STDIO, write_whole
    from trainer.report import show, show_leakage, to_json, to_text

    settings = load_config(config, overrides)
    dataset = load_labels(labels, settings.label_set, settings.by_kind)
    for note in dataset.notes:
        say(f"note: {note}")
    learnt = read_or_measure(curve, lambda: _learning_curve(dataset, settings, jobs)) if curve else None
    with ExitStack() as stack:
        file = stack.enter_context(write_whole(json_file)) if json_file and json_file != STDIO else None
        page = stack.enter_context(write_whole(report_file)) if report_file else None
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
        if json_file:
            compared = comparable(report, dataset, settings)
            text = to_text({**to_json(report), **({"leaky": to_json(leaky)} if leaky else {}), **compared})
            if file:
                file.write_text(text, "utf-8")
            else:
                sys.stdout.write(text)
        if page:
            page.write_text(_page(report, leaky, learnt, dataset, settings), "utf-8")
    for written in (json_file if file else None, report_file):
        if written:
            say(f"wrote {written}")


def check(
    *,
    model: Path | None,
    paragraph_model: Path | None,
    is_quality: bool,
    leakage: bool,
    json_file: Path | None,
    report_file: Path | None,
    curve: Path | None,
    jobs: int,
) -> None:
    """Refuse options that do not go together.

    Raises:
        InputError: they do not.
    """
    if report_file and report_file == json_file:
        raise InputError("--json and --report name the same file", where=str(json_file))
    if model and leakage:
        raise InputError("--leakage splits the data anew, --model does not", hint="Give one of the two.")
    if report_file and report_file.suffix != ".html":
        raise InputError("the name of a report page ends in .html", where=str(report_file))
    if curve and not report_file:
        raise InputError("--curve is for the page", hint="Give --report FILE too, or use trainer labels curve.")
    if curve and curve.suffix != ".json":
        raise InputError("the name of a learning curve ends in .json", where=str(curve))
    if jobs == 0 or jobs < -1:
        raise InputError(f"--jobs is {jobs}", hint="Give a number of processes, or -1 for one a core.")
    if paragraph_model and not (is_quality and model):
        raise InputError("--paragraph-model goes with --task quality and --model", hint="Name a model of paragraphs by --model.")


def _learning_curve(dataset: Dataset, settings: Config, jobs: int) -> LearningCurve:
    """Measure a learning curve with the small settings."""
    from trainer.config import load_config
    from trainer.learning_curve import FAST, learning_curve

    small = load_config(None, FAST).model_copy(update={"labels": settings.labels, "seed": settings.seed})
    return learning_curve(dataset, small, jobs=jobs, progress=tracked("fits of the learning curve"))


def _page(report: Report, leaky: Report | None, curve: dict[str, Any] | None, dataset: Dataset, settings: Config) -> str:
    from trainer.report_page import of_report, page, page_data

    material = of_report(report, dataset, settings)
    data = page_data(report, material, leaky=leaky, curve=curve, settings=settings.changes)
    return page("How good the model is, and where it goes wrong", data)
