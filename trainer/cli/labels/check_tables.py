"""The report of `trainer labels check` for terminals."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from trainer.cli.options import stdout_console
from trainer.findings import KINDS

MOST_PAIRS = 3
MOST_CHARS = 100


def show(report: dict[str, Any], limit: int) -> None:
    """Print agreement, confusions and the strongest findings of each kind."""
    console = stdout_console()
    size = f"{report['articles']:,} articles, {report['labelled']:,} of {report['paragraphs']:,} paragraphs labelled"
    console.print(Text(size, style="bold"))
    if report["agreement"]:
        _show_agreement(report["agreement"], console)
    else:
        _line("agreement: no paragraph was labelled by two people, so there is nothing to compare", console)
    if report.get("quality"):
        _show_quality(report["quality"], console)
    if report["adjudicated"]:
        for rule, count in report["adjudicated"]["settled"].items():
            _line(f"{rule}: settled {_paragraphs(count)}", console)
        _line(f"not settled: {_paragraphs(report['adjudicated']['open'])}", console)
    for kind, title in KINDS.items():
        found = [finding for finding in report["findings"] if finding["kind"] == kind]
        if found and limit:
            _show_findings(title, found, limit, console)
    counts = ", ".join(f"{title}: {report['counts'][kind]:,}" for kind, title in KINDS.items() if report["counts"][kind])
    _line(f"\nfound: {counts or 'nothing'}", console)
    for note in report["notes"]:
        _line(f"note: {note}", console)


def _show_agreement(agreement: dict[str, Any], console: Console) -> None:
    pairs = agreement["pairs"][:MOST_PAIRS]
    over = f", 95 % intervals over {agreement['intervals_over']}" if agreement["intervals_over"] else ""
    shared = f"{_paragraphs(agreement['paragraphs'])} labelled by two or more of {len(agreement['annotators'])} people"
    names = (escape("κ " + " – ".join(pair["annotators"])) for pair in pairs)
    table = Table("label", "Krippendorff's α", *names, title=f"agreement: {shared}{over}", title_justify="left")
    table.add_row("all", _figure(agreement["alpha"]), *(_figure(pair["kappa"]) for pair in pairs))
    for label, alpha in agreement["alpha_per_label"].items():
        table.add_row(Text(label), _figure(alpha), *(_figure(pair["kappa_per_label"][label]) for pair in pairs))
    console.print(table)
    for pair in pairs:
        one, other = pair["annotators"]
        table = Table(escape(f"{one} \\ {other}"), *map(escape, agreement["alpha_per_label"]))
        for label, row in zip(agreement["alpha_per_label"], pair["confusion"], strict=True):
            table.add_row(Text(label), *(f"{count:,}" for count in row))
        for column in table.columns[1:]:
            column.justify = "right"
        console.print(table)
    if len(agreement["pairs"]) > MOST_PAIRS:
        _line(f"{len(agreement['pairs']) - MOST_PAIRS:,} further pairs; see --json", console)


def _show_quality(quality: dict[str, Any], console: Console) -> None:
    """Print how far people agree on whole articles, and on which they do not."""
    if quality["agreement"] is None:
        _line(f"quality: {quality['articles']:,} articles judged, none by two people", console)
        return
    agreement = quality["agreement"]
    _line(f"quality: {agreement['paragraphs']:,} articles judged by two or more, α {_figure(agreement['alpha'])}", console)
    for case in quality["conflicts"]:
        _line(f"    {case['id']}: " + ", ".join(f"{who} {what}" for who, what in case["verdicts"].items()), console)


def _show_findings(title: str, found: list[dict[str, Any]], limit: int, console: Console) -> None:
    """Print findings, those on neighbouring paragraphs that say the same as one."""
    rows = _joined(found)
    more = f": {limit:,} of {len(rows):,} places" if len(rows) > limit else ""
    console.print(Text(f"\n{title}{more}", style="bold"))
    for first, last in rows[:limit]:
        text = first["text"] if len(first["text"]) <= MOST_CHARS else first["text"][:MOST_CHARS] + "…"
        place = f"paragraph {first['index']}" if first["index"] == last else f"paragraphs {first['index']} to {last}"
        labels = f"{first['label'] or '?'} → {first['suggested'] or '?'}"
        _line(f"{first['where']} {place}: {labels} ({first['score']:.2f})", console)
        _line(f"    {' '.join(text.split())}", console)
        console.print(Text(f"    {first['reason']}", style="dim"), soft_wrap=True)


def _joined(found: list[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    """Return the first of each stretch of neighbours with the same labels, and the stretch's last paragraph, strongest first."""
    at = {(one["article"], one["index"]): one for one in found}
    rows: list[tuple[dict[str, Any], int]] = []
    done: set[tuple[str, int]] = set()
    for one in found:
        article, index = one["article"], one["index"]
        if (article, index) in done:
            continue

        def alike(place: int, article: str = article, one: dict[str, Any] = one) -> bool:
            other = at.get((article, place))
            if other is None or (other["label"], other["suggested"]) != (one["label"], one["suggested"]):
                return False
            return bool(one["kind"] != "conflict" or other["reason"] == one["reason"])

        first = last = index
        while alike(first - 1):
            first -= 1
        while alike(last + 1):
            last += 1
        done |= {(article, place) for place in range(first, last + 1)}
        rows.append(({**at[article, first], "score": one["score"]}, last))
    return rows


def _figure(values: list[float | None]) -> str:
    value, low, high = values
    if value is None:
        return "–"
    return f"{value:.3f}" if low is None else f"{value:.3f} ({low:.3f}–{high:.3f})"


def _paragraphs(count: int) -> str:
    return "1 paragraph" if count == 1 else f"{count:,} paragraphs"


def _line(text: str, console: Console) -> None:
    console.print(Text(text), soft_wrap=True)
