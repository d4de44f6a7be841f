"""Options that several commands share, and the streams they write to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

DEFAULT_LABELS = Path("labels")

Labels = Annotated[
    list[Path] | None,
    typer.Argument(help="Label files (*.jsonl) or folders of them.", show_default=str(DEFAULT_LABELS)),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Settings, e.g. configs/news.toml or configs/fast.toml.",
        show_default="those of configs/news.toml",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Override a setting: section.key=value, e.g. features.char_ngrams=[3,5]. May be repeated.",
        metavar="KEY=VALUE",
    ),
]
_COMES_WITH_IT = "the English news model that comes with the package"
Model = Annotated[Path | None, typer.Option("--model", "-m", help="Model folder.", show_default=_COMES_WITH_IT)]
ModelArgument = Annotated[Path | None, typer.Argument(help="Model folder.", show_default=_COMES_WITH_IT)]
Project = Annotated[str, typer.Option("--project", "-p", help="Label Studio project; push creates it.", metavar="NAME")]
Url = Annotated[
    str | None,
    typer.Option(
        "--url", help="Label Studio's address.", envvar="LABEL_STUDIO_URL", show_default="http://127.0.0.1:8080", metavar="URL"
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        help="File with the token, personal or legacy; without it the environment's LABEL_STUDIO_API_KEY.",
        metavar="FILE",
    ),
]


class WrapOption(StrEnum):
    """How to treat hard-wrapped text."""

    auto = "auto"
    never = "never"
    always = "always"


Wrapped = Annotated[WrapOption, typer.Option("--wrap", help="Join the lines of hard-wrapped text.")]
AllowEmpty = Annotated[bool, typer.Option("--allow-empty", help="Let an article go whole.")]
MaxRemovedShare = Annotated[
    float | None,
    typer.Option(
        "--max-removed-share",
        min=0,
        max=1,
        help="Remove at most this share of an article's characters.",
        show_default="the model's",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]

STDERR = Console(stderr=True, highlight=False, soft_wrap=True)


def stdout_console() -> Console:
    """Return a console on standard output; wide enough for tables where it is not a terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=140)


def say(message: str) -> None:
    """Print a line for people on stderr."""
    STDERR.print(message, markup=False)


def progress_bar() -> Progress:
    """Return a progress bar on stderr with count, time taken and time left; silent where stderr is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=STDERR, transient=True, disable=not STDERR.is_terminal)


def tracked(description: str) -> Any:
    """Return a function that wraps an iterable of known length in a progress bar."""

    def wrap(items: Iterable[Any], total: int) -> Iterator[Any]:
        with progress_bar() as bar:
            yield from bar.track(items, total=total, description=description)

    return wrap


@contextmanager
def ticker() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows, under a description, what is done of how much; a new description begins anew."""
    with progress_bar() as bar:
        task = bar.add_task("", total=None, visible=False)
        shown = ""

        def tick(description: str, done: int, total: int) -> None:
            nonlocal shown
            if description != shown:
                bar.reset(task, visible=True)
                shown = description
            bar.update(task, description=description, completed=done, total=total)

        yield tick


class _StepHandler(logging.Handler):
    def __init__(self, bar: Progress) -> None:
        super().__init__()
        self.bar = bar
        self.task = bar.add_task("training", total=None)

    def emit(self, record: logging.LogRecord) -> None:
        step, steps = getattr(record, "step", None), getattr(record, "steps", None)
        if step is not None:
            self.bar.update(self.task, completed=step, total=steps, description=record.getMessage())


@contextmanager
def training_progress() -> Iterator[None]:
    """Show the steps that the estimator logs."""
    logger = logging.getLogger("trainer")
    level = logger.level
    with progress_bar() as bar:
        handler = _StepHandler(bar)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
