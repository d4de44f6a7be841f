"""A report on article quality for terminals, for machines and for model cards."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from trainer.artifact import CARD, METRICS
from trainer.config import Config, LabelSection
from trainer.dataset import Dataset, LabelledArticle
from trainer.evaluation import Report
from trainer.quality_config import QualityConfig
from trainer.quality_evaluation import LABELS, QualityReport
from trainer.quality_training import TrainedQuality
from trainer.report import METRICS as NAMES
from trainer.report import TITLES, figure
from trainer.report import to_json as report_json
from trainer.verdicts import GOOD, POOR

OVERALL = {name: TITLES[name] for name in ("macro_f1", "accuracy", "reasons_macro_f1")}
_LENGTHS = {500: "under 500 characters", 1500: "500 to 1,499 characters", 5000: "1,500 to 4,999 characters"}
_LONG = "5,000 characters or more"
_BEGINNING, _END = 1200, 600  # characters shown of an article


def to_json(report: QualityReport) -> dict[str, Any]:
    """Return the report as JSON-ready values: the verdict's as `report.to_json` gives it, the others inside."""
    return {
        "task": "quality",
        **report_json(report.verdict),
        "reasons": report_json(report.reasons) if report.reasons else None,
        "baselines": {name: report_json(one) for name, one in report.baselines.items()},
        "articles": [
            {"id": name, "truth": int(truth), "probability": round(float(poor), 6), "called": int(called)}
            for name, truth, poor, called in zip(
                report.ids, report.scored.truth, report.scored.probability[1], report.scored.label, strict=True
            )
        ],
    }


def as_items(dataset: Dataset) -> Dataset:
    """Return judged articles as the report page and comparisons take them: each with one text, whose label is the verdict."""
    return Dataset(
        tuple(
            replace(article, texts=("\n".join(article.texts),), labels=(article.quality,), kinds=(article.quality_reason,))
            for article in dataset.articles
        )
    )


def item_config(config: QualityConfig) -> Config:
    """Return the settings by which verdicts are counted, as those of paragraphs are."""
    labels = tuple(LabelSection(name=label.name, kept=label.kept) for label in LABELS)
    return Config(labels=labels, seed=config.seed, evaluation=config.evaluation)


def page(
    report: QualityReport, leaky: QualityReport | None, curve: dict[str, Any] | None, dataset: Dataset, config: QualityConfig
) -> str:
    """Return the report page; `dataset` are the judged articles, for the others see `report_page.page_data`."""
    from trainer.report_page import of_report, page_data
    from trainer.report_page import page as html
    from trainer.report_page.material import length_group

    material = of_report(report.verdict, as_items(dataset), item_config(config))
    material = replace(
        material,
        texts=[_both_ends(_story(article, config)) for article in dataset.articles],
        groups={
            "reason": [article.quality_reason or "" for article in dataset.articles],
            "length": [length_group(chars, _LENGTHS, _LONG) for chars in report.scored.chars.tolist()],
        },
        unit="article",
        kept=GOOD,
        rest=POOR,
        limit=None,
        any_label=True,
        odds=(-4.6, 4.6),
        shown=_BEGINNING + _END,
    )
    random = leaky.verdict if leaky else None
    data = page_data(report.verdict, material, leaky=random, curve=curve, settings=config.changes)
    return html("How well poor articles are told from good ones", data)


def _story(article: LabelledArticle, config: QualityConfig) -> str:
    """Return an article without what is labelled as residue."""
    kept = {label.name for label in config.paragraphs.labels if label.kept} | {None}
    return "\n".join(text for text, label in zip(article.texts, article.labels, strict=True) if label in kept)


def _both_ends(text: str) -> str:
    """Return the beginning and the end of a long text: either may say what is wrong with it."""
    gap = "\n[…]\n"
    return text if len(text) <= _BEGINNING + _END else text[: _BEGINNING - len(gap)] + gap + text[-_END:]


def show(report: QualityReport, console: Console) -> None:
    """Print the report as tables."""
    verdict = report.verdict
    data = verdict.data
    console.print(Text.assemble((verdict.title, "bold"), f": {data['articles']:,} articles, {data['sites']:,} sites"))
    _show_labels(verdict, "verdict", console)
    for name, title in OVERALL.items():
        if name in verdict.overall:
            console.print(f"{title}: {figure(verdict.overall[name])}", highlight=False)
    if report.reasons:
        _show_labels(report.reasons, "reason, of the poor", console)
    _show_confusion(verdict, console)
    if report.baselines:
        table = Table("rule", "average precision of poor", "F1 of poor", "precision", "recall", title_justify="left")
        for name, one in {"this model": verdict, **report.baselines}.items():
            table.add_row(
                escape(name), *(figure(one.per_label[key][1]) for key in ("average_precision", "f1", "precision", "recall"))
            )
        console.print(table)
    for note in verdict.notes:
        console.print(Text(f"note: {note}", style="dim"))


def show_leakage(report: QualityReport, leaky: QualityReport, console: Console) -> None:
    """Print the site-grouped figures beside those of a random split."""
    table = Table("leakage", "sites unseen", "random split", "flattery")
    for key in ("average_precision", "f1"):
        honest, flattered = report.verdict.per_label[key][1][0], leaky.verdict.per_label[key][1][0]
        table.add_row(f"{POOR}, {NAMES[key]}", f"{honest:.3f}", f"{flattered:.3f}", f"{flattered - honest:+.3f}")
    console.print(table)


def card_files(trained: TrainedQuality, report: QualityReport) -> dict[str, str]:
    """Return the texts of the metrics file and the model card by file name."""
    data = trained.info["data"]
    counts = ", ".join(f"{name} {count:,}" for name, count in (data["labels"] | data["reasons"]).items())
    text = "\n".join(
        [
            "# Model of article quality",
            "",
            "Says of a filtered article whether it is a whole, readable piece of journalism (good) or not (poor), and why not.",
            f"An article is poor from a probability of poor of {trained.fitted.threshold:.3f} on.",
            "",
            "## Data",
            "",
            f"{data['articles']:,} articles of {data['sites']:,} sites ({counts}).",
            f"Digest of sites, texts, labels and verdicts: `{data['digest']}`.",
            "",
            "## Results",
            "",
            f"{report.verdict.title}.",
            "",
            *_markdown(report.verdict),
            "",
            *(_markdown(report.reasons) if report.reasons else ()),
            "",
            *[
                f"{title}: {figure(report.verdict.overall[name])}."
                for name, title in OVERALL.items()
                if name in report.verdict.overall
            ],
            "",
        ]
    )
    return {METRICS: json.dumps(to_json(report), indent=1, sort_keys=True) + "\n", CARD: text}


def baseline_table(report: QualityReport) -> list[str]:
    """Return the lines of a Markdown table that sets the model beside the rules."""
    lines = ["| what | average precision of poor | F1 of poor | precision | recall |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, one in {"this model": report.verdict, **report.baselines}.items():
        cells = [figure(one.per_label[key][1]) for key in ("average_precision", "f1", "precision", "recall")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _markdown(report: Report) -> list[str]:
    keys = [key for key in NAMES if key in report.per_label]
    lines = ["| | " + " | ".join(NAMES[key] for key in keys) + " | articles |", "| --- |" + " ---: |" * (len(keys) + 1)]
    for k, label in enumerate(report.labels):
        lines.append(f"| {label} | {' | '.join(figure(report.per_label[key][k]) for key in keys)} | {report.support[k]:,} |")
    return lines


def _show_labels(report: Report, title: str, console: Console) -> None:
    keys = [key for key in NAMES if key in report.per_label]
    table = Table(title, *(NAMES[key] for key in keys), "articles")
    for k, label in enumerate(report.labels):
        table.add_row(escape(label), *(figure(report.per_label[key][k]) for key in keys), f"{report.support[k]:,}")
    console.print(table)


def _show_confusion(report: Report, console: Console) -> None:
    table = Table("true \\ predicted", *map(escape, report.labels))
    for label, counts in zip(report.labels, report.confusion, strict=True):
        table.add_row(escape(label), *(f"{count:,}" for count in counts))
    console.print(table)
