"""`trainer labels`: commands on label files, a file each."""

import typer

from trainer.cli.labels import check, hydrate

NAME = "labels"

app = typer.Typer(no_args_is_help=True, help="Rebuild label files whose texts are not given away.")
for module in (hydrate, check):
    app.command(module.NAME)(module.command)
