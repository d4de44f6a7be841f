"""WARC files as crawlers write them, and as they should not; shared by the tests of bulk inputs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

NEWS = (
    "The council voted on Tuesday to rebuild the old bridge over the river, six years after a flood closed it to traffic.",
    "Work will begin in April and take two years, said Mara Lindqvist, who leads the county's road department.",
    "Opponents called the plan too costly, and asked for a ferry that could run from the same landing next month.",
)


def page(*paragraphs: str, head: str = "") -> str:
    """Return a web page of paragraphs after a menu."""
    body = "".join(f"<p>{text}</p>\n" for text in paragraphs or NEWS)
    menu = "<ul><li>Home</li><li>Sports</li><li>Subscribe</li></ul>"
    return f"<!doctype html><html><head><title>Ledger</title>{head}</head><body>{menu}<div>{body}</div></body></html>"


def response(
    url: str,
    body: bytes,
    *,
    headers: Sequence[tuple[str, str]] = (),
    media: str | None = "text/html; charset=utf-8",
    status: str = "200 OK",
    warc: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return the arguments of `WARCWriter.create_warc_record` for a response."""
    fields = [*([("Content-Type", media)] if media else []), *headers]
    http = StatusAndHeaders(status, fields, protocol="HTTP/1.1")
    given = {"WARC-Date": "2026-03-01T10:00:00Z", **(warc or {})}
    return {"uri": url, "record_type": "response", "payload": io.BytesIO(body), "http_headers": http, "warc_headers_dict": given}


def conversion(url: str, text: str, **warc: str) -> dict[str, Any]:
    """Return the arguments of `WARCWriter.create_warc_record` for a text of a WET file."""
    given = {"WARC-Date": "2026-03-01T10:00:00Z", **warc}
    return {
        "uri": url,
        "record_type": "conversion",
        "payload": io.BytesIO(text.encode()),
        "warc_content_type": "text/plain",
        "warc_headers_dict": given,
    }


def packed(records: Sequence[dict[str, Any]], *, gzip: bool = False) -> bytes:
    """Return a WARC file that begins with a `warcinfo` record, written by warcio."""
    file = io.BytesIO()
    writer = WARCWriter(file, gzip=gzip)
    writer.write_record(writer.create_warcinfo_record("test.warc", {"software": "test"}))
    for record in records:
        length = len(record["payload"].getvalue()) if "payload" in record else None
        record["payload"].seek(0) if length is not None else None
        writer.write_record(writer.create_warc_record(**record, length=length))
    return file.getvalue()


def write(path: Path, records: Sequence[dict[str, Any]]) -> Path:
    """Write a WARC file, packed by gzip where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed(records, gzip=path.name.endswith(".gz")))
    return path


def raw(block: bytes, *, length: int | str | None = None, headers: bytes = b"", kind: bytes = b"response") -> bytes:
    """Return a record byte by byte, with a Content-Length of one's own."""
    size = len(block) if length is None else length
    return (
        b"WARC/1.0\r\nWARC-Type: " + kind + b"\r\nWARC-Target-URI: https://raw.example/\r\nWARC-Date: 2026-03-01T10:00:00Z\r\n"
        b"Content-Type: application/http; msgtype=response\r\n" + headers + f"Content-Length: {size}\r\n\r\n".encode()
        + block + b"\r\n\r\n"
    )  # fmt: skip


def http(body: bytes, headers: bytes = b"Content-Type: text/html\r\n") -> bytes:
    """Return an HTTP response byte by byte."""
    return b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n" + body
