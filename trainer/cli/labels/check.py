"""`trainer labels check`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainer.cli.options import DEFAULT_LABELS, Force, Labels, Overrides, TokenFile, Url, say, tracked, training_progress

if TYPE_CHECKING:
    from trainer.annotations import AnnotatedArticle
    from trainer.config import Config
    from trainer.findings import Finding

NAME = "check"
MOST_SHOWN = 20  # findings of a kind
FEW_ARTICLES, FEW_SITES = 50, 10  # a model trained on fewer knows less than the one that comes with the package


class FailOn(StrEnum):
    """What ends the command with exit code 1."""

    conflict = "conflict"
    any = "any"
    never = "never"


def command(
    labels: Labels = None,
    adjudicate: Annotated[
        list[str] | None,
        typer.Option(
            "--adjudicate",
            help="Settle what annotators disagree on: majority, newest or annotator=NAME. May be repeated: the first rule that "
            "can settle a paragraph does. Ties, missing dates and absent annotators are never guessed at.",
            metavar="RULE",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Label file to write the adjudicated labels to (.jsonl).")
    ] = None,
    review: Annotated[
        Path | None,
        typer.Option(
            "--review",
            help="Label file to write the articles with conflicts and the strongest findings to, with reasons (.jsonl).",
        ),
    ] = None,
    push: Annotated[
        str | None,
        typer.Option("--push", help="Push those articles to Label Studio as the project 'PROJECT review'.", metavar="PROJECT"),
    ] = None,
    by_file: Annotated[
        bool,
        typer.Option(
            "--by-file",
            help="Compare files, not people: each counts as one annotator of its name, e.g. a blind share that the same person "
            "labelled.",
        ),
    ] = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Train no model: seconds instead of minutes, but no probably wrong labels.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Settings of the model, e.g. configs/news.toml.", show_default="quick ones"),
    ] = None,
    overrides: Overrides = None,
    limit: Annotated[
        int,
        typer.Option("--limit", "-n", min=0, help="Findings of each kind to show and to review; --review has every conflict."),
    ] = MOST_SHOWN,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="Exit with 1 if a conflict is left, if anything is found, or never.")
    ] = FailOn.conflict,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report, with all findings, as JSON.")] = False,
    force: Force = False,
) -> None:
    """Check labels: how far annotators agree, what they disagree on, and which labels are probably wrong.

    Agreement (Krippendorff's alpha, Cohen's kappa, with 95 % intervals) needs paragraphs that several people labelled: the
    "annotations" that trainer labels pull writes, or the same article in several files, say alice.jsonl and bob.jsonl.

    Probably wrong labels come from a model that has not seen the label's site. Further findings: the same or nearly the same
    text under different labels, a line that differs from the run around it, labels that take turns. They are hints to look at.

    Exits with 0, or with 1 if annotators disagree on a paragraph that nobody has settled (see --fail-on).

    Example: trainer labels check labels

    Example: trainer labels check alice.jsonl bob.jsonl --adjudicate majority --out labels/gold.jsonl --review review.jsonl
    """
    report = check(
        labels or [DEFAULT_LABELS],
        adjudicate=adjudicate or (),
        out=out,
        review=review,
        push=push,
        by_file=by_file,
        no_model=no_model,
        config=config,
        overrides=overrides or (),
        limit=limit,
        url=url,
        token_file=token_file,
        force=force,
    )
    if as_json:
        typer.echo(json.dumps(report, indent=1))
    else:
        from trainer.cli.labels.check_tables import show

        show(report, limit)
    counts = {FailOn.conflict: report["counts"]["conflict"], FailOn.any: len(report["findings"]), FailOn.never: 0}
    if counts[fail_on]:
        raise typer.Exit(1)


def check(
    paths: Sequence[Path],
    *,
    adjudicate: Sequence[str] = (),
    out: Path | None = None,
    review: Path | None = None,
    push: str | None = None,
    by_file: bool = False,
    no_model: bool = False,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    limit: int = MOST_SHOWN,
    url: str | None = None,
    token_file: Path | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Check label files, write and push what was asked for, and return the report, JSON-ready."""
    from trainer import adjudication, agreement, verdict_agreement
    from trainer.annotations import read_annotations
    from trainer.config import load_config
    from trainer.errors import InputError
    from trainer.findings import KINDS, conflicts, ranked, review_records, strongest
    from trainer.suspects import QUICK

    settings = load_config(config, overrides if config else (*QUICK, *overrides))
    labels = settings.label_set
    _check_options(adjudicate, out, review, push, force=force)
    articles = read_annotations(paths, labels, settings.by_kind, by_file=by_file)
    if not articles:
        raise InputError("no articles", where=", ".join(map(str, paths)), hint="See labels/GUIDELINES.md.")
    people = sorted({annotation.annotator for article in articles for said in article.annotations for annotation in said})
    adjudication.check_rules(adjudicate, people)
    agreed = agreement.measure(articles, labels, settings)
    settled = adjudication.adjudicate(articles, adjudicate)
    if out:  # before the model is trained: an interrupt loses no settled label
        _write(out, settled.records)
    findings, notes = _findings(settled.articles, settings, no_model=no_model, own=bool(config or overrides))
    findings = ranked([*conflicts(settled.articles, settled.open), *findings])
    counts = {kind: sum(finding.kind == kind for finding in findings) for kind in KINDS}
    for_review = review_records(settled.records, strongest(findings, limit))
    report: dict[str, Any] = {
        "articles": len(articles),
        "paragraphs": sum(len(article.article.texts) for article in articles),
        "labelled": sum(label is not None for article in settled.articles for label in article.article.labels),
        "annotators": people,
        "agreement": agreement.to_json(agreed) if agreed else None,
        "quality": verdict_agreement.measure(articles, settings),
        "counts": counts,
        "findings": [finding.record() for finding in findings],
        "adjudicated": {"settled": settled.settled, "open": len(settled.open)} if adjudicate else None,
        "notes": notes,
        "pushed": None,
    }
    if review:
        _write(review, for_review)
    if push and not for_review:
        say("nothing to push")
    elif push and review:
        from trainer.cli.labels.push import push as push_articles

        report["pushed"] = push_articles([review], f"{push} review", config=config, url=url, token_file=token_file)
    return report


def _findings(
    articles: Sequence[AnnotatedArticle], settings: Config, *, no_model: bool, own: bool
) -> tuple[list[Finding], list[str]]:
    """Return what looks doubtful in the labels that count, and notes on how far that could be judged.

    `own`: train a model with these settings, however few the articles are.
    """
    from trainer import artifact
    from trainer.clashes import clashes
    from trainer.runs import inconsistent
    from trainer.suspects import UNSEEN, opinions_of, out_of_fold, probably_wrong

    plain = [annotated.article for annotated in articles]
    labels, opinions, notes, who = settings.label_set, None, [], UNSEEN
    few = len(plain) < FEW_ARTICLES or len({article.site for article in plain}) < FEW_SITES
    shipped = artifact.load(None) if few and not own and not no_model else None
    used = {label for article in plain for label in article.labels if label is not None}
    if no_model:
        notes.append("no model was trained: probably wrong labels were not looked for")
    elif len(used) < 2 or len(plain) < 2:
        notes.append("a model needs two articles and two labels: probably wrong labels were not looked for")
    elif shipped and set(shipped.labels.names) == set(labels.names):
        opinions, who = opinions_of(shipped, plain, labels), f"the model {shipped.name}"
        notes.append(
            f"fewer than {FEW_ARTICLES} articles or {FEW_SITES} sites are too little to train a model on, so {shipped.name} was "
            "asked instead; with --config one is trained all the same"
        )
    else:
        if len(plain) < FEW_ARTICLES:
            notes.append(f"{len(plain)} articles are little for a model to learn from: take its findings as weak hints")
        say(f"training a model on {len(plain):,} articles to compare their labels with; --no-model does without")
        with training_progress():
            opinions = out_of_fold(plain, settings)
    found = [*clashes(plain, labels, opinions, tracked("texts")), *inconsistent(plain, labels, opinions)]
    return [*found, *(probably_wrong(plain, opinions, labels, who) if opinions else ())], notes


def _check_options(adjudicate: Sequence[str], out: Path | None, review: Path | None, push: str | None, *, force: bool) -> None:
    from trainer.errors import InputError

    if bool(adjudicate) != bool(out):
        raise InputError("--adjudicate and --out go together", hint="For example --adjudicate majority --out gold.jsonl.")
    if push and not review:
        raise InputError("--push needs --review, the file to push", hint="For example --review review.jsonl.")
    if out and out == review:
        raise InputError("--out and --review name the same file", where=str(out), hint="Give two names.")
    for file in (out, review):
        _check_free(file, force=force)


def _check_free(file: Path | None, *, force: bool) -> None:
    from trainer.dataset import LABEL_SUFFIXES
    from trainer.errors import InputError
    from trainer.files import STANDOFF_SUFFIXES
    from trainer.records import check_output

    if file is None:
        return
    if not file.name.endswith(LABEL_SUFFIXES) or file.name.endswith(STANDOFF_SUFFIXES):
        raise InputError("is not the name of a label file", where=str(file), hint="Give it a name like gold.jsonl.")
    check_output(file, force=force)


def _write(file: Path, records: Sequence[dict[str, Any]]) -> None:
    from trainer.records import writer

    with writer(file, force=True) as write:
        for record in records:
            write(record)
    say(f"wrote {file} ({len(records):,} articles)")
