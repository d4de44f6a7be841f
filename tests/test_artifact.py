"""The model folder: what is saved is loaded, bytes repeat, damage is refused, and a failure never costs the old model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import corruptions
import pytest

import trainer
from trainer import ArtifactError, Classifier, InputError, artifact
from trainer.artifact import CARD, METRICS, WEIGHTS, check_free, save
from trainer.sequence import SequenceStage

ARTICLES = corruptions.ARTICLES
TRAIN = """
import json, sys
from pathlib import Path
from trainer.cli.train import train
train([Path(sys.argv[1])], Path(sys.argv[2]), overrides=json.loads(sys.argv[3]))
"""


def write(model: Classifier, folder: Path, **options: Any) -> Path:
    return save(folder, model.network, model.labels, model.policy, model.info, **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_saved_model_loads_with_the_same_probabilities(model: Classifier, articles: list[str], tmp_path: Path) -> None:
    loaded = trainer.load(write(model, tmp_path / "again"))
    given = [text.split("\n") for text in articles[:10]]
    assert loaded.predict_proba(given).tobytes() == model.predict_proba(given).tobytes()
    assert (loaded.digest, loaded.labels, loaded.policy, loaded.info) == (model.digest, model.labels, model.policy, model.info)
    assert (loaded.name, model.name) == ("again", "small")


def test_saving_twice_gives_the_same_bytes(model: Classifier, model_folder: Path, tmp_path: Path) -> None:
    first, second = write(model, tmp_path / "first"), write(model, tmp_path / "second")
    assert contents(first) == contents(second)
    assert contents(first)[WEIGHTS] == (model_folder / WEIGHTS).read_bytes()


def test_the_folder_holds_model_metrics_and_card(model_folder: Path) -> None:
    assert contents(model_folder).keys() == {WEIGHTS, METRICS, CARD}
    assert json.loads((model_folder / METRICS).read_text("utf-8"))


def test_the_file_names_no_path_of_this_machine(model_folder: Path, label_file: Path) -> None:
    for name, data in contents(model_folder).items():
        assert str(label_file.parent).encode() not in data, name


def test_loading_takes_text_paths_and_links(model: Classifier, model_folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(model_folder)
    assert trainer.load(str(model_folder)).digest == trainer.load(link).digest == model.digest


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_training_anew_gives_the_same_bytes(
    model_folder: Path, label_file: Path, quick: tuple[str, ...], tmp_path: Path, hash_seed: str
) -> None:
    arguments = [str(label_file), str(tmp_path / "again"), json.dumps(quick)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    subprocess.run([sys.executable, "-c", TRAIN, *arguments], env=environment, check=True, capture_output=True)
    assert contents(tmp_path / "again") == contents(model_folder)


def test_every_corruption_is_refused(model_folder: Path, tmp_path: Path) -> None:
    count, faults = corruptions.try_all(model_folder, tmp_path)
    assert not faults, "\n".join(faults)
    assert count >= 500


def test_corruptions_take_little_memory(model_folder: Path) -> None:
    script = Path(corruptions.__file__)
    done = subprocess.run([sys.executable, str(script), str(model_folder)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["count"] >= 500
    assert json.loads(done.stdout)["grown"] < 200


def test_a_missing_model_is_refused_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"missing.*trainer train --out") as caught:
        trainer.load(tmp_path / "missing")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["with\0nul", "x" * 5000, "\ud800"])
def test_a_path_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError):
        trainer.load(tmp_path / name)


def test_a_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / WEIGHTS).mkdir()
    with pytest.raises(ArtifactError, match=WEIGHTS):
        trainer.load(tmp_path)


def test_a_file_in_place_of_the_folder_is_refused(model_folder: Path) -> None:
    with pytest.raises(ArtifactError, match=WEIGHTS):
        trainer.load(model_folder / WEIGHTS)


def test_a_dangling_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / WEIGHTS).symlink_to(tmp_path / "nowhere")
    with pytest.raises(ArtifactError, match=WEIGHTS):
        trainer.load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_place_of_the_file_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / WEIGHTS)
    code = "import sys, trainer\ntry: trainer.load(sys.argv[1])\nexcept trainer.ArtifactError: print('refused')"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=5, check=True)
    assert done.stdout == "refused\n"


def test_a_model_that_could_not_be_loaded_is_not_saved(model: Classifier, tmp_path: Path) -> None:
    stage = model.network.sequence
    huge = model.network._replace(sequence=SequenceStage(stage.settings, {k: a * 2**30 for k, a in stage.arrays.items()}))
    uneven = model.network._replace(sequence=SequenceStage(stage.settings, {k: a / 2**5 for k, a in stage.arrays.items()}))
    for broken in (huge, uneven):
        with pytest.raises(ArtifactError, match="context weights"):
            save(tmp_path / "broken", broken, model.labels, model.policy, model.info)
    turned = model.network._replace(kinds=model.network.kinds[::-1], label_of=model.network.label_of[::-1])
    with pytest.raises(ArtifactError, match="first kind"):
        save(tmp_path / "broken", turned, model.labels, model.policy, model.info)
    assert list(tmp_path.iterdir()) == []


def test_a_model_too_large_to_be_loaded_is_not_saved(model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact, "MAX_FILE_BYTES", 100_000)
    with pytest.raises(ArtifactError, match=r"at most 100,000.*larger min_kind"):
        write(model, tmp_path / "large")
    assert list(tmp_path.iterdir()) == []


def test_kinds_are_saved_and_loaded(model: Classifier, tmp_path: Path) -> None:
    assert len(model.network.kinds) > len(model.labels)
    loaded = trainer.load(write(model, tmp_path / "again")).network
    assert (loaded.kinds, loaded.label_of, loaded.labels) == (model.network.kinds, model.network.label_of, len(model.labels))
    assert loaded.sequence.settings == model.network.sequence.settings
    assert {k: a.tobytes() for k, a in loaded.sequence.arrays.items()} == {
        k: a.tobytes() for k, a in model.network.sequence.arrays.items()
    }


def test_a_model_of_format_1_is_refused_with_the_next_step(model_folder: Path, tmp_path: Path) -> None:
    data = (model_folder / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(corruptions.signed(data, lambda item, _: item.update(format=1)))
    with pytest.raises(ArtifactError, match=r"has FORMAT 1; this version reads 3.*train the model anew"):
        trainer.load(tmp_path)


def test_a_model_is_replaced_only_when_forced(model: Classifier, tmp_path: Path) -> None:
    folder = write(model, tmp_path / "model", texts={CARD: "old"})
    with pytest.raises(InputError, match="--force"):
        write(model, folder, texts={CARD: "new"})
    assert (folder / CARD).read_text() == "old"
    write(model, folder, texts={METRICS: "{}"}, force=True)
    assert contents(folder).keys() == {WEIGHTS, METRICS}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_empty_folder_is_filled(model: Classifier, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert trainer.load(write(model, tmp_path / "empty")).digest == model.digest


def test_missing_parents_are_made(model: Classifier, tmp_path: Path) -> None:
    assert write(model, tmp_path / "a" / "b" / "c") == tmp_path / "a" / "b" / "c"


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("make", [lambda path: path.write_text("x"), lambda path: (path / "notes").mkdir(parents=True)])
def test_what_is_no_model_is_never_replaced(
    model: Classifier, tmp_path: Path, make: Callable[[Path], object], force: bool
) -> None:
    path = tmp_path / "precious"
    make(path)
    before = sorted(tmp_path.rglob("*"))
    for call in (lambda: write(model, path, force=force), lambda: check_free(path, force=force)):
        with pytest.raises(InputError, match="not a model folder"):
            call()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_in_a_file_is_refused(model: Classifier, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises((InputError, OSError)):
        write(model, tmp_path / "file" / "model")
    assert (tmp_path / "file").read_text() == "x"


@pytest.fixture
def old(model_folder: Path, tmp_path: Path) -> Path:
    """A model that is there before, told apart by its card."""
    folder = Path(shutil.copytree(model_folder, tmp_path / "models" / "mine"))
    (folder / CARD).write_text("the old one")
    return folder


def failing(monkeypatch: pytest.MonkeyPatch, calls: int, error: BaseException) -> None:
    """Let the given call that renames something fail."""
    count = 0
    for name in ("rename", "replace"):
        real = getattr(os, name)

        def fake(*args: Any, real: Callable[..., None] = real, **more: Any) -> None:
            nonlocal count
            count += 1
            if count == calls:
                raise error
            real(*args, **more)

        monkeypatch.setattr(os, name, fake)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full disk", "interrupt"])
@pytest.mark.parametrize("calls", [1, 2])
def test_a_failing_rename_leaves_a_whole_model(
    model: Classifier, old: Path, monkeypatch: pytest.MonkeyPatch, calls: int, error: BaseException
) -> None:
    before = (old / WEIGHTS).read_bytes()
    with monkeypatch.context() as patch:
        failing(patch, calls, error)
        with pytest.raises((type(error), trainer.TrainerError)):
            write(model, old, texts={CARD: "new"}, force=True)
    assert [path.name for path in old.parent.iterdir()] == ["mine"]
    assert (old / WEIGHTS).read_bytes() == before
    trainer.load(old)


def test_a_failing_rename_leaves_no_half_of_a_new_model(
    model: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        failing(patch, 1, OSError(28, "No space left on device"))
        with pytest.raises(OSError, match="No space"):
            write(model, tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_write_leaves_the_old_model(model: Classifier, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **more: Any) -> None:
        raise OSError(28, "No space left on device")

    before = contents(old)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail)
        with pytest.raises((OSError, trainer.TrainerError)):
            write(model, old, texts={CARD: "new"}, force=True)
    assert [path.name for path in old.parent.iterdir()] == ["mine"]
    assert contents(old) == before
