"""`trainer labels hydrate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer.cli.options import Force, say, stdout_console, tracked

NAME = "hydrate"
HYDRATED = Path("labels/public-pages.jsonl")
MOST_SHOWN = 10  # changed pages


def command(
    file: Annotated[Path, typer.Argument(help="Stand-off file, e.g. labels/public-pages.standoff.jsonl.")],
    checkouts: Annotated[
        Path, typer.Option("--checkouts", help="Folder with clones: DIR/owner/name, DIR/owner__name or DIR/name.", metavar="DIR")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Label file to write (.jsonl).")] = HYDRATED,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    force: Force = False,
) -> None:
    """Rebuild labelled pages from clones of the public repositories they are published in.

    Reads the clones with git and fetches nothing; says which clones are missing. Exits with 0 if every page is as it was
    annotated, with 1 if some are missing or changed (the others are written), with 2 if none could be rebuilt.

    Example: trainer labels hydrate labels/public-pages.standoff.jsonl --checkouts ../clones
    """
    report = hydrate(file, checkouts, out, force=force)
    if as_json:
        typer.echo(json.dumps(report, indent=1))
    else:
        _show(report)
    if not report["rebuilt"]:
        from trainer.errors import InputError

        hint = f"Clone the repositories named above into {checkouts}."
        raise InputError("no page could be rebuilt", where=str(file), hint=hint)
    say(f"wrote {out}")
    if not report["complete"]:
        raise typer.Exit(1)


def hydrate(file: Path, checkouts: Path, out: Path = HYDRATED, *, force: bool = False) -> dict[str, Any]:
    """Write the label file if any page could be rebuilt, and return the report, JSON-ready, with the commands that help."""
    from trainer import standoff
    from trainer.errors import InputError
    from trainer.files import STANDOFF_SUFFIXES, write_whole

    if out.suffix != ".jsonl" or out.name.endswith(STANDOFF_SUFFIXES):
        raise InputError("is not the name of a label file", where=str(out), hint="Give --out a name like public-pages.jsonl.")
    if out.exists() and not force:
        raise InputError("is there already", where=str(out), hint="Give --force to replace it.")
    done = standoff.hydrate(standoff.load_standoff(file), checkouts, tracked("pages"))
    if done.rebuilt:
        with write_whole(out) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as lines:
            lines.writelines(json.dumps(page.record, ensure_ascii=False) + "\n" for page in done.rebuilt)
    report = {"complete": done.complete, **done.report()}
    for entry in report["missing"]:
        entry["next"] = standoff.next_step(entry, checkouts)
    return report


def _show(report: dict[str, Any]) -> None:
    from rich.text import Text

    console = stdout_console()

    def line(text: str) -> None:
        console.print(Text(text), soft_wrap=True)

    share = report["matched"] / report["paragraphs"] if report["paragraphs"] else 1.0
    line(f"pages: {report['rebuilt']:,} of {report['pages']:,} rebuilt")
    line(f"paragraphs: {report['matched']:,} of {report['paragraphs']:,} matched ({int(share * 1000) / 10} %)")
    for page in report["changed"][:MOST_SHOWN]:
        found = f"{page['matched']:,} of {page['annotated']:,} paragraphs matched, {page['found']:,} found"
        line(f"changed: page {page['id']}: {found}; those that do not match have no label")
    if len(report["changed"]) > MOST_SHOWN:
        line(f"changed: {len(report['changed']) - MOST_SHOWN:,} further pages; see --json")
    for entry in report["missing"]:
        pages = "1 page" if entry["pages"] == 1 else f"{entry['pages']:,} pages"
        line(f"missing: {pages} of {entry['repo']} at {entry['commit']}: {entry['reason']}")
        if entry["next"]:
            line(f"  {entry['next']}")
