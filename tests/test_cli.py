import datetime
import gzip
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import LABELS, ROOT, SET, article, config, load, records, story, write
from strategies import texts as odd_texts

from trainer import artifact
from trainer.cli import main
from trainer.dataset import load_labels
from trainer.explain import explain
from trainer.records import file_name
from trainer.training import train

COMMANDS = ("train", "evaluate", "filter", "info", "export")
HARD_WRAPPED = "\n".join(
    [
        "The council voted on Monday to close the old bridge for the winter, and",
        "it will hold a hearing on the repairs before the end of the month, when",
        "the county is to say what it can pay. Residents who spoke at the meeting",
        "asked for a ferry in the meantime, which the mayor called too expensive",
        "for a town of its size, though she promised to look at the figures again",
        "",
        "A second paragraph follows after a blank line and is wrapped as well, so",
        "that the column can be told from the lines themselves, as in old archives",
        "of wire copy, which were broken at a fixed number of characters per line.",
    ]
)


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def outcome(argv, capsys):
    capsys.readouterr()
    try:
        main([str(part) for part in argv])
        code = 0
    except SystemExit as stop:
        code = stop.code or 0
    return Outcome(code, *capsys.readouterr())


@pytest.fixture
def cli(capsys):
    """Run the command line in this process."""
    return lambda *argv: outcome(argv, capsys)


def spawn(*argv, stdin=b"", cwd=None, start=("-m", "trainer"), **env):
    """Run the command line in a process of its own."""
    command = [sys.executable, *start, *map(str, argv)]
    where = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=120, env=where, cwd=cwd, check=False)
    return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def succeed(result):
    assert result.code == 0, result.err
    assert "Traceback" not in result.err
    return result


def refuse(result, *wanted, started=False):
    """Check that a run failed as it should: exit code 2, one line on stderr, nothing on stdout.

    A run that had `started` may have said before what it works on, and have printed what it found.
    """
    assert result.code == 2, result
    lines = result.err.strip("\n").split("\n")
    assert len(lines) == 1 or started, result.err
    assert lines[-1].startswith("trainer: ")
    assert "Traceback" not in result.err
    assert started or result.out == ""
    for part in wanted:
        assert str(part) in lines[-1]
    return lines[-1]


@pytest.fixture(scope="session")
def label_path(tmp_path_factory):
    return write(tmp_path_factory.mktemp("labels") / "small.jsonl", records())


@pytest.fixture(scope="session")
def folder(label_path, tmp_path_factory):
    """A model trained by the command."""
    out = tmp_path_factory.mktemp("models") / "tiny"
    with pytest.raises(SystemExit) as stop:
        main(["train", str(label_path), "--out", str(out), *SET])
    assert not stop.value.code
    return out


@pytest.fixture(scope="session")
def tiny(folder):
    return artifact.load(folder)


@pytest.fixture(scope="session")
def articles():
    """Records to filter; the model removes something of most of them."""
    return [
        {"id": f"n-{i}", "url": f"https://{item['site']}/{i}", "text": "\n".join(p["text"] for p in item["paragraphs"])}
        for i, item in enumerate(records(30)[10:])
    ]


@pytest.fixture
def source(articles, tmp_path):
    return write(tmp_path / "in.jsonl", articles)


def read(path):
    data = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(data) if path.suffix == ".gz" else data).decode().split("\n") if line]


def files(path):
    return sorted(str(file.relative_to(path)) for file in path.rglob("*"))


# ── help


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_of_every_command_gives_an_example(cli, command, flag):
    result = succeed(cli(command, flag))
    assert "Example" in result.out
    assert f"trainer {command}" in result.out


def test_help_names_every_command(cli):
    result = succeed(cli("--help"))
    assert all(command in result.out for command in COMMANDS)


def test_version(cli):
    assert re.fullmatch(r"paragraph-trainer \d+\.\d+\.\d+\S*\n", succeed(cli("--version")).out)


def test_running_the_package_is_running_the_command():
    assert "filter" in succeed(spawn("--help")).out


# ── train


def test_train_writes_the_model_its_figures_and_its_card(folder, label_path, tmp_path):
    assert files(folder) == ["card.md", "metrics.json", "model.safetensors"]
    data = load(tmp_path / "x.jsonl", records()).summary()
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert metrics["data"] == data
    assert "out-of-fold" in metrics["title"]
    card = (folder / "card.md").read_text("utf-8")
    for wanted in (data["digest"], "24 articles of 12 sites", "macro-F1", "## Limits", *data["labels"]):
        assert wanted in card
    assert artifact.load(folder).info["data"] == data


def test_train_says_what_it_trains_on_and_what_it_wrote(cli, label_path, tmp_path):
    result = succeed(cli("train", label_path, "--out", tmp_path / "m", *SET))
    assert result.out == ""
    assert "training on 24 articles of 12 sites" in result.err
    assert "caption 28" in result.err
    assert f"wrote {tmp_path / 'm'}" in result.err.replace("\n", "")


def test_train_refuses_to_overwrite_without_force(cli, label_path, tmp_path):
    out = tmp_path / "m"
    succeed(cli("train", label_path, "--out", out, *SET))
    before = (out / "model.safetensors").read_bytes()
    refuse(cli("train", label_path, "--out", out, *SET, "--set", "seed=1"), out, "--force")
    assert (out / "model.safetensors").read_bytes() == before
    succeed(cli("train", label_path, "--out", out, *SET, "--set", "seed=1", "--force"))
    assert (out / "model.safetensors").read_bytes() != before
    assert files(tmp_path) == ["m", "m/card.md", "m/metrics.json", "m/model.safetensors"]


def test_train_never_replaces_what_is_no_model(cli, label_path, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "diary.txt").write_text("dear diary")
    (tmp_path / "file").write_text("x")
    for out in ("notes", "file"):
        refuse(cli("train", label_path, "--out", tmp_path / out, *SET, "--force"), "not a model folder")
    assert (tmp_path / "notes" / "diary.txt").read_text() == "dear diary"


def test_two_runs_give_the_same_bytes(folder, label_path, tmp_path):
    succeed(spawn("train", label_path, "--out", tmp_path / "m", *SET, PYTHONHASHSEED="7", OMP_NUM_THREADS="2"))
    for name in files(folder):
        assert (tmp_path / "m" / name).read_bytes() == (folder / name).read_bytes(), name


def test_order_of_articles_and_files_does_not_matter(cli, folder, tmp_path):
    items = records()[::-1]
    paths = [write(tmp_path / "b.jsonl.gz", items[:9]), write(tmp_path / "a.jsonl", items[9:])]
    succeed(cli("train", *paths, "--out", tmp_path / "m", *SET))
    assert (tmp_path / "m" / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_train_takes_a_configuration_file(cli, label_path, tmp_path):
    path = tmp_path / "c.toml"
    rest = "".join(f'[[labels]]\nname = "{name}"\n' for name in ("fundraising", "navigation", "caption", "ad"))
    path.write_text('seed = 4\n[[labels]]\nname = "news"\nkept = true\n' + rest)
    succeed(cli("train", label_path, "--out", tmp_path / "m", "--config", path, *SET))
    model = artifact.load(tmp_path / "m")
    assert model.labels.names == ("news", "fundraising", "navigation", "caption", "ad")
    assert model.info["config"]["seed"] == 4


def test_train_with_evaluation_puts_nested_figures_on_the_card(cli, label_path, tmp_path):
    succeed(cli("train", label_path, "--out", tmp_path / "m", "--evaluate", *SET))
    assert "3-fold cross-validation" in json.loads((tmp_path / "m" / "metrics.json").read_text())["title"]
    assert "3-fold cross-validation" in (tmp_path / "m" / "card.md").read_text()


def test_clashing_texts_are_noted(cli, tmp_path):
    items = records()
    items[0]["paragraphs"].append({"text": "Odd one out", "label": "caption"})
    items[1]["paragraphs"].append({"text": "Odd one out", "label": "news"})
    assert "note: 1 text" in succeed(cli("train", write(tmp_path / "x.jsonl", items), "--out", tmp_path / "m", *SET)).err


def one_label_a_site():
    return [
        *(article(i, "a.example", (story(i), "news")) for i in range(3)),
        *(article(i, "b.example", ("Home | About us", "navigation")) for i in range(3, 6)),
    ]


def test_sites_of_one_label_each_are_refused_in_one_line(cli, tmp_path):
    result = cli("train", write(tmp_path / "x.jsonl", one_label_a_site()), "--out", tmp_path / "m", *SET)
    assert result.code == 0 or refuse(result, started=True)


def test_setting_that_leaves_no_feature_is_refused_in_one_line(cli, label_path, tmp_path):
    result = cli("train", label_path, "--out", tmp_path / "m", *SET, "--set", "text.min_count=1000000")
    assert result.code == 0 or refuse(result, started=True)


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_sites_that_all_share_one_story_are_refused_in_one_line(cli, tmp_path, command):
    items = [article(i, f"{i}.example", (story(0), "news"), ("Home", "navigation")) for i in range(8)]
    out = ["--out", tmp_path / "m"] if command == "train" else []
    refuse(cli(command, write(tmp_path / "x.jsonl", items), *out, *SET), started=True)


# ── evaluate


def test_evaluate_prints_tables(cli, label_path):
    result = succeed(cli("evaluate", label_path, "--jobs", "1", *SET))
    for wanted in ("3-fold cross-validation, site-grouped", "macro-F1", "navigation", "confusion", "thresholds", "note:"):
        assert wanted in result.out


def test_evaluate_writes_json_beside_the_tables(cli, label_path, tmp_path):
    path = tmp_path / "deep" / "report.json"
    result = succeed(cli("evaluate", label_path, "--jobs", "1", "--json", path, *SET))
    report = json.loads(path.read_text("utf-8"))
    assert f"{report['overall']['macro_f1'][0]:.3f}" in result.out
    assert "leaky" not in report


def test_evaluate_gives_nothing_but_json_where_asked(cli, label_path):
    result = succeed(cli("evaluate", label_path, "--jobs", "1", "--json", "-", *SET))
    report = json.loads(result.out, parse_constant=pytest.fail)
    assert set(report) >= {"title", "labels", "support", "per_label", "overall", "confusion", "thresholds", "data", "notes"}


def test_evaluate_shows_leakage(cli, label_path):
    result = succeed(cli("evaluate", label_path, "--jobs", "1", "--leakage", *SET))
    assert "leakage" in result.out
    assert "random split" in result.out
    report = json.loads(succeed(cli("evaluate", label_path, "--jobs", "1", "--leakage", "--json", "-", *SET)).out)
    assert "leaky" in report["leaky"]["title"]
    assert "leaky" not in report["title"]


def test_evaluate_scores_a_saved_model(cli, folder, label_path, tmp_path):
    other = write(tmp_path / "other.jsonl", records(30)[24:])
    report = json.loads(succeed(cli("evaluate", other, "--model", folder, "--json", "-", *SET)).out)
    assert (report["title"], report["notes"]) == ("saved model tiny", [])
    report = json.loads(succeed(cli("evaluate", label_path, "--model", folder, "--json", "-", *SET)).out)
    assert "trained on" in report["notes"][0]


def test_evaluate_is_quiet_about_rare_labels(tmp_path):
    items = records()
    for item in items:
        item["paragraphs"] = [p for p in item["paragraphs"] if p["label"] != "caption"]
    items[0]["paragraphs"].append({"text": "Jane Doe / Wire", "label": "caption"})
    result = succeed(spawn("evaluate", write(tmp_path / "x.jsonl", items), "--jobs", "1", "--json", "-", *SET))
    assert "Warning" not in result.err


def test_evaluate_on_two_sites_works_or_is_refused_in_one_line(cli, tmp_path):
    result = cli("evaluate", write(tmp_path / "x.jsonl", records(8, 2)), "--jobs", "1", *SET)
    assert result.code == 0 or refuse(result, started=True)


def test_evaluate_refuses_a_report_it_cannot_write(cli, folder, label_path, tmp_path):
    (tmp_path / "taken").write_text("mine")
    result = cli("evaluate", label_path, "--model", folder, "--json", tmp_path / "taken" / "report.json", *SET)
    refuse(result, "taken", started=True)


# ── filter: where from


def expected(model, item, **options):
    """Return what the library makes of a record."""
    return model.filter(item["text"], **options).to_record(item)


def test_filter_of_a_text_file_gives_the_kept_text(cli, folder, tiny, articles, tmp_path):
    path = tmp_path / "one.two.txt"
    path.write_text(articles[0]["text"], "utf-8")
    result = succeed(cli("filter", path, "--model", folder))
    assert result.out == tiny.filter(articles[0]["text"]).text + "\n"
    assert re.match(r"1 article: removed \d+ of \d+ paragraphs", result.err)
    (record,) = map(json.loads, succeed(cli("filter", path, "--model", folder, "--out", "-")).out.splitlines())
    assert record == expected(tiny, {"id": "one.two", "text": articles[0]["text"]})


def test_filter_removes_something(cli, folder, tiny, source, articles):
    removed = sum(len(tiny.filter(item["text"]).removed) for item in articles)
    assert removed >= 10
    result = succeed(cli("filter", source, "--model", folder))
    assert f"{len(articles)} articles: removed {removed} of" in result.err


def parquet(path, items):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(items), path)
    return path


@pytest.mark.parametrize("name", ["in.jsonl", "in.jsonl.gz", "in.parquet"])
def test_filter_reads_records_of_every_form(cli, folder, tiny, articles, tmp_path, name):
    path = tmp_path / name
    parquet(path, articles) if path.suffix == ".parquet" else write(path, articles)
    result = succeed(cli("filter", path, "--model", folder, "--out", "-"))
    assert [json.loads(line) for line in result.out.splitlines()] == [expected(tiny, item) for item in articles]


def test_filter_reads_folders_in_order_and_passes_over_other_files(cli, folder, articles, tmp_path):
    inside = tmp_path / "in"
    (inside / "deeper").mkdir(parents=True)
    write(inside / "b.jsonl", articles[1:3])
    write(inside / "c.jsonl.gz", articles[3:4])
    parquet(inside / "d.parquet", articles[4:6])
    (inside / "a.txt").write_text(articles[0]["text"])
    (inside / "readme.md").write_text("# not an article")
    result = succeed(cli("filter", inside, tmp_path / "in" / "b.jsonl", "--model", folder, "--out", "-"))
    assert [json.loads(line)["id"] for line in result.out.splitlines()] == ["a", "n-1", "n-2", "n-3", "n-4", "n-5", "n-1", "n-2"]


@pytest.mark.parametrize("argv", [["-"], []], ids=["dash", "nothing"])
def test_filter_reads_one_text_from_standard_input(folder, tiny, articles, argv):
    text = articles[0]["text"]
    result = succeed(spawn("filter", *argv, "--model", folder, stdin=text.encode()))
    assert result.out == tiny.filter(text).text + "\n"


def test_filter_reads_records_from_standard_input(folder, tiny, articles):
    data = b"\xef\xbb\xbf" + "\r\n\r\n".join(json.dumps(item) for item in articles[:3]).encode()
    result = succeed(spawn("filter", "-", "--model", folder, "--out", "-", stdin=data))
    assert [json.loads(line) for line in result.out.splitlines()] == [expected(tiny, item) for item in articles[:3]]


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


def test_offsets_count_from_the_start_of_standard_input(cli, folder, stdin, articles):
    text = "\n \n" + articles[0]["text"]
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


# ── filter: where to


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "deep/er/out.jsonl"])
def test_filter_writes_json_lines(cli, folder, tiny, source, articles, tmp_path, name):
    result = succeed(cli("filter", source, "--model", folder, "--out", tmp_path / name))
    assert result.out == ""
    assert read(tmp_path / name) == [expected(tiny, item) for item in articles]


def test_filter_writes_parquet(cli, folder, tiny, source, articles, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    succeed(cli("filter", source, "--model", folder, "--out", tmp_path / "out.parquet", "--paragraphs"))
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert rows == [tiny.filter(item["text"]).to_record(item, paragraphs=True) for item in articles]


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


def test_filter_writes_kept_texts_into_a_folder(cli, folder, tiny, source, articles, tmp_path):
    succeed(cli("filter", source, "--model", folder, "--out", tmp_path / "texts"))
    assert files(tmp_path / "texts") == sorted(f"{item['id']}.txt" for item in articles)
    for item in articles:
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


def test_file_may_replace_itself(cli, folder, source, articles):
    succeed(cli("filter", source, "--model", folder, "--out", source, "--force"))
    assert [item["id"] for item in read(source)] == [item["id"] for item in articles]


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


# ── filter: what is in a record


UNKNOWN = {
    "url": "https://x.example",
    "tags": ["a", {"b": None}],
    "score": 0.1,
    "n": 10**30,
    "ünï": "☃\u2028",
    "empty": {},
    "site": "s",
}


def test_unknown_fields_pass_through_untouched(cli, folder, articles, tmp_path):
    item = {**UNKNOWN, **articles[0]}
    path = write(tmp_path / "in.jsonl", [item])
    succeed(cli("filter", path, "--model", folder, "--out", tmp_path / "out.jsonl"))
    (record,) = read(tmp_path / "out.jsonl")
    assert {key: record[key] for key in item if key != "text"} == {key: value for key, value in item.items() if key != "text"}


def test_record_has_the_fields_of_the_contract(cli, folder, tiny, source, articles):
    result = succeed(cli("filter", source, "--model", folder, "--out", "-"))
    for item, line in zip(articles, result.out.splitlines(), strict=True):
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


def test_paragraphs_lists_all_of_them(cli, folder, source, articles):
    result = succeed(cli("filter", source, "--model", folder, "--out", "-", "--paragraphs"))
    for item, line in zip(articles, result.out.splitlines(), strict=True):
        record = json.loads(line)
        assert set(record) == {"id", "url", "text", "removed", "paragraphs", "filter"}
        assert all(set(p) == {"index", "text", "label", "probability", "keep"} for p in record["paragraphs"])
        assert [p["text"] for p in record["paragraphs"]] == item["text"].split("\n")
        assert [p["index"] for p in record["paragraphs"]] == list(range(len(record["paragraphs"])))
        assert [p["index"] for p in record["paragraphs"] if not p["keep"]] == [r["index"] for r in record["removed"]]
        assert record["text"] == "\n".join(p["text"] for p in record["paragraphs"] if p["keep"])


def test_callers_own_split_is_kept(cli, folder, tiny, articles, tmp_path):
    parts = articles[0]["text"].split("\n")
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


# ── filter: options


def test_max_removed_share_bounds_what_goes(cli, folder, source):
    shares = {}
    for most in ("0", "0.05", "1"):
        result = succeed(cli("filter", source, "--model", folder, "--out", "-", "--max-removed-share", most))
        found = [json.loads(line)["filter"] for line in result.out.splitlines()]
        assert all(item["removed_share"] <= float(most) + 1e-9 for item in found)
        shares[most] = sum(item["removed_share"] for item in found)
        if most == "0.05":
            assert any("max_removed_share" in item["flags"] for item in found)
            assert "flag max_removed_share in" in result.err
    assert 0 == shares["0"] < shares["0.05"] < shares["1"]


def test_article_of_residue_alone_stays_unless_it_may_go(cli, tiny, tmp_path):
    strict = tiny.policy._replace(thresholds=tuple(0.0 if t < 1 else t for t in tiny.policy.thresholds), headline=0)
    folder = artifact.save(tmp_path / "strict", tiny.network, tiny.labels, strict, {})
    model = artifact.load(folder)
    junk = [p["text"] for item in records() for p in item["paragraphs"] if p["label"] == "fundraising"]
    text = next(t for t in ("\n".join([one] * 5) for one in junk) if model.filter(t, allow_empty=True).removed_share == 1)
    path = write(tmp_path / "in.jsonl", [{"id": "a", "text": text}])
    kept = json.loads(succeed(cli("filter", path, "--model", folder, "--out", "-")).out)
    gone = json.loads(succeed(cli("filter", path, "--model", folder, "--out", "-", "--allow-empty")).out)
    assert (kept["text"], kept["filter"]["flags"]) == (text, ["empty"])
    assert (gone["text"], gone["filter"]["removed_share"]) == ("", 1)


def test_wrap_says_what_becomes_of_hard_wrapped_text(cli, folder, tmp_path):
    path = tmp_path / "x.txt"
    path.write_text(HARD_WRAPPED)
    count = {}
    for wrap in ("auto", "never", "always"):
        result = succeed(cli("filter", path, "--model", folder, "--out", "-", "--paragraphs", "--wrap", wrap))
        count[wrap] = len(json.loads(result.out)["paragraphs"])
    assert count == {"auto": 2, "never": 8, "always": 2}


def test_diff_shows_kept_and_removed(cli, folder, tiny, source, articles):
    result = succeed(cli("filter", source, "--model", folder, "--diff"))
    lines = [line for line in result.out.split("\n") if line]
    for item in articles:
        filtered = tiny.filter(item["text"])
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{item['id']} ─"))
        shown = lines[at + 1 : at + 1 + len(filtered.paragraphs)]
        for line, paragraph, keep in zip(shown, filtered.paragraphs, filtered.keep, strict=True):
            assert line.startswith("  " if keep else "- [")
            assert line.endswith(
                "".join(c if c.isprintable() else " " if c.isspace() else ascii(c)[1:-1] for c in paragraph.text)
            )
    assert "\x1b" not in result.out


def test_diff_also_comes_with_records_in_a_file(cli, folder, source, articles, tmp_path):
    result = succeed(cli("filter", source, "--model", folder, "--diff", "--out", tmp_path / "o.jsonl"))
    assert "- [" in result.out
    assert len(read(tmp_path / "o.jsonl")) == len(articles)


def test_records_on_standard_output_stay_readable_with_diff_or_are_refused(cli, folder, source):
    result = cli("filter", source, "--model", folder, "--diff", "--out", "-")
    if result.code:
        refuse(result)
    else:
        for line in result.out.splitlines():
            json.loads(line)


def test_diff_shows_what_would_steer_a_terminal_as_text(cli, folder, tmp_path):
    path = write(tmp_path / "in.jsonl", [{"id": "\x1b[31m[bold]id", "text": "A \x1b]0;x\x07 line [red]with[/red] [/x] marks."}])
    for flags in (["--diff"], ["--explain"]):
        result = succeed(cli("filter", path, "--model", folder, *flags))
        assert "\x1b" not in result.out
        assert r"\x1b[31m[bold]id" in result.out


def test_explain_says_why(cli, folder, source, articles, tiny, tmp_path):
    result = succeed(cli("filter", source, "--model", folder, "--explain"))
    for wanted in ("words", "characters", "shape", "context"):
        assert wanted in result.out
    succeed(cli("filter", source, "--model", folder, "--explain", "--out", tmp_path / "o.jsonl"))
    reasons = [removed["explanation"] for record in read(tmp_path / "o.jsonl") for removed in record["removed"]]
    assert len(reasons) == sum(len(tiny.filter(item["text"]).removed) for item in articles)
    for reason in reasons:
        assert set(reason) == {"log_odds", "words", "characters", "shape", "context"}
        assert all(set(reason[name]) == {"contribution", "strongest"} for name in reason if name != "log_odds")
        assert reason["log_odds"] > 0


def test_explain_and_diff_go_together(cli, folder, source):
    result = succeed(cli("filter", source, "--model", folder, "--explain", "--diff"))
    assert "- [" in result.out
    assert "words" in result.out


@given(st.lists(odd_texts, min_size=1, max_size=5))
@settings(max_examples=25)
def test_every_text_can_be_explained(tiny, paragraphs):
    found = explain(tiny, paragraphs, range(len(paragraphs)))
    assert [item.index for item in found] == list(range(len(paragraphs)))
    probability = tiny.predict_proba([paragraphs])
    assert [item.label for item in found] == [tiny.labels.names[k] for k in probability.argmax(axis=1)]
    assert all(np.isfinite([item.log_odds, *(group.contribution for group in item.groups)]).all() for item in found)


# ── filter: bad records


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
def test_damaged_files_are_refused_in_one_line(cli, folder, articles, tmp_path, spoil):
    changes = {
        "text": lambda data: b"plain text",
        "cut": lambda data: data[: len(data) // 2],
        "middle": lambda data: data[:60] + bytes(b ^ 0xFF for b in data[60:400]) + data[400:],
    }
    for path in (write(tmp_path / "x.jsonl.gz", articles), parquet(tmp_path / "x.parquet", articles)):
        path.write_bytes(changes[spoil](path.read_bytes()))
        refuse(cli("filter", path, "--model", folder, "--out", tmp_path / "o.jsonl"), path)
        assert not (tmp_path / "o.jsonl").exists()


# ── errors


TWO_LABELS = 'labels=[{name="a", kept=true}, {name="b"}]'
# Words that begin with @ stand for the places of the fixture below.
ERRORS = {
    "train: no such file": ("train @gone --out @new", "No such file"),
    "train: empty folder": ("train @empty --out @new", "no label files"),
    "train: bad label line": ("train @bad.jsonl --out @new", "bad.jsonl:1"),
    "train: no such configuration": ("train @labels --out @new --config @gone", "gone"),
    "train: bad configuration": ("train @labels --out @new --config @bad.toml", "is not TOML"),
    "train: unknown key": ("train @labels --out @new --set text.c=1", "unknown key text.c"),
    "train: bad value": ("train @labels --out @new --set seed=x", "seed"),
    "train: bad override": ("train @labels --out @new --set seed", "key=value"),
    "train: labels that are none": ("train @labels --out @new --set @two", "unknown label"),
    "evaluate: no such file": ("evaluate @gone", "No such file"),
    "evaluate: no such model": ("evaluate @labels --model @gone", "cannot read the model"),
    "evaluate: model and leakage": ("evaluate @labels --model @model --leakage", "--leakage"),
    "evaluate: no processes": ("evaluate @labels --jobs 0", "jobs"),
    "filter: no such model": ("filter @a.txt --model @gone", "cannot read the model"),
    "filter: broken model": ("filter @a.txt --model @broken", "safetensors"),
    "filter: file for a model": ("filter @a.txt --model @a.txt", "cannot read the model"),
    "filter: no such file": ("filter @gone.txt --model @model", "gone.txt: no such file"),
    "filter: unknown suffix": ("filter @x.csv --model @model", "cannot tell the format"),
    "filter: json": ("filter @x.json --model @model", "cannot tell the format"),
    "filter: empty folder": ("filter @empty --model @model", "no files"),
    "filter: paragraphs without records": ("filter @a.txt --model @model --paragraphs", "--out"),
    "info: no such model": ("info @gone", "cannot read the model"),
    "info: broken model": ("info @broken", "safetensors"),
    "export: no such model": ("export @gone --out @new", "cannot read the model"),
}


@pytest.fixture
def place(folder, label_path, tmp_path):
    """Return what a word of ERRORS stands for."""
    (tmp_path / "a.txt").write_text("Text.")
    (tmp_path / "x.csv").write_text("a,b")
    (tmp_path / "x.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.toml").write_text("seed = ")
    write(tmp_path / "bad.jsonl", [{"id": "a"}])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"nothing of the kind")
    named = {"@model": folder, "@labels": label_path, "@two": TWO_LABELS}
    return lambda word: named.get(word, tmp_path / word[1:]) if word.startswith("@") else word


@pytest.mark.parametrize("case", ERRORS)
def test_every_error_is_one_line_and_exit_code_2(cli, place, tmp_path, case):
    words, wanted = ERRORS[case]
    refuse(cli(*map(place, words.split())), wanted)
    assert not (tmp_path / "new").exists()
    assert not [name for name in files(tmp_path) if Path(name).name.startswith(".")]


USAGE = [
    ["nonsense"],
    ["train", "labels"],
    ["train", "--out"],
    ["train", "--out", "x", "--nonsense"],
    ["filter", "a.txt", "--max-removed-share", "2"],
    ["filter", "a.txt", "--max-removed-share", "much"],
    ["filter", "a.txt", "--wrap", "sometimes"],
    ["evaluate", "--jobs", "many"],
    ["info"],
    ["export", "model", "--format", "pickle"],
]


@pytest.mark.parametrize("argv", USAGE, ids=[" ".join(argv) for argv in USAGE])
def test_wrong_usage_is_one_line_and_exit_code_2(cli, argv):
    refuse(cli(*argv))


def test_path_with_a_line_break_does_not_break_the_line(cli, folder, tmp_path):
    refuse(cli("filter", tmp_path / "a\nb.txt", "--model", folder), "no such file")


@pytest.mark.parametrize(
    ("module", "extra", "argv"),
    [
        ("pyarrow", "bulk", ["filter", "in.parquet"]),
        ("sklearn", "train", ["evaluate", "in.jsonl"]),
        ("pydantic", "train", ["train", "in.jsonl", "--out", "m"]),
    ],
)
def test_missing_package_is_named_with_its_extra(folder, tmp_path, module, extra, argv):
    write(tmp_path / "in.jsonl", records())
    (tmp_path / "in.parquet").write_bytes(b"")
    model = ["--model", str(folder)] if argv[0] == "filter" else []
    program = f"import sys; sys.modules[{module!r}] = None; from trainer.cli import main; main(sys.argv[1:])"
    refuse(spawn(*argv, *model, start=("-c", program), cwd=tmp_path), f"paragraph-trainer[{extra}]", module)


# ── info


def test_info_shows_what_a_model_is(cli, folder, tiny):
    result = succeed(cli("info", folder))
    for wanted in (*tiny.labels.names, tiny.digest, tiny.info["data"]["digest"], "scikit-learn", "Paragraph model", "Limits"):
        assert wanted in result.out


def test_info_as_json_has_everything(cli, folder, tiny):
    found = json.loads(succeed(cli("info", folder, "--json")).out)
    assert found["name"] == "tiny"
    assert found["digest"] == tiny.digest
    assert [label["name"] for label in found["labels"]] == list(tiny.labels.names)
    assert found["policy"]["thresholds"] == list(tiny.policy.thresholds)
    assert found["files"]["model.safetensors"] == (folder / "model.safetensors").stat().st_size
    assert found["info"] == tiny.info
    assert found["metrics"] == json.loads((folder / "metrics.json").read_text())
    assert found["card"] == (folder / "card.md").read_text("utf-8")


def copy_model(folder, to):
    to.mkdir(parents=True)
    (to / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    return to


def test_info_needs_the_weights_alone(cli, folder, tmp_path):
    bare = copy_model(folder, tmp_path / "bare")
    succeed(cli("info", bare))
    (bare / "metrics.json").write_text("{broken")
    found = json.loads(succeed(cli("info", bare, "--json")).out)
    assert (found["metrics"], found["card"]) == (None, "")


@pytest.mark.parametrize("argv", [["info"], ["evaluate", "--model"], ["filter", "--model"]], ids=["info", "evaluate", "filter"])
def test_model_folder_with_square_brackets_in_its_name(cli, folder, label_path, source, tmp_path, argv):
    odd = copy_model(folder, tmp_path / "odd[b]")
    rest = {"info": [], "evaluate": [label_path, *SET], "filter": [source, "--diff"]}[argv[0]]
    result = succeed(cli(*argv, odd, *rest))
    assert argv[0] == "filter" or "odd[b]" in result.out


# ── export


needs_pipeline = pytest.mark.skipif(importlib.util.find_spec("trainer.pipeline") is None, reason="there is no export yet")


@pytest.fixture(scope="session")
def many():
    """Return articles of all kinds: labelled ones, the odd, the empty."""
    lines = (LABELS / "authored.jsonl").read_text("utf-8").splitlines()
    real = [[p["text"] for p in json.loads(line)["paragraphs"]] for line in lines]
    return [*real[:60], [], [""], ["\x00", "\ud800"], ["Donate"] * 40, ["x" * 5000], ["a"] * 3, ["新聞 " * 50, "short"]]


@needs_pipeline
def test_export_gives_the_probabilities_of_the_model(cli, folder, tiny, many, tmp_path):
    joblib = pytest.importorskip("joblib")
    out = tmp_path / "deep" / "tiny.joblib"
    result = succeed(cli("export", folder, "--format", "joblib", "--out", out))
    assert "tiny.joblib" in result.err
    pipeline = joblib.load(out)
    np.testing.assert_allclose(pipeline.predict_proba(many), tiny.predict_proba(many), atol=1e-6)
    for one in many:
        if one:
            np.testing.assert_allclose(pipeline.predict_proba([one]), tiny.predict_proba([one]), atol=1e-6)


@needs_pipeline
@pytest.mark.parametrize(
    ("binary", "overrides"),
    [(True, ["context.passes=2"]), (False, ["context.passes=2", "context.networks=2"]), (False, ["features.char_ngrams=[3,5]"])],
    ids=["binary", "passes", "ngrams"],
)
def test_export_of_models_of_other_shapes(many, binary, overrides, tmp_path):
    from trainer.pipeline import to_pipeline

    items = records(12, 6)
    if binary:
        overrides = [*overrides, 'labels=[{name="prose", kept=true}, {name="junk"}]']
        for item in items:
            for paragraph in item["paragraphs"]:
                paragraph["label"] = "prose" if paragraph["label"] == "news" else "junk"
    chosen = config(*overrides)
    trained = train(load_labels([write(tmp_path / "x.jsonl", items)], chosen.label_set), chosen)
    model = artifact.load(artifact.save(tmp_path / "m", trained.network, trained.labels, trained.policy, trained.info))
    np.testing.assert_allclose(to_pipeline(model).predict_proba(many), model.predict_proba(many), atol=1e-6)


@needs_pipeline
def test_export_has_a_default_name_and_never_overwrites_unasked(cli, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    succeed(cli("export", folder))
    assert files(tmp_path) == ["tiny.joblib"]
    refuse(cli("export", folder), "tiny.joblib", "--force")
    succeed(cli("export", folder, "--force"))
    assert files(tmp_path) == ["tiny.joblib"]


# ── interrupts, pipes, encodings


def interrupt(command, ready, tmp_path):
    """Start a command, interrupt it when stderr shows it is at work, and return how it ended."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "trainer", *map(str, command)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=tmp_path,
    ) as process:  # fmt: skip
        try:
            said = ""
            while ready not in said:
                line = process.stderr.readline().decode()
                assert line, said
                said += line
            time.sleep(0.7 if ready else 1.5)
            process.send_signal(signal.SIGINT)
            return process.wait(30), said + process.stderr.read().decode()
        finally:
            process.kill()


def test_interrupted_training_exits_with_130_and_leaves_nothing(tmp_path):
    slow = ["train", LABELS / "authored.jsonl", "--out", "m", "--set", "context.epochs=5000", "--set", "inner_folds=2"]
    code, said = interrupt(slow, "training on", tmp_path)
    assert code == 130, said
    assert "Traceback" not in said
    assert files(tmp_path) == []


def test_interrupted_filtering_exits_with_130_and_leaves_nothing(folder, tmp_path):
    code, said = interrupt(["filter", "-", "--model", folder, "--out", "o.jsonl"], "", tmp_path)
    assert code == 130, said
    assert "Traceback" not in said
    assert files(tmp_path) == []


@pytest.mark.parametrize("flags", [["--out", "-"], [], ["--diff"]], ids=["records", "text", "diff"])
def test_closed_pipe_ends_quietly(folder, articles, tmp_path, flags):
    path = write(tmp_path / "in.jsonl", articles * 20)
    command = [sys.executable, "-m", "trainer", "filter", str(path), "--model", str(folder), *flags]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        assert process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
        process.wait(30)
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert "Error" not in said


@pytest.mark.parametrize("flags", [["--out", "-"], [], ["--diff"], ["--explain"]], ids=["records", "text", "diff", "explain"])
def test_output_does_not_depend_on_the_terminals_encoding(folder, tmp_path, flags):
    path = write(tmp_path / "in.jsonl", [{"id": "é", "text": "“Café” — 新聞 ☃\nDonate now"}])
    result = succeed(spawn("filter", path, "--model", folder, *flags, PYTHONIOENCODING="ascii"))
    assert result.out
    if flags == ["--out", "-"]:
        assert "新聞" in json.loads(result.out)["text"]
