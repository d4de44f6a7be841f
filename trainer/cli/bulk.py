"""`trainer bulk`."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainer.cli.bulk_review import SAMPLE, look
from trainer.cli.options import STDERR, AllowEmpty, MaxRemovedShare, Model, WrapOption, Wrapped, say
from trainer.errors import ConfigError, InputError

if TYPE_CHECKING:
    from trainer.bulk.run import Outcome, Tick
    from trainer.bulk.work import Engine

NAME = "bulk"
_SECONDS = 60.0  # that the rate is of


class EngineOption(StrEnum):
    """What does the work."""

    local = "local"
    ray = "ray"


class Extractor(StrEnum):
    """What makes articles of web pages."""

    blocks = "blocks"
    trafilatura = "trafilatura"


def command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Files (.jsonl, .parquet, .arrow, .warc, .wet, .txt, .html; .gz and .zst too), folders of them at any depth, "
            "patterns in quotes, or URLs.",
            metavar="IN...",
        ),
    ],
    out: Annotated[str | None, typer.Option("--out", "-o", help="Output folder, or its URL.", metavar="DIR")] = None,
    model: Model = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="Output format: jsonl, jsonl.gz, jsonl.zst, parquet, or txt for folders of texts.",
            show_default="the input's",
            metavar="FORMAT",
        ),
    ] = None,
    extractor: Annotated[
        Extractor,
        typer.Option("--extractor", help="What makes articles of web pages: all visible blocks, or what trafilatura finds."),
    ] = Extractor.blocks,
    removed: Annotated[
        bool, typer.Option("--removed", help="Put removed paragraphs into DIR/_removed instead of into the records.")
    ] = False,
    workers: Annotated[int | None, typer.Option("--workers", "-j", min=1, help="Processes.", show_default="one a core")] = None,
    engine: Annotated[
        EngineOption, typer.Option("--engine", help="Processes of this machine, or Ray (the extra ray).")
    ] = EngineOption.local,
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            help="For --engine ray: a running cluster, auto for the one of this machine.",
            show_default="a Ray of its own",
        ),
    ] = None,
    max_errors: Annotated[int, typer.Option("--max-errors", min=0, help="Stop at more bad records than this.")] = 1000,
    retries: Annotated[int, typer.Option("--retries", min=0, help="Try a shard that fails so often again.")] = 2,
    restart: Annotated[bool, typer.Option("--restart", help="Remove what another run has put into DIR, and begin anew.")] = False,
    max_record: Annotated[
        int, typer.Option("--max-record", min=1, help="Largest record; a larger one is a bad record.", metavar="BYTES")
    ] = 8 << 20,
    shard_size: Annotated[
        int, typer.Option("--shard-size", min=1, help="Cut larger files into parts of about this size.", metavar="BYTES")
    ] = 64 << 20,
    wrap: Wrapped = WrapOption.auto,
    allow_empty: AllowEmpty = False,
    max_removed_share: MaxRemovedShare = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            help="Look before you run: write a page with some of the articles, drawn at random, and nothing else.",
            metavar="FILE.html",
        ),
    ] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help="With --html: how many to draw.", show_default=str(SAMPLE), metavar="N")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="With --html: another seed draws others.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="With --html: replace the page that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the statistics as JSON.")] = False,
) -> None:
    """Filter many files into a folder, on all cores, and go on where a stopped run left off.

    Each input file, or part of a large one, is a shard with an output of its own; it appears when it is whole. Records are
    those of trainer filter; other fields and columns pass through. The same command again does only what is missing. Bad
    records go to DIR/_errors with file, line and reason, counts to DIR/_stats.json. Exits with 1 if a shard is missing.

    Examples: trainer bulk scraped/ --out clean
    | trainer bulk crawl.jsonl.gz --out clean --to parquet --removed
    | trainer bulk crawl/ --out clean --engine ray --address auto
    | trainer bulk 'crawl/*.warc.gz' --out clean --extractor trafilatura
    | trainer bulk s3://bucket/news --out s3://bucket/clean --workers 8
    | trainer bulk scraped/ --sample 200 --html review.html
    """  # fmt: skip
    options = {
        "extractor": extractor.value, "max_record": max_record, "wrap": wrap.value, "allow_empty": allow_empty or None,
        "max_removed_share": max_removed_share,
    }  # fmt: skip
    if html is not None or sample is not None:
        look(
            inputs, html, model, sample=sample, seed=seed, force=force, max_errors=max_errors, as_json=as_json, out=out, **options
        )
        return
    if out is None:
        raise InputError("--out is missing", hint="Give --out DIR, or --html FILE.html to look before you run.")
    outcome = bulk(
        inputs, out, model, to=to, removed=removed, workers=workers, engine=engine.value, address=address,
        max_errors=max_errors, retries=retries, restart=restart, shard_bytes=shard_size, **options,
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(outcome.stats, indent=1, ensure_ascii=False))
    say(_line(outcome))
    if outcome.missing:
        say(_missing(outcome, out))
        raise typer.Exit(1)


def bulk(
    inputs: list[str],
    out: str,
    model: Path | None = None,
    *,
    to: str | None = None,
    workers: int | None = None,
    engine: str = "local",
    address: str | None = None,
    max_errors: int = 1000,
    retries: int = 2,
    restart: bool = False,
    **options: Any,
) -> Outcome:
    """Run it and return how it ended; see `command`. `options` are those of `bulk.options.Options`.

    Raises:
        TrainerError: see `trainer.bulk.run.bulk`. KeyboardInterrupt: it was stopped, by SIGTERM too.
    """
    from trainer.bulk import run, writers
    from trainer.bulk.options import Options

    chosen = Options(to=writers.ending(to) if to else None, **options)
    with _stoppable(out), _progress() as tick:
        chosen_engine = _engine(engine, workers, address)
        return run.bulk(
            inputs, out, model, chosen, engine=chosen_engine, max_errors=max_errors, retries=retries, restart=restart, tick=tick
        )


def _engine(name: str, workers: int | None, address: str | None) -> Engine:
    if name == "ray":
        from trainer.bulk.ray_engine import RayEngine

        return RayEngine(workers, address)
    if address is not None:
        raise ConfigError("--address needs --engine ray", hint="Add it, or leave --address out.")
    from trainer.bulk.local import LocalEngine

    return LocalEngine(workers)


@contextmanager
def _stoppable(out: str) -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, and say how to go on."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        say(f"stopped; what is done stays in {out}, and the same command goes on from there")
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _progress() -> Iterator[Tick]:
    """Show bytes, rate and time left."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("filtering"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    silent = not STDERR.is_terminal
    with Progress(*columns, console=STDERR, transient=True, disable=silent, speed_estimate_period=_SECONDS) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _line(outcome: Outcome) -> str:
    stats = outcome.stats
    removed = stats["removed"]
    paragraphs, characters = (sum(cell[unit] for cell in removed.values()) for unit in ("paragraphs", "characters"))
    labels = "".join(f", {label} {cell['paragraphs']:,}" for label, cell in sorted(removed.items()))
    share = characters / stats["characters"] if stats["characters"] else 0
    flags = "".join(f"; flag {flag} in {count:,}" for flag, count in stats["flags"].items())
    bad = f"; {outcome.errors:,} bad records in _errors" if outcome.errors else ""
    before = f"; {outcome.before:,} of {outcome.shards:,} shards were done before" if outcome.before else ""
    of = f"removed {paragraphs:,} of {stats['paragraphs']:,} paragraphs ({share:.1%} of characters)"
    skipped = "".join(f"; {count:,} skipped ({reason})" for reason, count in stats["skipped"].items())
    return f"{stats['articles']:,} articles: {of}{labels}{flags}{skipped}{bad}{before}"


def _missing(outcome: Outcome, out: str) -> str:
    """Return one line: which shards are missing, why, and what to do."""
    last = outcome.missing[-1]
    others = f" (and {len(outcome.missing) - 1:,} more, see {out}/_stats.json)" if len(outcome.missing) > 1 else ""
    again = "" if last.stop else " The same command tries again what is missing."
    return f"trainer: {outcome.left:,} of {outcome.shards:,} shards missing: {last.reason.rstrip('.')}{others}.{again}"
