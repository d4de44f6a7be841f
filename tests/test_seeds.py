"""The job the project was started for, on the four articles it was started with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import trainer
from trainer.cli.train import train

ROOT = Path(__file__).resolve().parent.parent
LABELLED = [json.loads(line) for line in (ROOT / "labels" / "seeds.jsonl").read_text("utf-8").splitlines()]
# The line a player left behind, glued by a machine: a caption by the guide, and the one line that no other is like.
GLUED = "Nothing is foreign29:07Is eastern"
TEXTS = {path.stem: path.read_text("utf-8") for path in (ROOT / "seeds").glob("*.txt")}


@pytest.fixture(scope="module")
def trained_without_seeds(tmp_path_factory: pytest.TempPathFactory) -> trainer.Classifier:
    return trainer.load(train([ROOT / "labels" / "authored.jsonl"], tmp_path_factory.mktemp("models") / "authored"))


@pytest.mark.parametrize("article", LABELLED, ids=[article["id"] for article in LABELLED])
def test_the_default_model_keeps_the_story_whole_and_removes_the_residue_whole(article: dict) -> None:
    result = trainer.load().filter(TEXTS[article["id"]])
    assert [p.text for p in result.paragraphs] == [p["text"] for p in article["paragraphs"]]
    fates = zip(article["paragraphs"], result.keep, strict=True)
    wrong = [(p["label"], p["text"][:60]) for p, keep in fates if keep != (p["label"] == "news")]
    assert [item for item in wrong if not item[1].startswith(GLUED)] == []


def test_a_model_that_never_saw_the_seeds_keeps_the_story_and_removes_most_residue(
    trained_without_seeds: trainer.Classifier,
) -> None:
    chars = {(is_news, keep): 0 for is_news in (True, False) for keep in (True, False)}
    for article in LABELLED:
        result = trained_without_seeds.filter(TEXTS[article["id"]])
        for paragraph, keep in zip(article["paragraphs"], result.keep, strict=True):
            chars[paragraph["label"] == "news", keep] += len(paragraph["text"])
    assert chars[True, False] <= 0.01 * chars[True, True]
    assert chars[False, False] >= 0.8 * (chars[False, True] + chars[False, False])
