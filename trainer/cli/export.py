"""`trainer export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.options import Force, ModelArgument, say

NAME = "export"


class Format(StrEnum):
    """What a model can be exported to."""

    joblib = "joblib"


def command(
    model: ModelArgument = None,
    format: Annotated[Format, typer.Option("--format", "-f", help="What to write.")] = Format.joblib,  # noqa: ARG001 (only one yet)
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write.", show_default="NAME.joblib")] = None,
    force: Force = False,
) -> None:
    """Export a model as a fitted scikit-learn pipeline, for notebooks.

    Its predict_proba takes a list of articles (lists of paragraphs). A joblib file can run code when it is loaded: load only
    files you made yourself. This toolkit never loads one.

    Example: trainer export models/mine --format joblib --out mine.joblib
    """
    export(model, out, force=force)


def export(model: Path | None = None, out: Path | None = None, *, force: bool = False) -> Path:
    """Write the scikit-learn pipeline of a model folder and return the file's path."""
    import joblib

    from trainer import artifact
    from trainer.errors import InputError
    from trainer.files import write_whole
    from trainer.pipeline import to_pipeline

    classifier = artifact.load(model)
    out = out or Path(f"{classifier.name}.joblib")
    if out.exists() and not force:
        raise InputError("is there already", where=str(out), hint="Give --force to replace it.")
    with write_whole(out) as temporary:
        joblib.dump(to_pipeline(classifier), temporary)
    say(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB)")
    return out
