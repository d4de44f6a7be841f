"""Settings of the quality task: the same kind of file as for paragraphs, with that task's own settings inside."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from trainer.config import Config, Context, Evaluation, Features, Section, Share, read_settings

Positive = Annotated[float, Field(gt=0)]

_QUICK = Config(inner_folds=2, context=Context(epochs=10))


class Model(Section):
    """The linear model of verdict and reason."""

    C: Positive = 0.3
    reason_C: Positive = 0.3  # noqa: N815
    text_scale: Positive = 10.0
    measure_scale: Positive = 0.3
    min_count: Annotated[int, Field(ge=1)] = 2
    balance: Share = 0.5
    reason_balance: Share = 1.0
    broken: Share = 0.03
    threshold_folds: Annotated[int, Field(ge=2, le=50)] = 5


class QualityConfig(Section):
    """Everything `--task quality` can be told; `paragraphs` are the settings of the paragraph models behind label profiles."""

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    features: Features = Features(word_bits=15, pair_bits=15, char_bits=15)
    model: Model = Model()
    evaluation: Evaluation = Evaluation()
    paragraphs: Config = _QUICK

    @property
    def digest(self) -> str:
        """SHA-256 of all settings, hexadecimal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def load_quality_config(path: Path | str | None = None, overrides: Sequence[str] = ()) -> QualityConfig:
    """Read a configuration file; without one, the defaults (the same as configs/quality.toml). See `config.load_config`."""
    return read_settings(QualityConfig, path, overrides, "configs/quality.toml")
