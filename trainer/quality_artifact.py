"""The folder of a quality model: the same files as a paragraph model's, checked in the same way before anything is built."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save as to_safetensors

from trainer import artifact
from trainer.errors import ArtifactError
from trainer.features import FAMILIES, FeatureSettings
from trainer.quality import QualityModel
from trainer.signals import NAMES
from trainer.text import Matrix, TextStage
from trainer.verdicts import REASONS

DEFAULT = artifact.DEFAULT_QUALITY
_BITS, _NGRAMS, _MOST_LABELS, _LARGEST = (4, 20), (2, 8), 64, 1e6


def save_quality(
    folder: Path | str,
    text: TextStage,
    centre: Matrix,
    spread: Matrix,
    weights: Matrix,
    threshold: float,
    labels: Sequence[str],
    info: Mapping[str, Any],
    texts: Mapping[str, str] | None = None,
    *,
    force: bool = False,
) -> Path:
    """Write a model folder, whole or not at all; the same model gives the same bytes. For arguments see `QualityModel`.

    Raises:
        InputError: the folder is there and `force` is not given, or it is not a model folder. ArtifactError: `load_quality` would
        refuse the model.
    """
    folder = Path(folder)
    artifact.check_free(folder, force=force)
    given: dict[str, NDArray[Any]] = {
        "text.weights": text.weights,
        "text.scale": text.scale,
        "text.bias": text.bias,
        "measures.centre": centre,
        "measures.spread": spread,
        "measures.weights": weights,
    }
    arrays = {name: np.ascontiguousarray(a if a.dtype == np.int8 else a.astype("<f8")) for name, a in sorted(given.items())}
    description: dict[str, Any] = {
        "format": artifact.FORMAT,
        "task": artifact.QUALITY,
        "labels": list(labels),
        "reasons": list(REASONS),
        "signals": list(NAMES),
        "features": asdict(text.settings),
        "threshold": threshold,
        "info": dict(info),
    }
    description["digest"] = artifact.digest_of(description, arrays)
    data = to_safetensors(arrays, {"trainer": json.dumps(description, sort_keys=True)})
    _parse(data, folder)
    return artifact.write_folder(folder, data, texts or {})


def load_quality(model: Path | str | None = None) -> QualityModel:
    """Load a model of article quality; without one, `quality-en`, which comes with the package.

    The file is checked whole before anything is built from it, as `trainer.load` does.

    Raises:
        ArtifactError: the folder is missing, damaged, of another format or task, or made with other signals.
    """
    folder = artifact.find(model, DEFAULT)
    return _parse(artifact.read_weights(folder / artifact.WEIGHTS), folder)


def _parse(data: bytes, folder: Path) -> QualityModel:
    with artifact.refusing(str(folder / artifact.WEIGHTS)):
        description, header = artifact.describe(data, artifact.QUALITY)
        if description.keys() != {"format", "task", "labels", "reasons", "signals", "features", "threshold", "info", "digest"}:
            raise ArtifactError("its description does not have the fields of a quality model")
        if description["signals"] != list(NAMES) or description["reasons"] != list(REASONS):
            raise ArtifactError("was made with other signals or reasons", hint="Train it anew with this version.")
        settings = _features(description["features"])
        labels, threshold = description["labels"], description["threshold"]
        if not isinstance(labels, list) or not 2 <= len(labels) <= _MOST_LABELS or not all(isinstance(x, str) for x in labels):
            raise ArtifactError("its labels are not a list of names")
        if not isinstance(threshold, float) or not 0 <= threshold <= 1 or not isinstance(description["info"], dict):
            raise ArtifactError("its description has values of a wrong kind")
        outputs, inputs = 1 + len(REASONS), len(NAMES) + 2 * len(labels)
        expected = {
            "text.weights": ("I8", (sum(settings.buckets), outputs)),
            "text.scale": ("F64", (len(FAMILIES), outputs)),
            "text.bias": ("F64", (outputs,)),
            "measures.centre": ("F64", (inputs,)),
            "measures.spread": ("F64", (inputs,)),
            "measures.weights": ("F64", (outputs, inputs)),
        }
        arrays = artifact.read_arrays(data, header, description, expected)
        if not all(np.isfinite(a).all() and np.abs(a).max() <= _LARGEST for a in arrays.values() if a.dtype.kind == "f"):
            raise ArtifactError("its weights are out of range")
        if (arrays["measures.spread"] <= 0).any():
            raise ArtifactError("a measure has no spread")
    return QualityModel(
        TextStage(settings, arrays["text.weights"], arrays["text.scale"], arrays["text.bias"]),
        arrays["measures.centre"],
        arrays["measures.spread"],
        arrays["measures.weights"],
        labels=tuple(labels),
        threshold=threshold,
        name=folder.resolve().name,
        digest=description["digest"],
        info=description["info"],
    )


def _features(given: Any) -> FeatureSettings:
    if not isinstance(given, dict) or given.keys() != {"word_bits", "pair_bits", "char_bits", "char_ngrams"}:
        raise ArtifactError("its features do not have their fields")
    bits = [given[name] for name in ("word_bits", "pair_bits", "char_bits")]
    ngrams = given["char_ngrams"]
    if not isinstance(ngrams, list) or len(ngrams) != 2 or not all(type(x) is int for x in (*bits, *ngrams)):
        raise ArtifactError("its features have values of a wrong kind")
    if not all(_BITS[0] <= x <= _BITS[1] for x in bits) or not _NGRAMS[0] <= ngrams[0] <= ngrams[1] <= _NGRAMS[1]:
        raise ArtifactError("its features are out of range")
    return FeatureSettings(bits[0], bits[1], bits[2], (ngrams[0], ngrams[1]))
