"""Bulk runs: what goes in comes out, in each format; bad records and bad files cost no others; nothing is mixed up."""

from __future__ import annotations

import datetime
import decimal
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd
from bulk_runs import articles, lines, outputs, run, texts
from commands import expected, refuse, succeed
from small import ROOT

from trainer.bulk.options import Options
from trainer.bulk.run import Outcome, bulk
from trainer.bulk.work import Fault, Job, ShardReport, attempt
from trainer.errors import InputError, TrainerError

UNKNOWN = {"tags": ["a", {"b": None}], "score": 0.1, "big": 10**30, "ünï": "☃\u2028", "empty": {}, "flag": True}


class InThisProcess:
    """An engine without processes."""

    def run(self, jobs: Iterator[Job]) -> Generator[ShardReport | Fault]:
        for job in jobs:
            yield attempt(job)


def filtered(
    inputs: list[Path],
    out: Path,
    folder: Path,
    *,
    retries: int = 0,
    max_errors: int = 1000,
    restart: bool = False,
    **options: Any,
) -> Outcome:
    """Run in this process."""
    engine = InThisProcess()
    return bulk(inputs, out, folder, Options(**options), engine=engine, retries=retries, max_errors=max_errors, restart=restart)


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record as JSON gives it back."""
    return json.loads(json.dumps(record))


def errors(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted(out.glob("_errors/**/*.jsonl")) for line in path.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def items() -> list[dict[str, Any]]:
    return articles(60)


@pytest.fixture
def wanted(items, tiny) -> list[dict[str, Any]]:
    return [plain(expected(tiny, item)) for item in items]


# ── formats


@pytest.mark.parametrize("kind", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_records_are_those_of_the_library(items, wanted, folder, tmp_path, kind):
    packed = {".jsonl": bytes, ".jsonl.gz": gzip.compress, ".jsonl.zst": zstd.compress}[kind](lines(items))
    unpack = {".jsonl": bytes, ".jsonl.gz": gzip.decompress, ".jsonl.zst": zstd.decompress}[kind]
    (tmp_path / f"in{kind}").write_bytes(packed)
    outcome = filtered([tmp_path / f"in{kind}"], tmp_path / "out", folder)
    assert not outcome.missing
    assert list(outputs(tmp_path / "out")) == [f"in{kind}"]
    assert [json.loads(line) for line in unpack((tmp_path / "out" / f"in{kind}").read_bytes()).splitlines()] == wanted


def test_packed_files_of_several_parts_are_read_to_the_end(items, wanted, folder, tmp_path):
    for kind, pack in ((".jsonl.gz", gzip.compress), (".jsonl.zst", zstd.compress)):
        (tmp_path / f"in{kind}").write_bytes(pack(lines(items[:7])) + pack(lines(items[7:])))
        filtered([tmp_path / f"in{kind}"], tmp_path / f"out{kind}", folder, to=".jsonl")
        assert texts(tmp_path / f"out{kind}") == wanted


@pytest.mark.parametrize("parts", [2, 7, 80])
def test_wherever_a_file_is_cut_each_record_is_read_once(items, wanted, folder, tmp_path, parts):
    data = lines(items[:12]).replace(b"\n", b"\r\n", 3) + b"\n  \n" + lines(items[12:]).removesuffix(b"\n")
    (tmp_path / "in.jsonl").write_bytes(b"\xef\xbb\xbf" + data)
    outcome = filtered([tmp_path / "in.jsonl"], tmp_path / "out", folder, shard_bytes=len(data) // parts)
    assert outcome.shards > parts
    assert texts(tmp_path / "out") == wanted


def test_unknown_fields_pass_through_as_they_stand(items, folder, tmp_path):
    given = [
        b'{"id": 7, "n": 1e2, "x": 12345678901234567890123, "y": 1e999, "text": "News.", "s": "\\u00e9", "o": {"b" : 1, "a":2}}',
        b'{"text": "News.", "x": 12345678901234567890123, "nan": [NaN, -Infinity, 1e999]}',
        b'{"text": "half \\ud83d of it", "x": 12345678901234567890123, "big": 1e999, "nan": NaN}',
    ]
    (tmp_path / "in.jsonl").write_bytes(lines([{**UNKNOWN, **items[0]}]) + b"\n".join(given))
    filtered([tmp_path / "in.jsonl"], tmp_path / "out", folder)
    first, plain, infinite, half = (tmp_path / "out" / "in.jsonl").read_bytes().splitlines()
    assert {key: json.loads(first)[key] for key in UNKNOWN} == UNKNOWN
    for part in (b'"n":1e2', b'"x":12345678901234567890123', b'"y":1e999', b'"s":"\\u00e9"', b'"o":{"b" : 1, "a":2}'):
        assert part in plain
    assert b'"nan":[NaN,-Infinity,1e999]' in infinite
    assert json.loads(half)["text"] == "half \ud83d of it"
    assert json.loads(half)["big"] == float("inf")
    assert b"12345678901234567890123" in half


def typed_table(items: list[dict[str, Any]]) -> pa.Table:
    """Return articles with columns of many types."""
    count = len(items)
    day = datetime.date(2024, 2, 29)
    return pa.table(
        {
            "id": pa.array([item["id"] for item in items]),
            "when": pa.array([1_700_000_000_000_000_001 + i for i in range(count)], pa.timestamp("ns", "UTC")),
            "text": pa.array([item["text"] for item in items], pa.large_string()),
            "price": pa.array([decimal.Decimal(i) / 4 for i in range(count)], pa.decimal128(20, 4)),
            "kind": pa.array([str(i % 3) for i in range(count)]).dictionary_encode(),
            "vector": pa.array([[0.1, i] for i in range(count)], pa.list_(pa.float32(), 2)),
            "counts": pa.array([[("k", i)] for i in range(count)], pa.map_(pa.string(), pa.int16())),
            "raw": pa.array([b"\xff%d" % i for i in range(count)]),
            "ratio": pa.array([float("nan") if i % 2 else None for i in range(count)]),
            "day": pa.array([day] * count),
            "nested": pa.array([{"a": i, "b": None} for i in range(count)], pa.struct([("a", pa.int8()), ("b", pa.string())])),
        }
    ).replace_schema_metadata({"made": "here"})


@pytest.mark.parametrize("shard_bytes", [1, 1 << 20])
def test_columns_keep_names_types_and_values(items, wanted, folder, tmp_path, shard_bytes):
    table = typed_table(items)
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=7)
    outcome = filtered([tmp_path / "in.parquet"], tmp_path / "out", folder, shard_bytes=shard_bytes)
    assert outcome.shards == (9 if shard_bytes == 1 else 1)
    made = pa.concat_tables(pq.read_table(path) for path in sorted((tmp_path / "out").glob("*.parquet")))
    assert made.column_names == [*table.column_names, "removed", "filter"]
    assert made.schema.metadata == table.schema.metadata
    for name in table.column_names:
        assert made.schema.field(name) == table.schema.field(name)
        if name != "text":
            assert (
                made.column(name).combine_chunks().to_numpy(zero_copy_only=False).tolist()
                == pytest.approx(table.column(name).combine_chunks().to_numpy(zero_copy_only=False).tolist(), nan_ok=True)
                if name == "ratio"
                else made.column(name).cast(table.schema.field(name).type).equals(table.column(name))
            )
    for row, record in zip(made.to_pylist(), wanted, strict=True):
        assert {key: row[key] for key in ("id", "text", "removed", "filter")} == {
            key: record[key] for key in ("id", "text", "removed", "filter")
        }


def test_a_table_may_hold_paragraphs_and_texts_of_any_text_type(items, wanted, folder, tmp_path):
    texts_of = [item["text"] for item in items]
    split = [text.split("\n") for text in texts_of]
    tables = {
        "dictionary": pa.table({"text": pa.array(texts_of).dictionary_encode(), "filter": ["old"] * 60}),
        "view": pa.table({"text": pa.array(texts_of, pa.string_view())}),
        "required": pa.table({"text": texts_of}, schema=pa.schema([pa.field("text", pa.string(), nullable=False)])),
        "paragraphs": pa.table({"paragraphs": split, "removed": [1] * 60}),
        "objects": pa.table(
            {"text": [None] * 60, "paragraphs": [[{"text": text, "n": 1} for text in article] for article in split]}
        ),
    }
    for name, table in tables.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    assert not filtered([tmp_path / f"{name}.parquet" for name in tables], tmp_path / "out", folder).missing
    for name, table in tables.items():
        made = pq.read_table(tmp_path / "out" / f"{name}.parquet")
        assert made.column_names == ["text", "removed", "filter"]
        assert name in ("paragraphs", "objects") or made.schema.field("text") == table.schema.field("text")
        assert made.column("removed").to_pylist() == [record["removed"] for record in wanted]


def test_rows_that_cannot_be_used_are_left_out_and_the_others_stay_in_place(items, wanted, folder, tmp_path):
    table = pa.table({"text": [None if i % 5 == 2 else item["text"] for i, item in enumerate(items)], "n": range(len(items))})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=20)
    filtered([tmp_path / "in.parquet"], tmp_path / "out", folder, shard_bytes=1)
    made = pa.concat_tables(pq.read_table(path) for path in sorted((tmp_path / "out").glob("*.parquet")))
    assert made.column("n").to_pylist() == [i for i in range(60) if i % 5 != 2]
    assert made.column("text").to_pylist() == [wanted[i]["text"] for i in range(60) if i % 5 != 2]
    assert [bad["line"] for bad in errors(tmp_path / "out")] == list(range(3, 61, 5))


def test_parquet_to_lines_and_lines_to_parquet(items, wanted, folder, tmp_path):
    pq.write_table(typed_table(items).select(["id", "text", "when", "day", "raw"]), tmp_path / "a.parquet")
    filtered([tmp_path / "a.parquet"], tmp_path / "lines", folder, to=".jsonl")
    for made, record in zip(texts(tmp_path / "lines"), wanted, strict=True):
        assert {key: made[key] for key in ("id", "text", "removed")} == {key: record[key] for key in ("id", "text", "removed")}
        assert made["when"].startswith("2023-11-14T22:13:20.0000000")
        assert made["day"] == "2024-02-29"
    mixed = [
        {**item, "odd": i if i % 2 else str(i), "none": None, "empty": {}, "late": 1.5 if i > 50 else 1}
        for i, item in enumerate(items)
    ]
    (tmp_path / "b.jsonl").write_bytes(lines(mixed))
    filtered([tmp_path / "b.jsonl"], tmp_path / "table", folder, to=".parquet")
    rows = pq.read_table(tmp_path / "table" / "b.parquet").to_pylist()
    assert list(rows[0])[:4] == ["id", "url", "text", "n"]
    for i, (made, record) in enumerate(zip(rows, wanted, strict=True)):
        assert {key: made[key] for key in record} == record
        assert (made["odd"], made["none"], made["empty"], made["late"]) == (str(i), None, "{}", 1.5 if i > 50 else 1)


@pytest.mark.parametrize("kind", [".jsonl", ".parquet"])
def test_removed_paragraphs_go_to_files_of_their_own(items, wanted, folder, tmp_path, kind):
    (tmp_path / "in.jsonl").write_bytes(lines(items))
    filtered([tmp_path / "in.jsonl"], tmp_path / "out", folder, removed=True, to=kind)
    place = tmp_path / "out" / "_removed" / f"in{kind}"
    made = (
        pq.read_table(place).to_pylist() if kind == ".parquet" else [json.loads(line) for line in place.read_bytes().splitlines()]
    )
    assert made == [{"id": record["id"], "url": record["url"], **gone} for record in wanted for gone in record["removed"]]
    kept = pq.read_table(tmp_path / "out" / "in.parquet").to_pylist() if kind == ".parquet" else texts(tmp_path / "out")
    assert [list(record) for record in kept] == [["id", "url", "text", "n", "filter"]] * 60
    assert [record["text"] for record in kept] == [record["text"] for record in wanted]


@pytest.mark.parametrize(("first", "kind"), [(7, pa.int64()), ("a", pa.string()), (None, pa.string())])
def test_ids_of_removed_paragraphs_have_the_type_of_the_articles(items, folder, tmp_path, first, kind):
    numbered = [{**item, "id": None if first is None else first * (i + 1)} for i, item in enumerate(items)]
    pq.write_table(pa.Table.from_pylist(numbered), tmp_path / "in.parquet")
    filtered([tmp_path / "in.parquet"], tmp_path / "out", folder, removed=True)
    made = pq.read_table(tmp_path / "out" / "_removed" / "in.parquet")
    assert made.schema.field("id").type == kind
    assert set(made.column("id").to_pylist()) <= {item["id"] for item in numbered}
    assert made.num_rows > 0


def test_a_folder_is_read_at_any_depth_and_names_stay_apart(items, wanted, folder, tmp_path):
    for name in ("in/b/x.jsonl", "in/a.jsonl", "in/a.jsonl.gz", "in/_no.jsonl", "in/.no.jsonl", "in/no.csv", "other/a.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(lines(items[:1])) if name.endswith(".gz") else lines(items[:1]))
    filtered([tmp_path / "in", tmp_path / "other" / "a.jsonl"], tmp_path / "out", folder, to=".jsonl")
    assert list(outputs(tmp_path / "out")) == ["a.jsonl", "a~2.jsonl", "a~3.jsonl", "b/x.jsonl"]
    assert texts(tmp_path / "out") == wanted[:1] * 3


@pytest.mark.parametrize(("name", "data"), [("e.jsonl", b""), ("e.jsonl.gz", b""), ("e.jsonl.zst", b""), ("e.jsonl", b"\n \n")])
def test_an_empty_file_gives_an_empty_output(folder, tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    outcome = filtered([tmp_path / name], tmp_path / "out", folder, to=".jsonl")
    assert (outcome.missing, outcome.stats["articles"]) == ([], 0)
    assert outputs(tmp_path / "out") == {"e.jsonl": b""}


def test_a_table_without_rows_gives_one(folder, items, tmp_path):
    pq.write_table(typed_table(items[:0]), tmp_path / "e.parquet")
    filtered([tmp_path / "e.parquet"], tmp_path / "out", folder, removed=True)
    made = pq.read_table(tmp_path / "out" / "e.parquet")
    assert (made.num_rows, made.column_names) == (0, [*typed_table([]).column_names, "filter"])


# ── bad records and bad files


def test_bad_records_are_listed_with_file_line_and_reason(items, wanted, folder, tmp_path):
    bad = [b'{"id": 1}', b"no json", b'{"text": "\xff"}', b"[1]", b'{"text": 5}', b"[" * 100_000, b'{"paragraphs": ["a", 1]}']
    bad += [b'{"text": "' + b"a\\n" * 30_000 + b'"}', b'{"text": "' + b"a" * 190_000 + b'"}']
    data = [line for i, line in enumerate(bad) for line in (b"", lines(items[i : i + 1]).strip(), line)]
    (tmp_path / "in.jsonl").write_bytes(b"\n".join([*data, lines(items[9:])]))
    for size in (1 << 20, 20_000):
        out = tmp_path / str(size)
        outcome = filtered([tmp_path / "in.jsonl"], out, folder, shard_bytes=size, max_record=150_000)
        assert (outcome.errors, outcome.missing) == (9, [])
        assert texts(out) == wanted
        found = errors(out)
        assert [(item["file"], item["line"]) for item in found] == [(str(tmp_path / "in.jsonl"), 3 * i + 3) for i in range(9)]
        reasons = [
            "missing field 'text'",
            "bad JSON",
            "not UTF-8",
            "expected an object",
            "not a text",
            "bad JSON",
            "list of texts",
        ]
        reasons += ["30,001 paragraphs", "--max-record"]
        for item, reason in zip(found, reasons, strict=True):
            assert reason in item["reason"]
        assert all((tmp_path / "in.jsonl").read_bytes()[item["byte"] :].startswith(bad[i]) for i, item in enumerate(found))


def test_a_line_of_50_mb_is_passed_over_in_bounded_memory(items, wanted, folder, tmp_path):
    with (tmp_path / "in.jsonl").open("wb") as file:
        file.write(lines(items[:30]) + b'{"text": "')
        for _ in range(50):
            file.write(b"All work and no play " * 50_000)
        file.write(b'"}\n' + lines(items[30:]))
    small = tmp_path / "small.jsonl"
    small.write_bytes(lines(items))
    assert peak(tmp_path / "in.jsonl", folder, 60) < peak(small, folder, 60) + 30
    filtered([tmp_path / "in.jsonl"], tmp_path / "out", folder)
    assert texts(tmp_path / "out") == wanted
    assert errors(tmp_path / "out")[0]["line"] == 31
    assert "--max-record" in errors(tmp_path / "out")[0]["reason"]


def test_too_many_bad_records_stop_the_run(items, wanted, folder, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(b"".join(lines([item]) + b"bad\n" for item in items))
    for size in (1 << 20, 4000):
        out = tmp_path / str(size)
        outcome = filtered([tmp_path / "in.jsonl"], out, folder, max_errors=40, shard_bytes=size)
        assert "more than 40 bad records" in outcome.missing[-1].reason
        assert outcome.left
        assert errors(out)
        assert not filtered([tmp_path / "in.jsonl"], out, folder, max_errors=60, shard_bytes=size).missing
        assert texts(out) == wanted
        assert len(errors(out)) == 60


def damage(name: str, items: list[dict[str, Any]], path: Path) -> Path:
    """Write a file that cannot be read."""
    data = lines(items * 3)
    table = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": [item["text"] + str(i) for i, item in enumerate(items)]}), table, row_group_size=10)
    stored = table.getvalue().to_pybytes()
    made = {
        "cut.jsonl.gz": gzip.compress(data)[:-500],
        "cut.jsonl.zst": zstd.compress(data)[:-500],
        "not.jsonl.gz": data,
        "cut.parquet": stored[:-40],
        "empty.parquet": b"",
        "torn.parquet": stored[:200] + bytes(len(stored) // 2) + stored[200 + len(stored) // 2 :],
    }[name]
    (path / name).write_bytes(made)
    return path / name


BROKEN = ["cut.jsonl.gz", "cut.jsonl.zst", "not.jsonl.gz", "cut.parquet", "empty.parquet", "torn.parquet"]


@pytest.mark.parametrize("name", BROKEN)
def test_a_damaged_file_is_set_aside_and_the_others_are_done(items, wanted, folder, tmp_path, name):
    (tmp_path / "in").mkdir()
    path = damage(name, items, tmp_path / "in")
    (tmp_path / "in" / "good.jsonl").write_bytes(lines(items))
    outcome = filtered([tmp_path / "in"], tmp_path / "out", folder)
    assert (outcome.left, outcome.stats["shards"]["done"]) == (1, 1)
    assert str(path) in outcome.missing[0].reason
    assert list(outputs(tmp_path / "out")) == ["good.jsonl"]
    assert texts(tmp_path / "out") == wanted


def test_a_missing_shard_is_said_in_one_line_with_exit_code_1(items, folder, tmp_path):
    path = damage("cut.jsonl.gz", items, tmp_path)
    code, said = run(path, "--out", tmp_path / "out", "--model", folder, "--workers", 1, "--retries", 1)
    assert code == 1
    (line,) = [line for line in said.splitlines() if line.startswith("trainer:")]
    assert "1 of 1 shards missing" in line
    assert str(path) in line
    assert "The same command tries again" in line


def test_what_is_added_to_a_file_that_grows_is_not_read(items, wanted, folder, tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_bytes(lines(items))

    class Growing(InThisProcess):
        def run(self, jobs):
            for job in jobs:
                with path.open("ab") as file:
                    file.write(lines(items[:3]))
                yield attempt(job)

    outcome = bulk([path], tmp_path / "out", folder, Options(shard_bytes=5000), engine=Growing(), retries=0)
    assert not outcome.missing
    assert texts(tmp_path / "out") == wanted
    with pytest.raises(InputError, match="has changed since the run was begun"):
        filtered([path], tmp_path / "out", folder, shard_bytes=5000)


def test_a_file_that_shrinks_or_a_table_that_changes_is_set_aside(items, folder, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(lines(items))
    pq.write_table(pa.table({"text": ["News"]}), tmp_path / "in.parquet")

    class Changing(InThisProcess):
        def run(self, jobs):
            for job in jobs:
                (tmp_path / "in.jsonl").write_bytes(lines(items[:3]))
                pq.write_table(pa.table({"text": ["Other news"]}), tmp_path / "in.parquet")
                yield attempt(job)

    inputs = [tmp_path / "in.jsonl", tmp_path / "in.parquet"]
    outcome = bulk(inputs, tmp_path / "out", folder, engine=Changing(), retries=0)
    assert outcome.left == 2
    assert "has shrunk" in outcome.missing[0].reason
    assert "has changed since" in outcome.missing[1].reason


# ── going on, and what may not be mixed


def test_what_is_done_is_not_done_again_unless_its_output_is_gone(items, wanted, folder, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(lines(items))
    first = filtered([tmp_path / "in.jsonl"], tmp_path / "out", folder, shard_bytes=8000)
    (tmp_path / "out" / "in-00001.jsonl").unlink()
    again = filtered([tmp_path / "in.jsonl"], tmp_path / "out", folder, shard_bytes=8000)
    assert (again.before, again.shards) == (first.shards - 1, first.shards)
    assert texts(tmp_path / "out") == wanted
    same = {key: first.stats[key] for key in ("articles", "paragraphs", "characters", "kept", "removed", "sites", "flags")}
    assert {key: again.stats[key] for key in same} == same


@pytest.mark.parametrize("change", ["model", "options", "inputs", "input", "touched"])
def test_another_run_is_refused_and_restart_begins_anew(items, folder, tmp_path, change):
    path, other = tmp_path / "in.jsonl", tmp_path / "other.jsonl"
    path.write_bytes(lines(items))
    other.write_bytes(lines(items[:5]))
    filtered([path], tmp_path / "out", folder, shard_bytes=8000)
    before = outputs(tmp_path / "out")
    inputs, model, options = [path], folder, {"shard_bytes": 8000}
    if change == "model":
        model = ROOT / "models" / "news-en"
    elif change == "options":
        options |= {"max_removed_share": 0.1}
    elif change == "inputs":
        inputs = [path, other]
    elif change == "input":
        path.write_bytes(lines(items[:50]))
    else:
        os.utime(path, (0, 0))
    with pytest.raises(InputError, match="--restart"):
        filtered(inputs, tmp_path / "out", model, **options)
    assert outputs(tmp_path / "out") == before
    outcome = filtered(inputs, tmp_path / "out", model, restart=True, **options)
    assert (outcome.before, outcome.missing) == (0, [])
    filtered(inputs, tmp_path / "new", model, **options)
    assert outputs(tmp_path / "out") == outputs(tmp_path / "new"), "nothing of the former run is left"


def test_a_folder_with_other_files_is_refused_and_stays_as_it_is(items, folder, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(lines(items))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    for restart in (False, True):
        with pytest.raises(InputError, match="no run of trainer bulk"):
            filtered([tmp_path / "in.jsonl"], tmp_path / "out", folder, restart=restart)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_bytes_do_not_depend_on_the_number_of_workers(items, folder, tmp_path):
    (tmp_path / "in.jsonl.gz").write_bytes(gzip.compress(lines(items)))
    (tmp_path / "in.jsonl").write_bytes(lines(items))
    pq.write_table(typed_table(items), tmp_path / "in.parquet", row_group_size=11)
    made = []
    for count in (1, 2):
        out = tmp_path / f"out{count}"
        code, said = run(tmp_path, "--out", out, "--model", folder, "--workers", count, "--shard-size", 6000, "--removed")
        assert code == 0, said
        made.append(outputs(out))
        (tmp_path / f"_{count}").mkdir()
        out.rename(tmp_path / f"_{count}" / "out")
    assert made[0] == made[1]


def test_a_url_is_as_good_as_a_path(items, wanted, folder, tmp_path):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/in/a.jsonl", lines(items))
    try:
        outcome = bulk(["memory://in"], "memory://out", folder, Options(shard_bytes=9000), engine=InThisProcess())
        assert not outcome.missing
        names = sorted(name for name in memory.ls("/out", detail=False) if name.endswith(".jsonl"))
        assert [json.loads(line) for name in names for line in memory.cat(name).splitlines()] == wanted
        again = bulk(["memory://in"], "memory://out", folder, Options(shard_bytes=9000), engine=InThisProcess())
        assert again.before == outcome.shards
        with pytest.raises(TrainerError, match="--restart"):
            bulk(["memory://in"], "memory://out", folder, engine=InThisProcess())
    finally:
        memory.rm("/in", recursive=True)
        memory.rm("/out", recursive=True)


# ── statistics, the command


def test_statistics_add_up(items, wanted, folder, tmp_path, tiny):
    (tmp_path / "in.jsonl").write_bytes(lines([*items, {"text": "No site.\nHome"}]))
    stats = filtered([tmp_path / "in.jsonl"], tmp_path / "out", folder, shard_bytes=8000).stats
    assert json.loads((tmp_path / "out" / "_stats.json").read_bytes()) == stats
    results = [tiny.filter(item["text"]) for item in [*items, {"text": "No site.\nHome"}]]
    assert stats["articles"] == 61
    assert stats["paragraphs"] == sum(len(result.paragraphs) for result in results)
    for label in tiny.labels.names:
        texts_of = [gone.text for result in results for gone in result.removed if gone.label == label]
        found = stats["removed"].get(label, {"paragraphs": 0, "characters": 0})
        assert found == {"paragraphs": len(texts_of), "characters": sum(map(len, texts_of))}
    assert sum(cell["characters"] for cell in stats["kept"].values()) == sum(len(p.text) for r in results for p in r.kept)
    site = items[0]["url"].split("/")[2]
    assert stats["sites"][site]["articles"] == sum(item["url"].split("/")[2] == site for item in items)
    assert stats["sites"]["(other)"]["articles"] == 1
    for fate in ("kept", "removed"):
        for label, cell in stats[fate].items():
            assert cell["characters"] == sum(
                of[fate].get(label, {"characters": 0})["characters"] for of in stats["sites"].values()
            )


def test_the_command_says_what_it_did(cli, items, folder, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(lines(items))
    command = ("bulk", tmp_path / "in.jsonl", "--out", tmp_path / "out", "--model", folder, "--workers", 1)
    result = succeed(cli(*command, "--json"))
    stats = json.loads(result.out)
    assert result.err.startswith("60 articles: removed ")
    assert stats["shards"] == {"all": 1, "done": 1, "before": 0, "missing": 0}
    assert "1 of 1 shards were done before" in succeed(cli(*command)).err
    refuse(cli(*command, "--removed"), "was begun with removed False, not True", "--restart")
    refuse(cli(*command, "--to", "csv"), "no output format 'csv'")
    refuse(cli("bulk", tmp_path / "none.jsonl", "--out", tmp_path / "o"), "no such file")
    refuse(cli("bulk", tmp_path / "out" / "in.jsonl", "--out", tmp_path / "out"), "within the output folder")
    refuse(cli("bulk", tmp_path / "in.jsonl", tmp_path / "in.jsonl", "--out", tmp_path / "o"), "is given twice")
    refuse(cli("bulk", tmp_path / "in.jsonl", "--out", tmp_path / "in.jsonl"), "is a file, not a folder")
    refuse(cli("bulk", folder, "--out", tmp_path / "o"), "no files ending in .jsonl")
    pq.write_table(pa.table({"body": ["News"]}), tmp_path / "in.parquet")
    refuse(cli("bulk", tmp_path / "in.parquet", "--out", tmp_path / "o"), "no column text or paragraphs, only body")


@pytest.mark.parametrize("kind", [".jsonl", ".jsonl.gz", ".parquet"])
def test_memory_does_not_grow_with_the_file(items, folder, tmp_path, kind):
    """The peak over 200 MB is close to that over 5 MB; most of it is a field that nothing looks at."""
    peaks = []
    for count in (50, 2000):
        path = tmp_path / f"{count}{kind}"
        write_large(path, items, count)
        peaks.append(peak(path, folder, count))
    assert peaks[1] < min(peaks[0] + 120, 300)


def peak(path: Path, folder: Path, count: int) -> float:
    """Filter a file of so many articles in a new process; return its largest resident size in MB."""
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not tell a process's largest size")
    code = """
import re, sys
from pathlib import Path
from trainer.bulk.run import bulk
from trainer.bulk.work import attempt
class Engine:
    def run(self, jobs):
        for job in jobs:
            yield attempt(job)
outcome = bulk([sys.argv[1]], sys.argv[1] + ".out", sys.argv[2], engine=Engine())
assert (outcome.missing, outcome.stats["articles"]) == ([], int(sys.argv[3])), outcome
print(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""
    command = [sys.executable, "-c", code, str(path), str(folder), str(count)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) / 1024


def write_large(path: Path, items: list[dict[str, Any]], count: int) -> None:
    """Write so many articles, with 100 kB each that nothing looks at."""
    page = "".join(chr(97 + (i * i) % 26) for i in range(1000)) * 100
    records = ({"text": items[i % len(items)]["text"][:400], "page": f"{i}{page}"} for i in range(count))
    if path.suffix == ".parquet":
        with pq.ParquetWriter(path, pa.schema([("text", pa.string()), ("page", pa.string())])) as writer:
            for record in records:
                writer.write_table(pa.table({key: [value] for key, value in record.items()}))
        return
    with gzip.open(path, "wb", compresslevel=1) if path.suffix == ".gz" else path.open("wb") as file:
        for record in records:
            file.write(lines([record]))


def test_the_guide_s_program_runs(items, wanted, folder, tmp_path):
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "bulk.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "program.py").write_text(program)
    (tmp_path / "scraped").mkdir()
    (tmp_path / "scraped" / "in.jsonl").write_bytes(lines(items))
    shutil.copytree(folder, tmp_path / "models" / "mine")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "program.py"], capture_output=True, text=True, cwd=tmp_path, env=env, check=False)
    assert (done.stdout, done.stderr) == ("60 0\n", "")
    assert [record["text"] for record in texts(tmp_path / "clean")] == [record["text"] for record in wanted]
