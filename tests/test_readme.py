"""The README's commands and code run as they stand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str, document: str = "README.md") -> list[str]:
    return [text for found, text in BLOCK.findall((ROOT / document).read_text("utf-8")) if found == language]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what the README's commands read: a sample of labels/, the seeds, the settings."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("seeds", "configs"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "labels").mkdir()
    lines = (ROOT / "labels" / "authored.jsonl").read_text("utf-8").splitlines(keepends=True)
    (folder / "labels" / "authored.jsonl").write_text("".join(lines[::4]), "utf-8")
    return folder


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def test_every_block_is_of_a_language_that_is_run() -> None:
    assert {language for language, _ in BLOCK.findall((ROOT / "README.md").read_text("utf-8"))} == {"bash", "python", "json"}


def test_the_label_file_example_loads(tmp_path: Path) -> None:
    from trainer.dataset import load_labels
    from trainer.schema import NEWS_LABELS

    (example,) = blocks("json")
    article = json.loads(example)
    file = tmp_path / "labels.jsonl"
    file.write_text("".join(json.dumps({**article, "id": site, "site": site}) + "\n" for site in ("a.example", "b.example")))
    assert load_labels([file], NEWS_LABELS).counts()["news"] == 2


def test_make_targets_exist() -> None:
    first, *_ = blocks("bash")
    targets = [line.split()[1] for line in first.splitlines()]
    assert targets == ["demo", "test"]
    for target in [*targets, *(line.split()[1] for line in blocks("bash", "CONTRIBUTING.md")[0].splitlines())]:
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def test_commands_and_code_run_in_order(checkout: Path, environment: dict[str, str]) -> None:
    for block in blocks("bash")[1:]:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block], cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert {"report.json", "clean.jsonl"} <= {path.name for path in checkout.iterdir()}
    (code,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "utf8", "-c", code],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Russian missiles strike Ukrainian cities" in done.stdout


def test_counts_in_the_readme_are_those_of_the_labels() -> None:
    files = ("authored", "pages", "seeds")
    counts = [len((ROOT / "labels" / f"{name}.jsonl").read_text("utf-8").splitlines()) for name in files]
    text = (ROOT / "README.md").read_text("utf-8")
    assert f"{sum(counts)} labelled articles: {counts[0] + counts[1]} written" in text


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "configs/news.toml"])
def test_settings_that_documents_name_are_there(document: str) -> None:
    from trainer.config import load_config

    for override in re.findall(r"--set (\w+\.\w+=[^\s`]+)", (ROOT / document).read_text("utf-8")):
        assert load_config(overrides=[override]) is not None


def test_every_command_is_in_the_readme() -> None:
    from trainer.cli.app import app

    text = (ROOT / "README.md").read_text("utf-8") + (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert all(f"trainer {command.name}" in text or f"`{command.name}`" in text for command in app.registered_commands)
    for group in app.registered_groups:
        assert all(f"trainer {group.name} {command.name}" in text for command in group.typer_instance.registered_commands)
