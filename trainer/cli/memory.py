"""`trainer memory`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer.cli.options import stdout_console

NAME = "memory"


def command(
    file: Annotated[Path, typer.Argument(help="Site memory, as made by trainer filter --memory.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a site memory knows: of each site articles, distinct paragraphs, and the share of an article's that usually goes.

    Counts are of the latest articles; those of copies are not among them. Nothing can be read from the file but hashes.

    Example: trainer memory sites.sqlite
    """
    if as_json:
        typer.echo(json.dumps(memory(file), indent=1))
    else:
        _show(memory(file))


def memory(file: Path) -> dict[str, Any]:
    """Return size and sites, most articles first, JSON-ready."""
    from trainer.errors import InputError
    from trainer.memory import SiteMemory

    if not file.is_file():
        raise InputError("no such site memory", where=str(file), hint="trainer filter --memory FILE makes one.")
    with SiteMemory(file) as known:
        sites = [site._asdict() for site in known.sites()]
    paragraphs = sum(site["paragraphs"] for site in sites)
    return {"file": str(file), "bytes": file.stat().st_size, "paragraphs": paragraphs, "sites": sites}


def _show(found: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("site", "articles", "paragraphs", "usually goes")
    for column in table.columns[1:]:
        column.justify = "right"
    for site in found["sites"]:
        share = "–" if site["removed_share"] is None else f"{site['removed_share']:.1%}"
        table.add_row(Text(site["site"]), f"{site['articles']:,}", f"{site['paragraphs']:,}", share)
    console = stdout_console()
    console.print(table)
    size, count = found["bytes"] / max(found["paragraphs"], 1), len(found["sites"])
    console.print(
        f"{count:,} site{'s' * (count != 1)}, {found['paragraphs']:,} paragraphs, {found['bytes']:,} bytes ({size:.0f} each)"
    )
