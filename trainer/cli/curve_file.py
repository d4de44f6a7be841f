"""The learning curve of a report page: read from its file, or measured and written to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.cli.options import say
from trainer.errors import InputError
from trainer.files import write_whole

if TYPE_CHECKING:
    from trainer.learning_curve import LearningCurve

_FIELDS = ("articles", "more", "labels", "best", "data")


def read_or_measure(file: Path, measure: Callable[[], LearningCurve]) -> dict[str, Any]:
    """Return a learning curve as the page takes it; where the file is not there yet, measure one and write it.

    Raises:
        InputError: the file is something else, or cannot be written.
    """
    from trainer.cli.labels.curve import to_json

    if file.exists():
        try:
            found = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or not all(key in found for key in _FIELDS):
            raise InputError("is not a learning curve", where=str(file), hint="trainer labels curve --out FILE.json makes one.")
        return found
    say(f"{file} is not there yet: measuring the learning curve")
    with write_whole(file) as temporary:
        measured = to_json(measure())
        temporary.write_text(json.dumps(measured, indent=1) + "\n", "utf-8")
    return measured
