"""`trainer bulk --sample --html`: look before the run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from trainer.cli.options import progress_bar, say
from trainer.errors import InputError
from trainer.files import STDIO

if TYPE_CHECKING:
    from trainer.records import Item

SAMPLE = 200  # articles


def look(
    inputs: list[str],
    html: Path | None,
    model: Path | None,
    *,
    sample: int | None,
    out: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Write the page and say what is in it; exits with 1 where an input could not be read to its end."""
    if html is None:
        raise InputError("--sample needs a page to write", hint="Add --html review.html.")
    if as_json and html == STDIO:
        raise InputError("--html - and --json both write to standard output", hint="Give --html a file.")
    report = review(inputs, html, model, sample=sample or SAMPLE, **options)
    if as_json:
        typer.echo(json.dumps(report, indent=1, ensure_ascii=False))
    _show(report, out)
    if report["unread"]:
        raise typer.Exit(1)


def review(
    inputs: list[str],
    html: Path,
    model: Path | None = None,
    *,
    sample: int = SAMPLE,
    seed: int = 0,
    force: bool = False,
    max_errors: int = 1000,
    **options: Any,
) -> dict[str, Any]:
    """Write the page and return counts, JSON-ready; `options` are those of `bulk.options.Options`.

    Raises:
        TrainerError: see `trainer.review.page.write_review` and `trainer.review.reading.Reader`.
    """
    from trainer import artifact
    from trainer.bulk.options import Options
    from trainer.review.page import check_page, write_review
    from trainer.review.reading import Reader

    check_page(html, force=force)
    chosen = Options(**options)
    reader = Reader(inputs, chosen, max_errors)
    made = write_review(
        _counted(reader),
        artifact.load(model),
        html,
        number=sample,
        seed=seed,
        force=force,
        wrap=chosen.wrap,
        allow_empty=chosen.allow_empty,
        max_removed_share=chosen.max_removed_share,
    )
    bad, unread = ([str(error) for error in errors] for errors in (reader.bad, reader.unread))
    return {"page": str(html), "sample": sample, "seed": seed, **made._asdict(), "bad": bad, "unread": unread}


def _show(report: dict[str, Any], out: str | None) -> None:
    total, sample, bad = report["total"], report["sample"], report["bad"]
    for reason in report["unread"]:
        say(f"not read, or not to the end: {reason}")
    if bad:
        say(f"passed over {len(bad):,} bad record{'s' * (len(bad) != 1)}; the first: {bad[0]}")
    if total < sample:
        say(f"there are fewer than {sample:,} articles: the page has all {total:,}")
    drawn = f"{report['articles']:,} of {total:,} articles"
    say(f"wrote {report['page']}: {drawn}, {report['removed']:,} of {report['paragraphs']:,} paragraphs removed")
    if out is not None:
        say(f"nothing was filtered into {out}; the command without --sample and --html does that")


def _counted(items: Iterable[Item]) -> Iterator[Item]:
    """Show how many articles were read."""
    with progress_bar() as bar:
        yield from bar.track(items, description="reading articles")
