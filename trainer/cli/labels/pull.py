"""`trainer labels pull`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer.cli.options import ConfigFile, TokenFile, Url, say, stdout_console, ticker

NAME = "pull"
MOST_SHOWN = 10  # of each kind of case
_NUMBERED = re.compile(r"user \d+")  # as exports and --anonymous name people


def command(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Label file to write or update (.jsonl, .jsonl.gz), e.g. labels/news.jsonl.")
    ],
    project: Annotated[str | None, typer.Option("--project", "-p", help="Label Studio project.", metavar="NAME")] = None,
    from_export: Annotated[
        Path | None,
        typer.Option(
            "--from-export", help="Read Label Studio's JSON export instead; needs neither server nor token.", metavar="FILE"
        ),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Drop pulled labels that Label Studio no longer has; without it they stay.")
    ] = False,
    anonymous: Annotated[
        bool,
        typer.Option("--anonymous", help="Name people by their number on the server, `user 3`, not by their e-mail addresses."),
    ] = False,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, with every case.")] = False,
) -> None:
    """Pull the labels that people submitted in Label Studio into a label file.

    The file is updated by article id, whole or not at all: articles are added, labels set, other fields stay. Skipped tasks and
    drafts count for nothing. Where people disagree, the label is null and `annotations` has what each said. A paragraph whose
    text is another in Label Studio keeps the label it has here.

    People are named by their e-mail addresses. A JSON export knows their numbers only, `user 3`, and --anonymous names them so in
    every pull: give it where the file is to be published, or where pulls and exports go into the same files.

    Example: trainer labels pull --project news --out labels/news.jsonl

    Example: trainer labels pull --from-export project-1.json --out labels/news.jsonl
    """
    report = pull(
        project, out, from_export=from_export, prune=prune, anonymous=anonymous, config=config, url=url, token_file=token_file
    )
    if as_json:
        typer.echo(json.dumps(report, indent=1))
    else:
        _show(report)


def pull(
    project: str | None,
    out: Path,
    *,
    from_export: Path | None = None,
    prune: bool = False,
    anonymous: bool = False,
    config: Path | None = None,
    url: str | None = None,
    token_file: Path | None = None,
) -> dict[str, Any]:
    """Update a label file from a project or from its JSON export and return the report, JSON-ready; see `command`."""
    from trainer.config import load_config
    from trainer.dataset import LABEL_SUFFIXES
    from trainer.errors import InputError
    from trainer.files import STANDOFF_SUFFIXES
    from trainer.studio import client, merge, pull

    if not out.name.endswith(LABEL_SUFFIXES) or out.name.endswith(STANDOFF_SUFFIXES):
        raise InputError("is not the name of a label file", where=str(out), hint="Give --out a name like labels/news.jsonl.")
    if (project is None) == (from_export is None):
        raise InputError("one of --project and --from-export is needed", hint="See trainer labels pull --help.")
    labels = load_config(config).label_set
    ours = merge.read(out)
    if from_export is not None:
        harvest = pull.read_export(from_export, labels, anonymous=anonymous)
    else:
        with client.connect(url, token_file, note=say) as server, ticker() as tick:
            harvest = pull.pull(server, str(project), labels, anonymous=anonymous, tick=tick)
    merged, changes = merge.merge(ours, harvest.articles, prune=prune)
    if merged != ours:
        merge.write(out, merged)
    return {
        "project": project,
        "out": str(out),
        "written": merged != ours,
        "articles": len(harvest.articles),
        "annotations": harvest.annotations,
        "cancelled": harvest.cancelled,
        **changes.report(),
        "annotators": sorted(merge.annotators(merged)),
        "pruned": prune and changes.gone > 0,
        "unknown_labels": dict(harvest.unknown_labels),
        "foreign_tasks": harvest.foreign_tasks,
    }


def _show(report: dict[str, Any]) -> None:
    from rich.text import Text

    console = stdout_console()

    def line(text: str) -> None:
        console.print(Text(text), soft_wrap=True)

    def listed(name: str, count: int, what: str, lines: list[str]) -> None:
        if lines:
            line(f"{name}: {count:,} {what}")
            for text in lines[:MOST_SHOWN]:
                line(f"  {text}")
            if len(lines) > MOST_SHOWN:
                line(f"  and {len(lines) - MOST_SHOWN:,} more; see --json")

    line(
        f"{report['annotations']:,} annotations of {report['articles']:,} articles, {report['cancelled']:,} skipped ones left out"
    )
    line(
        f"labels: {report['new']:,} new, {report['changed']:,} changed, {report['same']:,} as they were, {report['gone']:,} gone"
        + (" and dropped" if report["pruned"] else " but kept (--prune drops them)" if report["gone"] else "")
    )
    conflicts = [
        f"{_place(case)}: {', '.join(f'{who} {what}' for who, what in case['labels'].items())}" for case in report["conflicts"]
    ]
    listed("in conflict", len(conflicts), "paragraphs have no label, since people disagree", conflicts)
    unclear = [_place(case) for case in report["unclear"]]
    listed("unclear", len(unclear), "paragraphs have several labels of one person, which are left out", unclear)
    edited = [
        f"{case['id']}: "
        + ("all of it" if case["paragraphs"] is None else "paragraphs " + ", ".join(str(i + 1) for i in case["paragraphs"]))
        for case in report["edited"]
    ]
    listed("edited", len(edited), "articles have another text in Label Studio; labels of what differs were not taken", edited)
    if report["verdicts"]:
        line(f"quality: {report['verdicts']:,} articles have a new verdict")
    listed(
        "quality in conflict",
        len(report["verdict_conflicts"]),
        "articles have no verdict, since people disagree",
        [
            f"{case['id']}: {', '.join(f'{who} {what}' for who, what in case['verdicts'].items())}"
            for case in report["verdict_conflicts"]
        ],
    )
    for label, count in report["unknown_labels"].items():
        line(f"unknown label: {label} in {count:,} regions, left out; name its --config")
    numbered = [name for name in report["annotators"] if _NUMBERED.fullmatch(name)]
    if 0 < len(numbered) < len(report["annotators"]):
        line(f"annotators: {', '.join(report['annotators'])}: the same person may stand there by number and by name")
        line("  With --anonymous, every pull names people by their numbers, as an export does.")
    if report["foreign_tasks"]:
        line(f"left out: {report['foreign_tasks']:,} tasks that trainer labels push did not make")
    line(f"{'wrote' if report['written'] else 'nothing to write to'} {report['out']}")


def _place(case: dict[str, Any]) -> str:
    return f"{case['id']}, paragraph {case['index'] + 1} ({case['text'][:40]!r})"
