"""`trainer filter`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import tee
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer import artifact, records
from trainer.cli import quality as cli_quality
from trainer.cli.filter_output import show_diff, show_reasons, show_verdict
from trainer.cli.options import AllowEmpty, Force, MaxRemovedShare, Model, WrapOption, Wrapped, progress_bar, say, stdout_console
from trainer.errors import InputError
from trainer.explain import Explanation, explain
from trainer.files import STDIO
from trainer.memory import SiteMemory
from trainer.model import Classifier
from trainer.paragraph import Wrap
from trainer.quality import Verdict
from trainer.queue_folder import QueueFolder, review
from trainer.result import FilterResult

NAME = "filter"


def command(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Articles: .txt, .html, .htm, .jsonl, .jsonl.gz, .parquet, folders of them, or - for standard input.",
            show_default="-",
        ),
    ] = None,
    model: Model = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Write records to .jsonl, .jsonl.gz or .parquet (- for JSON lines on stdout), or kept texts into a folder.",
        ),
    ] = None,
    paragraphs: Annotated[
        bool, typer.Option("--paragraphs", help="Records list all paragraphs with label and probability.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say why each removed paragraph went: words, characters, shape, context.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show kept and removed paragraphs, in colour in a terminal.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Report bad records and go on.")] = False,
    wrap: Wrapped = WrapOption.auto,
    allow_empty: AllowEmpty = False,
    max_removed_share: MaxRemovedShare = None,
    memory: Annotated[
        Path | None,
        typer.Option(
            "--memory",
            help="Remember in this file (SQLite; made where absent) what each site repeats, and remove that too.",
            metavar="FILE",
        ),
    ] = None,
    site: Annotated[
        str | None, typer.Option("--site", help="For --memory: the site of articles whose record has neither site nor url.")
    ] = None,
    queue: Annotated[
        Path | None,
        typer.Option(
            "--queue",
            help="With --memory: where a site's layout seems to have changed (flag drift), put its articles here to be labelled.",
            metavar="DIR",
        ),
    ] = None,
    quality: Annotated[
        Path | None,
        typer.Option(
            "--quality", "-q", help="Judge whole articles too, with this quality model, e.g. quality-en.", metavar="MODEL"
        ),
    ] = None,
    min_quality: Annotated[
        float | None,
        typer.Option(
            "--min-quality", min=0, max=1, help="Refuse articles that are good with less than this probability.", metavar="P"
        ),
    ] = None,
    refused: Annotated[
        Path | None,
        typer.Option(
            "--refused", help="Where refused articles go, with the reason.", show_default="OUT.refused.jsonl beside --out"
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Remove the residue of articles; kept text goes to stdout, a summary to stderr.

    Fields of input records pass through. Nothing is removed silently: records list every removed paragraph with its label
    and probability, --diff shows them, and flags name the safety valves that acted. Of a web page every visible block is
    judged, so no extractor is needed before; this needs the extra html.

    Examples: trainer filter article.txt --diff
    | trainer filter scraped.jsonl --out clean.jsonl
    | cat article.txt | trainer filter - --model models/mine
    | trainer filter page.html --diff
    | trainer filter today.jsonl --memory sites.sqlite --queue to-label --out clean.jsonl
    | trainer filter today.jsonl --quality quality-en --min-quality 0.5 --out clean.jsonl
    """  # fmt: skip
    filter(
        paths or [STDIO],
        model,
        out=out,
        paragraphs=paragraphs,
        with_explanations=explain,
        diff=diff,
        skip_bad=skip_bad,
        wrap=wrap.value,
        allow_empty=allow_empty or None,
        max_removed_share=max_removed_share,
        memory=memory,
        site=site,
        queue=queue,
        quality=quality,
        min_quality=min_quality,
        refused=refused,
        force=force,
    )


def filter(
    paths: Sequence[Path],
    model: Path | None = None,
    *,
    out: Path | None = None,
    paragraphs: bool = False,
    with_explanations: bool = False,
    diff: bool = False,
    skip_bad: bool = False,
    wrap: Wrap = "auto",
    allow_empty: bool | None = None,
    max_removed_share: float | None = None,
    memory: Path | None = None,
    site: str | None = None,
    queue: Path | None = None,
    quality: Path | None = None,
    min_quality: float | None = None,
    refused: Path | None = None,
    force: bool = False,
) -> None:
    """Filter every article under `paths`; see `command`."""
    if memory is None and (site is not None or queue is not None):
        raise InputError("--site and --queue need a site memory", hint="Add --memory FILE.sqlite.")
    if paragraphs and out is None:
        raise InputError("--paragraphs needs records", hint="Add --out FILE.jsonl, or --out - for JSON lines on stdout.")
    if diff and out == STDIO:
        raise InputError("--diff and --out - both write to standard output", hint="Give --out a file.")
    classifier = artifact.load(model)
    tally = _Tally()
    bad: list[InputError] = []

    def report_bad(error: InputError) -> None:
        bad.append(error)
        say(f"skipped: {error}")

    items = records.read(paths, report_bad if skip_bad else None)
    if memory:
        items = records.placed(items, site, report_bad if skip_bad else None)
    show = _shower(classifier, with_explanations=with_explanations, diff=diff, silent=out is not None)
    with ExitStack() as stack:
        write = stack.enter_context(records.writer(out, force=force)) if out else None
        gate = cli_quality.open_gate(quality, min_quality, refused, out, stack, force=force)
        sites = stack.enter_context(SiteMemory(memory)) if memory else None
        folder = QueueFolder(queue) if queue else None
        bar = stack.enter_context(progress_bar())
        task = bar.add_task("articles", total=None)
        options = {"memory": sites, "wrap": wrap, "allow_empty": allow_empty, "max_removed_share": max_removed_share}
        for item, result, verdict in cli_quality.judged(gate, _filtered(classifier, items, **options)):
            tally.add(result)
            if folder and "drift" in result.flags:
                folder.add(str(item.site), item.record, review(result))
            why = _reasons(classifier, result) if with_explanations else []
            record = _with_explanations(result.to_record(item.record, paragraphs=paragraphs), why) if write or gate else {}
            stays = gate is None or gate.takes(record, verdict)
            bar.advance(task)
            if stays and write:
                write(record)
            if stays:
                show(str(item.record.get("id", item.where)), result, why, verdict)
    say(tally.line(len(bad)))
    if gate:
        say(gate.line())
    if folder:
        say(folder.line())


def _filtered(
    classifier: Classifier, items: Iterator[records.Item], **options: Any
) -> Iterator[tuple[records.Item, FilterResult]]:
    """Pair each record with its result; the classifier reads some articles ahead."""
    items, texts, places = tee(items, 3)
    articles, sites = (item.article for item in texts), (item.site for item in places)
    return zip(items, classifier.filter_many(articles, sites=sites, **options), strict=True)


def _reasons(classifier: Classifier, result: FilterResult) -> list[Explanation]:
    return explain(classifier, [p.text for p in result.paragraphs], [r.index for r in result.removed])


Shower = Callable[[str, FilterResult, Sequence[Explanation], Verdict | None], None]


def _shower(classifier: Classifier, *, with_explanations: bool, diff: bool, silent: bool) -> Shower:
    """Return what prints an article: the difference, the reasons, or the kept text."""
    console = stdout_console()
    colours = {label.name: label.colour for label in classifier.labels}
    seen = 0

    def show(name: str, result: FilterResult, why: Sequence[Explanation], verdict: Verdict | None) -> None:
        nonlocal seen
        seen += 1
        if diff:
            show_diff(console, name, result, why, colours)
        elif with_explanations and not silent:
            show_reasons(console, name, result, why, colours)
        elif not silent:
            gap = "\n" if seen > 1 else ""
            sys.stdout.buffer.write(f"{gap}{result.text}\n".encode("utf-8", "surrogatepass"))
        if verdict and (diff or (with_explanations and not silent)):
            show_verdict(console, verdict)

    return show


def _with_explanations(record: dict[str, Any], why: Sequence[Explanation]) -> dict[str, Any]:
    for removed, reason in zip(record["removed"], why, strict=False):
        removed["explanation"] = {
            "log_odds": round(reason.log_odds, 3),
            **{
                group.name: {
                    "contribution": round(group.contribution, 3),
                    "strongest": [{"feature": name, "weight": round(weight, 3)} for name, weight in group.strongest],
                }
                for group in reason.groups
            },
        }
    return record


class _Tally:
    """Counts for the summary line."""

    def __init__(self) -> None:
        self.articles = self.paragraphs = self.chars = self.removed_chars = self.repeated = 0
        self.labels: Counter[str] = Counter()
        self.flags: Counter[str] = Counter()

    def add(self, result: FilterResult) -> None:
        self.articles += 1
        self.paragraphs += len(result.paragraphs)
        self.chars += sum(len(paragraph.text) for paragraph in result.paragraphs)
        self.removed_chars += sum(len(item.text) for item in result.removed)
        self.repeated += sum(item.reason == "repeated" for item in result.removed)
        self.labels.update(result.by_label)
        self.flags.update(result.flags)

    def line(self, bad: int) -> str:
        removed = self.labels.total()
        labels = "".join(f", {label} {count:,}" for label, count in self.labels.most_common())
        repeated = f"; {self.repeated:,} repeated by their site" if self.repeated else ""
        flags = "".join(f"; flag {flag} in {count:,}" for flag, count in sorted(self.flags.items()))
        skipped = f"; {bad:,} bad records skipped" if bad else ""
        share = self.removed_chars / self.chars if self.chars else 0
        articles = f"{self.articles:,} article{'s' * (self.articles != 1)}"
        removed_of = f"removed {removed:,} of {self.paragraphs:,} paragraphs ({share:.1%} of characters)"
        return f"{articles}: {removed_of}{labels}{repeated}{flags}{skipped}"
