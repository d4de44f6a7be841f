"""Label Studio into a virtual environment of its own: its packages and the toolkit's would not go together."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from trainer.errors import InputError

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
WHAT_IT_TAKES = "about 160 packages, 0.8 GB, one to ten minutes"


def version() -> str:
    """Return the version of Label Studio that is installed."""
    return next(line.partition("==")[2] for line in CONSTRAINTS.read_text("utf-8").split() if line.startswith("label-studio=="))


def executable_of(venv: Path) -> Path:
    """Return where the command of Label Studio lies in a virtual environment."""
    return venv / ("Scripts" if os.name == "nt" else "bin") / "label-studio"


def install(venv: Path) -> Path:
    """Make the virtual environment, install the pinned Label Studio there, and return its executable.

    A virtual environment that did not exist before goes again if the installation does not end well.

    Raises:
        InputError: it is the environment that this program runs in, or pip says no.
    """
    if venv.resolve() == Path(sys.prefix).resolve():
        raise InputError("is the environment that this program runs in", where=str(venv), hint="Choose another with --venv.")
    new = not venv.exists()
    python = executable_of(venv).with_name("python")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--constraint", str(CONSTRAINTS), "label-studio"]
    try:
        for command in ([sys.executable, "-m", "venv", str(venv)], pip):
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode:
                words = (done.stderr.strip() or done.stdout.strip()).split("\n")[-1]
                hint = f"To see all that it says: {' '.join(command)}"
                raise InputError(f"Label Studio could not be installed ({words})", where=str(venv), hint=hint)
    except BaseException:
        if new:
            shutil.rmtree(venv, ignore_errors=True)
        raise
    return executable_of(venv)
