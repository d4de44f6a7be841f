"""The built wheel, installed bare: NumPy and safetensors are all that a scraper needs, and the default model is in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from crawls import EXAMPLE, PAGES, serving

import trainer

ROOT = Path(__file__).resolve().parent.parent
MODEL = Path("models", "news-en")
FILTER = """
import json, sys, trainer
result = trainer.load(*sys.argv[1:]).filter(json.loads(sys.stdin.read()))
print(json.dumps({"record": result.to_record(), "modules": sorted({name.partition(".")[0] for name in sys.modules}), "at": trainer.__file__}))
"""  # noqa: E501


def copy_sources(folder: Path) -> Path:
    """Copy what goes into the distributions, without a model."""
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("trainer", "configs", "labels", "seeds"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def build(source: Path, folder: Path, *options: str) -> Path:
    """Build and return the wheel; without options from the source distribution, as an index would."""
    command = [sys.executable, "-m", "build", "--no-isolation", *options, "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def install(folder: Path, wheel: str) -> Path:
    """Make a virtual environment with the wheel and what it depends on."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "--constraint", str(ROOT / "constraints.txt"), wheel], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def default_model(model_folder: Path) -> Path:
    """The default model of the repository, or a small one in its place."""
    return ROOT / MODEL if (ROOT / MODEL).exists() else model_folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, default_model: Path) -> Path:
    source = copy_sources(tmp_path_factory.mktemp("source"))
    shutil.copytree(default_model, source / MODEL)
    return build(source, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """Return the folder of a new virtual environment with nothing but the wheel and what it depends on."""
    return install(tmp_path_factory.mktemp("bare"), str(wheel))


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


def test_a_bare_install_brings_the_default_model(bare: Path, default_model: Path, articles: list[str]) -> None:
    given = articles[0]
    done = run(bare, str(bare / "bin" / "python"), "-W", "error", "-c", FILTER, given=json.dumps(given))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["record"]
    assert found["filter"]["model"] == "news-en"
    here = trainer.load(default_model).filter(given).to_record()
    assert found == {**json.loads(json.dumps(here)), "filter": {**here["filter"], "model": "news-en"}}


def test_the_command_filters_without_naming_a_model(
    tmp_path: Path, wheel: Path, default_model: Path, articles: list[str]
) -> None:
    environment = install(tmp_path / "cli", f"{wheel}[cli]")
    file = environment / "article.txt"
    file.write_text(articles[0], "utf-8")
    done = run(environment, str(environment / "bin" / "trainer"), "filter", str(file))
    assert done.returncode == 0, done.stderr
    assert done.stdout == trainer.load(default_model).filter(articles[0]).text + "\n"
    assert done.stderr.startswith("1 article: removed ")


def test_the_example_spider_runs_where_the_scrapy_extra_is_installed(tmp_path: Path, wheel: Path) -> None:
    environment = install(tmp_path / "scrapy", f"{wheel}[scrapy]")
    shutil.copytree(EXAMPLE, environment / "example")
    with serving(EXAMPLE / "site") as server:
        crawl = ("-m", "scrapy", "crawl", "articles", "-a", f"start={server.url()}", "-O", "items.jsonl")
        done = run(environment / "example", str(environment / "bin" / "python"), *crawl)
    assert done.returncode == 0, done.stderr
    items = [json.loads(line) for line in (environment / "example" / "items.jsonl").read_text("utf-8").splitlines()]
    assert {item["url"] for item in items} == {server.url(name) for name in PAGES}
    assert all(item["text"] and item["removed"] for item in items)


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
    files = [path for path in (ROOT / "trainer").rglob("*") if path.is_file() and path.suffix != ".pyc"]  # pages and lists too
    assert {path.relative_to(ROOT).as_posix() for path in files} <= set(names)


def test_wheel_and_source_distribution_hold_the_whole_default_model(wheel: Path, default_model: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    found = {name: archive.read(name) for name in archive.namelist() if name.startswith("trainer/models/")}
    assert found == {f"trainer/models/news-en/{path.name}": path.read_bytes() for path in default_model.iterdir()}
    (packed,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(packed) as sources:
        names = {name.partition("/")[2] for name in sources.getnames()}
    assert {(MODEL / path.name).as_posix() for path in default_model.iterdir()} <= names


def test_the_wheel_builds_without_a_default_model_too(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    built = build(copy_sources(tmp_path / "source"), tmp_path / "dist", "--wheel")
    assert not [name for name in zipfile.ZipFile(built).namelist() if "models" in name]
