"""`trainer filter`: where records and texts go, and what they may not replace."""

import datetime
import json
from collections import Counter
from pathlib import Path

import pytest
from commands import expected, files, parquet, read, refuse, succeed
from hypothesis import given
from hypothesis import strategies as st
from small import write

from trainer.records import file_name


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "deep/er/out.jsonl"])
def test_filter_writes_json_lines(cli, folder, tiny, source, scraped, tmp_path, name):
    result = succeed(cli("filter", source, "--model", folder, "--out", tmp_path / name))
    assert result.out == ""
    assert read(tmp_path / name) == [expected(tiny, item) for item in scraped]


def test_filter_writes_parquet(cli, folder, tiny, source, scraped, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    succeed(cli("filter", source, "--model", folder, "--out", tmp_path / "out.parquet", "--paragraphs"))
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert rows == [tiny.filter(item["text"]).to_record(item, paragraphs=True) for item in scraped]


def test_parquet_of_no_records_and_of_nothing_removed_can_be_read(cli, folder, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write(tmp_path / "none.jsonl", [])
    succeed(cli("filter", tmp_path / "none.jsonl", "--model", folder, "--out", tmp_path / "none.parquet"))
    assert parquet.read_table(tmp_path / "none.parquet").num_rows == 0
    write(tmp_path / "one.jsonl", [{"id": "a", "text": ""}])
    succeed(cli("filter", tmp_path / "one.jsonl", "--model", folder, "--out", tmp_path / "one.parquet"))
    assert parquet.read_table(tmp_path / "one.parquet").to_pylist()[0]["removed"] == []


def test_parquet_types_pass_through(cli, folder, tmp_path):
    item = {"id": "a", "text": "Hello", "seen": datetime.datetime(2024, 1, 2, 3, 4, 5), "raw": b"\x00\xff", "n": 3, "none": None}
    source = parquet(tmp_path / "in.parquet", [item])
    succeed(cli("filter", source, "--model", folder, "--out", tmp_path / "out.parquet"))
    row = pytest.importorskip("pyarrow.parquet").read_table(tmp_path / "out.parquet").to_pylist()[0]
    assert {key: row[key] for key in item} == item


def test_parquet_dates_and_bytes_can_be_written_as_json_or_are_refused_in_one_line(cli, folder, tmp_path):
    item = {"id": "a", "text": "Hello", "seen": datetime.datetime(2024, 1, 2, 3, 4, 5)}
    result = cli("filter", parquet(tmp_path / "in.parquet", [item]), "--model", folder, "--out", "-")
    if result.code:
        refuse(result)
    else:
        assert "2024-01-02" in json.loads(result.out)["seen"]


def test_fields_that_no_column_fits_are_refused_in_one_line(cli, folder, tmp_path):
    pytest.importorskip("pyarrow")
    items = [{"id": "a", "text": "x", "odd": 1}, {"id": "b", "text": "y", "odd": "two"}]
    path = write(tmp_path / "in.jsonl", items)
    refuse(cli("filter", path, "--model", folder, "--out", tmp_path / "out.parquet"), "Use .jsonl")
    assert files(tmp_path) == ["in.jsonl"]


def test_filter_writes_kept_texts_into_a_folder(cli, folder, tiny, source, scraped, tmp_path):
    succeed(cli("filter", source, "--model", folder, "--out", tmp_path / "texts"))
    assert files(tmp_path / "texts") == sorted(f"{item['id']}.txt" for item in scraped)
    for item in scraped:
        assert (tmp_path / "texts" / f"{item['id']}.txt").read_text("utf-8") == tiny.filter(item["text"]).text + "\n"
    assert files(tmp_path)[0] == "in.jsonl"


ODD_IDS = [
    *("../../x", "a/b", "", "..", ".", ".hidden", "/etc/passwd", "a\\b", "same", "same", "SAME", "x" * 300),
    *("nul\x00", "\ud800", "é", "a b", 5, None),
]


def test_names_never_leave_the_folder(cli, folder, tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    items = [{"id": name, "text": f"Text {i}."} for i, name in enumerate(ODD_IDS)] + [{"text": "No id."}]
    path = write(inside / "in.jsonl", items)
    succeed(cli("filter", path, "--model", folder, "--out", inside / "out"))
    written = files(inside / "out")
    assert len(written) == len(items)
    assert len({name.casefold() for name in written}) == len(items)
    assert sorted(file.read_text() for file in (inside / "out").iterdir()) == sorted(item["text"] + "\n" for item in items)
    assert not any(name.startswith(".") for name in written)
    assert files(tmp_path) == sorted(["inside", "inside/in.jsonl", "inside/out", *(f"inside/out/{name}" for name in written)])


@given(st.lists(st.text(max_size=12), max_size=6))
def test_names_are_safe_whatever_the_ids(ids):
    used = Counter()
    names = [file_name(name, used) for name in ids]
    assert len({name.casefold() for name in names}) == len(ids)
    assert all(Path(name).name == name and name.endswith(".txt") and name[0] not in "._" for name in names)


def test_long_id_of_any_script_gives_a_name_the_disk_takes(cli, folder, tmp_path):
    path = write(tmp_path / "in.jsonl", [{"id": "新聞" * 100, "text": "x"}, {"id": "😀" * 100, "text": "y"}])
    succeed(cli("filter", path, "--model", folder, "--out", tmp_path / "out"))
    assert len(files(tmp_path / "out")) == 2


def test_many_records_without_id_are_named_in_reasonable_time():
    class Counting(Counter):
        asked = 0

        def __getitem__(self, item):
            Counting.asked += 1
            return super().__getitem__(item)

    used = Counting()
    for _ in range(1000):
        file_name("article", used)
    assert Counting.asked < 20_000


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "out.parquet", "out"])
def test_existing_output_is_refused_without_force(cli, folder, source, tmp_path, name):
    out = tmp_path / name
    succeed(cli("filter", source, "--model", folder, "--out", out))
    before = {file: (tmp_path / file).read_bytes() for file in files(tmp_path) if (tmp_path / file).is_file()}
    refuse(cli("filter", source, "--model", folder, "--out", out), out, "--force")
    assert {file: (tmp_path / file).read_bytes() for file in files(tmp_path) if (tmp_path / file).is_file()} == before
    succeed(cli("filter", source, "--model", folder, "--out", out, "--force"))
    assert {file: (tmp_path / file).read_bytes() for file in files(tmp_path) if (tmp_path / file).is_file()} == before


def test_empty_folder_may_be_written_to(cli, folder, source, tmp_path):
    (tmp_path / "out").mkdir()
    succeed(cli("filter", source, "--model", folder, "--out", tmp_path / "out"))


def test_file_may_replace_itself(cli, folder, source, scraped):
    succeed(cli("filter", source, "--model", folder, "--out", source, "--force"))
    assert [item["id"] for item in read(source)] == [item["id"] for item in scraped]


def test_runs_on_the_same_input_write_the_same_bytes(cli, folder, source, tmp_path):
    for name in ("a", "b"):
        for suffix in (".jsonl", ".jsonl.gz"):
            succeed(cli("filter", source, "--model", folder, "--out", tmp_path / (name + suffix)))
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


@pytest.mark.parametrize("name", ["out.csv", "out.json", "out.txt"])
def test_unknown_form_of_output_is_refused(cli, folder, source, tmp_path, name):
    refuse(cli("filter", source, "--model", folder, "--out", tmp_path / name), name, ".jsonl")


def test_file_in_place_of_a_folder_is_refused(cli, folder, source, tmp_path):
    (tmp_path / "taken").write_text("mine")
    refuse(cli("filter", source, "--model", folder, "--out", tmp_path / "taken", "--force"), "not a folder")
    refuse(cli("filter", source, "--model", folder, "--out", tmp_path / "taken" / "out.jsonl"), "taken")
    refuse(cli("filter", source, "--model", folder, "--out", tmp_path / "taken" / "out"), "taken")
    assert (tmp_path / "taken").read_text() == "mine"
