"""`trainer studio`: a Label Studio on this machine, a file each command."""

import typer

from trainer.cli.studio import down, status, up

NAME = "studio"

app = typer.Typer(no_args_is_help=True, help="Start, find and stop a Label Studio of your own, on this machine.")
for module in (up, status, down):
    app.command(module.NAME)(module.command)
