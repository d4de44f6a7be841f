"""Small data and settings that train in a fraction of a second; shared by the tests of the training side."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from trainer.config import Config, load_config
from trainer.dataset import Dataset, load_labels
from trainer.schema import NEWS_LABELS

ROOT = Path(__file__).parents[1]
LABELS = ROOT / "labels"
SETTINGS = (
    "features.word_bits=14",
    "features.pair_bits=14",
    "features.char_bits=14",
    "text.min_kind=10",
    "context.width=12",
    "context.head=12",
    "context.dilations=[1, 2]",
    "context.epochs=8",
    "inner_folds=2",
    "policy.max_news_loss=0.1",
    "evaluation.folds=3",
    "evaluation.resamples=50",
)
SET = tuple(part for setting in SETTINGS for part in ("--set", setting))


@cache
def _all_records() -> tuple[dict[str, Any], ...]:
    lines = (LABELS / "authored.jsonl").read_text("utf-8").splitlines()
    found = [record for record in map(json.loads, lines) if len({p["label"] for p in record["paragraphs"]}) == 4]
    return tuple(sorted(found, key=lambda record: sum(len(p["text"]) for p in record["paragraphs"])))


def records(articles: int = 24, sites: int = 12) -> list[dict[str, Any]]:
    """Return some short label records that use all four labels, spread over sites; fresh copies."""
    chosen = json.loads(json.dumps(_all_records()[:articles]))
    return [{**record, "site": f"site{i % sites:02}.example"} for i, record in enumerate(chosen)]


def write(path: Path, items: list[Any]) -> Path:
    """Write items as JSON lines, packed where the name says so."""
    data = "".join(json.dumps(item) + "\n" for item in items).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def load(path: Path, items: list[dict[str, Any]]) -> Dataset:
    """Write label records to a file and load them."""
    return load_labels([write(path, items)], NEWS_LABELS)


def config(*overrides: str) -> Config:
    """Return the small settings, with changes."""
    return load_config(None, [*SETTINGS, *overrides])


def article(number: int, site: str, *paragraphs: tuple[str, str | None], **fields: Any) -> dict[str, Any]:
    """Return a label record of (text, label) pairs."""
    parts = [{"text": text, "label": label} for text, label in paragraphs]
    return {"id": f"x-{number}", "site": site, "source": "test", "paragraphs": parts, **fields}


def story(seed: int, words: int = 120) -> str:
    """Return a text of random words."""
    rng = np.random.default_rng(seed)
    return " ".join("".join(rng.choice(list("abcdefghijklmnoprstuvw"), 6)) for _ in range(words))
