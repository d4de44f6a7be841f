"""Damaged model files, each with a name, made from a sound one; run as a script, it loads them all and measures memory.

Usage: python corruptions.py MODEL_FOLDER → JSON: files tried, what went wrong, growth of peak memory in MB.
"""

from __future__ import annotations

import json
import pickle
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import load as read_arrays
from safetensors.numpy import save as write_arrays

import trainer
from trainer.artifact import MAX_HEADER_BYTES, WEIGHTS
from trainer.artifact import digest_of as _digest

ARTICLES = [["Home", "The council voted on Monday.", "Donate now!", ""], ["Photo: AP"], []]
Description = dict[str, Any]
Arrays = dict[str, np.ndarray]


class Damaged(NamedTuple):
    """A damaged file; `refused` where loading it must fail, otherwise it may also give the sound model."""

    name: str
    data: bytes
    refused: bool = True


def header_of(data: bytes) -> tuple[Description, bytes]:
    """Return a file's header and what follows it."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def with_header(header: str | bytes | Description, rest: bytes) -> bytes:
    """Put a header before the bytes of the arrays."""
    raw = json.dumps(header) if isinstance(header, dict) else header
    raw = raw.encode() if isinstance(raw, str) else raw
    return len(raw).to_bytes(8, "little") + raw + rest


def signed(data: bytes, change: Callable[[Description, Arrays], None]) -> bytes:
    """Change the description and the arrays, and write them with a digest that fits."""
    description = json.loads(header_of(data)[0]["__metadata__"]["trainer"])
    arrays = {name: array.copy() for name, array in read_arrays(data).items()}
    change(description, arrays)
    if "digest" in description:
        description["digest"] = _digest({key: value for key, value in description.items() if key != "digest"}, arrays)
    return write_arrays(arrays, {"trainer": json.dumps(description, sort_keys=True)})


def cut_and_flipped(data: bytes) -> Iterator[Damaged]:
    rng = np.random.default_rng(7)
    body = 8 + int.from_bytes(data[:8], "little")
    lengths = {0, 1, 7, 8, 9, body - 1, body, body + 1, len(data) - 1, *rng.integers(2, len(data), 40).tolist()}
    yield from (Damaged(f"cut to {n} bytes", data[:n]) for n in sorted(lengths))
    yield from (Damaged(f"{n} bytes more", data + bytes(n)) for n in (1, 8, 4096))
    places = [*range(8), *rng.integers(8, body, 80).tolist(), *rng.integers(body, len(data), 60).tolist(), len(data) - 1]
    for place in dict.fromkeys(places):
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(8))
        yield Damaged(f"bit flipped in byte {place}", bytes(flipped), refused=place >= body)


def other_lengths(data: bytes) -> Iterator[Damaged]:
    for length in (0, 1, 2, len(data), MAX_HEADER_BYTES + 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1):
        yield Damaged(f"header length {length}", length.to_bytes(8, "little") + data[8:])


def other_headers(data: bytes) -> Iterator[Damaged]:
    header, rest = header_of(data)
    text = json.dumps(header)
    odd = {
        "empty": "",
        "a list": "[]",
        "a number": "1",
        "null": "null",
        "an empty object": "{}",
        "not UTF-8": b'{"\xff\xfe": 1}',
        "UTF-16": text.encode("utf-16"),
        "byte order mark": b"\xef\xbb\xbf" + text.encode(),
        "NUL": text.encode() + b"\0",
        "deep lists": "[" * 100_000,
        "deep objects": '{"a":' * 100_000,
        "deep and closed": "[" * 50_000 + "]" * 50_000,
        "huge number": '{"a": ' + "9" * 100_000 + "}",
        "huge exponent": '{"a": 1e999999}',
        "NaN": '{"__metadata__": NaN}',
        "half a surrogate": '{"__metadata__": {"trainer": "\\ud800"}}',
        "two objects": text + text,
        "cut": text[: len(text) // 2],
    }
    yield from (Damaged(f"header: {name}", with_header(raw, rest)) for name, raw in odd.items())
    first = next(name for name in header if name != "__metadata__")
    twice = [
        f'"{first}": {json.dumps(header[first])}',
        '"__metadata__": {}',
        f'"{first}": {{}}',
        '"__metadata__": {"trainer": "x"}',
    ]
    for pair in twice:
        yield Damaged(f"key again at the end: {pair[:30]}", with_header(f"{text[:-1]}, {pair}}}", rest), refused=False)
        yield Damaged(f"key again at the start: {pair[:30]}", with_header(f"{{{pair}, {text[1:]}", rest), refused=False)


def other_declarations(data: bytes) -> Iterator[Damaged]:
    header, rest = header_of(data)
    begin, end = header["text.weights"]["data_offsets"]
    rows, columns = header["text.weights"]["shape"]
    changes: dict[str, list[Any]] = {
        "data_offsets": [
            [begin, 2**40],
            [begin, 2**63],
            [begin, 2**64],
            [-1, end],
            [end, begin],
            [begin],
            [begin, end, end],
            "x",
            None,
            [float(begin), float(end)],
            [begin + 1, end],
            [begin, end - 1],
            [True, end],
            [[begin], [end]],
            {},
            [0, 0],
        ],
        "shape": [
            [2**63, 2**63],
            [2**32, 2**32],
            [2**64, 1],
            [rows],
            [rows, columns, 1],
            [columns, rows],
            [-rows, -columns],
            [],
            "x",
            None,
            [float(rows), columns],
            [str(rows), columns],
            [rows + 1, columns],
            [[rows], columns],
            {},
            [1] * 1000,
            [0, columns],
        ],
        "dtype": ["U8", "F8", "BF16", "I64", "BOOL", "x" * 10_000, "", None, 1, [], {}],
    }
    for key, values in changes.items():
        for value in values:
            changed = {**header, "text.weights": {**header["text.weights"], key: value}}
            yield Damaged(f"{key} {str(value)[:40]}", with_header(changed, rest))
        less = {name: item for name, item in header["text.weights"].items() if name != key}
        yield Damaged(f"without {key}", with_header({**header, "text.weights": less}, rest))
    for value in (None, 1, "x", [], {}):
        yield Damaged(f"array declared as {value!r}", with_header({**header, "text.weights": value}, rest))


def other_metadata(data: bytes) -> Iterator[Damaged]:
    header, rest = header_of(data)
    for value in (None, 1, "x", [], {}):
        yield Damaged(f"metadata {value!r}", with_header({**header, "__metadata__": value}, rest))
    text = header["__metadata__"]["trainer"]
    odd = {
        "more keys": {"trainer": text, "x": "y"},
        "no text": {"trainer": None},
        "an object": {"trainer": {}},
        "other": {"x": text},
    }
    yield from (Damaged(f"metadata: {name}", with_header({**header, "__metadata__": item}, rest)) for name, item in odd.items())
    inner = {"deep": "[" * 50_000, "null": "null", "a list": "[]", "no JSON": "x", "huge": '{"format": ' + "1" * 9999 + "}"}
    for name, item in inner.items():
        yield Damaged(f"description: {name}", with_header({**header, "__metadata__": {"trainer": item}}, rest))


def other_arrays(data: bytes) -> Iterator[Damaged]:
    names = sorted(read_arrays(data))

    def renamed(_: Description, arrays: Arrays) -> None:
        arrays["text.extra"] = arrays.pop("text.bias")

    yield Damaged("array of another name", signed(data, renamed))
    yield Damaged("an array more", signed(data, lambda _, arrays: arrays.update(more=np.zeros(3, np.float32))))
    for name in names:
        yield Damaged(f"without {name}", signed(data, lambda _, arrays, name=name: arrays.pop(name)))
        for what, change in {
            "one row more": lambda x: np.concatenate([x, x[:1]]),
            "one row less": lambda x: x[:-1],
            "one column more": lambda x: np.concatenate([x, x[..., :1]], axis=-1),
            "turned": lambda x: x.T if x.ndim > 1 and x.shape[0] != x.shape[1] else x[None],
            "flat": lambda x: x.reshape(-1, 1, 1),
            "empty": lambda x: x[:0],
            "float16": lambda x: x.astype(np.float16),
            "int64": lambda x: x.astype(np.int64),
        }.items():

            def changed(_: Description, arrays: Arrays, name: str = name, change: Callable[..., Any] = change) -> None:
                arrays[name] = np.ascontiguousarray(change(arrays[name]))

            yield Damaged(f"{name}: {what}", signed(data, changed))
        if name != "text.weights":
            for value in (np.nan, np.inf, -np.inf, 1e30):

                def poisoned(_: Description, arrays: Arrays, name: str = name, value: float = value) -> None:
                    arrays[name].flat[-1] = value

                yield Damaged(f"{name}: {value}", signed(data, poisoned))
        if name.startswith("sequence."):
            yield Damaged(f"{name}: off its grid", signed(data, lambda _, arrays, name=name: off_grid(arrays[name])))
            other = name.replace(".0", ".3") if name.endswith(".0") else f"{name}.0"

            def moved(_: Description, arrays: Arrays, name: str = name, other: str = other) -> None:
                arrays[other] = arrays.pop(name)

            yield Damaged(f"{name} named {other}", signed(data, moved))


def off_grid(array: np.ndarray) -> None:
    array.flat[0] += np.float32(2**-14)


KINDS = (
    [["related", "navigation"], ["news", "news"]],
    [["fundraising", "fundraising"], ["navigation", "navigation"]],
    [["news", "news"], *([f"x{i}", "caption"] for i in range(64))],
)
BAD_VALUES: dict[str, list[Any]] = {
    "format": [0, 1, 3, -1, "2", 2.5, True, None, [], 1.5, 10**400],
    "labels": [[], None, {}, "news", [None], ["news"] * 4, [{}] * 4],
    "features": [None, [], {}, {"word_bits": 14}],
    "features.word_bits": [3, 21, 64, -1, 0, "14", 14.0, True, None, [14], 10**400, 15],
    "features.char_ngrams": [[1, 4], [5, 4], [4], [4, 4, 4], [2, 9], "44", None, [4, "4"], [4.0, 4], [0, 0], []],
    "kinds": [None, [], {}, "news", [None], [["news", "news"]], ["news"] * 4, [[]] * 4, [{}] * 4, [["news", "news"]] * 4, *KINDS],
    "kinds.0": [
        None,
        "news",
        [],
        ["news"],
        ["news", "news", "news"],
        {"news": "news"},
        ["news", "sport"],
        ["related", "navigation"],
    ],
    "kinds.0.0": [None, 1, True, [], ["news"], "x" * 201, {}],
    "kinds.0.1": [None, 1, True, [], "", "sport", "x" * 300, "caption", "navigation"],
    "kinds.1": [["news", "news"]],
    "kinds.1.1": ["", "Fundraising", "sport", None, 0],
    "sequence": [None, [], {}, {"width": 16}, "x"],
    "sequence.width": [0, -1, 1025, 15, 17, 2**31, 2**63, "16", 16.0, True, None, [16], 10**400],
    "sequence.head": [0, -1, 1025, 15, 17, 2**31, 2**63, "16", 16.0, True, None, [16], 10**400],
    "sequence.dilations": [
        [],
        [1],
        [1, 2],
        [1, 2, 4, 8],
        [1, 2, 0],
        [1, 2, -4],
        [1, 2, 65],
        [1, 2, 4.0],
        [1, 2, "4"],
        [1, 2, True],
        [1, 2, None],
        [1, 2, [4]],
        [1] * 17,
        None,
        4,
        "124",
        {},
        [1, 2, 10**400],
    ],
    "policy": [None, [], {}],
    "policy.thresholds": [
        [],
        [2.0],
        [2.0] * 5,
        [2.0, 0.5, 0.5, -0.1],
        [2.0, 0.5, 0.5, 2.5],
        [2.0, 0.5, 0.5, True],
        [2.0, 0.5, 0.5, "1"],
        [2.0, 0.5, 0.5, None],
        [2.0, 0.5, 0.5, float("nan")],
        [2.0, 0.5, 0.5, float("inf")],
        [2.0, 0.5, 0.5, 10**400],
        None,
        0.5,
    ],
    "policy.headline": [-1, 1001, 2.5, "3", True, None],
    "policy.headline_threshold": [-0.1, 2.1, float("nan"), "1", True, None],
    "policy.max_removed_share": [-0.1, 1.1, float("nan"), "1", True, None],
    "policy.allow_empty": [0, 1, "yes", None, []],
    "info": [None, [], "x", 1],
    "labels.0.name": ["", "caption", None, 1, "x" * 300],
    "labels.0.kept": [False, 1, "true", None],
    "labels.0.colour": [None, 1, "x" * 300],
}


def without_the_story(item: Description, _: Arrays) -> None:
    """Give the kinds of the story to a label that is removed; the number of kinds stays."""
    item["kinds"] = [[f"{kind} {i}", "caption"] for i, (kind, label) in enumerate(item["kinds"])]


def other_descriptions(data: bytes) -> Iterator[Damaged]:
    for path, values in BAD_VALUES.items():
        *parents, last = path.split(".")
        for value in values:

            def changed(item: Any, _: Arrays, parents: list[str] = parents, last: str = last, value: Any = value) -> None:
                for key in parents:
                    item = item[int(key)] if key.isdigit() else item[key]
                item[int(last) if last.isdigit() else last] = value

            yield Damaged(f"{path} = {str(value)[:40]}", signed(data, changed))
    for key in ("format", "labels", "kinds", "features", "sequence", "policy", "info", "digest"):
        yield Damaged(f"description without {key}", signed(data, lambda item, _, key=key: item.pop(key)))
    yield Damaged("description with more", signed(data, lambda item, _: item.update(more=1)))
    for key in ("width", "head", "dilations"):
        yield Damaged(f"sequence without {key}", signed(data, lambda item, _, key=key: item["sequence"].pop(key)))
    yield Damaged("sequence with more", signed(data, lambda item, _: item["sequence"].update(passes=2)))
    yield Damaged("a kind less", signed(data, lambda item, _: item["kinds"].pop()))
    yield Damaged("a kind more", signed(data, lambda item, _: item["kinds"].append(["more", "caption"])))
    yield Damaged("the story last", signed(data, lambda item, _: item["kinds"].reverse()))
    yield Damaged("the story unknown", signed(data, without_the_story))
    yield Damaged("a kind twice", signed(data, lambda item, _: item["kinds"].__setitem__(-1, item["kinds"][1])))
    header, rest = header_of(data)
    for digest in ("", "0" * 64, "x" * 64, None, 1, []):
        description = json.loads(header["__metadata__"]["trainer"]) | {"digest": digest}
        text = json.dumps(description, sort_keys=True)
        yield Damaged(f"digest {digest!r}", with_header({**header, "__metadata__": {"trainer": text}}, rest))


def other_files(data: bytes) -> Iterator[Damaged]:
    yield Damaged("empty", b"")
    yield Damaged("pickle", pickle.dumps({"weights": [1.0] * 100}))
    yield Damaged("pickle that would run", b"cos\nsystem\n(S'exit 1'\ntR.")
    yield Damaged("zip", b"PK\x03\x04" + bytes(1000))
    yield Damaged("text", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    yield Damaged("zeros", bytes(4096))
    yield Damaged("ones", b"\xff" * 4096)
    yield Damaged("another model's arrays", write_arrays({"weight": np.zeros((4, 4), np.float32)}))
    yield Damaged("too large", data + bytes((32 << 20) + 1 - len(data)))


def corruptions(data: bytes) -> Iterator[Damaged]:
    """Yield every damaged form of a model file."""
    for make in (
        cut_and_flipped,
        other_lengths,
        other_headers,
        other_declarations,
        other_metadata,
        other_arrays,
        other_descriptions,
        other_files,
    ):
        yield from make(data)


def fault(folder: Path, damaged: Damaged, sound: bytes) -> str | None:
    """Load a damaged file and say what is wrong with how that went, if anything."""
    path = folder / WEIGHTS
    path.write_bytes(damaged.data)
    try:
        model = trainer.load(folder)
    except trainer.ArtifactError as error:
        line = str(error)
        return None if str(path) in line and "\n" not in line and len(line) < 1000 else f"{damaged.name}: message {line[:300]!r}"
    except BaseException as error:  # also what Rust raises when it panics
        return f"{damaged.name}: {type(error).__name__}: {str(error)[:200]}"
    if damaged.refused:
        return f"{damaged.name}: loaded"
    return None if model.predict_proba(ARTICLES).tobytes() == sound else f"{damaged.name}: loaded with other predictions"


def try_all(source: Path, folder: Path) -> tuple[int, list[str]]:
    """Load every corruption of the model in `source`; return how many there are and what went wrong."""
    data, sound = (source / WEIGHTS).read_bytes(), trainer.load(source).predict_proba(ARTICLES).tobytes()
    distinct, faults = set(), []
    for damaged in corruptions(data):
        if damaged.data != data:
            distinct.add(hash(damaged.data))
            faults.append(fault(folder, damaged, sound))
    return len(distinct), [text for text in faults if text]


def main() -> None:
    """Try all corruptions of a model and print what came of it."""
    source = Path(sys.argv[1])
    trainer.load(source).predict_proba(ARTICLES)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        count, faults = try_all(source, Path(folder))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    print(json.dumps({"count": count, "faults": faults, "grown": grown}))


if __name__ == "__main__":
    main()
