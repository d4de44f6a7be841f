"""What all tests share: a small model trained once a session, and some of the labelled articles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import trainer
from trainer.model import Classifier

ROOT = Path(__file__).parent.parent
QUICK = (
    "features.word_bits=14",
    "features.pair_bits=14",
    "features.char_bits=14",
    "context.hidden=16",
    "context.networks=1",
    "context.epochs=10",
    "inner_folds=3",
    "evaluation.resamples=10",
)

settings.register_profile(
    "tests",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def label_lines() -> list[str]:
    """Lines of the label file, an article each."""
    return (ROOT / "labels" / "authored.jsonl").read_text("utf-8").splitlines()


@pytest.fixture(scope="session")
def articles(label_lines: list[str]) -> list[str]:
    """Texts of articles that the small model was not trained on, a paragraph a line."""
    return ["\n".join(paragraph["text"] for paragraph in json.loads(line)["paragraphs"]) for line in label_lines[60:100]]


@pytest.fixture(scope="session")
def label_file(label_lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A label file of sixty articles."""
    path = tmp_path_factory.mktemp("labels") / "some.jsonl"
    path.write_text("\n".join(label_lines[:60]) + "\n", "utf-8")
    return path


@pytest.fixture(scope="session")
def quick() -> tuple[str, ...]:
    """Overrides that make training take seconds."""
    return QUICK


@pytest.fixture(scope="session")
def model_folder(label_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model."""
    from trainer.cli.train import train

    return train([label_file], tmp_path_factory.mktemp("models") / "small", overrides=QUICK)


@pytest.fixture(scope="session")
def model(model_folder: Path) -> Classifier:
    """The small model, loaded."""
    return trainer.load(model_folder)
