"""`trainer labels curve`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainer.cli.options import DEFAULT_LABELS, Force, Labels, Overrides, say, stdout_console, tracked

if TYPE_CHECKING:
    from trainer.evaluation import Interval
    from trainer.learning_curve import LearningCurve

NAME = "curve"


def command(
    labels: Labels = None,
    more: Annotated[int, typer.Option("--more", min=1, help="Further articles that the gain is told for.")] = 100,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Settings to train with.", show_default="small ones, for speed")
    ] = None,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the curve as JSON.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Draw the curve (.png), or write it (.json).")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes; -1 for one a core.")] = -1,
    force: Force = False,
) -> None:
    """Tell what the next 100 articles are worth, and for which label.

    Trains on an eighth, a quarter, half and all of the sites, tests on sites left out, and draws a power law through the
    figures. Ranges are 95 %: over the sites there are and over how far the figures lie off the law. The small settings make the
    figures lower than those of `trainer evaluate`; it is the rise that counts.

    Example: trainer labels curve labels/mine.jsonl --out curve.png
    """
    found = curve(
        labels or [DEFAULT_LABELS], more=more, config=config, overrides=overrides or (), out=out, jobs=jobs, force=force
    )
    if as_json:
        typer.echo(json.dumps(to_json(found), indent=1))
    else:
        _show(found)


def curve(
    labels: Sequence[Path],
    *,
    more: int = 100,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    out: Path | None = None,
    jobs: int = -1,
    force: bool = False,
) -> LearningCurve:
    """Measure the learning curve of label files, and draw or write it where asked for."""
    from trainer.config import load_config
    from trainer.dataset import load_labels
    from trainer.errors import InputError
    from trainer.files import write_whole
    from trainer.learning_curve import FAST, learning_curve

    if out is not None and out.suffix not in (".png", ".json"):
        raise InputError("names end in .png or .json", where=str(out))
    if out is not None and out.exists() and not force:
        raise InputError("is there already", where=str(out), hint="Give --force to replace it.")
    if out is not None and out.suffix == ".png":
        import matplotlib.figure  # noqa: F401 (known to be there before the work begins)
    if jobs == 0 or jobs < -1:
        raise InputError(f"--jobs is {jobs}", hint="Give a number of processes, or -1 for one a core.")
    settings = load_config(config, overrides if config else [*FAST, *overrides])
    dataset = load_labels(labels, settings.label_set, settings.by_kind)
    found = learning_curve(dataset, settings, more=more, jobs=jobs, progress=tracked("fits"))
    if out is not None:
        with write_whole(out) as temporary:
            if out.suffix == ".png":
                _draw(found, temporary)
            else:
                temporary.write_text(json.dumps(to_json(found), indent=1) + "\n", "utf-8")
        say(f"wrote {out}")
    return found


def to_json(found: LearningCurve) -> dict[str, Any]:
    """Return everything about a curve, JSON-ready; null where undefined."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return None if isinstance(value, float) and math.isnan(value) else value

    fields: dict[str, Any] = plain(asdict(found))
    for label, source in zip(fields["labels"], found.labels, strict=True):
        label["law"] = source.law._asdict()
    return fields


def _show(found: LearningCurve) -> None:
    from rich.markup import escape
    from rich.table import Table

    console = stdout_console()
    head = [f"{articles:,.0f} articles" for articles in found.articles]
    table = Table(
        "F1", "labelled in", *head, f"with {found.more} more", "gain", title="learning curve, site-grouped, 95 % ranges"
    )
    for label in found.labels:
        points = [f"{value:.3f}" for value, _, _ in label.f1[:-1]]
        figures = (_range(label.f1[-1]), _range(label.expected), _range(label.gain, sign="+"))
        table.add_row(escape(label.name), f"{label.articles:,} articles", *points, *figures)
    console.print(table)
    for note in found.notes:
        say(f"note: {note}")
    macro, best = found.labels[0], next(label for label in found.labels if label.name == found.best)
    console.print(
        f"The next {found.more} articles are worth {_range(macro.gain, sign='+')} of macro-F1; most for {escape(best.name)}, "
        f"{_range(best.gain, sign='+')}.",
        soft_wrap=True,
    )


def _range(figure: Interval, sign: str = "") -> str:
    value, low, high = figure
    return f"{value:{sign}.3f} ({low:{sign}.3f}–{high:{sign}.3f})"


def _draw(found: LearningCurve, file: Path) -> None:
    import numpy as np
    from matplotlib.figure import Figure  # without pyplot: no window, no state

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    last = found.articles[-1]
    along = np.geomspace(found.articles[0], last + found.more, 100)
    for label in found.labels:
        value, low, high = np.array(label.f1).T
        (line,) = axes.plot(along, label.law(along), linewidth=1, linestyle="--" if label is not found.labels[0] else "-")
        axes.errorbar(
            found.articles, value, [value - low, high - value], fmt="o", color=line.get_color(), capsize=2, label=label.name
        )
        expected, lowest, highest = label.expected
        around = [[expected - lowest], [highest - expected]]
        axes.errorbar([last + found.more], [expected], around, fmt="s", mfc="none", color=line.get_color(), capsize=2)
    axes.axvspan(last, last + found.more, color="#dddddd", alpha=0.4)
    ticks = [*found.articles, last + found.more]
    axes.set(
        xscale="log", xlabel="articles in training", ylabel="F1", title=f"learning curve; square: {found.more} articles more"
    )
    axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(file, dpi=150, format="png")
