"""`trainer filter`: where articles come from, and records that are none."""

import json
import re
import sys
from typing import NamedTuple

import pytest
from commands import expected, files, parquet, read, refuse, spawn, succeed
from small import write


def test_filter_of_a_text_file_gives_the_kept_text(cli, folder, tiny, scraped, tmp_path):
    path = tmp_path / "one.two.txt"
    path.write_text(scraped[0]["text"], "utf-8")
    result = succeed(cli("filter", path, "--model", folder))
    assert result.out == tiny.filter(scraped[0]["text"]).text + "\n"
    assert re.match(r"1 article: removed \d+ of \d+ paragraphs", result.err)
    (record,) = map(json.loads, succeed(cli("filter", path, "--model", folder, "--out", "-")).out.splitlines())
    assert record == expected(tiny, {"id": "one.two", "text": scraped[0]["text"]})


def test_filter_removes_something(cli, folder, tiny, source, scraped):
    removed = sum(len(tiny.filter(item["text"]).removed) for item in scraped)
    assert removed >= 10
    result = succeed(cli("filter", source, "--model", folder))
    assert f"{len(scraped)} articles: removed {removed} of" in result.err


@pytest.mark.parametrize("name", ["in.jsonl", "in.jsonl.gz", "in.parquet"])
def test_filter_reads_records_of_every_form(cli, folder, tiny, scraped, tmp_path, name):
    path = tmp_path / name
    parquet(path, scraped) if path.suffix == ".parquet" else write(path, scraped)
    result = succeed(cli("filter", path, "--model", folder, "--out", "-"))
    assert [json.loads(line) for line in result.out.splitlines()] == [expected(tiny, item) for item in scraped]


def test_filter_reads_folders_in_order_and_passes_over_other_files(cli, folder, scraped, tmp_path):
    inside = tmp_path / "in"
    (inside / "deeper").mkdir(parents=True)
    write(inside / "b.jsonl", scraped[1:3])
    write(inside / "c.jsonl.gz", scraped[3:4])
    parquet(inside / "d.parquet", scraped[4:6])
    (inside / "a.txt").write_text(scraped[0]["text"])
    (inside / "readme.md").write_text("# not an article")
    result = succeed(cli("filter", inside, tmp_path / "in" / "b.jsonl", "--model", folder, "--out", "-"))
    assert [json.loads(line)["id"] for line in result.out.splitlines()] == ["a", "n-1", "n-2", "n-3", "n-4", "n-5", "n-1", "n-2"]


@pytest.mark.parametrize("argv", [["-"], []], ids=["dash", "nothing"])
def test_filter_reads_one_text_from_standard_input(folder, tiny, scraped, argv):
    text = scraped[0]["text"]
    result = succeed(spawn("filter", *argv, "--model", folder, stdin=text.encode()))
    assert result.out == tiny.filter(text).text + "\n"


def test_filter_reads_records_from_standard_input(folder, tiny, scraped):
    data = b"\xef\xbb\xbf" + "\r\n\r\n".join(json.dumps(item) for item in scraped[:3]).encode()
    result = succeed(spawn("filter", "-", "--model", folder, "--out", "-", stdin=data))
    assert [json.loads(line) for line in result.out.splitlines()] == [expected(tiny, item) for item in scraped[:3]]


class Stdin(NamedTuple):
    buffer: object


@pytest.fixture
def stdin(monkeypatch, tmp_path):
    """Give bytes to standard input."""

    def give(data):
        path = tmp_path / "stdin"
        path.write_bytes(data)
        monkeypatch.setattr(sys, "stdin", Stdin(opened := path.open("rb")))
        handles.append(opened)

    handles = []
    yield give
    for handle in handles:
        handle.close()


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", b" \r\n\x00\n"])
def test_filter_of_empty_standard_input_gives_an_empty_article(cli, folder, stdin, data):
    stdin(data)
    result = succeed(cli("filter", "-", "--model", folder, "--out", "-"))
    record = json.loads(result.out)
    assert (record["id"], record["text"], record["removed"]) == ("stdin", "", [])
    assert record["filter"]["removed_share"] == 0


def test_offsets_count_from_the_start_of_standard_input(cli, folder, stdin, scraped):
    text = "\n \n" + scraped[0]["text"]
    stdin(text.encode())
    record = json.loads(succeed(cli("filter", "-", "--model", folder, "--out", "-")).out)
    assert record["removed"]
    for item in record["removed"]:
        assert text[item["start"] : item["end"]] == item["text"]


def test_bad_line_of_standard_input_is_counted_from_its_start(cli, folder, stdin):
    stdin(b'\n\n{"id": "a", "text": "x"}\n{bad\n')
    refuse(cli("filter", "-", "--model", folder, "--out", "-"), "-:4: bad JSON")


def test_standard_input_that_is_not_utf8_is_refused(cli, folder, stdin):
    stdin(b"caf\xe9")
    refuse(cli("filter", "-", "--model", folder), "-: is not UTF-8")
    stdin(b'{"text": "caf\xe9"}')
    refuse(cli("filter", "-", "--model", folder), "-:1: is not UTF-8")


# ── bad records


BAD_LINES = [
    *(b"{bad", b"[]", b'"text"', b"7", b"[" * 5000),
    *(b'{"id": "no text"}', b'{"text": 5}', b'{"text": null}', b'{"text": "caf\xe9"}'),
    *(b'{"paragraphs": "x"}', b'{"paragraphs": [1]}', b'{"paragraphs": [{"x": 1}]}'),
]


@pytest.mark.parametrize("line", BAD_LINES, ids=[line[:26].decode("latin-1") for line in BAD_LINES])
def test_bad_record_stops_the_run_and_nothing_is_written(cli, folder, tmp_path, line):
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"id": "a", "text": "x"}\n\n' + line + b'\n{"id": "b", "text": "y"}\n')
    for out in ("out.jsonl", "out.jsonl.gz", "out.parquet", "out"):
        refuse(cli("filter", path, "--model", folder, "--out", tmp_path / out), f"{path}:3: ")
    assert files(tmp_path) == ["in.jsonl"]


def test_skip_bad_reports_bad_records_and_does_the_others(cli, folder, tmp_path):
    path, text = tmp_path / "in.jsonl", tmp_path / "latin.txt"
    path.write_bytes(b"\n".join([b'{"id": "a", "text": "x"}', *BAD_LINES, b'{"id": "b", "text": "y"}']))
    text.write_bytes(b"caf\xe9")
    result = succeed(cli("filter", path, text, "--model", folder, "--out", tmp_path / "out.jsonl", "--skip-bad"))
    assert [record["id"] for record in read(tmp_path / "out.jsonl")] == ["a", "b"]
    reported = [line for line in result.err.splitlines() if line.startswith("skipped: ")]
    assert len(reported) == len(BAD_LINES) + 1
    for number, line in enumerate(reported[:-1], 2):
        assert line.startswith(f"skipped: {path}:{number}: "), line
    assert reported[-1].startswith(f"skipped: {text}: is not UTF-8")
    assert f"{len(BAD_LINES) + 1} bad records skipped" in result.err


def test_bad_parquet_row_is_named(cli, folder, tmp_path):
    path = parquet(tmp_path / "in.parquet", [{"id": "a", "text": "x"}, {"id": "b", "text": None}, {"id": "c", "text": "y"}])
    refuse(cli("filter", path, "--model", folder, "--out", tmp_path / "o.jsonl"), "row 2")
    result = succeed(cli("filter", path, "--model", folder, "--out", "-", "--skip-bad"))
    assert [json.loads(line)["id"] for line in result.out.splitlines()] == ["a", "c"]
    assert "row 2" in result.err


@pytest.mark.parametrize("spoil", ["text", "cut", "middle"])
def test_damaged_files_are_refused_in_one_line(cli, folder, scraped, tmp_path, spoil):
    changes = {
        "text": lambda data: b"plain text",
        "cut": lambda data: data[: len(data) // 2],
        "middle": lambda data: data[:60] + bytes(b ^ 0xFF for b in data[60:400]) + data[400:],
    }
    for path in (write(tmp_path / "x.jsonl.gz", scraped), parquet(tmp_path / "x.parquet", scraped)):
        path.write_bytes(changes[spoil](path.read_bytes()))
        refuse(cli("filter", path, "--model", folder, "--out", tmp_path / "o.jsonl"), path)
        assert not (tmp_path / "o.jsonl").exists()
