"""`trainer labels next`."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainer.cli.options import DEFAULT_LABELS, ConfigFile, Force, Model, TokenFile, Url, progress_bar, say
from trainer.files import STDIO

if TYPE_CHECKING:
    from trainer.errors import InputError
    from trainer.pool import Pool
    from trainer.records import Item, Record
    from trainer.selection import Pick

NAME = "next"


class StrategyOption(StrEnum):
    """What to pick by."""

    mixed = "mixed"
    uncertainty = "uncertainty"
    rare = "rare"
    diverse = "diverse"
    random = "random"


def command(
    pool: Annotated[
        list[Path],
        typer.Argument(help="Articles: .txt, .jsonl, .jsonl.gz, .parquet, folders of them, or - for standard input."),
    ],
    number: Annotated[int, typer.Option("--n", "-n", min=1, help="How many articles to pick.", metavar="N")] = 50,
    strategy: Annotated[
        StrategyOption,
        typer.Option(
            "--strategy",
            "-s",
            help="mixed: likely to hold what is rare, of many sites; uncertainty: where the model doubts most a paragraph; rare: "
            "most of a rare label; diverse: sites not labelled before; random.",
        ),
    ] = StrategyOption.mixed,
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            "--labels",
            "-l",
            help="What is labelled or being labelled: label files, folders of them, earlier batches. Its articles are not picked "
            "again, nor near-duplicates. May be repeated.",
            show_default="labels, where it is there",
        ),
    ] = None,
    model: Model = None,
    quality: Annotated[
        Path | None,
        typer.Option("--quality", "-q", help="Pick by what this quality model says of whole articles.", metavar="MODEL"),
    ] = None,
    random_share: Annotated[
        float,
        typer.Option("--random-share", min=0, max=1, help="Share drawn at random, marked so: for an honest estimate."),
    ] = 0.2,
    per_site: Annotated[int, typer.Option("--per-site", min=1, help="Most articles of a site, if there are enough sites.")] = 3,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Write the articles to .jsonl, .jsonl.gz or .parquet.", show_default="stdout, JSON lines"
        ),
    ] = None,
    push: Annotated[
        str | None, typer.Option("--push", help="Push the articles to this Label Studio project.", metavar="PROJECT")
    ] = None,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random choices.")] = 0,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Report bad records and go on.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON; needs --out or --push.")] = False,
    force: Force = False,
) -> None:
    """Pick from a pool the articles that are worth most to label next.

    Each gets a field `selection` with strategy, reason, score and whether it was drawn at random; all its other fields pass
    through. Take the model you trained last: it knows best what it does not know.

    Example: trainer labels next scraped.jsonl -n 50 --model models/mine --labels labels/mine.jsonl --out batch.jsonl

    Example: trainer labels next scraped.jsonl -n 50 --push news

    Example: trainer labels next scraped.jsonl -n 50 --quality quality-en --out batch.jsonl
    """
    report = next(
        pool,
        number,
        strategy.value,
        labels=labels,
        model=model,
        quality=quality,
        random_share=random_share,
        per_site=per_site,
        out=out,
        project=push,
        config=config,
        url=url,
        token_file=token_file,
        seed=seed,
        skip_bad=skip_bad,
        as_json=as_json,
        force=force,
    )
    if as_json:
        typer.echo(json.dumps(report, indent=1))


def next(
    pool: Sequence[Path],
    number: int = 50,
    strategy: str = "mixed",
    *,
    labels: Sequence[Path] | None = None,
    model: Path | None = None,
    quality: Path | None = None,
    random_share: float = 0.2,
    per_site: int = 3,
    out: Path | None = None,
    project: str | None = None,
    config: Path | None = None,
    url: str | None = None,
    token_file: Path | None = None,
    seed: int = 0,
    skip_bad: bool = False,
    as_json: bool = False,
    force: bool = False,
) -> dict[str, Any]:
    """Pick articles, write or push them, and return the report, JSON-ready; see `command`."""
    from trainer import artifact, records
    from trainer.errors import InputError
    from trainer.pool import read_known, read_pool, reader
    from trainer.quality_artifact import load_quality
    from trainer.quality_pool import by_quality
    from trainer.selection import STRATEGIES, choose

    if strategy not in STRATEGIES:
        raise InputError(f"unknown strategy {strategy!r}", hint=f"Known are {', '.join(STRATEGIES)}.")
    if as_json and out in (None, STDIO) and project is None:
        raise InputError("--json and the articles both go to standard output", hint="Give --out a file, or --push a project.")
    if out is not None and not out.name.endswith((".jsonl", ".jsonl.gz", ".parquet")) and out != STDIO:
        raise InputError("names end in .jsonl, .jsonl.gz or .parquet", where=str(out))
    if out is not None:
        records.check_output(out, force=force)
    classifier = artifact.load(model)
    judge = load_quality(quality) if quality is not None else None
    known = read_known(labels if labels is not None else _labels_there())
    bad: list[InputError] = []

    def report_bad(error: InputError) -> None:
        bad.append(error)
        say(f"skipped: {error}")

    with reader(pool, report_bad if skip_bad else None) as read:
        found = read_pool(_counted(read(), "judging"), classifier, known)
        if judge is not None:
            found = by_quality(found, _counted(read(), "judging whole articles"), classifier, judge)
        picks = choose(
            found, number, strategy, labelled_sites=known.sites, random_share=random_share, per_site=per_site, seed=seed
        )
        chosen = _records(_counted(read(), "collecting"), found, picks, strategy)
    if not chosen:
        raise InputError("nothing to pick from: the pool is empty or labelled already", hint="Name more articles.")
    report = _report(found, picks, len(bad), strategy, classifier.name)
    _say(report, number, "" if found.whole else f"{report['paragraphs']:,} paragraphs, ")
    if out is not None or project is None:
        with records.writer(out or STDIO, force=force) as write:
            for record in chosen:
                write(record)
        if out is not None and out != STDIO:
            say(f"wrote {out}")
    if project is not None:
        report["push"] = _push(chosen, project, model, config=config, url=url, token_file=token_file)
        say(f"label at {report['push']['url']}")
    return report


def _labels_there() -> list[Path]:
    """Return the label files of the default folder, if it is there and has any."""
    from trainer.dataset import label_files
    from trainer.errors import InputError

    try:
        return list(label_files([DEFAULT_LABELS])) if DEFAULT_LABELS.is_dir() else []
    except InputError:
        return []


def _counted(items: Iterable[Item], what: str) -> Iterator[Item]:
    """Show how many articles went by."""
    with progress_bar() as bar:
        yield from bar.track(items, total=None, description=what)


def _records(items: Iterable[Item], pool: Pool, picks: Sequence[Pick], strategy: str) -> list[Record]:
    """Return the picked records in the order of the picks, each with its site and why it was picked."""
    of_place = {int(pool.place[pick.row]): rank for rank, pick in enumerate(picks)}
    found: dict[int, Record] = {}
    for place, item in enumerate(items):
        if len(found) == len(picks):
            break
        rank = of_place.get(place)
        if rank is not None:
            pick = picks[rank]
            why = {"strategy": strategy, "reason": pick.reason, "score": round(pick.score, 6), "random": pick.random}
            site = pool.sites[pool.site[pick.row]]
            found[rank] = {"source": item.where, **({"site": site} if site else {}), **item.record, "selection": why}
    return [found[rank] for rank in sorted(found)]


def _report(pool: Pool, picks: Sequence[Pick], bad: int, strategy: str, model: str) -> dict[str, Any]:
    rows = [pick.row for pick in picks]
    return {
        "model": model,
        "strategy": strategy,
        "picked": len(picks),
        "random": sum(pick.random for pick in picks),
        "sites": len({int(pool.site[row]) for row in rows}),
        "paragraphs": int(pool.paragraphs[rows].sum()),
        "expected": {name: round(float(pool.expected[rows, k].sum()), 1) for k, name in enumerate(pool.labels)},
        "pool": len(pool.place),
        "left_out": pool.left_out | ({"bad": bad} if bad else {}),
        "most_of_a_site": max(Counter(int(pool.site[row]) for row in rows).values(), default=0),
    }


def _say(report: dict[str, Any], number: int, paragraphs: str) -> None:
    expected = ", ".join(f"{label} {count:,.0f}" for label, count in report["expected"].items())
    say(
        f"picked {report['picked']:,} of {report['pool']:,} articles of {report['sites']:,} sites, "
        f"{report['random']:,} at random; {paragraphs}about {expected}"
    )
    for reason, count in report["left_out"].items():
        say(f"left out: {count:,} {reason}")
    if report["picked"] < number:
        say(f"note: {number:,} were asked for; the pool has no more that are not near-duplicates")


def _push(records: Sequence[Record], project: str, model: Path | None, **options: Any) -> dict[str, Any]:
    from trainer.cli.labels.push import push
    from trainer.records import writer

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "batch.jsonl"
        with writer(file) as write:
            for record in records:
                write(record)
        return push([file], project, model, **options)
