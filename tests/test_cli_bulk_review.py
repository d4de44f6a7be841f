"""`trainer bulk --sample --html`: a look before the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import files, parquet, refuse, spawn, succeed
from small import write
from test_review import shown

import trainer


@pytest.fixture
def scraped(label_lines: list[str]) -> list[dict[str, str]]:
    found = [json.loads(line) for line in label_lines[60:80]]
    return [
        {
            "id": record["id"],
            "url": f"https://www.{record['site']}/{record['id']}",
            "title": record.get("title") or record["id"],
            "text": "\n".join(paragraph["text"] for paragraph in record["paragraphs"]),
        }
        for record in found
    ]


def articles(page: Path) -> list[dict]:
    return [{key: value for key, value in article.items() if key != "where"} for article in shown(page)["articles"]]


def test_all_formats_give_the_same_articles(cli, scraped, tmp_path):
    sources = [write(tmp_path / "a.jsonl", scraped), write(tmp_path / "a.jsonl.gz", scraped)]
    sources.append(parquet(tmp_path / "a.parquet", scraped))
    pages = []
    for source in sources:
        pages.append(tmp_path / f"{source.name}.html")
        result = succeed(cli("bulk", source, "--sample", 7, "--html", pages[-1]))
        assert f"wrote {pages[-1]}: 7 of 20 articles, " in result.err
    first, *others = map(articles, pages)
    assert [other == first for other in others] == [True, True]
    model = trainer.load()
    by_id = {record["id"]: record for record in scraped}
    for article in first:
        record = by_id[article["id"]]
        result = model.filter(record["text"])
        assert [(text, bool(keep)) for text, _, _, keep in article["paragraphs"]] == [
            (paragraph.text, keep) for paragraph, keep in zip(result.paragraphs, result.keep, strict=True)
        ]
        assert (article["title"], article["source"]) == (record["title"], record["url"])


def test_the_seed_draws_others_and_the_place_is_told(cli, scraped, tmp_path):
    source = write(tmp_path / "in.jsonl", scraped)
    drawn = []
    for name, *seed in (("a",), ("b", "--seed", 0), ("c", "--seed", 1)):
        succeed(cli("bulk", source, "--sample", 5, "--html", tmp_path / f"{name}.html", *seed))
        drawn.append(shown(tmp_path / f"{name}.html")["articles"])
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(scraped[int(a["where"].rpartition(":")[2]) - 1]["id"] == a["id"] for a in drawn[0])


def test_more_than_there_are(cli, scraped, tmp_path):
    result = succeed(cli("bulk", write(tmp_path / "in.jsonl", scraped), "--sample", 500, "--html", tmp_path / "r.html", "--json"))
    assert "fewer than 500 articles: the page has all 20" in result.err
    report = json.loads(result.out)
    assert (report["articles"], report["total"], report["bad"]) == (20, 20, [])
    assert report["removed"] == sum(not keep for a in articles(tmp_path / "r.html") for *_, keep in a["paragraphs"])


def test_nothing_but_the_page_is_written(cli, scraped, tmp_path):
    source = write(tmp_path / "in.jsonl", scraped)
    result = succeed(cli("bulk", source, "--out", tmp_path / "out", "--html", tmp_path / "r.html"))
    assert files(tmp_path) == ["in.jsonl", "r.html"]
    assert f"nothing was filtered into {tmp_path / 'out'}" in result.err


def test_bad_records_and_damaged_files_are_told_and_passed_over(cli, scraped, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    bad = [json.dumps(scraped[0]), "{", json.dumps({"id": 1}), json.dumps([1]), json.dumps(scraped[1])]
    (folder / "a.jsonl").write_text("\n".join(bad), "utf-8")
    packed = write(folder / "b.jsonl.gz", scraped).read_bytes()
    (folder / "b.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    write(folder / "c.jsonl", scraped[2:4])
    result = cli("bulk", folder, "--html", tmp_path / "r.html")
    assert result.code == 1
    assert "passed over 3 bad records; the first: " in result.err
    assert "a.jsonl:2: bad JSON" in result.err
    assert "not read, or not to the end: " in result.err
    assert {scraped[i]["id"] for i in (0, 1, 2, 3)} <= {article["id"] for article in articles(tmp_path / "r.html")}
    refuse(cli("bulk", folder, "--html", tmp_path / "s.html", "--max-errors", 1), "more than 1 bad records", "--max-errors")
    assert not (tmp_path / "s.html").exists()


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--sample", "5"], ["--html review.html"]),
        (["--sample", "0", "--html", "r.html"], ["greater than or equal to 1", "--help"]),
        (["--html", "r.jsonl"], ["r.jsonl", ".html"]),
        (["--html", "there.html"], ["there.html", "--force"]),
        (["--html", "-", "--json"], ["standard output"]),
        ([], ["--out", "--html"]),
    ],
)
def test_what_cannot_be_is_refused(cli, scraped, tmp_path, monkeypatch, options, parts):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in.jsonl", scraped)
    (tmp_path / "there.html").write_text("mine", "utf-8")
    refuse(cli("bulk", "in.jsonl", *options), *parts)
    assert files(tmp_path) == ["in.jsonl", "there.html"]
    assert (tmp_path / "there.html").read_text("utf-8") == "mine"


def test_no_articles_give_no_page(cli, tmp_path):
    refuse(cli("bulk", write(tmp_path / "in.jsonl", []), "--html", tmp_path / "r.html"), "no articles")
    assert files(tmp_path) == ["in.jsonl"]


def test_the_page_goes_to_standard_output(scraped, tmp_path):
    source = write(tmp_path / "in.jsonl", scraped)
    succeed(spawn("bulk", source, "--sample", 5, "--html", tmp_path / "r.html"))
    printed = succeed(spawn("bulk", source, "--sample", 5, "--html", "-"))
    assert printed.out == (tmp_path / "r.html").read_text("utf-8")
