"""Without a name, the model that comes with the package; with one, that folder and no other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from commands import refuse, succeed

import trainer
from trainer import artifact


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for the folder of the installed package, without a model; the working directory is another one."""
    folder = tmp_path / "site" / "trainer"
    folder.mkdir(parents=True)
    monkeypatch.setattr(artifact, "__file__", str(folder / "artifact.py"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return folder


@pytest.fixture
def within(package: Path, model_folder: Path) -> Path:
    """Put a model where the wheel has it."""
    return Path(shutil.copytree(model_folder, package / "models" / "news-en"))


def test_the_model_within_the_package_is_the_default(within: Path, model_folder: Path) -> None:
    model = trainer.load()
    assert (model.name, model.digest) == ("news-en", trainer.load(model_folder).digest)
    assert trainer.load("news-en").digest == trainer.load(Path("news-en")).digest == model.digest


def test_a_checkout_has_it_beside_the_package(package: Path, model_folder: Path) -> None:
    beside = package.parent / "models" / "news-en"
    shutil.copytree(model_folder, beside)
    assert artifact.find() == beside


def test_the_one_within_the_package_comes_first(within: Path, folder: Path) -> None:
    shutil.copytree(folder, within.parents[2] / "models" / "news-en")
    assert artifact.find() == within


def test_folders_of_the_working_directory_are_not_looked_into(within: Path, folder: Path) -> None:
    shutil.copytree(folder, "models/news-en")
    assert artifact.find() == within
    assert artifact.find("news-en") == within


def test_a_path_is_that_path(within: Path, folder: Path) -> None:
    shutil.copytree(folder, "models/news-en")
    shutil.copytree(folder, "news-en")
    given = trainer.load(folder).digest
    assert trainer.load("models/news-en").digest == given
    assert trainer.load("news-en").digest == given
    assert trainer.load().digest != given
    with pytest.raises(trainer.ArtifactError, match="cannot read the model"):
        trainer.load("gone/news-en")


def test_an_installation_without_it_says_so(package: Path) -> None:
    for name in (None, "news-en"):
        with pytest.raises(trainer.ArtifactError, match=r"no default model \(news-en\).*Train one, for example trainer train"):
            trainer.load(name)


def test_commands_take_the_default(cli, within, model, label_path, articles) -> None:
    text = Path("a.txt")
    text.write_text(articles[0], "utf-8")
    assert succeed(cli("filter", text)).out == succeed(cli("filter", text, "--model", within)).out
    succeed(cli("filter", text, "--out", "a.jsonl"))
    filtered = json.loads(Path("a.jsonl").read_text("utf-8"))["filter"]
    assert (filtered["model"], filtered["model_digest"]) == ("news-en", model.digest)
    assert json.loads(succeed(cli("info", "--json")).out) == json.loads(succeed(cli("info", within, "--json")).out)
    assert "saved model news-en" in succeed(cli("evaluate", label_path, "--model", "news-en")).out
    succeed(cli("export"))
    assert Path("news-en.joblib").is_file()


@pytest.mark.parametrize("command", [["filter", "a.txt"], ["info"], ["export"], ["info", "news-en"]])
def test_commands_without_a_model_say_what_to_do(cli, package, command) -> None:
    Path("a.txt").write_text("Text.")
    refuse(cli(*command), "no default model", "trainer train")


@pytest.mark.parametrize("command", ["filter", "info", "export"])
def test_help_says_what_the_default_is(cli, command) -> None:
    words = succeed(cli(command, "--help")).out.replace("│", " ").split()
    assert "[default: (the English news model that comes with the package)]" in " ".join(words)


def test_training_never_replaces_it_unasked(cli, within, label_path) -> None:
    before = (within / artifact.WEIGHTS).read_bytes()
    refuse(cli("train", label_path, "--out", within), "a model is there already", "--force")
    refuse(cli("train", label_path), "--out")
    assert (within / artifact.WEIGHTS).read_bytes() == before
