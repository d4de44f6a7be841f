"""The command `trainer`: a thin wrapper for each command, a plain function of the same name behind it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

# What each top-level module that may be absent belongs to.
_EXTRAS = {
    "typer": "cli", "rich": "cli",
    "sklearn": "train", "pandas": "train", "scipy": "train", "joblib": "train", "datasketch": "train",
    "pydantic": "train", "threadpoolctl": "train",
    "pyarrow": "bulk",
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; every foreseen error ends as one line on stderr and exit code 2."""
    from trainer.errors import TrainerError

    try:
        from trainer.cli.app import app

        app(args=list(argv) if argv is not None else None, prog_name="trainer")
    except TrainerError as error:
        sys.exit(_fail(str(error)))
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        sys.exit(_fail(f"this needs {error.name}, which is not installed. Install it: pip install 'paragraph-trainer[{extra}]'"))
    except OSError as error:
        sys.exit(_fail(f"{error.filename or 'input'}: {error.strerror or error}"))


def _fail(line: str) -> int:
    print(f"trainer: {line}".encode("utf-8", "backslashreplace").decode(), file=sys.stderr)
    return 2
