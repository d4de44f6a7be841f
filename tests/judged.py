"""A small data set of judged articles, and settings that train on it in seconds; shared by the tests of article quality."""

from __future__ import annotations

from typing import Any

import numpy as np
import small

from trainer.quality_config import QualityConfig, load_quality_config

SETTINGS = (
    "features.word_bits=12",
    "features.pair_bits=12",
    "features.char_bits=12",
    "evaluation.folds=3",
    "evaluation.resamples=50",
    "model.threshold_folds=3",
    *(f"paragraphs.{setting}" for setting in small.SETTINGS),
)
SET = tuple(part for setting in SETTINGS for part in ("--set", setting))


def records(articles: int = 24, sites: int = 12) -> list[dict[str, Any]]:
    """Return label records; every other article's story is an offer (promo) or a thread of links (listing)."""
    rng = np.random.default_rng(5)
    found = small.records(articles, sites)
    for number, record in enumerate(found):
        record["quality"] = "poor" if number % 2 else "good"
        record.pop("quality_reason", None)
        if number % 2:
            kind = "promo" if number % 4 == 1 else "listing"
            record["quality_reason"] = kind
            for part in record["paragraphs"]:
                if part["label"] == "news":
                    part["text"] = _offer(rng) if kind == "promo" else _item(rng)
    return found


def config(*overrides: str) -> QualityConfig:
    """Return the small settings, with changes."""
    return load_quality_config(None, [*SETTINGS, *overrides])


def _offer(rng: np.random.Generator) -> str:
    goods = ("kettle", "tent", "headset", "boiler")
    return f"Buy your {goods[rng.integers(4)]} today and save {rng.integers(10, 90)} percent! Your order ships free to you."


def _item(rng: np.random.Generator) -> str:
    return f"{rng.integers(1, 29)} May | Ward {rng.integers(1, 40)} | Lot {rng.integers(100, 999)}"
