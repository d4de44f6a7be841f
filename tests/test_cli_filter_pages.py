"""`trainer filter` on web pages: every visible block is a paragraph."""

import json
import sys

import pytest
from commands import expected, read, refuse, spawn, succeed

from trainer import pages

PAGE = """<!DOCTYPE html><html><head><title>Ferry</title></head><body><ul><li>Home</li><li>Coast</li></ul>
<h1>Ferry company loses contract</h1><p>The Orla sailed at <b>four</b>, the harbour master said.</p>
<p>Local news needs you. Donate now to keep us going.</p></body></html>"""
BLOCKS = pages.blocks(PAGE)


def record(tiny, name, page=PAGE):
    given = {"id": name, "paragraphs": pages.blocks(page)}
    return tiny.filter(given["paragraphs"]).to_record(given)


@pytest.mark.parametrize("suffix", [".html", ".htm"])
def test_a_page_becomes_the_record_of_its_visible_blocks(cli, folder, tiny, tmp_path, suffix):
    path = tmp_path / f"ferry.12{suffix}"
    path.write_text(PAGE, "utf-8")
    result = succeed(cli("filter", path, "--model", folder, "--out", "-", "--paragraphs"))
    given = json.loads(result.out)
    assert [paragraph["text"] for paragraph in given.pop("paragraphs")] == BLOCKS
    assert given == record(tiny, "ferry.12")
    assert len(BLOCKS) == 5


def test_kept_blocks_go_to_standard_output(cli, folder, tiny, tmp_path):
    path = tmp_path / "ferry.html"
    path.write_text(PAGE, "utf-8")
    assert succeed(cli("filter", path, "--model", folder)).out == tiny.filter(BLOCKS).text + "\n"


def test_a_folder_of_pages_becomes_a_folder_of_texts(cli, folder, tiny, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("b.html", "a.htm", "c.txt"):
        (tmp_path / "in" / name).write_text(PAGE if name != "c.txt" else "\n".join(BLOCKS), "utf-8")
    succeed(cli("filter", tmp_path / "in", "--model", folder, "--out", tmp_path / "out"))
    kept = tiny.filter(BLOCKS).text + "\n"
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == dict.fromkeys(
        ("a.txt", "b.txt", "c.txt"), kept
    )


@pytest.mark.parametrize("head", [b"", b"\xef\xbb\xbf\r\n", b"\n \n"], ids=repr)
def test_a_page_may_come_from_standard_input(folder, tiny, head):
    for page in (PAGE, PAGE.replace("<!DOCTYPE html>", ""), PAGE.lower()):
        result = succeed(spawn("filter", "-", "--model", folder, "--out", "-", stdin=head + page.encode()))
        assert json.loads(result.out) == record(tiny, "stdin", page)


def test_a_text_that_begins_with_a_bracket_is_no_page(folder, tiny):
    text = "<Home> is what the ferry was called\nThe Orla sailed at four."
    result = succeed(spawn("filter", "-", "--model", folder, "--out", "-", stdin=text.encode()))
    assert json.loads(result.out) == expected(tiny, {"id": "stdin", "text": text})


def test_the_encoding_is_the_one_the_page_names(cli, folder, tmp_path):
    path = tmp_path / "lodz.html"
    path.write_bytes('<meta charset="iso-8859-2"><p>Burmistrz powiedział to w Łodzi w poniedziałek.'.encode("iso-8859-2"))
    assert succeed(cli("filter", path, "--model", folder)).out == "Burmistrz powiedział to w Łodzi w poniedziałek.\n"


def test_a_page_that_is_too_large_is_refused_or_passed_over(cli, folder, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "large.html").write_text(PAGE + " " * 2000, "utf-8")
    (tmp_path / "in" / "small.html").write_text(PAGE, "utf-8")
    monkeypatch.setattr(pages, "MAX_PAGE", 1000)
    refuse(cli("filter", tmp_path / "in", "--model", folder), "large.html", "the most is 1,000", "web page?")
    result = succeed(cli("filter", tmp_path / "in", "--model", folder, "--skip-bad", "--out", tmp_path / "out.jsonl"))
    assert "1 bad records skipped" in result.err
    assert "skipped: " in result.err
    assert "large.html: a page of 2," in result.err
    assert [item["id"] for item in read(tmp_path / "out.jsonl")] == ["small"]


def test_without_lxml_the_extra_is_named_and_nothing_written(cli, folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lxml", None)
    (tmp_path / "page.html").write_text(PAGE, "utf-8")
    refuse(
        cli("filter", tmp_path / "page.html", "--model", folder, "--out", tmp_path / "out.jsonl"),
        "lxml",
        "pip install 'paragraph-trainer[html]'",
    )
    assert not (tmp_path / "out.jsonl").exists()
