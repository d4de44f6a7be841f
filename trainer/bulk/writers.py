"""The output formats, by the ending of a file's name: each gives a function that writes one record."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, BinaryIO, Protocol

import msgspec

from trainer.bulk import formats, storage
from trainer.bulk.shards import Shard
from trainer.errors import InputError
from trainer.records import plain

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Takes a record as it was read, and the fields that are set in it.
Write = Callable[[Mapping[str, Any], Mapping[str, Any]], None]


class _Bytes(Protocol):
    def write(self, data: bytes, /) -> object: ...


KEPT, REMOVED = ("text", "removed", "filter"), ("id", "url", "index", "start", "end", "text", "label", "probability")
_encode = msgspec.json.Encoder().encode


@contextmanager
def lines(file: BinaryIO, *_: object) -> Iterator[Write]:
    """Write JSON lines."""
    yield partial(_write_line, file)


@contextmanager
def gzip_lines(file: BinaryIO, *_: object) -> Iterator[Write]:
    """Write JSON lines as gzip; with no name and no time in the header, so the same records give the same bytes."""
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6) as stream:
        yield partial(_write_line, stream)


@contextmanager
def zstd_lines(file: BinaryIO, *_: object) -> Iterator[Write]:
    """Write JSON lines as zstd."""
    with zstd.ZstdFile(file, "wb") as stream:
        yield partial(_write_line, stream)


@contextmanager
def parquet(file: BinaryIO, shard: Shard | None, fields: Sequence[str]) -> Iterator[Write]:
    """Write Parquet: with the schema of the shard's table, or inferred where it is none; without a shard removed paragraphs."""
    from trainer.bulk import tables

    if shard is None:
        out: Any = tables.RecordWriter(file, tables.typed(fields))
    elif (schema := formats.schema(shard)) is None:
        out = tables.RecordWriter(file, tables.typed(fields), infer=True)
    else:
        out = tables.RowWriter(file, schema, fields)
    with out:
        yield out.write


WRITERS: dict[str, Callable[[BinaryIO, Shard | None, Sequence[str]], AbstractContextManager[Write]]] = {
    ".jsonl": lines,
    ".jsonl.gz": gzip_lines,
    ".jsonl.zst": zstd_lines,
    ".parquet": parquet,
}


def ending(name: str) -> str:
    """Return the key of WRITERS for what `--to` was given.

    Raises:
        InputError: there is none.
    """
    found = f".{name.lstrip('.').lower()}"
    if found not in WRITERS:
        raise InputError(f"no output format {name!r}", hint=f"There are {', '.join(key[1:] for key in WRITERS)}.")
    return found


@contextmanager
def output(place: str, scratch: str | None, shard: Shard | None, fields: Sequence[str]) -> Iterator[Write]:
    """Give a function that writes a file of records, which appears whole, or not at all; see `storage.whole`.

    Args:
        shard: that the records come from, to write what is kept of them; None for removed paragraphs. fields: that are set in
            each record.
    """
    kind = max((kind for kind in WRITERS if place.endswith(kind)), key=len)
    with storage.whole(place, scratch) as file, WRITERS[kind](file, shard, fields) as write:
        yield write


def _write_line(file: _Bytes, record: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    out = {key: value for key, value in record.items() if key not in ("paragraphs", "removed")}
    out.update(changes)
    file.write(to_line(out) if isinstance(record, dict) else python_line(out))


def to_line(record: Mapping[str, Any]) -> bytes:
    """Return a record as JSON, a line; characters as they are, lone surrogates escaped."""
    try:
        return _encode(record) + b"\n"
    except UnicodeEncodeError:
        return json.dumps(record, separators=(",", ":"), default=_plain).encode() + b"\n"


def python_line(record: Mapping[str, Any]) -> bytes:
    """Return a record as JSON, a line, as `records.writer` does it: what has no form in JSON, as columns may hold it, too.

    Raises:
        UnicodeEncodeError: it has a lone surrogate.
    """
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=_plain).encode() + b"\n"


def _plain(value: object) -> Any:
    return json.loads(bytes(value)) if isinstance(value, msgspec.Raw) else plain(value)
