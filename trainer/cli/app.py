"""All commands, put together."""

import typer

from trainer import __version__
from trainer.cli import bulk, evaluate, export, filter, info, labels, memory, studio, train

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Find and remove what is not news in scraped articles: appeals, menus, teasers, captions.\n\n"
        "Label paragraphs, train and evaluate a model on them, filter articles with it."
    ),
    epilog="Start: trainer filter article.txt --diff; or your own model: trainer train labels --out models/mine",
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"paragraph-trainer {__version__}")
        raise typer.Exit


@app.callback()
def options(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version.")) -> None:
    """Hold the options of the program itself."""


for module in (train, evaluate, filter, bulk, info, export, memory):
    app.command(module.NAME)(module.command)
for group in (labels, studio):
    app.add_typer(group.app, name=group.NAME)
