"""A Report for terminals, for machines and for model cards."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from trainer.evaluation import Interval, Report
from trainer.policy import NEVER

METRICS = {"precision": "precision", "recall": "recall", "f1": "F1", "average_precision": "average precision"}
OVERALL = {
    "macro_f1": "macro-F1",
    "accuracy": "accuracy",
    "news_char_precision": "news characters, precision",
    "news_char_recall": "news characters, recall",
    "news_char_f1": "news characters, F1",
    "news_lost_per_1000": "at the thresholds: news characters lost per 1,000",
    "junk_removed": "at the thresholds: share of junk characters removed",
}
TITLES = OVERALL | {"reasons_macro_f1": "reasons, macro-F1"}
_FOR_MACHINES = ("sites", "draws")


def to_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON-ready values; figures are [value, lower, upper], null where undefined."""
    fields = asdict(replace(report, detail=None))
    del fields["detail"]
    return dict(json.loads(json.dumps(fields), parse_constant=lambda _: None))


def to_text(fields: dict[str, Any]) -> str:
    """Return JSON for a file: figures a line each, what stands for machines alone (`sites`, `draws`) on one line."""
    lines = [f' "{key}": {json.dumps(value, indent=None if key in _FOR_MACHINES else 1)}' for key, value in fields.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def show(report: Report, console: Console) -> None:
    """Print the report as tables."""
    data = report.data
    size = f"{data['articles']:,} articles, {data['sites']:,} sites, {sum(report.support):,} labelled paragraphs"
    console.print(Text.assemble((report.title, "bold"), f": {size}"))
    table = Table("label", *METRICS.values(), "support", title="per label, with 95 % intervals over sites", title_justify="left")
    for k, label in enumerate(report.labels):
        table.add_row(escape(label), *(figure(report.per_label[name][k]) for name in METRICS), f"{report.support[k]:,}")
    for column in table.columns[1:]:
        column.justify = "right"
    console.print(table)
    overall = Table("overall", "value", "95 % interval")
    for name, title in OVERALL.items():
        value, low, high = report.overall[name]
        digits = 2 if name == "news_lost_per_1000" else 3
        overall.add_row(title, _number(value, digits), f"{_number(low, digits)} – {_number(high, digits)}")
    console.print(overall)
    confusion = Table("true \\ predicted", *map(escape, report.labels), title="confusion, paragraphs", title_justify="left")
    for label, counts in zip(report.labels, report.confusion, strict=True):
        confusion.add_row(escape(label), *(f"{count:,}" for count in counts))
    for column in (*overall.columns[1:], *confusion.columns[1:]):
        column.justify = "right"
    console.print(confusion)
    thresholds = Table("thresholds", *map(escape, report.labels))
    for number, row in enumerate(report.thresholds, 1):
        thresholds.add_row(f"fold {number}" if len(report.thresholds) > 1 else "model", *map(threshold_text, row))
    console.print(thresholds)
    for note in report.notes:
        console.print(Text(f"note: {note}", style="dim"))


def show_leakage(report: Report, leaky: Report, console: Console) -> None:
    """Print the site-grouped figures beside those of a random split."""
    table = Table("leakage", "sites unseen", "random split", "flattery")
    for name in ("macro_f1", "news_char_f1", "junk_removed"):
        honest, flattered = report.overall[name][0], leaky.overall[name][0]
        table.add_row(OVERALL[name], _number(honest), _number(flattered), f"{flattered - honest:+.3f}")
    console.print(table)


def threshold_text(threshold: float) -> str:
    """Show a threshold; labels that are kept, or too uncertain to remove, have none."""
    return "–" if threshold >= NEVER else f"{threshold:.3f}"


def markdown(report: Report) -> str:
    """Return the report's figures as Markdown tables."""
    lines = ["| label | " + " | ".join(METRICS.values()) + " | support |", "| --- |" + " ---: |" * (len(METRICS) + 1)]
    for k, label in enumerate(report.labels):
        cells = [figure(report.per_label[name][k]) for name in METRICS]
        lines.append(f"| {label} | {' | '.join(cells)} | {report.support[k]:,} |")
    lines += ["", "| overall | value (95 % interval over sites) |", "| --- | ---: |"]
    lines += [f"| {title} | {figure(report.overall[name])} |" for name, title in OVERALL.items()]
    return "\n".join(lines)


def figure(interval: Interval) -> str:
    """Return a figure with its interval, for people."""
    value, low, high = interval
    return "–" if math.isnan(value) else f"{_number(value)} ({_number(low)}–{_number(high)})"


def _number(value: float, digits: int = 3) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"
