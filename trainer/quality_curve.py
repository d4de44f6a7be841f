"""What more verdicts are worth: article quality learnt on parts of the sites. The paragraph models stay as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trainer import learning_curve as paragraphs
from trainer import quality_training as training
from trainer.dataset import Dataset
from trainer.evaluation import Scored
from trainer.learning_curve import SHARES, LearningCurve
from trainer.quality import probability_of_poor
from trainer.quality_config import QualityConfig
from trainer.quality_report import as_items, item_config
from trainer.quality_training import Material, Progress
from trainer.signals import NAMES


def learning_curve(
    dataset: Dataset,
    config: QualityConfig,
    found: Material,
    *,
    more: int = 100,
    progress: Progress = lambda items, _: items,
) -> LearningCurve:
    """Cross-validate on growing parts of the training side's sites, and extrapolate; see `learning_curve.learning_curve`.

    Args:
        dataset: as `quality_training.prepare` got it, `found` what that returned. config: settings. more: further articles.
        progress: wraps the iterable of fits; gets their number too.

    Raises:
        InputError: too few sites.
    """
    dataset = training.judged(dataset)
    folds = [np.flatnonzero(found.fold == number) for number in np.unique(found.fold)]
    plan = paragraphs.plan_of(found.group, folds, config.seed)
    poor = {share: np.zeros(found.poor.size) for share in SHARES}
    called = {share: np.zeros(found.poor.size, bool) for share in SHARES}
    for share, held, rows in progress(plan, len(plan)):
        fitted, _ = training.fit(found.select(rows), config)
        poor[share][held] = probability_of_poor(fitted.scores(found.select(held)))
        called[share][held] = poor[share][held] >= fitted.threshold
    truth, site = found.poor.astype(np.intp), np.unique(dataset.sites, return_inverse=True)[1]
    chars = found.signals[:, NAMES.index("characters")].astype(np.intp)
    by_share = [
        Scored(truth, called[share].astype(np.intp), np.stack([1 - poor[share], poor[share]]), chars, called[share], site)
        for share in SHARES
    ]
    curve = paragraphs.through(by_share, plan, as_items(dataset), item_config(config), more)
    return replace(curve, data=training.summary(dataset))
