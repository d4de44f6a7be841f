"""The model folder: plain arrays and a description of them. Loading looks at everything before it builds anything."""

from __future__ import annotations

import hashlib
import json
import math
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import save as to_safetensors

from trainer.context import input_names
from trainer.errors import ArtifactError, ConfigError, InputError
from trainer.features import FAMILIES, FeatureSettings
from trainer.model import Classifier
from trainer.network import Network
from trainer.policy import NEVER, Policy
from trainer.schema import MAX_KIND_CHARS, MAX_KINDS, Label, LabelSet
from trainer.sequence import SequenceSettings, SequenceStage
from trainer.text import TextStage

# Raise when a file of this version cannot be read by the code before it; keep reading the older ones, and keep one of each
# under tests/models so that this stays true.
FORMAT = 3

DEFAULT, DEFAULT_QUALITY = "news-en", "quality-en"  # the English models that come with the package
PARAGRAPHS, QUALITY = "paragraphs", "quality"  # tasks; the file of a paragraph model does not name its own
WEIGHTS, METRICS, CARD = "model.safetensors", "metrics.json", "card.md"
MAX_FILE_BYTES, MAX_HEADER_BYTES = 32 << 20, 1 << 20
_DTYPES: dict[str, np.dtype[Any]] = {"I8": np.dtype(np.int8), "F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
_MAX_WIDTH, _MAX_BLOCKS, _MAX_DISTANCE, _BITS, _NGRAMS = 1024, 16, 64, (4, 20), (1, 8)
_SEQUENCE = "sequence."
Arrays = dict[str, NDArray[Any]]


class Metadata(NamedTuple):
    """What the file says of itself, checked."""

    labels: LabelSet
    kinds: tuple[str, ...]
    label_of: tuple[int, ...]
    features: FeatureSettings
    sequence: SequenceSettings
    policy: Policy
    info: dict[str, Any]
    digest: str


def save(
    folder: Path | str,
    network: Network,
    labels: LabelSet,
    policy: Policy,
    info: Mapping[str, Any],
    texts: Mapping[str, str] | None = None,
    *,
    force: bool = False,
) -> Path:
    """Write a model folder so that it is either there whole or not at all; the same model gives the same bytes.

    Args:
        folder: where to. network, labels, policy: the model. info: JSON-ready, what it was trained on and with.
        texts: further files of the folder by name: METRICS, CARD. force: replace a model that is there.

    Raises:
        InputError: the folder is there and `force` is not given, or it is not a model folder.
        ArtifactError: `load` would refuse the model.
    """
    folder = Path(folder)
    check_free(folder, force=force)
    arrays: Arrays = {
        "text.weights": network.text.weights,
        "text.scale": network.text.scale.astype("<f8"),
        "text.bias": network.text.bias.astype("<f8"),
    }
    arrays |= {f"{_SEQUENCE}{name}": array.astype("<f4") for name, array in network.sequence.arrays.items()}
    arrays = {name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())}
    description = {
        "format": FORMAT,
        "labels": [label._asdict() for label in labels],
        "kinds": [[kind, labels.names[label]] for kind, label in zip(network.kinds, network.label_of, strict=True)],
        "features": asdict(network.text.settings),
        "sequence": asdict(network.sequence.settings),
        "policy": policy._asdict(),
        "info": dict(info),
    }
    description["digest"] = digest_of(description, arrays)
    # One metadata key only: safetensors writes several in no fixed order.
    data = to_safetensors(arrays, {"trainer": json.dumps(description, sort_keys=True)})
    if len(data) > MAX_FILE_BYTES:
        raise _too_large(
            len(data), str(folder / WEIGHTS), "Choose fewer word_bits, pair_bits or char_bits, or a larger min_kind."
        )
    _parse(data, str(folder / WEIGHTS))
    return write_folder(folder, data, texts or {})


def write_folder(folder: Path, weights: bytes, texts: Mapping[str, str]) -> Path:
    """Write the files of a model folder, whole or not at all."""
    contents = {WEIGHTS: weights, **{name: text.encode() for name, text in texts.items()}}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        new = Path(temporary) / "new"
        new.mkdir(mode=0o755)
        for name, content in contents.items():
            (new / name).write_bytes(content)
        if folder.exists():
            for name in (METRICS, CARD, WEIGHTS):  # each in one step, so that at no moment there is no model
                if name in contents:
                    (new / name).replace(folder / name)
                else:
                    (folder / name).unlink(missing_ok=True)
        else:
            new.rename(folder)
    return folder


def check_free(folder: Path, *, force: bool) -> None:
    """Refuse a destination that would overwrite something.

    Raises:
        InputError: see `save`.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / WEIGHTS).exists()):
        raise InputError("is there and is not a model folder", where=str(folder), hint="Choose another --out.")
    if not force and any(folder.iterdir()):
        raise InputError(
            "a model is there already", where=str(folder), hint="Give --force to replace it, or choose another --out."
        )


def find(model: Path | str | None = None, default: str = DEFAULT) -> Path:
    """Return the folder of a model: the given one, or for none the default one that comes with the package.

    Those that come with it, `news-en` and `quality-en`, also answer to their bare names where the working directory has no folder
    of this name. They lie within the installed package, or beside it in a checkout.

    Raises:
        ArtifactError: this installation has no such model.
    """
    name = default if model is None else str(model)
    if model is not None and (name not in (DEFAULT, DEFAULT_QUALITY) or Path(model).exists()):
        return Path(model)
    package = Path(__file__).resolve().parent
    for home in (package, package.parent):
        folder = home / "models" / name
        if (folder / WEIGHTS).is_file():
            return folder
    raise ArtifactError(
        f"no default model ({name}) in this installation",
        hint="Train one, for example trainer train labels --out models/mine, and name it.",
    )


def load(model: Path | str | None = None) -> Classifier:
    """Load a model folder, e.g. `trainer.load("models/mine")`; without one, the model that comes with the package (`find`).

    The file is data: it is checked whole (size, header, digest, names, types, shapes, finite values) before anything is
    built from it, and no part of it is ever run. Memory stays under a few times the file's size, at most 32 MB.

    Raises:
        ArtifactError: the folder is missing, damaged, or of another format.
    """
    folder = find(model)
    path = folder / WEIGHTS
    metadata, arrays = _parse(read_weights(path), str(path))
    text = TextStage(metadata.features, arrays["text.weights"], arrays["text.scale"], arrays["text.bias"])
    sequence = _sequence(metadata, arrays)
    network = Network(text, sequence, metadata.kinds, metadata.label_of, len(metadata.labels), metadata.labels.kept)
    return Classifier(
        network, metadata.labels, metadata.policy, name=folder.resolve().name, digest=metadata.digest, info=metadata.info
    )


def task_of(folder: Path) -> str:
    """Return what the model in a folder is for, PARAGRAPHS or QUALITY, as far as its file says.

    Raises:
        ArtifactError: there is none, or it is damaged.
    """
    path = folder / WEIGHTS
    data = read_weights(path)
    with refusing(str(path)):
        return str(_description(_header(data)).get("task", PARAGRAPHS))


def read_weights(path: Path) -> bytes:
    """Return the bytes of a model file, at most MAX_FILE_BYTES; ArtifactError if there is none."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ArtifactError("is not a file", where=str(path))
        if status.st_size > MAX_FILE_BYTES:
            raise _too_large(status.st_size, str(path))
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ArtifactError(
            f"cannot read the model ({reason})", where=str(path), hint="Train one: trainer train --out models/NAME."
        ) from None


def _parse(data: bytes, where: str) -> tuple[Metadata, Arrays]:
    """Check a model file's bytes and return what is in them.

    Raises:
        ArtifactError: with the first thing that is wrong.
    """
    with refusing(where):
        description, header = describe(data, PARAGRAPHS)
        metadata = _metadata(description)
        arrays = read_arrays(data, header, description, _expected(metadata))
        _check_values(metadata, arrays)
    return metadata, arrays


@contextmanager
def refusing(where: str) -> Iterator[None]:
    """Turn whatever goes wrong with a model file into an ArtifactError that says where."""
    try:
        yield
    except ArtifactError as error:
        raise ArtifactError(error.cause, where=where, hint=error.hint or "Copy the model again, or train it anew.") from None
    except (safetensors.SafetensorError, ConfigError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ArtifactError(
            f"is damaged ({type(error).__name__}: {str(error)[:120]})",
            where=where,
            hint="Copy the model again, or train it anew.",
        ) from None


def describe(data: bytes, task: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a model file says of itself, and its header; ArtifactError if it is a model of another task."""
    header = _header(data)
    description = _description(header)
    found = description.get("task", PARAGRAPHS)
    if found != task:
        article = {PARAGRAPHS: "paragraphs", QUALITY: "article quality"}
        raise ArtifactError(
            f"is a model of {article.get(str(found), 'something else')}, not of {article[task]}",
            hint="A quality model goes with --quality or --task quality, a paragraph model with --model.",
        )
    return description, header


def read_arrays(
    data: bytes, header: dict[str, Any], description: dict[str, Any], expected: dict[str, tuple[str, tuple[int, ...]]]
) -> Arrays:
    """Return the arrays of a model file once names, types, shapes and the digest are as they should be."""
    declared = {name: (item["dtype"], tuple(item["shape"])) for name, item in header.items() if name != "__metadata__"}
    _check_declared(expected, declared)
    arrays = {name: _array(item) for name, item in safetensors.deserialize(data)}  # type: ignore[no-untyped-call]
    if {name: (array.dtype, array.shape) for name, array in arrays.items()} != {
        name: (_DTYPES[dtype], shape) for name, (dtype, shape) in declared.items()
    }:
        raise ArtifactError("header and arrays differ")
    if digest_of({k: v for k, v in description.items() if k != "digest"}, arrays) != description.get("digest"):
        raise ArtifactError("its bytes do not match its digest")
    return arrays


def _too_large(size: int, where: str, hint: str = "") -> ArtifactError:
    return ArtifactError(f"is {size:,} bytes; a model has at most {MAX_FILE_BYTES:,}", where=where, hint=hint)


def _array(item: dict[str, Any]) -> NDArray[Any]:
    """Return a read-only array over the bytes that safetensors cut out."""
    array: NDArray[Any] = np.frombuffer(item["data"], dtype=np.dtype(_DTYPES[item["dtype"]])).reshape(item["shape"])
    array.flags.writeable = False
    return array


def _header(data: bytes) -> dict[str, Any]:
    """Return the safetensors header (8 bytes of length, then JSON; see the format's description)."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or not 2 <= length <= min(MAX_HEADER_BYTES, len(data) - 8):
        raise ArtifactError("is not a safetensors file, or is cut short")
    header = json.loads(data[8 : 8 + length].decode("utf-8"))
    if not isinstance(header, dict):
        raise ArtifactError("its header is not an object")
    return header


def _description(header: dict[str, Any]) -> dict[str, Any]:
    metadata = header.get("__metadata__")
    text = metadata.get("trainer") if isinstance(metadata, dict) else None
    if not isinstance(text, str) or len(metadata or {}) != 1:
        raise ArtifactError("is a safetensors file, but not a model of this toolkit")
    description = json.loads(text)
    version = description.get("format") if isinstance(description, dict) else None
    if version != FORMAT or isinstance(version, bool):
        raise ArtifactError(
            f"has FORMAT {str(version)[:20]}; this version reads {FORMAT}",
            hint="Update paragraph-trainer, or train the model anew.",
        )
    return dict(description)


def _metadata(description: dict[str, Any]) -> Metadata:
    _keys(description, {"format", "labels", "kinds", "features", "sequence", "policy", "info", "digest"}, "description")
    labels = LabelSet([_label(item) for item in _list(description["labels"], 64)])
    kinds = [_kind(item, labels) for item in _list(description["kinds"], MAX_KINDS)]
    if len(kinds) < 2 or len(set(kinds)) < len(kinds):
        raise ArtifactError("its kinds are not two or more different ones")
    if kinds[0][1] not in labels.kept:
        raise ArtifactError("its first kind is not of a label that is kept")
    features, sequence, policy = description["features"], description["sequence"], description["policy"]
    _keys(features, {"word_bits", "pair_bits", "char_bits", "char_ngrams"}, "features")
    _keys(sequence, {"width", "head", "dilations"}, "sequence")
    _keys(policy, set(Policy._fields), "policy")
    shortest, longest = (_integer(x, *_NGRAMS) for x in _list(features["char_ngrams"], 2))
    if shortest > longest or shortest < 2:
        raise ArtifactError("its character n-grams make no range")
    thresholds = tuple(_number(x, 0, 2) for x in _list(policy["thresholds"], 64))
    if len(thresholds) != len(labels):
        raise ArtifactError("it has not one threshold a label")
    if any(thresholds[k] != NEVER for k in labels.kept):
        raise ArtifactError("it has a threshold for a label that is kept")
    if not isinstance(policy["allow_empty"], bool) or not isinstance(description["info"], dict):
        raise ArtifactError("its description has values of a wrong kind")
    if not isinstance(description["digest"], str) or len(description["digest"]) != 64:
        raise ArtifactError("it has no digest")
    return Metadata(
        labels,
        tuple(name for name, _ in kinds),
        tuple(label for _, label in kinds),
        FeatureSettings(
            _integer(features["word_bits"], *_BITS),
            _integer(features["pair_bits"], *_BITS),
            _integer(features["char_bits"], *_BITS),
            (shortest, longest),
        ),
        SequenceSettings(
            _integer(sequence["width"], 1, _MAX_WIDTH),
            _integer(sequence["head"], 1, _MAX_WIDTH),
            tuple(_integer(x, 1, _MAX_DISTANCE) for x in _list(sequence["dilations"], _MAX_BLOCKS)),
        ),
        Policy(
            thresholds,
            _integer(policy["headline"], 0, 1000),
            _number(policy["headline_threshold"], 0, 2),
            _number(policy["max_removed_share"], 0, 1),
            policy["allow_empty"],
        ),
        description["info"],
        description["digest"],
    )


def _label(item: Any) -> Label:
    _keys(item, set(Label._fields), "label")
    if not all(isinstance(item[key], str) and len(item[key]) <= 200 for key in ("name", "colour", "hotkey")):
        raise ArtifactError("a label has values of a wrong kind")
    if not isinstance(item["kept"], bool):
        raise ArtifactError("a label has values of a wrong kind")
    return Label(**item)


def _kind(item: Any, labels: LabelSet) -> tuple[str, int]:
    """Return a kind's name and the column of its label."""
    if (
        not isinstance(item, list)
        or len(item) != 2
        or not all(isinstance(name, str) and len(name) <= MAX_KIND_CHARS for name in item)
    ):
        raise ArtifactError("a kind has values of a wrong kind")
    if item[1] not in labels.index:
        raise ArtifactError(f"its kind {item[0][:40]!r} is of no label")
    return item[0], labels.index[item[1]]


def _expected(metadata: Metadata) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name every array with its type and shape."""
    kinds = len(metadata.kinds)
    inputs = len(input_names(metadata.kinds))
    sequence = metadata.sequence.shapes(inputs, kinds)
    return {
        "text.weights": ("I8", (sum(metadata.features.buckets), kinds - 1)),
        "text.scale": ("F64", (len(FAMILIES), kinds - 1)),
        "text.bias": ("F64", (kinds - 1,)),
        **{f"{_SEQUENCE}{name}": ("F32", shape) for name, shape in sequence.items()},
    }


def _check_declared(expected: dict[str, tuple[str, tuple[int, ...]]], declared: dict[str, tuple[str, tuple[int, ...]]]) -> None:
    unknown, missing = sorted(declared.keys() - expected.keys()), sorted(expected.keys() - declared.keys())
    if unknown or missing:
        raise ArtifactError(f"has unknown arrays {str(unknown)[:60]} or lacks {str(missing)[:60]}")
    for name, (dtype, shape) in expected.items():
        if declared[name] != (dtype, shape):
            is_what = f"{declared[name][0]}{list(declared[name][1])}"[:60]
            raise ArtifactError(f"array {name} is {is_what}, expected {dtype}{list(shape)}")


def _check_values(metadata: Metadata, arrays: Arrays) -> None:
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ArtifactError(f"array {name} holds values that are not finite")
    if np.abs(arrays["text.scale"]).max() > 1e6 or np.abs(arrays["text.bias"]).max() > 1e6:
        raise ArtifactError("its text weights are out of range")
    if not _sequence(metadata, arrays).is_exact:
        raise ArtifactError("its context weights are out of range or off their grid")


def _sequence(metadata: Metadata, arrays: Arrays) -> SequenceStage:
    own = {name.removeprefix(_SEQUENCE): array for name, array in arrays.items() if name.startswith(_SEQUENCE)}
    return SequenceStage(metadata.sequence, {name: array.astype(np.float64) for name, array in own.items()})


def digest_of(description: Mapping[str, Any], arrays: Arrays) -> str:
    """SHA-256 over the description and all arrays with their names, types and shapes."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _keys(item: Any, wanted: set[str], what: str) -> None:
    if not isinstance(item, dict) or item.keys() != wanted:
        raise ArtifactError(f"its {what} does not have the fields {sorted(wanted)}")


def _list(item: Any, longest: int) -> list[Any]:
    if not isinstance(item, list) or len(item) > longest:
        raise ArtifactError(f"its description has something else where a list of at most {longest} belongs")
    return item


def _integer(item: Any, least: int, most: int) -> int:
    if not isinstance(item, int) or isinstance(item, bool) or not least <= item <= most:
        raise ArtifactError(f"its description has {str(item)[:20]!r} where a whole number from {least} to {most} belongs")
    return item


def _number(item: Any, least: float, most: float) -> float:
    if not isinstance(item, int | float) or isinstance(item, bool) or not math.isfinite(item) or not least <= item <= most:
        raise ArtifactError(f"its description has {str(item)[:20]!r} where a number from {least} to {most} belongs")
    return float(item)
