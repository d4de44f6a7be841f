"""The model card and the metrics file: what a model folder says to people and to machines besides its arrays."""

from __future__ import annotations

import json

from trainer.artifact import CARD, METRICS
from trainer.evaluation import Report
from trainer.report import markdown, threshold_text, to_json
from trainer.training import Trained


def files(trained: Trained, report: Report) -> dict[str, str]:
    """Return the texts of the metrics file and the model card by file name."""
    return {METRICS: json.dumps(to_json(report), indent=1, sort_keys=True) + "\n", CARD: _card(trained, report)}


def _card(trained: Trained, report: Report) -> str:
    data = trained.info["data"]
    counts = ", ".join(f"{label} {count:,}" for label, count in data["labels"].items())
    rows = [
        f"| {label.name} | {'kept' if label.kept else 'removed'} | {threshold_text(threshold)} |"
        for label, threshold in zip(trained.labels, trained.policy.thresholds, strict=True)
    ]
    return "\n".join(
        [
            "# Paragraph model",
            "",
            "Labels the paragraphs of scraped articles, each judged within its article, and removes those that are residue.",
            "",
            "| label | fate | threshold |",
            "| --- | --- | ---: |",
            *rows,
            "",
            _thresholds(trained),
            "",
            "## Data",
            "",
            f"{data['articles']:,} articles of {data['sites']:,} sites, {data['paragraphs']:,} paragraphs ({counts}; "
            f"{data['unlabelled']:,} unlabelled). {_origin(trained)}",
            f"Digest of sites, texts, labels, kinds and weights: `{data['digest']}`.",
            "",
            "## Results",
            "",
            f"{report.title}.",
            "",
            markdown(report),
            "",
            *(f"- {note}" for note in report.notes),
            "",
            "## Limits",
            "",
            "The figures hold for sites like those in the data, in its languages and of its years. Residue of a kind that the "
            "data lack is likely to stay; text that is news in one house and residue in another is judged as the labels have "
            "it. Probabilities are estimates: look at what is removed (`trainer filter --diff`) before running over a corpus.",
            "",
            "The file holds weights of hashed features and no text.",
            "",
        ]
    )


def _thresholds(trained: Trained) -> str:
    if trained.info.get("adapted", {}).get("thresholds") == "of the base":
        return "The thresholds are the base's: too little news is labelled here to choose others."
    loss = trained.info["config"]["policy"]["max_news_loss"]
    return f"Thresholds were chosen on out-of-fold probabilities so that at most {loss:.2%} of the news characters go."


def _origin(trained: Trained) -> str:
    if "base" not in trained.info:
        joined = trained.info["near_duplicates_joined"]
        return f"{joined:,} articles are near-duplicates of one on another site and were kept in its fold."
    base = trained.info["base"]
    return f"The model `{base['name']}` (digest `{base['digest']}`) was adapted to them; its own card says what it learnt from."
