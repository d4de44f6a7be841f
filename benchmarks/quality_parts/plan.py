"""Which fits each part of the table needs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from quality_parts.ablation import ABLATIONS
from quality_parts.jobs import BASELINES, Job, few_views, product_views
from quality_parts.material import Material
from trainer.baselines import FastText
from trainer.config import Config

Settings = Callable[[tuple[str, ...]], Config]  # the run's configuration with more overrides
Variant = list[Job]  # one a fold

PARTS = ("full", "peers", "ablations", "curve")
CHEAP = ("inner_folds=2", "context.epochs=16")  # of ablations and the learning curve, reference included
SHARES = (0.125, 0.25, 0.5, 1.0)
SEARCH = {
    "fastText": {
        "dim": (16, 50, 100),
        "wordNgrams": (1, 2, 3),
        "subwords": ((0, 0), (2, 5), (3, 5)),
        "epoch": (5, 10, 25),
        "lr": (0.1, 0.25, 0.5),
        "balance": (0.0, 0.5),
    },
    "TF-IDF": {"chars": (False, True), "C": (1.0, 4.0, 16.0), "balance": (0.0, 0.5)},
}


def full(material: Material, settings: Settings) -> Variant:
    """The product as it is."""
    return [Job(settings(()), fold, views=product_views(material)) for fold in range(material.folds)]


def reference(material: Material, settings: Settings) -> Variant:
    """What ablations and the learning curve are compared with."""
    return [_cheap(material, settings, fold) for fold in range(material.folds)]


def ablations(material: Material, settings: Settings) -> dict[str, Variant]:
    """The reference with one thing taken away each."""
    return {
        name: [_cheap(material, settings, fold, *ablation.overrides, without=name) for fold in range(material.folds)]
        for name, ablation in ABLATIONS.items()
        if ablation.written or material.written.article.size
    }


def curve(material: Material, settings: Settings) -> dict[float, Variant]:
    """The reference on part of the sites; the larger parts contain the smaller ones."""
    return {share: [_cheap(material, settings, fold, share=share) for fold in range(material.folds)] for share in SHARES}


def peers() -> list[str]:
    """The peers that are fitted and can be."""
    return [name for name in BASELINES if name != "fastText" or FastText.is_installed()]


def tuning(peer: str, settings: Settings, draws: int) -> list[Job]:
    """A random search (Bergstra and Bengio, 2012, JMLR 13) over SEARCH, on an inner split of the first training side."""
    grid = [dict(zip(SEARCH[peer], values, strict=True)) for values in product(*SEARCH[peer].values())]
    drawn = np.random.default_rng(0).permutation(len(grid))[:draws]
    return [Job(settings(()), 0, peer=peer, settings=_peer_settings(grid[i]), tune=True) for i in sorted(drawn)]


def fitted_peer(peer: str, material: Material, settings: Settings, chosen: dict[str, object]) -> Variant:
    """A peer with the settings that the search chose."""
    return [Job(settings(()), fold, peer=peer, settings=chosen) for fold in range(material.folds)]


def _cheap(material: Material, settings: Settings, fold: int, *overrides: str, **fields: Any) -> Job:
    return Job(settings((*CHEAP, *overrides)), fold, views=few_views(material), note="cheap", **fields)


def _peer_settings(drawn: dict[str, object]) -> dict[str, object]:
    settings = dict(drawn)
    if "subwords" in settings:
        settings["minn"], settings["maxn"] = settings.pop("subwords")
        settings["bucket"] = 1 << 19
    return settings
