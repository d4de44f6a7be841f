"""The built wheel, installed bare: NumPy and safetensors are all that a scraper needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import trainer

ROOT = Path(__file__).resolve().parent.parent
FILTER = """
import json, sys, trainer
result = trainer.load(sys.argv[1]).filter(json.loads(sys.stdin.read()))
print(json.dumps({"record": result.to_record(), "modules": sorted({name.partition(".")[0] for name in sys.modules}), "at": trainer.__file__}))
"""  # noqa: E501


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """Return the folder of a new virtual environment with nothing but the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--constraint", str(ROOT / "constraints.txt"), str(wheel)], check=True, capture_output=True)
    return folder


def run(bare: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        arguments, input=given, capture_output=True, text=True, cwd=bare, env=environment, check=False, timeout=120
    )


def test_a_bare_install_filters_as_this_one_does(bare: Path, model_folder: Path, articles: list[str]) -> None:
    given = articles[0]
    done = run(bare, str(bare / "bin" / "python"), "-W", "error", "-c", FILTER, str(model_folder), given=json.dumps(given))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert Path(found["at"]).is_relative_to(bare)
    assert found["record"] == json.loads(json.dumps(trainer.load(model_folder).filter(given).to_record()))
    assert not {"sklearn", "scipy", "pandas", "joblib", "typer", "pydantic"} & set(found["modules"])


def test_a_bare_install_has_numpy_and_safetensors_alone(bare: Path) -> None:
    done = run(bare, str(bare / "bin" / "python"), "-m", "pip", "list", "--format=json", "--disable-pip-version-check")
    names = {item["name"].lower() for item in json.loads(done.stdout)}
    assert names - {"pip", "setuptools"} == {"numpy", "safetensors", "paragraph-trainer"}


def test_the_command_of_a_bare_install_says_what_to_install(bare: Path) -> None:
    done = run(bare, str(bare / "bin" / "trainer"), "filter", "-")
    assert done.returncode == 2
    assert done.stderr == (
        "trainer: this needs typer, which is not installed. Install it: pip install 'paragraph-trainer[cli]'\n"
    )


def test_the_wheel_holds_the_package_and_its_type_marker_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "trainer/py.typed" in names
    assert {name.partition("/")[0] for name in names if not name.partition("/")[0].endswith(".dist-info")} == {"trainer"}
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "trainer").rglob("*.py")} <= set(names)
