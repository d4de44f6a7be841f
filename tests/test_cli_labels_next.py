"""`trainer labels next`: what it writes, says and refuses."""

from __future__ import annotations

import json

import pytest
from commands import read, refuse, spawn, succeed
from labelling import predicted, project_name, tasks_of, use
from small import records, write


@pytest.fixture
def pool(tmp_path):
    """A pool of thirty articles of twelve sites without labels, as a scraper leaves them."""
    items = [
        {
            "id": f"n{i}",
            "url": f"https://www.site{i % 12:02}.example/{i}",
            "extra": i,
            "paragraphs": [p["text"] for p in r["paragraphs"]],
        }
        for i, r in enumerate(records(54)[24:])
    ]
    return write(tmp_path / "pool.jsonl", items)


@pytest.fixture
def following(cli, folder, tmp_path, monkeypatch):
    """Return a function that runs the command in a folder without labels."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: cli("labels", "next", *arguments, "--model", folder)


def test_a_batch_is_written_with_reasons(following, pool, tmp_path):
    result = succeed(following(pool, "-n", "10", "--out", "batch.jsonl"))
    batch = read(tmp_path / "batch.jsonl")
    source = {record["id"]: record for record in read(pool)}
    assert len({record["id"] for record in batch}) == 10
    for record in batch:
        why = record.pop("selection")
        assert why["strategy"] == "mixed"
        assert why["reason"]
        assert isinstance(why["score"], float)
        site = record.pop("site")
        assert site == record["url"].split("/")[2].removeprefix("www.")
        assert record.pop("source").startswith(str(pool))
        assert record == source[record["id"]]
    assert "picked 10 of 30 articles" in result.err
    assert "2 at random" in result.err


def test_the_random_share_comes_first_and_is_marked(following, pool, tmp_path):
    succeed(following(pool, "-n", "10", "--random-share", "0.5", "--out", "batch.jsonl"))
    marks = [record["selection"]["random"] for record in read(tmp_path / "batch.jsonl")]
    assert marks == [True] * 5 + [False] * 5


def test_the_same_seed_gives_the_same_file(following, pool, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        succeed(following(pool, "-n", "8", "--seed", seed, "--out", f"{name}.jsonl"))
    a, b, c = ((tmp_path / f"{name}.jsonl").read_bytes() for name in "abc")
    assert a == b != c


def test_without_out_the_records_go_to_stdout_and_stdin_is_read(pool, folder, tmp_path):
    data = pool.read_bytes()
    result = succeed(spawn("labels", "next", "-", "-n", "5", "--model", folder, stdin=data, cwd=tmp_path))
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert len(lines) == 5
    assert all(record["paragraphs"] and record["selection"]["reason"] for record in lines)


def test_earlier_batches_and_labels_are_not_picked_again(following, pool, tmp_path):
    succeed(following(pool, "-n", "12", "--out", "first.jsonl"))
    result = succeed(following(pool, "-n", "30", "--labels", "first.jsonl", "--out", "second.jsonl"))
    first, second = ({record["id"] for record in read(tmp_path / f"{name}.jsonl")} for name in ("first", "second"))
    assert len(first) == 12
    assert not first & second
    assert len(first | second) == 30
    assert "left out: 12 labelled already (id)" in result.err
    assert "30 were asked for" in result.err


def test_a_folder_called_labels_is_looked_at_by_itself(following, pool, tmp_path):
    (tmp_path / "labels").mkdir()
    succeed(following(pool, "-n", "12", "--out", tmp_path / "labels" / "first.jsonl"))
    (tmp_path / "labels" / "pages.standoff.jsonl").write_text("{}\n")  # holds no texts
    report = json.loads(succeed(following(pool, "-n", "5", "--out", "b.jsonl", "--json")).out)
    assert report["left_out"] == {"labelled already (id)": 12}
    assert report["pool"] == 18


def test_the_report_adds_up(following, pool, tmp_path):
    report = json.loads(succeed(following(pool, "-n", "9", "--out", "b.jsonl", "--json")).out)
    batch = read(tmp_path / "b.jsonl")
    assert report["picked"] == 9
    assert report["random"] == 2
    assert report["paragraphs"] == sum(len(record["paragraphs"]) for record in batch)
    assert report["sites"] == len({record["site"] for record in batch})
    assert sum(report["expected"].values()) == pytest.approx(report["paragraphs"], abs=0.3)


@pytest.mark.parametrize("strategy", ["uncertainty", "rare", "diverse", "random"])
def test_every_strategy_runs(following, pool, tmp_path, strategy):
    succeed(following(pool, "-n", "6", "-s", strategy, "--out", "b.jsonl"))
    batch = read(tmp_path / "b.jsonl")
    assert {record["selection"]["strategy"] for record in batch} == {strategy}
    assert len(batch) == 6


def test_bad_records_stop_it_or_are_passed_over_once(following, pool, tmp_path):
    with pool.open("a") as file:
        file.write("not json\n")
    refuse(following(pool, "--out", "b.jsonl"), "pool.jsonl:31")
    assert not (tmp_path / "b.jsonl").exists()
    result = succeed(following(pool, "-n", "5", "--out", "b.jsonl", "--skip-bad"))
    assert result.err.count("pool.jsonl:31") == 1
    assert "left out: 1 bad" in result.err


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--n", "0"], "--n"),
        (["--strategy", "best"], "best"),
        (["--random-share", "2"], "--random-share"),
        (["--out", "b.txt"], "b.txt"),
        (["--json"], "--out"),
        (["--labels", "missing.jsonl"], "missing.jsonl"),
    ],
)
def test_what_cannot_work_is_refused(following, pool, arguments, wanted):
    refuse(following(pool, *arguments), wanted)


def test_nothing_to_pick_from_is_said(following, pool):
    refuse(following(pool, "--labels", pool, "--out", "b.jsonl"), "nothing to pick from")


def test_an_existing_file_is_kept(following, pool, tmp_path):
    (tmp_path / "b.jsonl").write_text("mine")
    refuse(following(pool, "--out", "b.jsonl"), "b.jsonl", "--force")
    assert (tmp_path / "b.jsonl").read_text() == "mine"
    succeed(following(pool, "-n", "3", "--out", "b.jsonl", "--force"))


def test_a_batch_is_pushed_with_the_models_labels(following, pool, studio, monkeypatch, tiny, tmp_path):
    project = project_name()
    with use(studio, monkeypatch) as client:
        result = succeed(following(pool, "-n", "6", "--push", project, "--out", "b.jsonl", "--json"))
        tasks = {task["data"]["id"]: task for task in tasks_of(client, project)}
    batch = read(tmp_path / "b.jsonl")
    assert set(tasks) == {record["id"] for record in batch}
    assert json.loads(result.out)["push"]["new"] == 6
    for record in batch:
        assert predicted(tasks[record["id"]]) == [one.label for one in tiny.label(record["paragraphs"])]
        assert tasks[record["id"]]["data"]["site"] == record["site"]
