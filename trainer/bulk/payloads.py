"""The content of an HTTP response, unpacked as its headers say; never more than asked for."""

from __future__ import annotations

import re
import sys
import zlib

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_HTML = re.compile(rb"\s*<[!a-zA-Z?]")


class PayloadError(ValueError):
    """Content that cannot be unpacked, or is too large; says which."""


def content_of(content: bytes, encodings: str, most: int) -> bytes:
    """Return the content without what `Content-Encoding` lists; content that is plainly a web page is one already.

    Args:
        encodings: the value of the header. most: bytes.

    Raises:
        PayloadError: it is damaged, cut short, of an unknown encoding, or larger than `most`.
    """
    for name in reversed([part.strip().lower() for part in encodings.split(",")]):
        if looks_like_page(content):  # many who store responses unpack them, and leave the header
            break
        if name in ("gzip", "x-gzip", "deflate"):
            content = _zlib(content, most)
        elif name == "br":
            content = _brotli(content, most)
        elif name == "zstd":
            content = _zstd(content, most)
        elif name not in ("", "identity", "none", "utf-8"):
            raise PayloadError(f"has content of encoding {name[:40]!r}, which is not known")
    if len(content) > most:
        raise PayloadError(f"is longer than {most:,} bytes (--max-record)")
    return content


def looks_like_page(content: bytes) -> bool:
    """Return whether it begins as HTML does."""
    return bool(_HTML.match(content[:100]))


def _zlib(content: bytes, most: int) -> bytes:
    for window in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):  # gzip or zlib by its header; deflate without one
        unpack = zlib.decompressobj(window)
        try:
            found = unpack.decompress(content, most + 1)
        except zlib.error:
            continue
        return _checked(found, unpack.eof, most)
    raise PayloadError("has content that is not gzip or deflate, as its header says")


def _brotli(content: bytes, most: int) -> bytes:
    import brotli

    unpack = brotli.Decompressor()
    try:
        found = [unpack.process(content, output_buffer_limit=most + 1)]
        while len(found[-1]) and sum(map(len, found)) <= most and not unpack.is_finished():
            found.append(unpack.process(b"", output_buffer_limit=most + 1))
    except brotli.error:
        raise PayloadError("has content that is not Brotli, as its header says") from None
    return _checked(b"".join(found), unpack.is_finished(), most)


def _zstd(content: bytes, most: int) -> bytes:
    unpack = zstd.ZstdDecompressor()
    try:
        found = unpack.decompress(content, max_length=most + 1)
    except zstd.ZstdError:
        raise PayloadError("has content that is not zstd, as its header says") from None
    return _checked(found, unpack.eof, most)


def _checked(found: bytes, complete: bool, most: int) -> bytes:
    if not complete and len(found) <= most:
        raise PayloadError("has content that is cut short")
    return found
