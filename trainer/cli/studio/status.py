"""`trainer studio status`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from trainer.cli.studio.options import DEFAULT_DATA, AsJson, Data, report

NAME = "status"


def command(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Say whether the Label Studio of a data folder is up, unhealthy (it runs and does not answer) or down.

    Exits with 0 if it is up, else with 1.

    Example: trainer studio status
    """
    found = status(data)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    elif found["state"] == "down":
        typer.echo(f"down: no Label Studio runs on {data}; trainer studio up starts one")
    else:
        typer.echo(f"{found['state']}: {found['url']} (process {found['pid']}, since {found['started']}), log {found['log']}")
    if found["state"] != "up":
        raise typer.Exit(1)


def status(data: Path = DEFAULT_DATA) -> dict[str, Any]:
    """Return the state, and of a running server its address, process and start, JSON-ready."""
    from trainer.studio import server

    state, found = server.status(data)
    return report(state, data, found)
