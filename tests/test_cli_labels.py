"""`trainer labels hydrate`: what it writes, what it reports, and how it ends."""

import json

import pytest
from clones import STORY, html, line, packed, page, publish, story
from commands import files, read, refuse, spawn, succeed
from small import SET, write

PAGES = 6


@pytest.fixture
def place(tmp_path):
    """Return a folder with a stand-off file of six pages and, in `clones`, the repository that holds them."""
    published = {f"html/{i}.html": page(i) for i in range(PAGES - 1)} | {"html/5.html.gz": packed(page(5))}
    commit = publish(tmp_path / "clones" / "lund" / "pages", published)
    lines = [line(i, commit=commit, path=path) for i, path in enumerate(sorted(published))]
    write(tmp_path / "pages.standoff.jsonl", lines)
    return tmp_path


@pytest.fixture
def hydrate(cli, place):
    """Return a function that runs the command in that folder."""
    arguments = "labels", "hydrate", place / "pages.standoff.jsonl", "--checkouts", place / "clones", "--out", place / "out.jsonl"
    return lambda *more: cli(*arguments, *more)


def change(place, number, **fields):
    lines = read(place / "pages.standoff.jsonl")
    lines[number].update(fields)
    write(place / "pages.standoff.jsonl", lines)
    return lines


def test_pages_are_rebuilt_and_written(hydrate, place):
    result = succeed(hydrate())
    assert "pages: 6 of 6 rebuilt" in result.out
    assert "paragraphs: 72 of 72 matched (100.0 %)" in result.out
    assert "missing" not in result.out
    assert "out.jsonl" in result.err
    records = read(place / "out.jsonl")
    assert [record["id"] for record in records] == [f"s{i}" for i in range(PAGES)]
    assert [p["text"] for p in records[3]["paragraphs"]] == [text for text, _ in story(3)]
    assert [p["label"] for p in records[0]["paragraphs"]][:3] == ["navigation", "news", "navigation"]


def test_the_result_trains(hydrate, cli, place):
    succeed(hydrate())
    succeed(cli("train", place / "out.jsonl", "--out", place / "model", *SET))
    info = json.loads(succeed(cli("info", place / "model", "--json")).out)
    assert info["info"]["data"]["paragraphs"] == PAGES * len(STORY)


def test_missing_and_changed_pages_are_said_and_the_rest_is_written(hydrate, place):
    commit = publish(place / "clones/lund/pages", {"html/1.html": html(["Menu", "New"])})
    change(place, 1, commit=commit)
    change(place, 2, repo="lund/elsewhere")
    change(place, 3, commit="f" * 40)
    result = hydrate()
    assert result.code == 1
    assert "pages: 4 of 6 rebuilt" in result.out
    assert "changed: page s1: 1 of 12 paragraphs matched, 2 found" in result.out
    assert "missing: 1 page of lund/elsewhere" in result.out
    assert f"git clone --no-checkout https://github.com/lund/elsewhere {place}/clones/lund/elsewhere\n" in result.out
    assert f"fetch https://github.com/lund/pages {'f' * 40}\n" in result.out
    records = {record["id"]: record for record in read(place / "out.jsonl")}
    assert sorted(records) == ["s0", "s1", "s4", "s5"]
    assert [p["label"] for p in records["s1"]["paragraphs"]] == ["navigation", None]


def test_many_changed_pages_are_counted(hydrate, place):
    blocks = "0123456789abn"
    lines = read(place / "pages.standoff.jsonl")
    write(place / "pages.standoff.jsonl", [{**lines[0], "id": f"t{i}", "blocks": blocks} for i in range(14)])
    result = hydrate()
    assert result.code == 1
    assert result.out.count("changed: page") == 10
    assert "changed: 4 further pages" in result.out
    assert "0 of 14 matched (0.0 %)" in result.out


def test_all_but_one_matched_is_not_shown_as_all(hydrate, place):
    lines = read(place / "pages.standoff.jsonl")
    blocks = " ".join([lines[0]["blocks"]] * 90)
    publish(place / "clones/lund/pages", {})
    write(place / "pages.standoff.jsonl", [{**lines[0], "blocks": blocks}, lines[1]])
    texts = [text for text, _ in STORY] * 90
    commit = publish(place / "clones/lund/pages", {"html/0.html": html([*texts[:-1], "another"])})
    change(place, 0, commit=commit)
    result = hydrate()
    assert result.code == 1
    assert "1,091 of 1,092 matched (99.9 %)" in result.out


def test_json_report(hydrate, place):
    whole = json.loads(succeed(hydrate("--json")).out)
    assert whole == {
        "complete": True,
        "pages": PAGES,
        "rebuilt": PAGES,
        "paragraphs": PAGES * len(STORY),
        "matched": PAGES * len(STORY),
        "changed": [],
        "missing": [],
    }
    change(place, 0, repo="lund/elsewhere")
    result = hydrate("--json", "--force")
    assert result.code == 1
    (missing,) = json.loads(result.out)["missing"]
    assert missing["next"].startswith("git clone")
    assert missing["pages"] == 1


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_nothing_rebuilt_names_the_clones_and_writes_nothing(hydrate, place, flags):
    for number in range(PAGES):
        change(place, number, repo="lund/elsewhere")
    result = hydrate(*flags)
    refuse(result, "no page could be rebuilt", place / "clones", started=True)
    assert "git clone --no-checkout https://github.com/lund/elsewhere" in result.out
    assert not (place / "out.jsonl").exists()


def test_an_existing_file_is_replaced_only_if_asked(hydrate, place):
    (place / "out.jsonl").write_text("mine")
    refuse(hydrate(), "out.jsonl", "--force")
    assert (place / "out.jsonl").read_text() == "mine"
    succeed(hydrate("--force"))
    assert len(read(place / "out.jsonl")) == PAGES


def test_default_output_lies_in_labels(cli, place, monkeypatch):
    monkeypatch.chdir(place)
    succeed(cli("labels", "hydrate", "pages.standoff.jsonl", "--checkouts", "clones"))
    assert files(place / "labels") == ["public-pages.jsonl"]


@pytest.mark.parametrize("name", ["x.txt", "x", "x.standoff.jsonl", "x.jsonl.gz", "x.parquet"])
def test_names_that_are_no_label_files_are_refused(cli, place, name):
    arguments = "labels", "hydrate", place / "pages.standoff.jsonl", "--checkouts", place / "clones", "--out", place / name
    refuse(cli(*arguments), name, "label file")
    assert not (place / name).exists()


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"path": "../../etc/passwd"}, "etc/passwd"),
        ({"commit": "--help"}, "--help"),
        ({"repo": "lund/../.."}, "lund/../.."),
        ({"blocks": "0123456789abx"}, "block 0"),
    ],
    ids=["path", "commit", "repo", "kind"],
)
def test_hostile_lines_are_refused_before_anything_is_read(hydrate, place, fields, wanted):
    change(place, 2, **fields)
    refuse(hydrate(), "pages.standoff.jsonl:3", wanted)
    assert not (place / "out.jsonl").exists()


def test_wrong_places_are_refused(cli, place):
    standoff, clones = place / "pages.standoff.jsonl", ("--checkouts", place / "clones")
    out = "--out", place / "out.jsonl"
    refuse(cli("labels", "hydrate", place / "gone.jsonl", *clones, *out), "gone.jsonl", "No such file")
    refuse(cli("labels", "hydrate", standoff, "--checkouts", place / "gone", *out), "gone", "no such folder")
    refuse(cli("labels", "hydrate", standoff, *out), "--checkouts")
    refuse(cli("labels", "hydrate"))
    refuse(cli("labels", "nonsense"))
    assert not [name for name in files(place) if name.startswith(("out", ".out"))]


def test_missing_git_and_missing_lxml_are_named(hydrate, place, monkeypatch):
    (place / "empty").mkdir()
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(place / "empty"))
        refuse(hydrate(), "git is not installed")
    program = "import sys; sys.modules['lxml'] = None; from trainer.cli import main; main(sys.argv[1:])"
    arguments = "labels", "hydrate", "pages.standoff.jsonl", "--checkouts", "clones", "--out", "out.jsonl"
    refuse(spawn(*arguments, start=("-c", program), cwd=place), "paragraph-trainer[html]")
    assert not (place / "out.jsonl").exists()


def test_hydrating_loads_no_training(place):
    program = (
        "import sys; from trainer.cli.labels.hydrate import hydrate; from pathlib import Path; "
        "hydrate(Path('pages.standoff.jsonl'), Path('clones'), Path('out.jsonl')); "
        "assert not {'sklearn', 'pandas', 'scipy', 'pydantic'} & set(sys.modules)"
    )
    succeed(spawn(start=("-c", program), cwd=place))


def test_the_group_is_in_the_help(cli):
    assert "labels" in succeed(cli("--help")).out
    assert "hydrate" in succeed(cli("labels", "--help")).out
    shown = succeed(cli("labels", "hydrate", "--help")).out
    assert "--checkouts" in shown
    assert "DIR/owner/name" in shown
