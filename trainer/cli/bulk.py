"""`trainer bulk`."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainer.cli.filter import WrapOption
from trainer.cli.options import STDERR, Model, say

if TYPE_CHECKING:
    from trainer.bulk.run import Outcome, Tick

NAME = "bulk"
_SECONDS = 60.0  # that the rate is of


def command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Files (.jsonl, .jsonl.gz, .jsonl.zst, .parquet), folders of them at any depth, or their URLs.", metavar="IN..."
        ),
    ],
    out: Annotated[str, typer.Option("--out", "-o", help="Output folder, or its URL.", metavar="DIR")],
    model: Model = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="Output format: jsonl, jsonl.gz, jsonl.zst or parquet.", show_default="the input's", metavar="FORMAT"
        ),
    ] = None,
    removed: Annotated[
        bool, typer.Option("--removed", help="Put removed paragraphs into DIR/_removed instead of into the records.")
    ] = False,
    workers: Annotated[int | None, typer.Option("--workers", "-j", min=1, help="Processes.", show_default="one a core")] = None,
    max_errors: Annotated[int, typer.Option("--max-errors", min=0, help="Stop at more bad records than this.")] = 1000,
    retries: Annotated[int, typer.Option("--retries", min=0, help="Try a shard that fails so often again.")] = 2,
    restart: Annotated[bool, typer.Option("--restart", help="Remove what another run has put into DIR, and begin anew.")] = False,
    max_record: Annotated[
        int, typer.Option("--max-record", min=1, help="Largest record; a larger one is a bad record.", metavar="BYTES")
    ] = 8 << 20,
    shard_size: Annotated[
        int, typer.Option("--shard-size", min=1, help="Cut larger files into parts of about this size.", metavar="BYTES")
    ] = 64 << 20,
    wrap: Annotated[WrapOption, typer.Option("--wrap", help="Join the lines of hard-wrapped text.")] = WrapOption.auto,
    allow_empty: Annotated[bool, typer.Option("--allow-empty", help="Let an article go whole.")] = False,
    max_removed_share: Annotated[
        float | None,
        typer.Option(
            "--max-removed-share",
            min=0,
            max=1,
            help="Remove at most this share of an article's characters.",
            show_default="the model's",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the statistics as JSON.")] = False,
) -> None:
    """Filter many files into a folder, on all cores, and go on where a stopped run left off.

    Each input file, or part of a large one, is a shard with an output of its own; it appears when it is whole. Records are
    those of trainer filter; other fields and columns pass through. The same command again does only what is missing. Bad
    records go to DIR/_errors with file, line and reason, counts to DIR/_stats.json. Exits with 1 if a shard is missing.

    Examples: trainer bulk scraped/ --out clean
    | trainer bulk crawl.jsonl.gz --out clean --to parquet --removed
    | trainer bulk s3://bucket/news --out s3://bucket/clean --workers 8
    """  # fmt: skip
    outcome = bulk(
        inputs, out, model, to=to, removed=removed, workers=workers, max_errors=max_errors, retries=retries,
        restart=restart, max_record=max_record, shard_bytes=shard_size, wrap=wrap.value, allow_empty=allow_empty or None,
        max_removed_share=max_removed_share,
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
    max_errors: int = 1000,
    retries: int = 2,
    restart: bool = False,
    **options: Any,
) -> Outcome:
    """Run it in processes of this machine and return how it ended; `options` are those of `bulk.options.Options`.

    Raises:
        TrainerError: see `trainer.bulk.run.bulk`. KeyboardInterrupt: it was stopped, by SIGTERM too.
    """
    from trainer.bulk import run, writers
    from trainer.bulk.local import LocalEngine
    from trainer.bulk.options import Options

    chosen = Options(to=writers.ending(to) if to else None, **options)
    with _stoppable(out), _progress() as tick:
        engine = LocalEngine(workers)
        return run.bulk(
            inputs, out, model, chosen, engine=engine, max_errors=max_errors, retries=retries, restart=restart, tick=tick
        )


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
    return f"{stats['articles']:,} articles: {of}{labels}{flags}{bad}{before}"


def _missing(outcome: Outcome, out: str) -> str:
    """Return one line: which shards are missing, why, and what to do."""
    last = outcome.missing[-1]
    others = f" (and {len(outcome.missing) - 1:,} more, see {out}/_stats.json)" if len(outcome.missing) > 1 else ""
    again = "" if last.stop else " The same command tries again what is missing."
    return f"trainer: {outcome.left:,} of {outcome.shards:,} shards missing: {last.reason.rstrip('.')}{others}.{again}"
