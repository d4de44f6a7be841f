"""What a bulk run takes as input: folders of texts and pages, data sets, patterns, links, names that collide."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bulk_runs import articles, lines, run
from commands import refuse
from test_bulk import errors, filtered
from warc_files import NEWS, conversion, page, response, write

from trainer.bulk.inputs import find
from trainer.errors import InputError, TrainerError

TEXT = "\n".join(NEWS)


def names(out: Path) -> list[str]:
    """Return the outputs of a run by name."""
    found = [path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()]
    return sorted(name for name in found if not name.startswith("_"))


def put(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


# ── texts and pages


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder of texts and pages at several depths."""
    for name in ("a.txt", "b/a.txt", "b/c/a.TXT", "b/c/ünï cödé.txt"):
        put(tmp_path / "in" / name, f"{name}: {TEXT}")
    for name in ("a.html", "b/p.htm"):
        put(tmp_path / "in" / name, page(*NEWS, f"Page {name} ends here."))
    return tmp_path / "in"


def test_small_files_go_together_and_their_ids_are_their_paths(texts, folder, tmp_path):
    outcome = filtered([texts], tmp_path / "out", folder)
    assert names(tmp_path / "out") == ["pages-00000.jsonl", "texts-00000.jsonl"]
    found = records(tmp_path / "out" / "texts-00000.jsonl")
    assert [record["id"] for record in found] == ["a", "b/a", "b/c/a", "b/c/ünï cödé"]
    assert [record["id"] for record in records(tmp_path / "out" / "pages-00000.jsonl")] == ["a~2", "b/p"]
    assert outcome.stats["articles"] == 6


def test_a_folder_of_texts_mirrors_what_went_in(texts, folder, tmp_path, tiny):
    filtered([texts], tmp_path / "out", folder, to=".txt", removed=True)
    assert names(tmp_path / "out") == ["a.txt", "a~2.txt", "b/a.txt", "b/c/a.txt", "b/c/ünï cödé.txt", "b/p.txt"]
    assert (tmp_path / "out" / "b/a.txt").read_text("utf-8") == tiny.filter(f"b/a.txt: {TEXT}").text + "\n"
    again = filtered([texts], tmp_path / "out", folder, to=".txt", removed=True)
    assert again.before == again.shards == 2
    (tmp_path / "out" / "b/a.txt").unlink()
    assert filtered([texts], tmp_path / "out", folder, to=".txt", removed=True).before == 1
    assert (tmp_path / "out" / "b/a.txt").exists()
    filtered([texts / "b"], tmp_path / "out", folder, to=".jsonl", restart=True)
    assert names(tmp_path / "out") == ["pages-00000.jsonl", "texts-00000.jsonl"]


def test_records_become_texts_whose_names_never_leave_the_folder(folder, tmp_path):
    ids = ["../../up", "/etc/passwd", "a/b", "", ".hidden", "con\x00trol\n", "same", "SAME", "x" * 1000]
    path = put(tmp_path / "in" / "f.jsonl", lines([{"id": name, "text": TEXT} for name in ids]))
    filtered([path], tmp_path / "out", folder, to=".txt")
    found = names(tmp_path / "out")
    assert len(found) == len(ids)
    assert all(name.startswith("f.texts/") and name.count("/") == 1 for name in found)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_texts_appear_only_when_their_shard_was_read(folder, tmp_path):
    data = lines(articles(300))
    put(tmp_path / "in" / "cut.jsonl.gz", gzip.compress(data)[:-20])
    outcome = filtered([tmp_path / "in"], tmp_path / "out", folder, to=".txt")
    assert outcome.left == 1
    assert names(tmp_path / "out") == []


def test_many_files_are_several_shards(folder, tmp_path):
    for number in range(1100):
        put(tmp_path / "in" / f"{number:04}.txt", f"Text {number}. {NEWS[0]}")
    outcome = filtered([tmp_path / "in"], tmp_path / "out", folder)
    assert (outcome.shards, outcome.stats["articles"]) == (3, 1100)
    found = [record["id"] for name in names(tmp_path / "out") for record in records(tmp_path / "out" / name)]
    assert found == [f"{number:04}" for number in range(1100)]


def test_files_that_cannot_be_used_are_bad_records(folder, tmp_path):
    put(tmp_path / "in" / "good.txt", TEXT)
    put(tmp_path / "in" / "latin.txt", "Größe".encode("latin-1"))
    put(tmp_path / "in" / "long.txt", "word " * 1000)
    put(tmp_path / "in" / "empty.html", "<html></html>")
    (tmp_path / "in" / "folder.txt").mkdir()
    gone = put(tmp_path / "in" / "gone.txt", TEXT)

    found = find([str(tmp_path / "in")])
    gone.unlink()
    assert [source.name for source in found] == ["empty.html", "gone.txt", "good.txt", "latin.txt", "long.txt"]
    outcome = filtered([tmp_path / "in"], tmp_path / "out", folder, max_record=3000)
    assert [(Path(bad["file"]).name, bad["reason"].partition(" (")[0]) for bad in errors(tmp_path / "out")] == [
        ("latin.txt", "is not UTF-8"),
        ("long.txt", "is longer than 3,000 bytes"),
    ]
    assert outcome.stats["skipped"] == {"no text": 1}
    assert outcome.stats["articles"] == 1


# ── WARC runs


def test_a_warc_run_counts_by_site_and_says_what_was_passed_over(folder, tmp_path):
    pages = [response(f"https://www.site{i % 2}.example/{i}", page(*NEWS, f"Number {i}.").encode()) for i in range(6)]
    broken = response("https://site0.example/x", b"\x80" * 50, headers=[("Content-Encoding", "gzip")])
    write(
        tmp_path / "in" / "2026" / "crawl-00000.warc.gz", [*pages, response("https://a.example/", b"", status="404 No"), broken]
    )
    write(tmp_path / "in" / "2026" / "crawl-00000.warc.wet.gz", [conversion("https://wet.example/", TEXT)])
    outcome = filtered([tmp_path / "in"], tmp_path / "out", folder)
    assert names(tmp_path / "out") == ["2026/crawl-00000.jsonl.gz", "2026/crawl-00000~2.jsonl.gz"]
    assert outcome.stats["skipped"] == {"status 404": 1, "warcinfo": 2}
    assert {site: found["articles"] for site, found in outcome.stats["sites"].items()} == {
        "site0.example": 3, "site1.example": 3, "wet.example": 1,
    }  # fmt: skip
    (bad,) = errors(tmp_path / "out")
    assert (bad["line"], bad["reason"]) == (9, "has content that is not gzip or deflate, as its header says")
    found = [
        json.loads(line) for line in gzip.decompress((tmp_path / "out" / names(tmp_path / "out")[0]).read_bytes()).splitlines()
    ]
    assert found[0].keys() == {"id", "url", "date", "site", "text", "removed", "filter"}


def test_a_warc_file_cut_short_is_a_missing_shard(folder, tmp_path):
    whole = write(tmp_path / "in" / "a.warc.gz", [response(f"https://a.example/{i}", page().encode()) for i in range(3)])
    put(tmp_path / "in" / "b.warc.gz", whole.read_bytes()[:-20])
    code, said = run(tmp_path / "in", "--out", tmp_path / "out", "--model", folder, "--retries", 0)
    assert code == 1
    assert "1 of 2 shards missing" in said
    assert "b.warc.gz: cannot be read (EOFError: Compressed file ended" in said
    assert "1 skipped (warcinfo)" in said
    assert names(tmp_path / "out") == ["a.jsonl.gz"]


# ── data sets of Hugging Face


def stream(path: Path, table: pa.Table, rows: int = 10) -> Path:
    """Write an Arrow file as `save_to_disk` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
        out.write_table(table, rows)
    return path


def data_set(home: Path, items: list[dict[str, Any]], parts: int = 1) -> None:
    """Write the folder of a data set."""
    table = pa.Table.from_pylist(items).replace_schema_metadata({"huggingface": '{"info": {"features": {}}}'})
    files = [f"data-{part:05}-of-{parts:05}.arrow" for part in range(parts)]
    for part, name in enumerate(files):
        stream(home / name, table.slice(part * len(items) // parts, len(items) // parts))
    put(home / "state.json", json.dumps({"_data_files": [{"filename": name} for name in files], "_split": "train"}))
    put(home / "dataset_info.json", "{}")


def test_a_saved_data_set_keeps_splits_columns_and_types(folder, tmp_path, tiny):
    items = [{**item, "score": i / 4, "tags": ["a", str(i)]} for i, item in enumerate(articles(40))]
    data_set(tmp_path / "in" / "train", items, parts=2)
    data_set(tmp_path / "in" / "test", items[:10])
    put(tmp_path / "in" / "dataset_dict.json", '{"splits": ["train", "test"]}')
    stream(tmp_path / "in" / "train" / "cache-0123456789abcdef.arrow", pa.table({"text": ["left over"]}))
    filtered([tmp_path / "in"], tmp_path / "out", folder)
    parts = ["train/data-00000-of-00002.parquet", "train/data-00001-of-00002.parquet"]
    assert names(tmp_path / "out") == ["test/data-00000-of-00001.parquet", *parts]
    found = pa.concat_tables([pq.read_table(tmp_path / "out" / name) for name in parts])
    assert found.schema.field("tags").type == pa.list_(pa.string())
    assert b"huggingface" not in (found.schema.metadata or {})
    assert found.column("text").to_pylist() == [tiny.filter(item["text"]).text for item in items]
    assert found.select(["id", "score", "tags"]).to_pylist() == [
        {key: item[key] for key in ("id", "score", "tags")} for item in items
    ]


def test_a_large_arrow_file_is_cut_between_batches(folder, tmp_path):
    items = articles(100)
    path = stream(tmp_path / "in" / "a.arrow", pa.Table.from_pylist(items))
    outcome = filtered([path], tmp_path / "out", folder, shard_bytes=path.stat().st_size // 4)
    assert outcome.shards > 3
    found = [pq.read_table(tmp_path / "out" / name).column("id").to_pylist() for name in names(tmp_path / "out")]
    assert [name for part in found for name in part] == [item["id"] for item in items]


def test_arrow_files_with_a_footer_are_read_too(folder, tmp_path):
    table = pa.Table.from_pylist(articles(10))
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as out:
        out.write_table(table)
    assert filtered([tmp_path / "a.arrow"], tmp_path / "out", folder).stats["articles"] == 10


def test_an_arrow_file_cut_short_is_a_missing_shard(folder, tmp_path):
    whole = stream(tmp_path / "a.arrow", pa.Table.from_pylist(articles(100))).read_bytes()
    boundary = whole.rfind(b"\xff\xff\xff\xff", 0, -8)
    for number, size in enumerate([0, 5, 100, len(whole) // 2, boundary, len(whole) - 8]):
        path = put(tmp_path / "cut" / f"{number}.arrow", whole[:size])
        outcome = filtered([path], tmp_path / f"out{number}", folder)
        assert outcome.left == 1, size
        assert "Traceback" not in outcome.missing[0].reason


def test_a_data_set_without_one_of_its_files_is_refused(folder, tmp_path):
    data_set(tmp_path / "in", articles(20), parts=2)
    (tmp_path / "in" / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(InputError, match=r"in: has no data-00001-of-00002.arrow, which state.json names"):
        filtered([tmp_path / "in"], tmp_path / "out", folder)


# ── names


def test_folders_are_mirrored_and_hidden_ones_passed_over(folder, tmp_path):
    data = lines(articles(2))
    for name in ("a.jsonl", "d/e/a.jsonl", "_errors/a.jsonl", ".hidden/a.jsonl", "d/.a.jsonl", "d/_a.jsonl", "readme.md"):
        put(tmp_path / "in" / name, data)
    filtered([tmp_path / "in"], tmp_path / "out", folder)
    assert names(tmp_path / "out") == ["a.jsonl", "d/e/a.jsonl"]
    filtered([tmp_path / "out"], tmp_path / "again", folder)
    assert names(tmp_path / "again") == ["a.jsonl", "d/e/a.jsonl"]


def test_files_of_the_same_name_get_outputs_of_their_own(folder, tmp_path):
    for number, name in enumerate(("a/x.jsonl", "b/x.jsonl", "b/X.jsonl.gz")):
        data = lines(articles(number + 1))
        put(tmp_path / name, gzip.compress(data) if name.endswith("gz") else data)
    filtered([tmp_path / "a" / "x.jsonl", tmp_path / "b"], tmp_path / "out", folder, to=".jsonl")
    found = {name: len(records(tmp_path / "out" / name)) for name in names(tmp_path / "out")}
    assert found == {"x.jsonl": 1, "X~2.jsonl": 3, "x~3.jsonl": 2}


def test_patterns_stand_for_what_they_match(folder, tmp_path):
    for name in ("2024-01/a.jsonl", "2024-02/a.jsonl", "2025-01/a.jsonl", "2024-02/_b/a.jsonl", "2024-03/d/a.jsonl", "2024.md"):
        put(tmp_path / "in" / name, lines(articles(1)))

    def found(pattern: str) -> list[str]:
        return [source.name for source in find([str(tmp_path / "in" / pattern)])]

    assert found("2024-*/a.jsonl") == ["2024-01/a.jsonl", "2024-02/a.jsonl"]
    assert found("2024*") == ["2024-01/a.jsonl", "2024-02/a.jsonl", "2024-03/d/a.jsonl"]
    assert found("**/a.jsonl") == ["2024-01/a.jsonl", "2024-02/a.jsonl", "2024-03/d/a.jsonl", "2025-01/a.jsonl"]
    assert found("202[5-9]-??/a.jsonl") == ["2025-01/a.jsonl"]
    put(tmp_path / "in" / "odd [1].jsonl", lines(articles(1)))
    assert found("odd [1].jsonl") == ["odd [1].jsonl"]
    filtered([tmp_path / "in" / "2024-*" / "*.jsonl"], tmp_path / "out", folder)
    assert names(tmp_path / "out") == ["2024-01/a.jsonl", "2024-02/a.jsonl"]


def test_links_are_followed_but_not_in_circles(tmp_path):
    put(tmp_path / "elsewhere" / "a.jsonl", lines(articles(1)))
    put(tmp_path / "in" / "b.jsonl", lines(articles(1)))
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "twice").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "in")
    assert [source.name for source in find([str(tmp_path / "in")])] == ["b.jsonl", "linked/a.jsonl"]


def test_a_link_to_nothing_is_said(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").symlink_to(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"a\.jsonl: no such file"):
        find([str(tmp_path / "in")])


def test_the_output_folder_is_no_input_of_its_own_run(folder, tmp_path, monkeypatch):
    put(tmp_path / "a.jsonl", lines(articles(2)))
    for before in (0, 1):
        outcome = filtered([tmp_path], tmp_path / "out", folder)
        assert (outcome.shards, outcome.before) == (1, before)
    monkeypatch.chdir(tmp_path)
    assert filtered([Path("../" + tmp_path.name)], Path("./out"), folder, restart=True).shards == 1


def test_an_input_folder_cannot_be_the_output_folder(tmp_path):
    put(tmp_path / "in" / "a.jsonl", b"")
    with pytest.raises(InputError, match="is the output folder too"):
        find([str(tmp_path / "in")], str(tmp_path / "in"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("-", "standard input cannot be cut into shards. Filter it with trainer filter -"),
        ("none.jsonl", "none.jsonl: no such file"),
        ("none*.jsonl", "none*.jsonl: matches no files ending in .jsonl,"),
        ("a.pdf", "a.pdf: cannot tell the format; names end in .jsonl,"),
        ("empty", "empty: no files ending in .jsonl,"),
        ("nosuch://bucket/a.jsonl", "nosuch://bucket/a.jsonl: cannot be opened (Protocol not known"),
        ("http://user:secret@host/a.jsonl", "a URL with a password or a query would be stored"),
        ("https://host/a.jsonl?signature=secret", "a URL with a password or a query would be stored"),
    ],
)
def test_what_cannot_be_input_is_said_in_a_line(given, said, folder, tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "a.pdf", b"")
    (tmp_path / "empty").mkdir()
    found = refuse(cli("bulk", given, "--out", tmp_path / "out", "--model", folder), said)
    assert "secret" not in found
    assert not os.path.lexists(tmp_path / "out")


def test_names_on_an_object_store_never_lead_out_of_the_output_folder(folder, tmp_path):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.store.clear()
    for name in ("/in/../../up.jsonl", "/in//double.jsonl", "/in/a/./b.jsonl"):
        memory.store[name] = fsspec.implementations.memory.MemoryFile(memory, name, lines(articles(1)))
    found = [source.name for source in find(["memory://in"])]
    assert found == ["_/double.jsonl"]


def test_an_extractor_that_is_not_there_is_said_before_anything_is_done(folder, tmp_path, monkeypatch):
    write(tmp_path / "a.warc", [response("https://a.example/", page().encode())])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TrainerError, match=r"needs trafilatura, which is not installed"):
        filtered([tmp_path / "a.warc"], tmp_path / "out", folder, extractor="trafilatura")
    assert not (tmp_path / "out").exists()
