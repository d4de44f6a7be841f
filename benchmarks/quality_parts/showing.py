"""Sheets as text and JSON, and plots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from quality_parts.figures import Row, Sheet, cell
from trainer.evaluation import interval

WIDTH = 200


def write_text(sheets: Sequence[Sheet], notes: Sequence[str], file: Path) -> None:
    """Print the sheets, and write the same to a file."""
    console = Console(width=WIDTH, highlight=False, record=True)
    for note in notes:
        console.print(Text(note, style="bold"))
    for sheet in sheets:
        table = Table(title=sheet.title, title_justify="left")
        table.add_column("")
        for _, heading, _ in sheet.columns:
            table.add_column(heading, justify="right")
        for row in sheet.rows:
            cells = [cell(row.figures[key], digits) if key in row.figures else "–" for key, _, digits in sheet.columns]
            table.add_row(Text(row.name), *cells)
        console.print(table)
        for row in sheet.rows:
            if row.note:
                console.print(Text(f"{row.name}: {row.note}", style="dim"))
    file.write_text(console.export_text(), "utf-8")


def write_json(about: dict[str, Any], sheets: dict[str, Sheet], curves: dict[str, Any], file: Path) -> None:
    """Write the figures of all sheets and the points of all plots."""
    whole = {"about": about, "sheets": {name: sheet.to_json() for name, sheet in sheets.items()}, "curves": curves}
    file.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", "utf-8")


def plot_removal(curves: dict[str, tuple[np.ndarray, np.ndarray]], file: Path) -> None:
    """Plot the share of junk removed against the share of news lost: name → (news lost, junk removed)."""
    figure, axes = _axes()
    for name, (lost, junk) in curves.items():
        axes.plot(100 * lost, 100 * junk, label=name)
    axes.set(xscale="log", xlabel="news characters lost, %", ylabel="junk characters removed, %", ylim=(0, 100))
    axes.set_title("residue of each extractor: one threshold, out of fold")
    axes.legend(fontsize=8)
    figure.savefig(file, dpi=150)


def plot_learning(rows: Sequence[Row], keys: dict[str, str], file: Path) -> None:
    """Plot figures against the number of sites; `keys`: key → heading."""
    figure, axes = _axes()
    sites = [row.figures["sites"][0] for row in rows]
    for key, heading in keys.items():
        ends = np.array([interval(row.figures[key]) for row in rows if key in row.figures])
        if len(ends) == len(sites):
            axes.plot(sites, ends[:, 0], marker="o", label=heading)
            axes.fill_between(sites, ends[:, 1], ends[:, 2], alpha=0.15)
    axes.set(xscale="log", xlabel="sites of real pages in training", ylabel="F1", title="learning curve")
    axes.set_xticks(sites, [f"{site:.0f}" for site in sites])
    axes.minorticks_off()
    axes.legend(fontsize=8)
    figure.savefig(file, dpi=150)


def plot_reliability(bins: dict[str, list[tuple[float, float, int]]], errors: dict[str, float], file: Path) -> None:
    """Plot how often the model is right against how sure it is: name → (mean probability, share right, paragraphs)."""
    figure, axes = _axes()
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    for name, points in bins.items():
        mean, share, count = zip(*points, strict=True)
        (line,) = axes.plot(mean, share, linewidth=1, label=f"{name}, ECE {errors[name]:.3f}")
        axes.scatter(mean, share, s=4 * np.log2(1 + np.array(count)), color=line.get_color())
    axes.set(xlabel="probability", ylabel="share that is right", title="reliability, out of fold, full page")
    axes.legend(fontsize=8)
    figure.savefig(file, dpi=150)


def plot_bars(rows: Sequence[Row], keys: dict[str, str], file: Path) -> None:
    """Plot figures of rows as bars with intervals; `keys`: key → heading."""
    figure, axes = _axes(height=1.5 + 0.35 * len(rows) * len(keys))
    rows = [row for row in rows if any(key in row.figures for key in keys)]
    place, width = np.arange(len(rows)), 0.8 / len(keys)
    for number, (key, heading) in enumerate(keys.items()):
        ends = np.array([interval(row.figures[key]) if key in row.figures else (np.nan,) * 3 for row in rows])
        around = np.abs(ends[:, 1:] - ends[:, :1]).T
        axes.barh(place + number * width, ends[:, 0], width, xerr=around, label=heading, error_kw={"linewidth": 0.8})
    axes.set_yticks(place + width * (len(keys) - 1) / 2, [row.name for row in rows])
    axes.invert_yaxis()
    axes.set(xlabel="F1", xlim=(0, 1), title="full page")
    axes.legend(fontsize=8)
    figure.savefig(file, dpi=150)


def _axes(height: float = 5.0) -> Any:
    from matplotlib.figure import Figure  # without pyplot: no window, no state

    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(alpha=0.3)
    return figure, axes
