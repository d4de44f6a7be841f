"""Configuration files: TOML, checked, frozen; unknown keys are refused by name."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from trainer.errors import ConfigError
from trainer.schema import NEWS_LABELS, Label, LabelSet

Bits = Annotated[int, Field(ge=4, le=20)]
Share = Annotated[float, Field(ge=0, le=1)]
Width = Annotated[int, Field(ge=1, le=1024)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(min_length=1, max_length=64)]


class Section(BaseModel):
    """A part of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @property
    def changes(self) -> dict[str, Any]:
        """What differs from the defaults: `section.key` → value, JSON-ready."""
        own, usual = (_flat(config.model_dump(mode="json")) for config in (self, type(self)()))
        return {key: value for key, value in own.items() if value != usual[key]}


Settings = TypeVar("Settings", bound=Section)


class LabelSection(Section):
    """One label; paragraphs of the given `kinds` get it, whatever label stands in the file."""

    name: Name
    kept: bool = False
    colour: str = "#888888"
    hotkey: str = ""
    kinds: Annotated[tuple[Name, ...], Field(strict=False)] = ()


class Features(Section):
    """See `features.FeatureSettings`."""

    word_bits: Bits = 17
    pair_bits: Bits = 17
    char_bits: Bits = 17
    char_ngrams: Annotated[tuple[int, int], Field(strict=False)] = (4, 4)

    @model_validator(mode="after")
    def _check_range(self) -> Features:
        if not 2 <= self.char_ngrams[0] <= self.char_ngrams[1] <= 8:
            raise ValueError("char_ngrams must be [shortest, longest] with 2 <= shortest <= longest <= 8")
        return self


class Text(Section):
    """The first stage."""

    C: Annotated[float, Field(gt=0)] = 1.0
    min_count: Count = 2
    class_weight: Literal["sqrt", "balanced", "none"] = "sqrt"
    min_kind: Annotated[int, Field(ge=0)] = 50


class Context(Section):
    """The second stage."""

    width: Width = 48
    head: Width = 48
    dilations: Annotated[tuple[Annotated[int, Field(ge=1, le=64)], ...], Field(strict=False, max_length=16)] = (1, 2, 4)
    views: Annotated[int, Field(ge=0, le=32)] = 1
    balance: Share = 0.3
    epochs: Count = 40
    batch: Count = 4096
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    decay: Annotated[float, Field(ge=0)] = 1e-4


class Adapt(Section):
    """Adaptation of a base model, see `adaptation`."""

    strength: Annotated[float, Field(gt=0)] = 10.0
    steps: Annotated[int, Field(ge=0, le=100_000)] = 50
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    min_news_chars: Annotated[int, Field(ge=0)] = 100_000


class Filtering(Section):
    """Thresholds and safety valves, see `policy.Policy`."""

    max_news_loss: Share = 0.005
    headline: Annotated[int, Field(ge=0, le=1000)] = 3
    headline_threshold: Share = 0.9
    max_removed_share: Share = 0.95
    allow_empty: bool = False


class Evaluation(Section):
    """Cross-validation."""

    folds: Annotated[int, Field(ge=2, le=50)] = 5
    resamples: Annotated[int, Field(ge=10, le=100_000)] = 1000
    near_duplicate: Annotated[float, Field(gt=0, le=1)] = 0.6


class Config(Section):
    """Everything `trainer train` and `trainer evaluate` can be told."""

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    inner_folds: Annotated[int, Field(ge=2, le=50)] = 5
    labels: Annotated[tuple[LabelSection, ...], Field(strict=False)] = tuple(
        LabelSection(**label._asdict()) for label in NEWS_LABELS
    )
    features: Features = Features()
    text: Text = Text()
    context: Context = Context()
    adapt: Adapt = Adapt()
    policy: Filtering = Filtering()
    evaluation: Evaluation = Evaluation()

    @field_validator("labels")
    @classmethod
    def _check_kinds(cls, labels: tuple[LabelSection, ...]) -> tuple[LabelSection, ...]:
        owner: dict[str, str] = {}
        for label in labels:
            for kind in label.kinds:
                if owner.setdefault(kind, label.name) != label.name:
                    raise ValueError(f"the kind {kind!r} is claimed by {owner[kind]!r} and by {label.name!r}")
        return labels

    @property
    def label_set(self) -> LabelSet:
        """The labels as the runtime knows them."""
        return LabelSet([Label(**label.model_dump(exclude={"kinds"})) for label in self.labels])

    @property
    def by_kind(self) -> dict[str, str]:
        """The label of each kind that a label claims, for `dataset.load_labels`."""
        return {kind: label.name for label in self.labels for kind in label.kinds}

    @property
    def digest(self) -> str:
        """SHA-256 of all settings, hexadecimal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def estimator_params(self) -> dict[str, Any]:
        """Return the settings as parameters of `estimator.ArticleClassifier`."""
        labels = self.label_set
        return {
            "labels": labels.names,
            "kept": tuple(labels.names[k] for k in labels.kept),
            **self.features.model_dump(),
            **self.text.model_dump(),
            **self.context.model_dump(),
            "folds": self.inner_folds,
            "seed": self.seed,
        }


def _flat(values: dict[str, Any], section: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in values.items():
        out |= _flat(value, f"{section}{key}.") if isinstance(value, dict) else {f"{section}{key}": value}
    return out


def load_config(path: Path | str | None = None, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration file; without one, the defaults (the same as configs/news.toml).

    Args:
        path: a TOML file. overrides: `section.key=value` with a TOML value, e.g. `features.char_ngrams=[3,5]`.

    Raises:
        ConfigError: the file cannot be read, or a key is unknown or ill-typed; the key is named.
    """
    config = read_settings(Config, path, overrides, "configs/news.toml")
    _ = config.label_set
    return config


def read_settings(kind: type[Settings], path: Path | str | None, overrides: Sequence[str], example: str) -> Settings:
    """Read settings of some kind; `example` is the file that explains them. See `load_config`."""
    values: dict[str, Any] = {}
    where = str(path) if path else ""
    if path:
        try:
            values = tomllib.loads(Path(path).read_text("utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read the configuration ({error.strerror})", where=where, hint=f"See {example}.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ConfigError(f"is not TOML: {error}", where=where) from None
    for override in overrides:
        _override(values, override)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "configuration"
        unknown = first["type"] == "extra_forbidden"
        cause = f"unknown key {key}" if unknown else f"{key}: {first['msg'].removeprefix('Value error, ')}"
        raise ConfigError(cause, where=where, hint=f"See {example} for every key.") from None


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts):
        raise ConfigError(f"--set {override!r} is not key=value", hint="For example --set features.char_ngrams=[3,5].")
    try:
        value = tomllib.loads(f"value = {text.strip()}")
        if value.keys() != {"value"}:
            raise ConfigError(f"--set {override!r} is not one value", hint="For example --set seed=3.")
    except (tomllib.TOMLDecodeError, RecursionError):
        value = {"value": text.strip()}  # a bare word is a string
    section = values
    for part in parts[:-1]:
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            raise ConfigError(f"--set {override!r}: {part} is not a section", hint="See configs/news.toml for every key.")
    section[parts[-1]] = value["value"]
