"""What the runtime is measured against, and how: peers trained on the same paragraphs, timed one after the other.

Texts come from labels/ (written for this project). Every timing is the best of several rounds that alternate between the
contestants, so that a noisy machine hurts all of them alike. One thread each.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from trainer import artifact, training
from trainer.config import load_config
from trainer.dataset import Dataset, load_labels

ROOT = Path(__file__).resolve().parent.parent
LABELS = ROOT / "labels"


def load_articles() -> Dataset:
    """Return the repository's labelled articles."""
    config = load_config()
    return load_labels([LABELS], config.label_set, config.by_kind)


def train_model(folder: Path) -> Path:
    """Train a model on labels/ with the default settings and return its folder."""
    config = load_config()
    trained = training.train(load_articles(), config)
    return artifact.save(folder, trained.network, trained.labels, trained.policy, trained.info, force=True)


def train_fasttext(dataset: Dataset, **settings: Any) -> Any:
    """Return a fastText supervised model of the labelled paragraphs."""
    import fasttext

    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        for text, label in zip(dataset.frame()["text"], dataset.frame()["label"], strict=True):
            file.write(f"__label__{label} {' '.join(text.split())}\n")
        file.flush()
        return fasttext.train_supervised(file.name, thread=1, seed=1, verbose=0, **settings)


def train_sklearn(dataset: Dataset) -> Any:
    """Return a HashingVectorizer and LogisticRegression pipeline of the labelled paragraphs."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    frame = dataset.frame()
    model = make_pipeline(HashingVectorizer(ngram_range=(1, 2), n_features=1 << 18), LogisticRegression(max_iter=200))
    return model.fit(frame["text"], frame["label"])


def best_of(contestants: Sequence[tuple[str, Callable[[], object]]], rounds: int) -> dict[str, float]:
    """Return the best time in seconds of each contestant over rounds in which each runs once."""
    best = {name: float("inf") for name, _ in contestants}
    for _ in range(rounds):
        for name, run in contestants:
            begin = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - begin)
    return best


def console() -> Console:
    """Return a console for tables; wide where it is not a terminal."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=120)


def table(title: str, *columns: str) -> Table:
    """Return a table whose columns but the first are right-aligned."""
    made = Table(*columns, title=title, title_justify="left")
    for column in made.columns[1:]:
        column.justify = "right"
    return made


def machine() -> str:
    """Say what was measured on."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
