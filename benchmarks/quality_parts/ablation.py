"""What can be taken away from the model, to see what it was worth."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from trainer.context import ContextSettings, input_names
from trainer.estimator import ArticleClassifier
from trainer.features import FAMILIES, FeatureSettings


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


_AT = r" at [+-]\d+"  # of a neighbour
_OF_WORDS = "copies|repeated pairs|words shared with the story"

ABLATIONS = {
    "words": Ablation(("words", "pairs"), rf"context/({_OF_WORDS})"),
    "characters": Ablation(("chars",)),
    "shape": Ablation(("shape",), rf"shape/.*|context/(?!probability).*{_AT}"),
    "neighbours": Ablation(inputs=rf"context/.*{_AT}"),
    "layout": Ablation(inputs=rf"context/(?!.*{_AT}$|({_OF_WORDS})$).*"),
    "decoding": Ablation(overrides=("context.passes=1",)),
    "authored data": Ablation(written=False),
}


def without(ablation: Ablation) -> type[ArticleClassifier]:
    """Return the estimator with features and inputs taken away.

    The features' columns are empty in training, so they get no weight and contribute nothing; the inputs are 0 in training,
    and what the networks would multiply them by is 0 too.
    """
    if not ablation.families and not ablation.inputs:
        return ArticleClassifier

    class Ablated(ArticleClassifier):  # type: ignore[misc]
        def _fit_text(self, features: FeatureSettings, matrix: sp.csr_matrix, *rest: Any) -> Any:
            keep = np.repeat([family not in ablation.families for family in FAMILIES], features.buckets)
            thinner = (matrix @ sp.diags(keep.astype(matrix.dtype))).tocsr()
            thinner.eliminate_zeros()
            return super()._fit_text(features, thinner, *rest)

        def _fit_context(self, inputs: np.ndarray, *rest: Any) -> Any:
            gone = self._gone(len(inputs))
            stage = super()._fit_context(np.where(gone[:, None], 0.0, inputs), *rest)
            stage.hidden[:, gone] = 0.0
            return stage

        def _gone(self, inputs: int) -> np.ndarray:
            names = input_names(self.labels, ContextSettings(self.near, self.window, tuple(self.sums)))
            if len(names) != inputs:
                raise ValueError(f"{len(names)} names for {inputs} inputs: has context.input_names fallen behind?")
            return np.array([bool(re.fullmatch(ablation.inputs, f"{group}/{name}")) for group, name in names])

    return Ablated
