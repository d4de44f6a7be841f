"""Other label sets than that of the files, from a configuration alone."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from commands import refuse, succeed
from small import ROOT, SET, records, write

from trainer import artifact
from trainer.config import load_config
from trainer.dataset import load_labels
from trainer.policy import NEVER

FIVE = ROOT / "configs" / "five-labels.toml"
NAMES = ("news", "fundraising", "navigation", "caption", "promo")


@pytest.fixture(scope="module")
def five(label_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model trained with the five labels on label files that have four."""
    from trainer.cli.train import train

    return train(
        [label_path], tmp_path_factory.mktemp("models") / "five", config=FIVE, overrides=(*SET[1::2], "context.epochs=24")
    )


def test_the_file_differs_from_the_default_in_its_labels_alone() -> None:
    assert set(tomllib.loads(FIVE.read_text("utf-8"))) == {"labels"}
    here, default = load_config(FIVE), load_config()
    assert here.labels[:4] == default.labels
    assert here.by_kind == {"promo": "promo"}


def test_the_labels_of_the_repository_load_with_it() -> None:
    config = load_config(FIVE)
    dataset = load_labels([ROOT / "labels"], config.label_set, config.by_kind)
    expected = sum(kind == "promo" for article in dataset.articles for kind in article.kinds)
    assert dataset.counts()["promo"] == expected > 100


def test_it_trains_a_model_of_five_labels(five: Path) -> None:
    model = artifact.load(five)
    assert model.labels.names == NAMES
    assert model.labels.kept == (0,)
    promo = sum(p["kind"] == "promo" for item in records() for p in item["paragraphs"])
    assert model.info["data"]["labels"]["promo"] == promo > 0
    assert model.info["config"]["labels"][4]["kinds"] == ["promo"]


def test_filter_and_evaluate_work_with_it(cli, five, label_path, source, tmp_path) -> None:
    out = tmp_path / "out.jsonl"
    succeed(cli("filter", source, "--model", five, "--paragraphs", "--out", out))
    found = [paragraph["label"] for line in out.read_text("utf-8").splitlines() for paragraph in json.loads(line)["paragraphs"]]
    assert "promo" in found
    assert set(found) <= set(NAMES)
    report = succeed(cli("evaluate", label_path, "--model", five, "--config", FIVE, *SET, "--json", "-")).out
    assert json.loads(report)["labels"] == list(NAMES)
    refuse(cli("evaluate", label_path, "--model", five), "Give the configuration it was trained with", started=True)


def test_cross_validation_works_with_it(cli, label_path) -> None:
    found = json.loads(succeed(cli("evaluate", label_path, "--config", FIVE, *SET, "--jobs", "1", "--json", "-")).out)
    assert found["labels"] == list(NAMES)
    assert found["data"]["labels"]["promo"] > 0


def test_a_label_taken_by_kind_may_be_kept(cli, label_path, source, tmp_path) -> None:
    labels = FIVE.read_text("utf-8").replace('name = "promo"\nkept = false', 'name = "promo"\nkept = true')
    (tmp_path / "kept.toml").write_text(labels, "utf-8")
    succeed(cli("train", label_path, "--out", tmp_path / "m", "--config", tmp_path / "kept.toml", *SET))
    model = artifact.load(tmp_path / "m")
    assert model.labels.kept == (0, 4)
    assert model.policy.thresholds[4] == NEVER
    articles = [json.loads(line)["text"] for line in source.read_text("utf-8").splitlines()]
    assert all(removed.label != "promo" for result in model.filter_many(articles) for removed in result.removed)


def test_a_set_may_rename(cli, label_path, tmp_path) -> None:
    residue = ["fundraising", "caption", "interface", "related", "promo", "byline", "author", "legal", "comment"]
    renamed = f'labels=[{{name="story", kept=true, kinds=["news"]}}, {{name="junk", kinds={json.dumps(residue)}}}]'
    succeed(cli("train", label_path, "--out", tmp_path / "m", *SET, "--set", renamed))
    assert artifact.load(tmp_path / "m").labels.names == ("story", "junk")
    path = write(tmp_path / "odd.jsonl", records(2, 2))
    lacking = renamed.replace('"byline", ', "")
    message = refuse(
        cli("train", path, "--out", tmp_path / "n", *SET, "--set", lacking), f"{path}:", "none claims the kind 'byline'"
    )
    assert "unknown label 'navigation'; known are story, junk" in message
    assert not (tmp_path / "n").exists()
