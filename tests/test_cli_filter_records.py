"""`trainer filter`: what is in a record."""

import json

import pytest
from commands import read, refuse, succeed
from small import write

UNKNOWN = {
    "url": "https://x.example",
    "tags": ["a", {"b": None}],
    "score": 0.1,
    "n": 10**30,
    "ünï": "☃\u2028",
    "empty": {},
    "site": "s",
}


def test_unknown_fields_pass_through_untouched(cli, folder, scraped, tmp_path):
    item = {**UNKNOWN, **scraped[0]}
    path = write(tmp_path / "in.jsonl", [item])
    succeed(cli("filter", path, "--model", folder, "--out", tmp_path / "out.jsonl"))
    (record,) = read(tmp_path / "out.jsonl")
    assert {key: record[key] for key in item if key != "text"} == {key: value for key, value in item.items() if key != "text"}


def test_record_has_the_fields_of_the_contract(cli, folder, tiny, source, scraped):
    result = succeed(cli("filter", source, "--model", folder, "--out", "-"))
    for item, line in zip(scraped, result.out.splitlines(), strict=True):
        record = json.loads(line)
        assert list(record) == ["id", "url", "text", "removed", "filter"]
        assert set(record["filter"]) == {"model", "model_digest", "kept", "removed", "removed_share", "flags"}
        assert (record["filter"]["model"], record["filter"]["model_digest"]) == ("tiny", tiny.digest)
        assert record["filter"]["removed"] == len(record["removed"])
        assert isinstance(record["filter"]["flags"], list)
        for removed in record["removed"]:
            assert set(removed) == {"index", "start", "end", "text", "label", "probability"}
            assert item["text"][removed["start"] : removed["end"]] == removed["text"]
            assert removed["label"] in tiny.labels.names
            assert 0 <= removed["probability"] <= 1
        lines = item["text"].split("\n")
        gone = {removed["index"] for removed in record["removed"]}
        assert record["text"].split("\n") == [line for i, line in enumerate(lines) if i not in gone]
        assert record["filter"]["removed_share"] == pytest.approx(
            sum(len(lines[i]) for i in gone) / sum(map(len, lines)), abs=1e-5
        )


def test_paragraphs_lists_all_of_them(cli, folder, source, scraped):
    result = succeed(cli("filter", source, "--model", folder, "--out", "-", "--paragraphs"))
    for item, line in zip(scraped, result.out.splitlines(), strict=True):
        record = json.loads(line)
        assert set(record) == {"id", "url", "text", "removed", "paragraphs", "filter"}
        assert all(set(p) == {"index", "text", "label", "probability", "keep"} for p in record["paragraphs"])
        assert [p["text"] for p in record["paragraphs"]] == item["text"].split("\n")
        assert [p["index"] for p in record["paragraphs"]] == list(range(len(record["paragraphs"])))
        assert [p["index"] for p in record["paragraphs"] if not p["keep"]] == [r["index"] for r in record["removed"]]
        assert record["text"] == "\n".join(p["text"] for p in record["paragraphs"] if p["keep"])


def test_callers_own_split_is_kept(cli, folder, tiny, scraped, tmp_path):
    parts = scraped[0]["text"].split("\n")
    glued = [parts[0] + "\n" + parts[1], *parts[2:]]
    items = [{"id": "a", "paragraphs": glued}, {"id": "b", "paragraphs": [{"text": part, "tag": "p"} for part in glued]}]
    result = succeed(cli("filter", write(tmp_path / "in.jsonl", items), "--model", folder, "--out", "-"))
    for line in result.out.splitlines():
        record = json.loads(line)
        assert record["text"] == tiny.filter(glued).text
        assert "paragraphs" not in record
    assert "b" in result.out


def test_output_can_be_filtered_again(cli, folder, source, tmp_path):
    succeed(cli("filter", source, "--model", folder, "--out", tmp_path / "one.jsonl", "--paragraphs"))
    succeed(cli("filter", tmp_path / "one.jsonl", "--model", folder, "--out", tmp_path / "two.jsonl", "--paragraphs"))
    assert read(tmp_path / "one.jsonl") == read(tmp_path / "two.jsonl")


def test_texts_with_lone_surrogates_are_written(cli, folder, tmp_path):
    item = {"id": "a", "text": "Broken \ud83d text.\nAnother line."}
    path = write(tmp_path / "in.jsonl", [item])
    assert json.loads(succeed(cli("filter", path, "--model", folder, "--out", "-")).out)["text"] == item["text"]
    for out in ("out.jsonl", "texts"):
        succeed(cli("filter", path, "--model", folder, "--out", tmp_path / out))
    assert read(tmp_path / "out.jsonl")[0]["text"] == item["text"]
    succeed(cli("filter", path, "--model", folder, "--diff"))


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (b"", ""),
        (b"\n\n", ""),
        (b"\xef\xbb\xbfThe mayor said so.\n", "The mayor said so."),
        (b"The mayor said so.\r\n\r\nShe left.\r\n", "The mayor said so.\nShe left."),
        (b"\xef\xbb\xbf\r\n", ""),
        (b"The mayor said so.", "The mayor said so."),
    ],
    ids=["empty", "blank", "mark", "crlf", "mark alone", "no end"],
)
def test_text_files_of_every_kind_of_line(cli, folder, tmp_path, data, kept):
    path = tmp_path / "x.txt"
    path.write_bytes(data)
    share = ("--max-removed-share", "0")
    assert succeed(cli("filter", path, "--model", folder, *share)).out == kept + "\n"
    succeed(cli("filter", path, "--model", folder, "--out", tmp_path / "out", *share))
    assert (tmp_path / "out" / "x.txt").read_text() == (kept + "\n" if kept else "")


def test_empty_record_file_gives_an_empty_output(cli, folder, tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\xef\xbb\xbf\n\n")
    assert "0 articles: removed 0 of 0" in succeed(cli("filter", path, "--model", folder, "--out", tmp_path / "o.jsonl")).err
    assert (tmp_path / "o.jsonl").read_bytes() == b""


def test_deeply_nested_fields_pass_or_are_refused_in_one_line(cli, folder, tmp_path):
    path = tmp_path / "x.jsonl"
    for depth in (300, 900, 960, 1000, 5000):
        path.write_text('{"id": "a", "text": "x", "deep": ' + "[" * depth + "]" * depth + "}\n")
        result = cli("filter", path, "--model", folder, "--out", "-")
        assert result.code == 0 or refuse(result, f"{path}:1")
