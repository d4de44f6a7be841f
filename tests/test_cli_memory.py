"""`trainer filter --memory` and `--queue`, `trainer memory`, `trainer labels prelabel`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import files, read, refuse, spawn, succeed
from simulated_site import BUSY, simulate
from small import write
from test_readme import blocks
from test_recall import HOUSE, TEASER, article

import trainer
from trainer import queue_folder
from trainer.dataset import load_labels
from trainer.memory import SiteMemory
from trainer.schema import NEWS_LABELS

SITE = "lundbay.example"


def scraped(count: int, *more: str, first: int = 0) -> list[dict[str, str]]:
    return [
        {"id": f"a-{n}", "url": f"https://www.{SITE}/{n}", "text": "\n".join(article(n, *more))}
        for n in range(first, first + count)
    ]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "in.jsonl", scraped(20, HOUSE))


def test_records_say_what_was_repeated(cli, source, tmp_path):
    result = succeed(cli("filter", source, "--memory", tmp_path / "m.sqlite", "--out", tmp_path / "out.jsonl"))
    with SiteMemory(tmp_path / "other.sqlite") as memory:
        given = [json.loads(line) for line in source.read_text("utf-8").splitlines()]
        made = trainer.load().filter_many([item["text"] for item in given], site=SITE, memory=memory)
        assert read(tmp_path / "out.jsonl") == [one.to_record(item) for one, item in zip(made, given, strict=True)]
    assert [r["reason"] for record in read(tmp_path / "out.jsonl") for r in record["removed"]] == ["repeated"] * 15
    assert "15 repeated by their site" in result.err


def test_a_later_run_knows_what_an_earlier_one_saw(cli, source, tmp_path):
    succeed(cli("filter", source, "--memory", tmp_path / "m.sqlite"))
    later = write(tmp_path / "later.jsonl", scraped(1, HOUSE, first=50))
    assert HOUSE not in succeed(cli("filter", later, "--memory", tmp_path / "m.sqlite")).out
    assert HOUSE in succeed(cli("filter", later)).out
    shown = succeed(cli("filter", later, "--memory", tmp_path / "m.sqlite", "--diff")).out
    assert "repeated] The paper was founded" in shown


def test_the_site_is_the_records_or_its_urls_host_or_the_one_given(cli, tmp_path):
    items = [
        {"site": "one.example", "url": "https://two.example/x"},
        {"url": "http://WWW.two.example:8080/x"},
        {},
        {"url": "http://[x"},
    ]
    path = write(tmp_path / "in.jsonl", [{"id": str(n), **item, "text": "\n".join(article(n))} for n, item in enumerate(items)])
    refusal = cli("filter", path, "--memory", tmp_path / "m.sqlite")
    assert "in.jsonl:3: has neither site nor url" in refuse(refusal, "--site", started=True)
    skipped = succeed(cli("filter", path, "--memory", tmp_path / "m.sqlite", "--skip-bad"))
    assert "2 bad records skipped" in skipped.err
    succeed(cli("filter", path, "--memory", tmp_path / "n.sqlite", "--site", "three.example"))
    with SiteMemory(tmp_path / "n.sqlite") as memory:
        assert {site.site: site.articles for site in memory.sites()} == {"one.example": 1, "two.example": 1, "three.example": 2}


def test_texts_and_standard_input_take_the_site_given(tmp_path):
    text = "\n".join(article(1)).encode()
    result = spawn("filter", "-", "--memory", tmp_path / "m.sqlite", "--site", SITE, stdin=text)
    assert succeed(result).out.encode() == text + b"\n"
    with SiteMemory(tmp_path / "m.sqlite") as memory:
        assert [site.articles for site in memory.sites()] == [1]


@pytest.mark.parametrize("more", [["--queue", "q"], ["--site", SITE]])
def test_what_needs_a_memory_says_so(cli, source, more, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse(cli("filter", source, *more), "--memory")
    assert files(tmp_path) == ["in.jsonl"]


def test_a_file_that_is_no_memory_is_refused(cli, source, tmp_path):
    bad = tmp_path / "notes.txt"
    bad.write_text("Notes. " * 1000)
    refuse(cli("filter", source, "--memory", bad), "notes.txt", "not a database")
    refuse(cli("memory", bad), "notes.txt", "not a database")
    refuse(cli("memory", tmp_path / "absent"), "no such site memory")


# ── the queue


@pytest.fixture(scope="module")
def redesigned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the articles of a site whose layout changes after 80 of them."""
    pages = simulate(SITE, 120, 5, changes_at=80, new=BUSY)
    items = [{"id": str(n), "site": SITE, "text": "\n".join(page.paragraphs), "n": n} for n, page in enumerate(pages)]
    return write(tmp_path_factory.mktemp("redesign") / "in.jsonl", items)


def queued(cli, source: Path, folder: Path, memory: str = "m.sqlite") -> tuple[list[dict], str]:
    """Filter into a queue; return the flagged records of the output and what was said."""
    out = folder.parent / f"{memory}.jsonl"
    said = succeed(cli("filter", source, "--memory", folder.parent / memory, "--queue", folder, "--out", out)).err
    return [record for record in read(out) if "drift" in record["filter"]["flags"]], said


def test_articles_of_a_changed_layout_wait_to_be_labelled(cli, redesigned, tmp_path):
    flagged, said = queued(cli, redesigned, tmp_path / "queue")
    assert 80 <= flagged[0]["n"] < 110
    assert files(tmp_path / "queue") == [f"{SITE}.jsonl"]
    given = {item["id"]: item for item in map(json.loads, redesigned.read_text("utf-8").splitlines())}
    waiting = read(tmp_path / "queue" / f"{SITE}.jsonl")
    assert [item["id"] for item in waiting] == [record["id"] for record in flagged]
    for item in waiting:
        assert item.pop("review").startswith("drift: ")
        assert item == given[item["id"]]
    assert f"{len(flagged)} articles to label in {tmp_path / 'queue'}" in said


def test_a_queue_is_added_to_and_never_without_end(cli, redesigned, tmp_path, monkeypatch):
    first, _ = queued(cli, redesigned, tmp_path / "queue")
    before = (tmp_path / "queue" / f"{SITE}.jsonl").read_bytes()
    monkeypatch.setattr(queue_folder, "MOST", len(first) + 5)
    second, said = queued(cli, redesigned, tmp_path / "queue", "other.sqlite")
    after = (tmp_path / "queue" / f"{SITE}.jsonl").read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == len(first) + 5
    assert f"{len(second) - 5} left out" in said


def test_names_of_sites_stay_within_the_queue(tmp_path):
    queue = queue_folder.QueueFolder(tmp_path / "queue")
    for site in ("../../etc/passwd", "/absolute", "..", "ünï.example", "a" * 500, "x.txt"):
        queue.add(site, {"id": "1", "text": "\ud800"}, "drift")
    assert files(tmp_path) == sorted(["queue", *(f"queue/{name}" for name in files(tmp_path / "queue"))])
    assert len(files(tmp_path / "queue")) == 6
    assert [read(path)[0]["site"] for path in (tmp_path / "queue").glob("x*.jsonl")] == ["x.txt"]


def test_a_queue_that_cannot_be_made_is_refused(cli, source, tmp_path):
    (tmp_path / "file").write_text("")
    refuse(
        cli("filter", source, "--memory", tmp_path / "m.sqlite", "--queue", tmp_path / "file" / "q"),
        "another folder",
        started=True,
    )


# ── the other commands


def test_a_memory_is_shown(cli, source, tmp_path):
    succeed(cli("filter", source, "--memory", tmp_path / "m.sqlite"))
    found = json.loads(succeed(cli("memory", tmp_path / "m.sqlite", "--json")).out)
    assert found["sites"] == [{"site": SITE, "articles": 20, "paragraphs": found["paragraphs"], "removed_share": None}]
    assert found["bytes"] == (tmp_path / "m.sqlite").stat().st_size
    shown = succeed(cli("memory", tmp_path / "m.sqlite")).out
    assert SITE in shown
    assert f"{found['paragraphs']} paragraphs" in shown
    assert HOUSE.encode() not in (tmp_path / "m.sqlite").read_bytes()


def test_articles_get_first_labels(cli, tmp_path):
    path = write(tmp_path / "in.jsonl", scraped(30, HOUSE, "Share"))
    done = succeed(
        cli("labels", "prelabel", path, "--memory", tmp_path / "m.sqlite", "--out", tmp_path / "first.jsonl", "--json")
    )
    made = read(tmp_path / "first.jsonl")
    for record, given in zip(made, scraped(30, HOUSE, "Share"), strict=True):
        assert "\n".join(part["text"] for part in record["paragraphs"]) == given["text"]
        assert (record["id"], record["url"], record["site"]) == (given["id"], given["url"], SITE)
        labels = {part["text"]: part["label"] for part in record["paragraphs"]}
        assert (labels.pop(HOUSE), labels.pop("Share"), set(labels.values())) == ("navigation", "navigation", {"news"})
    assert json.loads(done.out) == {"articles": 30, "paragraphs": 210, "labels": {"news": 150, "navigation": 60}}
    assert len(load_labels([tmp_path / "first.jsonl"], NEWS_LABELS, adapting=True).articles) == 30
    refuse(cli("labels", "prelabel", path, "--memory", tmp_path / "m.sqlite", "--out", tmp_path / "first.jsonl"), "--force")


def test_what_cannot_be_prelabelled_is_refused(cli, tmp_path):
    path = write(tmp_path / "in.jsonl", [{"id": "1", "text": TEASER}])
    to = ("--memory", tmp_path / "m.sqlite", "--out")
    refuse(cli("labels", "prelabel", "-", *to, tmp_path / "o.jsonl"), "standard input")
    refuse(cli("labels", "prelabel", path, *to, tmp_path / "o.txt"), "o.txt")
    refuse(cli("labels", "prelabel", path, *to, tmp_path / "o.jsonl"), "in.jsonl:1", "--site")
    assert not (tmp_path / "o.jsonl").exists()


def test_the_code_of_the_document_does_what_it_says(tmp_path):
    (code,) = blocks("python", "docs/memory.md")
    done = spawn(cwd=tmp_path, start=("-W", "error", "-c", code))
    assert succeed(done).out.strip() == code.partition("#")[2].strip()


def test_the_commands_of_the_document_run(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "today.jsonl", scraped(10, HOUSE))
    (commands,) = blocks("bash", "docs/memory.md")
    for command in commands.splitlines():
        program, *arguments = command.split()
        assert program == "trainer"
        succeed(cli(*arguments))
    assert {"clean.jsonl", "first.jsonl", "sites.sqlite", "to-label"} <= set(files(tmp_path))
