"""The job the project was started for, on the four articles it was started with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import trainer
from trainer.cli.train import train

ROOT = Path(__file__).resolve().parent.parent
LABELLED = [json.loads(line) for line in (ROOT / "labels" / "seeds.jsonl").read_text("utf-8").splitlines()]
TEXTS = {path.stem: path.read_text("utf-8") for path in (ROOT / "seeds").glob("*.txt")}


@pytest.fixture(scope="module")
def trained_without_seeds(tmp_path_factory: pytest.TempPathFactory) -> trainer.Classifier:
    return trainer.load(train([ROOT / "labels" / "authored.jsonl"], tmp_path_factory.mktemp("models") / "authored"))


@pytest.fixture(scope="module")
def default_model() -> trainer.Classifier:
    return trainer.load()


def outcome(model: trainer.Classifier) -> dict[tuple[str, bool], int]:
    """Characters of the four articles by label and whether they stay."""
    chars: dict[tuple[str, bool], int] = {}
    for article in LABELLED:
        result = model.filter(TEXTS[article["id"]])
        assert [p.text for p in result.paragraphs] == [p["text"] for p in article["paragraphs"]]
        for paragraph, keep in zip(article["paragraphs"], result.keep, strict=True):
            key = paragraph["label"], keep
            chars[key] = chars.get(key, 0) + len(paragraph["text"])
    return chars


def test_the_default_model_keeps_the_stories_whole_and_removes_the_whole_letter(default_model: trainer.Classifier) -> None:
    chars = outcome(default_model)
    assert chars.get(("news", False), 0) == 0
    assert chars.get(("fundraising", True), 0) == 0
    gone = sum(size for (label, keep), size in chars.items() if label != "news" and not keep)
    assert gone >= 0.8 * (gone + sum(size for (label, keep), size in chars.items() if label != "news" and keep))


def test_a_model_that_never_saw_the_seeds_keeps_the_story_and_removes_most_residue(
    trained_without_seeds: trainer.Classifier,
) -> None:
    chars = outcome(trained_without_seeds)
    lost = chars.get(("news", False), 0)
    assert lost <= 0.01 * (lost + chars["news", True])
    gone = sum(size for (label, keep), size in chars.items() if label != "news" and not keep)
    assert gone >= 0.8 * (gone + sum(size for (label, keep), size in chars.items() if label != "news" and keep))
