"""What the commands of `trainer studio` share: options, and the form of what they report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from trainer.studio.server import Server

DEFAULT_DATA = Path(".studio/data")
DEFAULT_VENV = Path(".studio/venv")

Data = Annotated[
    Path, typer.Option("--data", help="Folder of the server's database, settings and log; one server a folder.", metavar="DIR")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


def report(state: str, data: Path, server: Server | None) -> dict[str, Any]:
    """Return what is known of a server, JSON-ready."""
    from trainer.studio.server import LOG

    known = {"url": server.url, "pid": server.pid, "started": server.started} if server else {}
    return {"state": state, **known, "data": str(data), "log": str(data / LOG)}
