"""WARC files of crawlers, plain, gzip or zstd: web pages, and the texts of WET files; needs FastWARC (the extra `warc`).

A file is one shard: it cannot be cut without reading it. Whatever is no web page is passed over and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from trainer.bulk import extractors, storage
from trainer.bulk.extractors import EXTRACTORS
from trainer.bulk.frames import Frame, frames
from trainer.bulk.options import Options
from trainer.bulk.packing import unpacked
from trainer.bulk.payloads import PayloadError, content_of, looks_like_page
from trainer.bulk.shards import BadRecord, Entry, File, Read, Shard, Skipped, Span, unchanged
from trainer.errors import InputError, TrainerError
from trainer.records import host_of

_PAGES = ("text/html", "application/xhtml+xml")
_PAGE = re.compile(rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_OTHERS = ("warcinfo", "request", "metadata", "revisit", "continuation")
_TEXT = ("conversion", "text/plain")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_HTTP_HEADERS = 1 << 16  # bytes
_MARGIN = 1 << 18  # bytes of headers and chunk sizes that a page may have around it


def check(kind: str, options: Options) -> None:
    """Refuse WARC files without FastWARC, and web pages without what reads them.

    Raises:
        TrainerError: it is not installed.
    """
    if find_spec("fastwarc") is None:
        hint = "Install it: pip install 'paragraph-trainer[warc]'"
        raise TrainerError("reading WARC files needs FastWARC, which is not installed", hint=hint)
    if ".wet" not in kind:
        extractors.check(options.extractor)


def spans(file: File, _: int) -> list[Span]:
    """Return the whole file."""
    return [Span(0, file.size, file.size)]


def read(shard: Shard, options: Options) -> Iterator[Read]:
    """Yield the pages and texts of the file, numbered as its records.

    Raises:
        ShardError: the file has changed since the run was planned. OSError, EOFError: it cannot be read, or is cut short.
    """
    place = unchanged(shard.file)
    with storage.open_input(place) as raw, unpacked(raw, shard.kind) as file:
        for number, frame in enumerate(frames(file, options.max_record + _MARGIN), 1):
            try:
                if isinstance(frame, str):
                    raise PayloadError(frame)
                found = _record(frame, options)
            except (PayloadError, InputError) as error:
                yield BadRecord(place, number, error.cause if isinstance(error, InputError) else str(error))
            else:
                yield Skipped(found) if isinstance(found, str) else Entry(place, number, found)


def _record(frame: Frame, options: Options) -> dict[str, Any] | str:
    """Return the page or text of a record, or why it has none.

    Raises:
        PayloadError: it is damaged, or too large. InputError: the extractor refuses it.
    """
    record, content = _parsed(frame)
    kind = str(record.headers.get("WARC-Type") or "").lower()
    if kind not in ("response", "resource", "conversion"):
        return kind if kind in _OTHERS else "unknown type"
    if record.headers.get("WARC-Truncated"):
        return "cut short by the crawler"
    named = record.headers.get("Content-Type") or ""
    encodings = ""
    if kind == "response":
        headers = record.http_headers
        if headers is None:
            return "not HTTP"
        if headers.status_code != 200:
            return f"status {headers.status_code}" if headers.status_code in range(100, 600) else "unknown status"
        named, encodings = headers.get("Content-Type") or "", headers.get("Content-Encoding") or ""
    media, _, parameters = (named or record.headers.get("WARC-Identified-Payload-Type") or "").partition(";")
    media = media.strip().lower()
    if media and media not in _PAGES and (kind, media) != _TEXT:
        return "not HTML"
    if frame.length > len(frame.block):
        raise PayloadError(f"is longer than {options.max_record:,} bytes (--max-record)")
    content = content_of(content, encodings, options.max_record)
    if not media and not _PAGE.match(content[:1000]):
        return "not HTML"
    if (kind, media) == _TEXT:
        fields: dict[str, Any] = {"text": _text(content)}
    else:
        charset = _CHARSET.search(parameters)
        fields = EXTRACTORS[options.extractor](content, charset.group(1) if charset else "")
    origin = _origin(record)
    return {**origin, **{name: fields[name] for name in fields if name not in origin}} if any(fields.values()) else "no text"


def _parsed(frame: Frame) -> tuple[Any, bytes]:
    """Return FastWARC's record and its content, the chunks of HTTP put together.

    Raises:
        PayloadError: these or the headers are damaged.
    """
    from fastwarc.warc import WarcRecord

    block = _http_with_crlf(frame.block)
    reason = ""
    for chunks in ("transfer", "none"):
        try:
            record = WarcRecord.from_bytes(_with_crlf(frame.headers) + block)
            if not block.startswith(b"HTTP/"):
                return record, block
            record.is_http = True
            record.parse_http(auto_decode=chunks, max_header_len=_HTTP_HEADERS)
            content = record.reader.read()
        except OSError as error:
            reason = str(error)
        else:  # many who store responses put the chunks together, and leave the header
            if chunks == "transfer" or looks_like_page(content):
                return record, content
    raise PayloadError(f"has damaged headers or chunks ({reason[:80]})")


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PayloadError(f"is not UTF-8 (byte {error.start} of its text)") from None


def _origin(record: Any) -> dict[str, str]:
    """Return where a page is from: id, URL, date, site."""
    url = _bare(record.headers.get("WARC-Target-URI"))
    found = {
        "id": _bare(record.headers.get("WARC-Record-ID")) or url,
        "url": url,
        "date": record.headers.get("WARC-Date"),
        "site": host_of(url),
        "language": record.headers.get("WARC-Identified-Content-Language"),
    }
    return {name: value for name, value in found.items() if value}


def _bare(value: str | None) -> str:
    return (value or "").strip().removeprefix("<").removesuffix(">")


def _with_crlf(headers: bytes) -> bytes:
    return headers.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _http_with_crlf(block: bytes) -> bytes:
    """Return a block whose HTTP headers end their lines as they must."""
    if not block.startswith(b"HTTP/") or block[: block.find(b"\n") + 1].endswith(b"\r\n"):
        return block
    headers, blank, content = block.partition(b"\n\n")
    return _with_crlf(headers + blank) + content
