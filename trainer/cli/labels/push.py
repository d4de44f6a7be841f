"""`trainer labels push`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer.cli.options import ConfigFile, Model, Project, TokenFile, Url, say, stdout_console, ticker

NAME = "push"
GUIDELINES = Path("labels/GUIDELINES.md")


def command(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Articles: .txt, .jsonl, .jsonl.gz, .parquet, folders of them, - for standard input; or label files."
        ),
    ],
    project: Project,
    model: Model = None,
    no_model: Annotated[
        bool,
        typer.Option(
            "--no-model",
            help="All paragraphs begin with the first label that is kept, so that no model leads anybody: for a blind share, in "
            "a project of its own.",
        ),
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=0, help="Only the first so many articles.", metavar="N")
    ] = None,
    site: Annotated[
        str, typer.Option("--site", help="Site of articles that name neither site nor url, as .txt files.", metavar="NAME")
    ] = "",
    guidelines: Annotated[
        str | None,
        typer.Option(
            "--guidelines",
            help="What the project's instruction links to (an address) or shows (a Markdown file).",
            metavar="URL|FILE",
            show_default=f"{GUIDELINES} where it is there, for a new project",
        ),
    ] = None,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Push articles to a Label Studio project: a task each, its paragraphs labelled beforehand by a model.

    People correct these labels and submit; trainer labels pull brings them back. What is pushed again adds nothing, and a push
    that was stopped goes on where it stood. A newer model replaces the labels made beforehand by an older one in the whole
    project; what people submitted stays. Labels of a label file go before the model's.

    The token comes from LABEL_STUDIO_API_KEY (Account & Settings in Label Studio), the labels from --config.

    Example: trainer labels push scraped.jsonl --project news --limit 200

    Example: trainer labels push blind.jsonl --project news-blind --no-model
    """
    report = push(
        paths,
        project,
        model,
        config=config,
        no_model=no_model,
        limit=limit,
        site=site,
        url=url,
        token_file=token_file,
        guidelines=guidelines,
    )
    if as_json:
        typer.echo(json.dumps(report, indent=1))
    else:
        _show(report)


def push(
    paths: Sequence[Path],
    project: str,
    model: Path | None = None,
    *,
    config: Path | None = None,
    no_model: bool = False,
    limit: int | None = None,
    site: str = "",
    url: str | None = None,
    token_file: Path | None = None,
    guidelines: str | None = None,
) -> dict[str, Any]:
    """Push articles and label files to a project and return the report, JSON-ready; see `command`."""
    from trainer import artifact
    from trainer.config import load_config
    from trainer.errors import ConfigError
    from trainer.studio import articles, client, push
    from trainer.studio.project import check_model

    if no_model and model is not None:
        raise ConfigError("--no-model and --model exclude each other", hint="Give one of them.")
    settings = load_config(config)
    classifier = None if no_model else artifact.load(model)
    if classifier:
        check_model(classifier, settings.label_set)
    text = _guidelines(guidelines)
    predictor = push.Predictor(settings.label_set, classifier)
    with client.connect(url, token_file, note=say) as server, ticker() as tick:
        batch = articles.read(paths, settings.label_set, settings.by_kind, limit=limit, blind=no_model, site=site)
        report = push.push(
            server,
            project,
            batch.articles,
            predictor,
            guidelines=text,
            renew_guidelines=guidelines is not None,
            tick=tick,
            note=say,
        )
    return {**report, "empty": batch.empty, "repeated": batch.repeated, "siteless": batch.siteless}


def _guidelines(given: str | None) -> str:
    """Return an address as it is, a file's text, or "" where there is none."""
    from trainer.errors import InputError
    from trainer.studio.interface import LINKS

    if given is None and not GUIDELINES.is_file():
        return ""
    if given is not None and given.startswith(LINKS):
        return given
    file = Path(given) if given is not None else GUIDELINES
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        hint = "Give an address that begins with https:// or a Markdown file."
        raise InputError(f"the guidelines cannot be read ({reason})", where=str(file), hint=hint) from None


def _show(report: dict[str, Any]) -> None:
    from rich.text import Text

    console = stdout_console()

    def line(text: str) -> None:
        console.print(Text(text), soft_wrap=True)

    known = report["articles"] - report["new"]
    line(f"{report['project']}: {report['new']:,} of {report['articles']:,} articles are new, {known:,} were there")
    for count, what in ((report["empty"], "have no paragraphs"), (report["repeated"], "stand twice in the input")):
        if count:
            line(f"left out: {count:,} {what}")
    if report["siteless"]:
        line(
            f"without a site: {report['siteless']:,} name neither site nor url; in training and evaluation they count as one site"
        )
        line("  For articles of one site, give its name with --site; else give each record its site or url.")
    if report["changed"]:
        ids = ", ".join(report["changed"][:5]) + (" …" if len(report["changed"]) > 5 else "")
        line(f"changed: the text of {len(report['changed']):,} is another than in the project, which keeps its own: {ids}")
        line("  To label the new text, give the article another id, or delete its task.")
    if report["predictions_replaced"]:
        line(f"labelled beforehand anew by {report['model_version']}: {report['predictions_replaced']:,}")
    if report["doubles_deleted"]:
        line(f"deleted: {report['doubles_deleted']:,} tasks that stood twice and that nobody had worked on")
    line(f"label at {report['url']}")
