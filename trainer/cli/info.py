"""`trainer info`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainer.cli.options import ModelArgument, stdout_console

if TYPE_CHECKING:
    from trainer.model import Classifier
    from trainer.quality import QualityModel

NAME = "info"


def command(
    model: ModelArgument = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a model is: labels, thresholds, size, data, versions, results, card.

    Example: trainer info models/mine

    Example: trainer info quality-en
    """
    if as_json:
        typer.echo(json.dumps(info(model), indent=1))
    else:
        _show(info(model))


def info(model: Path | None = None) -> dict[str, Any]:
    """Return everything a model folder says of itself, JSON-ready."""
    from trainer import artifact

    folder = artifact.find(model)
    task = artifact.task_of(folder)
    loaded, own = _quality(folder) if task == artifact.QUALITY else _paragraphs(folder)
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}
    card = folder / artifact.CARD
    return {
        "name": loaded.name,
        "task": task,
        "digest": loaded.digest,
        **own,
        "info": loaded.info,
        "format": artifact.FORMAT,
        "files": files,
        "metrics": _read_json(folder / artifact.METRICS),
        "card": card.read_text("utf-8", "replace") if card.is_file() else "",
    }


def _paragraphs(folder: Path) -> tuple[Classifier, dict[str, Any]]:
    """Return a paragraph model and what it decides by."""
    from trainer.artifact import load

    model = load(folder)
    return model, {"labels": [label._asdict() for label in model.labels], "policy": model.policy._asdict()}


def _quality(folder: Path) -> tuple[QualityModel, dict[str, Any]]:
    """Return a model of article quality and what it decides by."""
    from trainer.quality_artifact import load_quality
    from trainer.verdicts import REASONS

    model = load_quality(folder)
    return model, {"labels": list(model.labels), "threshold": model.threshold, "reasons": list(REASONS)}


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _show(found: dict[str, Any]) -> None:
    from rich.markdown import Markdown
    from rich.markup import escape
    from rich.table import Table

    console = stdout_console()
    table = Table("model", escape(found["name"]), show_header=True)
    table.add_row("digest", found["digest"])
    table.add_row("format", str(found["format"]))
    table.add_row("size", escape(", ".join(f"{name} {size:,} bytes" for name, size in found["files"].items())))
    for key, value in _decisions(found).items():
        table.add_row(escape(key), escape(value))
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


def _decisions(found: dict[str, Any]) -> dict[str, str]:
    """Return what a model tells apart, and from where on."""
    from trainer.artifact import QUALITY
    from trainer.policy import NEVER

    if found["task"] == QUALITY:
        return {
            "task": "article quality",
            "poor": f"from a probability of poor of {found['threshold']:.3f} on",
            "reasons": ", ".join(found["reasons"]),
            "filtered with the labels": ", ".join(found["labels"]),
        }
    rows = {}
    for label, threshold in zip(found["labels"], found["policy"]["thresholds"], strict=True):
        fate = "kept" if label["kept"] else f"removed from {threshold:.3f} on" if threshold < NEVER else "never removed"
        rows[f"label {label['name']}"] = fate
    return rows | {key: str(value) for key, value in found["policy"].items() if key != "thresholds"}
