"""`trainer train`: what it writes, what it leaves alone, and labels that are hard to learn from."""

import json

import pytest
from commands import files, refuse, spawn, succeed
from small import SET, article, load, records, story, write

from trainer import artifact


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


def test_labels_without_any_story_are_refused_in_one_line(cli, tmp_path):
    items = [article(i, f"{i}.example", ("Home", "navigation"), ("Donate now", "fundraising")) for i in range(4)]
    refuse(
        cli("train", write(tmp_path / "x.jsonl", items), "--out", tmp_path / "m", *SET),
        "no paragraph is labelled news",
        started=True,
    )
    assert not (tmp_path / "m").exists()


def test_more_kinds_than_a_model_holds_are_refused_in_one_line(cli, tmp_path):
    items = records()
    for number, paragraph in enumerate(p for item in items for p in item["paragraphs"]):
        paragraph["kind"] = f"kind {number % 100}"
    path = write(tmp_path / "x.jsonl", items)
    refuse(cli("train", path, "--out", tmp_path / "m", *SET, "--set", "text.min_kind=1"), "raise min_kind", started=True)


def test_setting_that_leaves_no_feature_is_refused_in_one_line(cli, label_path, tmp_path):
    result = cli("train", label_path, "--out", tmp_path / "m", *SET, "--set", "text.min_count=1000000")
    assert result.code == 0 or refuse(result, started=True)


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_sites_that_all_share_one_story_are_refused_in_one_line(cli, tmp_path, command):
    items = [article(i, f"{i}.example", (story(0), "news"), ("Home", "navigation")) for i in range(8)]
    out = ["--out", tmp_path / "m"] if command == "train" else []
    refuse(cli(command, write(tmp_path / "x.jsonl", items), *out, *SET), started=True)
