"""What the command says of itself and of a model."""

import json
import re

import pytest
from commands import spawn, succeed
from small import SET

COMMANDS = ("train", "evaluate", "filter", "info", "export")


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


# ── trainer info


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
