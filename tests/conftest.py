"""What all tests share: two small models, each trained once a session, and some of the labelled articles."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import Outcome, outcome
from hypothesis import HealthCheck, settings
from small import LABELS, SET, records, write
from studio_server import Studio, copy_of_template, missing

import trainer
from trainer.cli import main
from trainer.model import Classifier

QUICK = (
    "features.word_bits=14",
    "features.pair_bits=14",
    "features.char_bits=14",
    "text.min_kind=20",
    "context.width=16",
    "context.head=16",
    "context.epochs=30",
    "inner_folds=3",
    "evaluation.resamples=10",
)

settings.register_profile(
    "tests",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def label_lines() -> list[str]:
    """Lines of the label file, an article each."""
    return (LABELS / "authored.jsonl").read_text("utf-8").splitlines()


@pytest.fixture(scope="session")
def articles(label_lines: list[str]) -> list[str]:
    """Texts of articles that the small model was not trained on, a paragraph a line."""
    return ["\n".join(paragraph["text"] for paragraph in json.loads(line)["paragraphs"]) for line in label_lines[60:100]]


@pytest.fixture(scope="session")
def label_file(label_lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A label file of sixty articles."""
    path = tmp_path_factory.mktemp("labels") / "some.jsonl"
    path.write_text("\n".join(label_lines[:60]) + "\n", "utf-8")
    return path


@pytest.fixture(scope="session")
def quick() -> tuple[str, ...]:
    """Overrides that make training take seconds."""
    return QUICK


@pytest.fixture(scope="session")
def model_folder(label_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model."""
    from trainer.cli.train import train

    return train([label_file], tmp_path_factory.mktemp("models") / "small", overrides=QUICK)


@pytest.fixture(scope="session")
def model(model_folder: Path) -> Classifier:
    """The small model, loaded."""
    return trainer.load(model_folder)


# ── for the tests of the commands


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run the command line in this process."""
    return lambda *argv: outcome(argv, capsys)


@pytest.fixture(scope="session")
def label_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A label file of 24 short articles of twelve sites."""
    return write(tmp_path_factory.mktemp("labels") / "small.jsonl", records())


@pytest.fixture(scope="session")
def folder(label_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A still smaller model, trained by the command."""
    out = tmp_path_factory.mktemp("models") / "tiny"
    with pytest.raises(SystemExit) as stop:
        main(["train", str(label_path), "--out", str(out), *SET])
    assert not stop.value.code
    return out


@pytest.fixture(scope="session")
def tiny(folder: Path) -> Classifier:
    """The model trained by the command, loaded."""
    return trainer.load(folder)


@pytest.fixture(scope="session")
def scraped() -> list[dict[str, Any]]:
    """Records to filter; the model trained by the command removes something of most of them."""
    return [
        {"id": f"n-{i}", "url": f"https://{item['site']}/{i}", "text": "\n".join(p["text"] for p in item["paragraphs"])}
        for i, item in enumerate(records(30)[10:])
    ]


@pytest.fixture
def source(scraped: list[dict[str, Any]], tmp_path: Path) -> Path:
    """A file of the records to filter."""
    return write(tmp_path / "in.jsonl", scraped)


# ── for the tests with Label Studio


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests that share a Label Studio to one worker, those that start their own to another: two servers at a time."""
    for item in items:
        needs = set(getattr(item, "fixturenames", ()))
        if "studio" in needs:
            item.add_marker(pytest.mark.xdist_group("studio"))
        elif {"new_studio", "studio_data"} & needs:
            item.add_marker(pytest.mark.xdist_group("own-studio"))


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A running Label Studio; who stops it starts it again."""
    server = Studio(copy_of_template(tmp_path_factory.mktemp("studio") / "data"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def studio_data(tmp_path: Path) -> Path:
    """A data folder of Label Studio with the account of the tests."""
    return copy_of_template(tmp_path / "studio-data")


@pytest.fixture
def new_studio(studio_data: Path) -> Iterator[Callable[..., Studio]]:
    """Return a function that starts a Label Studio of the test's own, with environment variables for it."""
    started = []

    def start(**environ: str) -> Studio:
        data = shutil.copytree(studio_data, studio_data.with_name(f"studio-{len(started)}"))
        started.append(Studio(data, **environ))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's executable."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return found or missing("Chromium", "apt-get install chromium")
