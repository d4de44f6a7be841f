"""`trainer compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.cli.options import say, stdout_console

if TYPE_CHECKING:
    from trainer.comparison import Comparison
    from trainer.evaluation import Interval

NAME = "compare"
_SIGNS = {"better": "▲ better", "worse": "▼ worse", "unclear": "unclear"}
_SITES = 5


def command(
    first: Annotated[Path, typer.Argument(help="Report of the first run, of trainer evaluate --json.", metavar="A.json")],
    second: Annotated[Path, typer.Argument(help="Report of the second run.", metavar="B.json")],
    report_file: Annotated[Path | None, typer.Option("--report", help="Write the comparison as a web page (.html).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare two evaluations: what got better or worse, and which differences are real.

    Both runs are drawn on the same sites again and again (paired bootstrap); a difference is real where its 95 % interval leaves
    out 0. Sites count whose texts and labels are the same in both.

    Example: trainer compare before.json after.json --report compare.html
    """
    found = compare(first, second, report_file=report_file)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=1))
    else:
        _show(found)


def compare(first: Path, second: Path, *, report_file: Path | None = None) -> Comparison:
    """Compare two reports, and write the page where asked for."""
    from trainer.comparison import compare, load_run
    from trainer.errors import InputError
    from trainer.files import write_whole
    from trainer.report_page.document import page

    if report_file and report_file.suffix != ".html":
        raise InputError("the name of a report page ends in .html", where=str(report_file))
    found = compare(load_run(first), load_run(second))
    if report_file:
        with write_whole(report_file) as temporary:
            temporary.write_text(page("Two evaluations compared", found.to_json(), comparison=True), "utf-8")
        say(f"wrote {report_file}")
    return found


def _show(found: Comparison) -> None:
    from rich.markup import escape
    from rich.table import Table

    console = stdout_console()
    for name, path, title in zip("AB", found.names, found.titles, strict=True):
        console.print(f"{name}: {path} ({title})", markup=False, soft_wrap=True)
    table = Table("", "A", "B", "B − A, 95 % interval", "B is", title=f"{found.sites:,} sites", title_justify="left")
    for each in found.differences:
        digits = 2 if each.metric == "news_lost_per_1000" else 3
        figures = (_number(each.first[0], digits), _number(each.second[0], digits), _range(each.difference, digits))
        table.add_row(escape(each.title), *figures, _SIGNS[each.verdict])
    for column in table.columns[1:4]:
        column.justify = "right"
    console.print(table)
    for better, what in ((True, "fewer"), (False, "more")):
        rows = [row for row in found.by_site if (row["errors"][1] < row["errors"][0]) == better][:_SITES]
        if rows:
            said = ", ".join(f"{row['site']} {row['errors'][0]} → {row['errors'][1]} of {row['items']}" for row in rows)
            console.print(f"{what} errors in B, most on: {said}", markup=False, soft_wrap=True)
    for note in found.notes:
        say(f"note: {note}")


def _range(figure: Interval, digits: int) -> str:
    value, low, high = figure
    return "–" if value != value else f"{value:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def _number(value: float, digits: int) -> str:
    return "–" if value != value else f"{value:.{digits}f}"
