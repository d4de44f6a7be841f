"""What goes wrong is one line on stderr and exit code 2."""

from pathlib import Path

import pytest
from commands import files, refuse, spawn
from small import records, write

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
