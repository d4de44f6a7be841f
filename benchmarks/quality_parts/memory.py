"""First stages kept on disk: many fits of a run differ in the second stage alone."""

from __future__ import annotations

import os
from pathlib import Path

import joblib
import numpy as np
import scipy.sparse as sp

from trainer.estimator import ArticleClassifier
from trainer.features import FeatureSettings
from trainer.text import TextStage


def remembering(folder: Path) -> type[ArticleClassifier]:
    """Return the estimator, which takes a first stage from the folder if it was fitted before on the very same data."""

    class Remembering(ArticleClassifier):  # type: ignore[misc]
        def _fit_text(
            self, features: FeatureSettings, matrix: sp.csr_matrix, truth: np.ndarray, weight: np.ndarray, classes: int
        ) -> TextStage:
            data = (matrix.shape, matrix.indptr, matrix.indices, matrix.data, truth, weight)
            file = folder / f"text-{joblib.hash((features, *data, classes, self.C, self.min_count))}.npz"
            if file.exists():
                with np.load(file) as arrays:
                    return TextStage(features, arrays["weights"], arrays["scale"], arrays["bias"])
            stage = super()._fit_text(features, matrix, truth, weight, classes)
            unfinished = file.with_suffix(f".{os.getpid()}.npz")
            np.savez_compressed(unfinished, weights=stage.weights, scale=stage.scale, bias=stage.bias)
            unfinished.rename(file)
            return stage

    return Remembering
