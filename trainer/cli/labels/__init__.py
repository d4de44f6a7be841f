"""`trainer labels`: commands on label files, a file each."""

import typer

from trainer.cli.labels import hydrate, prelabel

NAME = "labels"

app = typer.Typer(no_args_is_help=True, help="Rebuild label files whose texts are not given away.")
for module in (hydrate, prelabel):
    app.command(module.NAME)(module.command)
