"""What can be taken away from the model, to see what it was worth."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from trainer.context import input_names
from trainer.estimator import ArticleClassifier
from trainer.features import FAMILIES, FeatureSettings
from trainer.fitting import Sample
from trainer.sequence import SequenceStage


class Ablation(NamedTuple):
    """What is taken away.

    `families`: of the first stage's features. `inputs`: pattern of the second stage's inputs, matched against the whole of
    "group/name" as `context.input_names` has them. `overrides`: of the configuration. `written`: whether the written articles
    are trained on.
    """

    families: tuple[str, ...] = ()
    inputs: str = ""
    overrides: tuple[str, ...] = ()
    written: bool = True


ABLATIONS = {
    "words": Ablation(("words", "pairs"), "shared/.*|layout/copies"),
    "characters": Ablation(("chars",)),
    "shape": Ablation(inputs="shape/.*"),
    "neighbours": Ablation(overrides=("context.dilations=[]",)),  # nor the rest of the article
    "reading in several blocks": Ablation(overrides=("context.dilations=[1]",)),
    "layout": Ablation(inputs="layout/.*"),
    "kinds": Ablation(overrides=("text.min_kind=0",)),
    "nearly clean copies": Ablation(overrides=("context.views=0",)),
    "authored data": Ablation(written=False),
}


def without(ablation: Ablation, base: type[ArticleClassifier] = ArticleClassifier) -> type[ArticleClassifier]:
    """Return the estimator with features and inputs taken away.

    The features' columns are empty in training, so they get no weight and contribute nothing; the inputs are 0 in training,
    and what the network would multiply them by is 0 too.
    """
    if not ablation.families and not ablation.inputs:
        return base

    class Ablated(base):  # type: ignore[misc,valid-type]
        def _fit_text(self, features: FeatureSettings, matrix: sp.csr_matrix, *rest: Any) -> Any:
            if ablation.families:
                keep = np.repeat([family not in ablation.families for family in FAMILIES], features.buckets)
                matrix = (matrix @ sp.diags(keep.astype(matrix.dtype))).tocsr()
                matrix.eliminate_zeros()
            return super()._fit_text(features, matrix, *rest)

        def _fit_sequence(self, samples: Callable[[], list[Sample]], *rest: Any) -> SequenceStage:
            gone = self._gone()

            def fewer() -> list[Sample]:
                return [sample._replace(inputs=np.where(gone, np.float32(0), sample.inputs)) for sample in samples()]

            stage = super()._fit_sequence(fewer, *rest)
            arrays = {name: array.copy() for name, array in stage.arrays.items()}
            for name in ("enter", "head"):  # their last columns are the inputs
                arrays[name][:, -gone.size :][:, gone] = 0.0
            return SequenceStage(stage.settings, arrays)

        def _gone(self) -> np.ndarray:
            names = input_names([kind for kind, _ in self.kinds_])
            return np.array([bool(re.fullmatch(ablation.inputs, f"{group}/{name}")) for group, name in names])

    return Ablated
