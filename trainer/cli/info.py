"""`trainer info`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer.cli.options import ModelArgument, stdout_console

NAME = "info"


def command(
    model: ModelArgument = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a model is: labels, thresholds, size, data, versions, results, card.

    Example: trainer info models/mine
    """
    if as_json:
        typer.echo(json.dumps(info(model), indent=1))
    else:
        _show(info(model))


def info(model: Path | None = None) -> dict[str, Any]:
    """Return everything a model folder says of itself, JSON-ready."""
    from trainer import artifact

    folder = artifact.find(model)
    classifier = artifact.load(folder)
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}
    card = folder / artifact.CARD
    return {
        "name": classifier.name,
        "digest": classifier.digest,
        "format": artifact.FORMAT,
        "labels": [label._asdict() for label in classifier.labels],
        "policy": classifier.policy._asdict(),
        "files": files,
        "info": classifier.info,
        "metrics": _read_json(folder / artifact.METRICS),
        "card": card.read_text("utf-8", "replace") if card.is_file() else "",
    }


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _show(found: dict[str, Any]) -> None:
    from rich.markdown import Markdown
    from rich.markup import escape
    from rich.table import Table

    from trainer.policy import NEVER

    console = stdout_console()
    table = Table("model", escape(found["name"]), show_header=True)
    table.add_row("digest", found["digest"])
    table.add_row("format", str(found["format"]))
    table.add_row("size", escape(", ".join(f"{name} {size:,} bytes" for name, size in found["files"].items())))
    for label, threshold in zip(found["labels"], found["policy"]["thresholds"], strict=True):
        fate = "kept" if label["kept"] else f"removed from {threshold:.3f} on" if threshold < NEVER else "never removed"
        table.add_row(escape(f"label {label['name']}"), fate)
    for key, value in found["policy"].items():
        if key != "thresholds":
            table.add_row(key, str(value))
    for key in ("name", "digest"):
        if key in found["info"].get("base", {}):
            table.add_row(f"adapted from: {key}", escape(str(found["info"]["base"][key])))
    for key, value in found["info"].get("data", {}).items():
        table.add_row(f"data: {key}", escape(str(value)))
    for key, value in found["info"].get("versions", {}).items():
        table.add_row(f"version: {key}", escape(str(value)))
    console.print(table)
    if found["card"]:
        console.print(Markdown(found["card"]))
