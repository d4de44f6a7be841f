"""`trainer studio down`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from trainer.cli.studio.options import DEFAULT_DATA, AsJson, Data, report

NAME = "down"


def command(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Stop the Label Studio of a data folder; its data stay. A server that does not end when asked is ended by force.

    Example: trainer studio down
    """
    done = down(data)
    if as_json:
        typer.echo(json.dumps(done, indent=1))
    elif done["stopped"]:
        typer.echo(f"stopped {done['url']} (process {done['pid']}); the data stay in {data}")
    else:
        typer.echo(f"no Label Studio was running on {data}")


def down(data: Path = DEFAULT_DATA) -> dict[str, Any]:
    """Stop the server and return what was stopped, JSON-ready."""
    from trainer.studio import server

    stopped = server.stop(data)
    return {"stopped": stopped is not None, **report("down", data, stopped)}
