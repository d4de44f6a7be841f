"""JSON lines, plain, gzip or zstd: plain files are cut at any byte, the record there belonging to the part it begins in."""

from __future__ import annotations

import gzip
import io
import json
import math
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, BinaryIO, cast

import msgspec

from trainer.bulk import storage
from trainer.bulk.options import Options
from trainer.bulk.shards import BadRecord, End, Entry, File, Shard, ShardError, Span

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_KNOWN = ("id", "url", "site", "text", "paragraphs")  # what is read of a record; all else passes through as it stands
_BOM = b"\xef\xbb\xbf"
_CHUNK = 1 << 20
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_value = msgspec.json.Decoder()


def spans(file: File, size: int) -> list[Span]:
    """Cut a plain file into parts of equal size; a packed one is one part."""
    parts = 1 if file.place.lower().endswith((".gz", ".zst")) else max(1, math.ceil(file.size / size))
    cuts = [file.size * part // parts for part in range(parts + 1)]
    return [Span(start, end, end - start) for start, end in pairwise(cuts)]


def read(shard: Shard, options: Options) -> Iterator[Entry | BadRecord | End]:
    """Yield the records that begin between start and end; lines are counted from there.

    Of a file that has grown meanwhile, what was there when the run was planned is read.

    Raises:
        ShardError: the file has become smaller. OSError, EOFError: it cannot be read, or is damaged.
    """
    place = shard.file.place
    with storage.open_input(place) as raw:
        size = raw.seek(0, io.SEEK_END)
        if size < shard.file.size:
            raise ShardError(f"has shrunk from {shard.file.size:,} to {size:,} bytes since the run was planned", where=place)
        raw.seek(max(shard.start - 1, 0))
        bounded = cast("BinaryIO", io.BufferedReader(_Bounded(raw, shard.file.size), _CHUNK))
        if not shard.file.size:  # which zstd's reader takes for a damaged file
            return
        with _unpacked(bounded, shard.kind) as file:
            packed = file is not bounded
            begin = shard.start and shard.start - 1 + _skip_line(file)  # the line before may reach into this part
            number = 0
            for number, at, line in _lines(file, begin, None if packed else shard.end, options.max_record):
                byte = None if packed else at
                if line is None:
                    yield BadRecord(place, number, f"is longer than {options.max_record:,} bytes (--max-record)", byte)
                elif line.strip():
                    yield _entry(place, number, byte, line)
            yield End(number)


def parse(line: bytes) -> Any:
    """Return a JSON value; of an object, the fields that nothing looks at stay as they stand (`msgspec.Raw`).

    Raises:
        ValueError: it is not JSON. UnicodeDecodeError: it is not UTF-8. RecursionError: it nests too deeply.
    """
    text = line.decode("utf-8")
    try:
        found: dict[str, Any] = dict(_fields.decode(line))
        for key in _KNOWN:
            if key in found:
                found[key] = _value.decode(found[key])
    except (msgspec.DecodeError, RecursionError):  # not an object, or with what only Python's reader takes
        return json.loads(text, parse_constant=_constant, parse_float=_float)
    return found


def _constant(name: str) -> msgspec.Raw:
    return msgspec.Raw(name.encode())


def _float(digits: str) -> float | msgspec.Raw:
    value = float(digits)
    return value if math.isfinite(value) else msgspec.Raw(digits.encode())


def _entry(place: str, number: int, byte: int | None, line: bytes) -> Entry | BadRecord:
    try:
        record = parse(line)
    except UnicodeDecodeError as error:
        return BadRecord(place, number, f"is not UTF-8 (byte {error.start} of the line)", byte)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        return BadRecord(place, number, f"bad JSON ({reason})", byte)
    return Entry(place, number, record, None, byte)


def _lines(file: BinaryIO, begin: int, end: int | None, longest: int) -> Iterator[tuple[int, int, bytes | None]]:
    """Yield number from 1, offset, and bytes of each line that begins before `end`; None for one that is too long."""
    at, number = begin, 0
    while end is None or at < end:
        line = file.readline(longest + 1)
        if not line:
            return
        number += 1
        size = len(line)
        if size > longest and not line.endswith(b"\n"):
            size += _skip_line(file)
            yield number, at, None
        else:
            yield number, at, line.removeprefix(_BOM) if at == 0 else line
        at += size


def _skip_line(file: BinaryIO) -> int:
    """Read to the end of the line; return how many bytes that were."""
    size = 0
    while part := file.readline(_CHUNK):
        size += len(part)
        if part.endswith(b"\n"):
            break
    return size


def _unpacked(file: BinaryIO, kind: str) -> BinaryIO:
    if kind.endswith(".gz"):
        return cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb"))
    if kind.endswith(".zst"):
        return cast("BinaryIO", io.BufferedReader(zstd.ZstdFile(file, "rb"), _CHUNK))
    return file


class _Bounded(io.RawIOBase):
    """A file that ends at `end`, whatever is appended to it."""

    def __init__(self, file: BinaryIO, end: int) -> None:
        super().__init__()
        self._file, self._left = file, end - file.tell()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)
