"""`trainer labels`: commands on label files, a file each."""

import typer

from trainer.cli.labels import check, curve, hydrate, next, prelabel, pull, push

NAME = "labels"

app = typer.Typer(no_args_is_help=True, help="Label articles in Label Studio and look after label files.")
for module in (next, push, pull, check, curve, prelabel, hydrate):
    app.command(module.NAME)(module.command)
