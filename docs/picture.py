"""Draw docs/filtered.svg: an article written for this project, filtered by a model that was not trained on it.

python docs/picture.py
"""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

from rich.console import Console

import trainer
from trainer import artifact, training
from trainer.cli.filter_output import show_diff
from trainer.config import load_config
from trainer.dataset import Dataset, load_labels

ROOT = Path(__file__).resolve().parent.parent
ARTICLE = "f-029"


def main() -> None:
    config = load_config()
    dataset = load_labels([ROOT / "labels"], config.label_set, config.by_kind)
    rest = Dataset(tuple(article for article in dataset.articles if article.id != ARTICLE))
    article = next(article for article in dataset.articles if article.id == ARTICLE)
    with tempfile.TemporaryDirectory() as folder:
        trained = training.train(rest, config)
        model = trainer.load(artifact.save(Path(folder) / "model", trained.network, trained.labels, trained.policy, trained.info))
        console = Console(record=True, width=118, file=io.StringIO(), highlight=False)
        texts = [text if len(text) <= 88 else f"{text[:87]}…" for text in article.texts]
        result = model.filter(article.texts)
        result.paragraphs = tuple(p._replace(text=text) for p, text in zip(result.paragraphs, texts, strict=True))
        show_diff(console, article.id, result, (), {label.name: label.colour for label in model.labels})
    svg = console.export_svg(title="trainer filter --diff", unique_id="filtered")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # no fonts from elsewhere
    (ROOT / "docs" / "filtered.svg").write_text(re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE), "utf-8")


if __name__ == "__main__":
    main()
