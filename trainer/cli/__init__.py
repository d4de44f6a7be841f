"""The command `trainer`: a thin wrapper for each command, a plain function of the same name behind it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

# What each top-level module that may be absent belongs to.
_EXTRAS = {
    "typer": "cli", "rich": "cli",
    "sklearn": "train", "pandas": "train", "scipy": "train", "joblib": "train", "datasketch": "train",
    "pydantic": "train", "threadpoolctl": "train",
    "label_studio_sdk": "studio", "cleanlab": "studio", "krippendorff": "studio", "tenacity": "studio",
    "fastapi": "studio", "uvicorn": "studio", "psutil": "studio", "httpx": "studio",
    "pyarrow": "bulk", "msgspec": "bulk", "fsspec": "bulk", "filelock": "bulk", "backports": "bulk",
    "lxml": "html", "matplotlib": "plot",
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; every foreseen error ends as one line on stderr and exit code 2."""
    from trainer.errors import TrainerError

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(_run(argv))
    except KeyboardInterrupt:  # while the commands are still being imported
        sys.exit(130)
    except TrainerError as error:
        sys.exit(_fail(str(error)))
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        sys.exit(_fail(f"this needs {error.name}, which is not installed. Install it: pip install 'paragraph-trainer[{extra}]'"))
    except OSError as error:
        sys.exit(_fail(f"{error.filename or 'input'}: {error.strerror or error}"))


def _run(argv: Sequence[str] | None) -> int:
    """Run the commands; say in one line what is wrong with the arguments."""
    import typer

    from trainer.cli.app import app

    # typer carries its own copy of click, so the base class of its errors has no public name.
    usage_error: type[Exception] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
    try:
        code = app(args=list(argv) if argv is not None else None, prog_name="trainer", standalone_mode=False)
    except usage_error as error:
        return _usage(error)
    except typer.Abort:
        return 130
    return code if isinstance(code, int) else 0


def _usage(error: Any) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return 2
    command = error.ctx.command_path if getattr(error, "ctx", None) else "trainer"
    message = " ".join(error.format_message().split()).rstrip(".")
    return _fail(f"{message}. See {command} --help")


def _fail(line: str) -> int:
    print(f"trainer: {line}", file=sys.stderr)
    return 2
