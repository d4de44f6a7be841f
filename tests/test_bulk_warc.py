"""WARC and WET files: whole, packed in many ways, damaged and hostile."""

from __future__ import annotations

import gzip
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import brotli
import pytest
from backports import zstd
from small import ROOT
from warc_files import NEWS, conversion, http, packed, page, raw, response, write

from trainer.bulk import warc
from trainer.bulk.inputs import find
from trainer.bulk.options import Options
from trainer.bulk.packing import unpacked
from trainer.bulk.shards import BadRecord, Entry, Skipped, cut

PAGE = page().encode()
BLOCKS = ["Home", "Sports", "Subscribe", *NEWS]


def read(path: Path, **options: Any) -> list[Any]:
    (shard,) = cut(find([str(path)]), 1 << 20)
    return list(warc.read(shard, Options(**options)))


def entries(path: Path, **options: Any) -> list[dict[str, Any]]:
    return [dict(item.record) for item in read(path, **options) if isinstance(item, Entry)]


def reasons(path: Path, **options: Any) -> list[str]:
    return [item.reason for item in read(path, **options) if isinstance(item, BadRecord)]


def skipped(path: Path, **options: Any) -> list[str]:
    return [item.reason for item in read(path, **options) if isinstance(item, Skipped)]


def of(tmp_path: Path, *records: dict[str, Any]) -> Path:
    return write(tmp_path / "a.warc", records)


def of_bytes(tmp_path: Path, data: bytes, name: str = "a.warc") -> Path:
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


def test_a_page_is_a_record_with_id_url_date_and_site(tmp_path):
    given = response("https://www.ledger.example/bridge?a=1", PAGE, warc={"WARC-Record-ID": "<urn:uuid:7>"})
    (found,) = entries(of(tmp_path, given))
    assert found == {
        "paragraphs": BLOCKS,
        "id": "urn:uuid:7",
        "url": "https://www.ledger.example/bridge?a=1",
        "date": "2026-03-01T10:00:00Z",
        "site": "ledger.example",
    }


def test_a_text_of_a_wet_file_is_a_record(tmp_path):
    given = conversion("https://ledger.example/a", "\n".join(NEWS), **{"WARC-Identified-Content-Language": "eng"})
    (found,) = entries(write(tmp_path / "a.warc.wet.gz", [given]))
    assert (found["text"], found["language"], found["site"]) == ("\n".join(NEWS), "eng", "ledger.example")


def with_dictionary(data: bytes, *, dictionary_packed: bool) -> bytes:
    dictionary = zstd.train_dict([data[i : i + 200] for i in range(0, len(data), 200)] * 20, 1000)
    content = dictionary.dict_content
    content = zstd.compress(content) if dictionary_packed else content
    return struct.pack("<II", 0x184D2A5D, len(content)) + content + zstd.compress(data, zstd_dict=dictionary)


PACKINGS = {
    "a.warc": lambda data: data,
    "one-member.warc.gz": gzip.compress,
    "frames.warc.zst": lambda data: zstd.compress(data[:500]) + zstd.compress(data[500:]),
    "dictionary.warc.zst": lambda data: with_dictionary(data, dictionary_packed=False),
    "packed-dictionary.warc.zst": lambda data: with_dictionary(data, dictionary_packed=True),
}


@pytest.mark.parametrize("name", PACKINGS)
def test_however_a_file_is_packed_its_records_are_the_same(tmp_path, name):
    data = packed([response(f"https://a.example/{i}", page(*NEWS, f"Number {i}.").encode()) for i in range(5)])
    found = entries(of_bytes(tmp_path, PACKINGS[name](data), name))
    assert [record["paragraphs"][-1] for record in found] == [f"Number {i}." for i in range(5)]


def test_a_file_with_a_gzip_member_for_each_record_is_read(tmp_path):
    path = write(tmp_path / "a.warc.gz", [response(f"https://a.example/{i}", PAGE) for i in range(5)])
    assert path.read_bytes().count(b"\x1f\x8b\x08") >= 5
    assert [record["url"] for record in entries(path)] == [f"https://a.example/{i}" for i in range(5)]


def chunked(data: bytes, size: int = 100) -> bytes:
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def deflated(data: bytes) -> bytes:
    pack = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return pack.compress(data) + pack.flush()


CONTENTS = {
    "gzip": ([("Content-Encoding", "gzip")], gzip.compress(PAGE)),
    "x-gzip": ([("content-encoding", "X-GZIP")], gzip.compress(PAGE)),
    "deflate": ([("Content-Encoding", "deflate")], zlib.compress(PAGE)),
    "bare deflate": ([("Content-Encoding", "deflate")], deflated(PAGE)),
    "br": ([("Content-Encoding", "br")], brotli.compress(PAGE)),
    "zstd": ([("Content-Encoding", "zstd")], zstd.compress(PAGE)),
    "two": ([("Content-Encoding", "gzip, br")], brotli.compress(gzip.compress(PAGE))),
    "chunked": ([("Transfer-Encoding", "chunked")], chunked(PAGE)),
    "chunked gzip": ([("Transfer-Encoding", "chunked"), ("Content-Encoding", "gzip")], chunked(gzip.compress(PAGE))),
    "unpacked before": ([("Content-Encoding", "gzip")], PAGE),
    "unchunked before": ([("Transfer-Encoding", "chunked")], PAGE),
    "both before": ([("Transfer-Encoding", "chunked"), ("Content-Encoding", "br")], PAGE),
    "wrong length": ([("Content-Length", "7")], PAGE),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_content_is_unpacked_as_its_headers_say(tmp_path, name):
    headers, body = CONTENTS[name]
    path = of(tmp_path, response("https://a.example/", body, headers=headers))
    assert reasons(path) == []
    assert entries(path)[0]["paragraphs"] == BLOCKS


DAMAGED = {
    "gzip cut short": ([("Content-Encoding", "gzip")], gzip.compress(PAGE)[:-20], "has content that is cut short"),
    "br cut short": ([("Content-Encoding", "br")], brotli.compress(PAGE)[:-20], "has content that is cut short"),
    "zstd cut short": ([("Content-Encoding", "zstd")], zstd.compress(PAGE)[:-5], "has content that is cut short"),
    "no gzip": ([("Content-Encoding", "gzip")], b"\x80\x00" * 50, "has content that is not gzip or deflate"),
    "no br": ([("Content-Encoding", "br")], b"\xff" * 50, "has content that is not Brotli"),
    "unknown": ([("Content-Encoding", "compress")], b"\x1f\x9d" * 50, "has content of encoding 'compress'"),
    "chunk cut short": ([("Transfer-Encoding", "chunked")], chunked(PAGE)[:-200], "has damaged headers or chunks"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_content_is_a_bad_record_and_the_next_is_read(tmp_path, name):
    headers, body, reason = DAMAGED[name]
    path = of(tmp_path, response("https://a.example/", body, headers=headers), response("https://b.example/", PAGE))
    assert [said.startswith(reason) for said in reasons(path)] == [True]
    assert [record["url"] for record in entries(path)] == ["https://b.example/"]


WORDS = "Größe – naïve “quoted” 東京"


@pytest.mark.parametrize(
    ("charset", "named"),
    [("utf-8", "header"), ("utf-8", "nowhere"), ("utf-16", "nowhere"), ("utf-16-le", "header"), ("gb18030", "header"),
     ("gb18030", "page"), ("shift_jis", "header"), ("iso-2022-jp", "header"), ("cp1252", "nowhere"), ("cp1252", "wrong")],
)  # fmt: skip
def test_character_sets_are_those_of_the_header_or_the_page(tmp_path, charset, named):
    words = {"cp1252": "Größe – naïve “quoted”", "shift_jis": "東京の新聞", "iso-2022-jp": "東京の新聞"}.get(charset, WORDS)
    head = f'<meta charset="{charset}">' if named == "page" else '<meta charset="cp437">' if named == "header" else ""
    media = {"header": f'text/html; charset="{charset}"', "wrong": "text/html; charset=no-such"}.get(named, "text/html")
    (found,) = entries(of(tmp_path, response("https://a.example/", page(words, head=head).encode(charset), media=media)))
    assert found["paragraphs"][-1] == words


def test_what_is_no_page_is_passed_over_and_counted(tmp_path):
    path = of(
        tmp_path,
        response("https://a.example/pic", b"\xff\xd8\xff", media="image/jpeg"),
        response("https://a.example/gone", PAGE, status="404 Not Found"),
        response("https://a.example/moved", b"", status="301 Moved Permanently"),
        response("https://a.example/cut", PAGE, warc={"WARC-Truncated": "length"}),
        response("https://a.example/empty", b"<html><body><img src=x></body></html>"),
        response("https://a.example/nothing", b"", media=None),
        {"uri": "https://a.example/", "record_type": "metadata", "warc_content_type": "application/warc-fields"},
        response("https://a.example/page", PAGE, media=None),
        response("https://a.example/xhtml", PAGE, media="Application/XHTML+xml"),
    )
    assert skipped(path) == [
        "warcinfo", "not HTML", "status 404", "status 301", "cut short by the crawler", "no text", "not HTML", "metadata",
    ]  # fmt: skip
    assert [record["url"].rpartition("/")[2] for record in entries(path)] == ["page", "xhtml"]
    assert reasons(path) == []


def test_a_page_stored_as_a_resource_is_read(tmp_path):
    block = b"WARC/1.0\r\nWARC-Type: resource\r\nWARC-Target-URI: <https://a.example/>\r\nContent-Type: text/html; charset=cp1252"
    body = page("Größe").encode("cp1252")
    path = of_bytes(tmp_path, block + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body + b"\r\n\r\n")
    (found,) = entries(path)
    assert (found["paragraphs"][-1], found["id"]) == ("Größe", "https://a.example/")


GOOD = raw(http(PAGE))
HOSTILE = {
    "too short a length": (raw(http(PAGE), length=100), "does not end where its Content-Length says"),
    "too long a length": (raw(http(PAGE), length=len(http(PAGE)) + 50), "does not end where its Content-Length says"),
    "length to the next": (raw(http(PAGE), length=len(http(PAGE)) + 300), "does not end where its Content-Length says"),
    "zero length": (raw(http(PAGE), length=0), "does not end where its Content-Length says"),
    "negative length": (raw(http(PAGE), length=-5), "has no valid Content-Length"),
    "no number": (raw(http(PAGE), length="many"), "has no valid Content-Length"),
    "length beyond numbers": (raw(http(PAGE), length="9" * 40), "has no valid Content-Length"),
    "garbage": (b"\x00\xff garbage\r\n" * 500, "is no WARC record"),
    "one endless line": (b"\xfe" * 3_000_000 + b"\r\n", "is no WARC record"),
    "endless headers": (raw(http(PAGE), headers=b"X: y\r\n" * 50_000), "has headers of more than"),
    "an endless header": (raw(http(PAGE), headers=b"X: " + b"y" * 300_000 + b"\r\n"), "has headers of more than"),
    "endless HTTP headers": (raw(http(PAGE, b"X: y\r\n" * 50_000)), "has damaged headers or chunks"),
    "an unknown version": (GOOD.replace(b"WARC/1.0", b"WARC/1.77", 1), "has damaged headers or chunks"),
    "huge page": (raw(http(b"<html><p>" + b"word " * 2_000_000)), "is longer than 1,000,000 bytes (--max-record)"),
    "huge page when unpacked": (
        raw(http(gzip.compress(b"<html><p>" + b"word " * 2_000_000), b"Content-Type: text/html\r\nContent-Encoding: gzip\r\n")),
        "is longer than 1,000,000 bytes (--max-record)",
    ),
    "text that is no UTF-8": (
        raw(b"\xff\xfe\xfd", kind=b"conversion").replace(b"application/http; msgtype=response", b"text/plain"),
        "is not UTF-8",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_record_is_a_bad_record_and_its_neighbours_are_read(tmp_path, name):
    record, reason = HOSTILE[name]
    following = [raw(http(page(f"After {i}.").encode())) for i in range(3)]
    found = read(of_bytes(tmp_path, GOOD + record + b"".join(following)), max_record=1_000_000)
    assert [item.reason.startswith(reason) for item in found if isinstance(item, BadRecord)] == [True], found
    last = [item.record["paragraphs"][-1] for item in found if isinstance(item, Entry)]
    assert last == [NEWS[-1], "After 0.", "After 1.", "After 2."]


HARMLESS = {
    "an empty block": raw(b""),
    "no HTTP": raw(PAGE),
    "half of HTTP": raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html"),
    "no status": raw(http(PAGE).replace(b"200 OK", b"abc")),
    "a huge picture": raw(http(b"\xff" * 3_000_000, b"Content-Type: image/png\r\n")),
    "headers of garbage": raw(http(PAGE), headers=b"\xff\xfe: \x00\r\nno colon\r\n: \r\n", kind=b"x"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_strange_is_passed_over(tmp_path, name):
    path = of_bytes(tmp_path, GOOD + HARMLESS[name] + GOOD)
    assert len(entries(path, max_record=1_000_000)) == 2
    assert len(skipped(path, max_record=1_000_000)) == 1


def test_reasons_are_few_whatever_a_file_says(tmp_path):
    kinds = b"".join(raw(http(PAGE), kind=f"kind{number}".encode()) for number in range(50))
    statuses = b"".join(raw(http(PAGE).replace(b"200 OK", f"{number} OK".encode())) for number in range(600, 1000))
    assert set(skipped(of_bytes(tmp_path, kinds + statuses))) == {"unknown type", "unknown status"}


def test_lines_that_end_without_carriage_return_are_read(tmp_path):
    block = http(PAGE).replace(b"\r\n", b"\n")
    path = of_bytes(tmp_path, raw(block).replace(b"\r\n", b"\n") * 2)
    assert [record["paragraphs"] for record in entries(path)] == [BLOCKS, BLOCKS]


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz", "a.warc.zst"])
def test_a_file_cut_short_anywhere_is_never_taken_for_a_whole_one(tmp_path, name):
    data = packed([response(f"https://a.example/{i}", PAGE) for i in range(3)], gzip=name.endswith(".gz"))
    if name.endswith(".zst"):
        data = zstd.compress(data)
    ends = [at for at in range(len(data)) if data.startswith((b"WARC/1", b"\x1f\x8b\x08\x00"), at)] + [len(data)]
    rng = random.Random(3)
    for size in rng.sample(range(1, len(data)), 150):
        margin = {"a.warc": 4, "a.warc.gz": 0, "a.warc.zst": -1}[name]  # bytes of line ends
        if any(0 <= end - size <= margin for end in ends):
            continue  # what is there is whole
        with pytest.raises((EOFError, OSError, zlib.error)):
            read(of_bytes(tmp_path, data[:size], name))


@pytest.mark.parametrize("name", ["a.warc.gz", "a.warc.zst"])
def test_a_damaged_file_is_an_error(tmp_path, name):
    data = packed([response(f"https://a.example/{i}", PAGE) for i in range(3)])
    data = (
        gzip.compress(data) if name.endswith(".gz") else zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})
    )
    data = data[:100] + bytes([data[100] ^ 255]) + data[101:]
    with pytest.raises((OSError, EOFError, zlib.error, zstd.ZstdError)):
        read(of_bytes(tmp_path, data, name))


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz"])
def test_an_empty_file_has_no_records(tmp_path, name):
    assert read(of_bytes(tmp_path, b"", name)) == []


def test_random_damage_never_does_more_than_lose_records(tmp_path):
    data = packed([response(f"https://a.example/{i}", page(f"Number {i}.").encode()) for i in range(20)])
    rng = random.Random(5)
    for _ in range(200):
        damaged = bytearray(data)
        for _ in range(rng.randint(1, 10)):
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
        try:
            found = read(of_bytes(tmp_path, bytes(damaged)))
        except EOFError:
            continue
        assert sum(isinstance(item, Entry) for item in found) >= 5


MEMORY = """
import resource, sys
from pathlib import Path
from trainer.bulk import warc
from trainer.bulk.inputs import find
from trainer.bulk.options import Options
from trainer.bulk.shards import cut
(shard,) = cut(find([sys.argv[1]]), 1 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = [type(item).__name__ for item in warc.read(shard, Options(max_record=1_000_000))]
print(found, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_stays_bounded_whatever_a_record_unpacks_to(tmp_path):
    bomb = gzip.compress(b"<html><p>" + b"\0" * 400_000_000, 1)
    huge = raw(http(b"<html>" + b"\0" * 400_000_000))
    data = raw(http(bomb, b"Content-Type: text/html\r\nContent-Encoding: gzip\r\n"))
    packed_records = b"".join(gzip.compress(record, 1) for record in (GOOD, data, huge, GOOD))
    path = of_bytes(tmp_path, packed_records, "a.warc.gz")
    env = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", MEMORY, path], capture_output=True, text=True, check=True, env=env)
    found, grown = done.stdout.rsplit(" ", 1)
    assert found == "['Entry', 'BadRecord', 'BadRecord', 'Entry']"
    assert int(grown) < 100, "megabytes"


def test_the_readers_of_packed_files_are_those_of_json_lines(tmp_path):
    with (tmp_path / "a").open("w+b") as file:
        assert unpacked(file, ".jsonl") is file
