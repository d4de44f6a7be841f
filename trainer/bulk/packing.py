"""Packed files as streams of what is in them; one that is damaged or cut short is an error when that shows."""

from __future__ import annotations

import gzip
import io
import struct
import sys
from typing import Any, BinaryIO, cast

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_CHUNK = 1 << 20
_DICTIONARY = 0x184D2A5D  # of the frame that WARC files packed with a dictionary begin with
_MOST_DICTIONARY = 8 << 20  # bytes
_ZSTD = b"\x28\xb5\x2f\xfd"


def unpacked(file: io.BufferedReader[Any], kind: str) -> BinaryIO:
    """Return what is in a file whose name ends in `kind`; the file itself where it is not packed.

    A zstd file may begin with the dictionary it needs, as in https://iipc.github.io/warc-specifications/specifications/warc-zstd/.
    """
    if kind.endswith(".gz"):
        return cast("BinaryIO", io.BufferedReader(gzip.GzipFile(fileobj=file, mode="rb"), _CHUNK))
    if kind.endswith(".zst"):
        return cast("BinaryIO", io.BufferedReader(zstd.ZstdFile(file, "rb", zstd_dict=_dictionary(file)), _CHUNK))
    return cast("BinaryIO", file)


def _dictionary(file: io.BufferedReader[Any]) -> zstd.ZstdDict | None:
    magic, size = struct.unpack("<II", file.peek(8)[:8].ljust(8, b"\0"))
    if magic != _DICTIONARY or size > _MOST_DICTIONARY:
        return None
    data = file.read(8 + size)[8:]
    if data.startswith(_ZSTD):
        data = zstd.ZstdDecompressor().decompress(data, max_length=_MOST_DICTIONARY)
    return zstd.ZstdDict(data)
