"""`trainer export`: a scikit-learn pipeline that gives the probabilities of the model."""

import importlib.util
import json

import numpy as np
import pytest
from commands import files, refuse, succeed
from small import LABELS, config, records, write

from trainer import artifact
from trainer.dataset import load_labels
from trainer.training import train

needs_pipeline = pytest.mark.skipif(importlib.util.find_spec("trainer.pipeline") is None, reason="there is no export yet")


@pytest.fixture(scope="session")
def many():
    """Return articles of all kinds: labelled ones, the odd, the empty."""
    lines = (LABELS / "authored.jsonl").read_text("utf-8").splitlines()
    real = [[p["text"] for p in json.loads(line)["paragraphs"]] for line in lines]
    return [*real[:60], [], [""], ["\x00", "\ud800"], ["Donate"] * 40, ["x" * 5000], ["a"] * 3, ["新聞 " * 50, "short"]]


@needs_pipeline
def test_export_gives_the_probabilities_of_the_model(cli, folder, tiny, many, tmp_path):
    joblib = pytest.importorskip("joblib")
    out = tmp_path / "deep" / "tiny.joblib"
    result = succeed(cli("export", folder, "--format", "joblib", "--out", out))
    assert "tiny.joblib" in result.err
    pipeline = joblib.load(out)
    np.testing.assert_allclose(pipeline.predict_proba(many), tiny.predict_proba(many), atol=1e-6)
    for one in many:
        if one:
            np.testing.assert_allclose(pipeline.predict_proba([one]), tiny.predict_proba([one]), atol=1e-6)


@needs_pipeline
@pytest.mark.parametrize(
    ("binary", "overrides"),
    [
        (True, ["text.min_kind=0"]),
        (True, ["text.min_kind=5"]),
        (False, ["text.min_kind=1"]),
        (False, ["context.dilations=[]"]),
        (False, ["context.dilations=[3, 1, 64]", "context.width=5", "context.head=7"]),
        (False, ["features.char_ngrams=[3,5]"]),
    ],
    ids=["binary", "binary with kinds", "many kinds", "no neighbours", "far neighbours", "ngrams"],
)
def test_export_of_models_of_other_shapes(many, binary, overrides, tmp_path):
    from trainer.pipeline import to_pipeline

    items = records(12, 6)
    if binary:
        overrides = [*overrides, 'labels=[{name="prose", kept=true}, {name="junk"}]']
        for item in items:
            for paragraph in item["paragraphs"]:
                paragraph["label"] = "prose" if paragraph["label"] == "news" else "junk"
    chosen = config(*overrides)
    trained = train(load_labels([write(tmp_path / "x.jsonl", items)], chosen.label_set), chosen)
    model = artifact.load(artifact.save(tmp_path / "m", trained.network, trained.labels, trained.policy, trained.info))
    np.testing.assert_allclose(to_pipeline(model).predict_proba(many), model.predict_proba(many), atol=1e-6)


@needs_pipeline
def test_export_has_a_default_name_and_never_overwrites_unasked(cli, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    succeed(cli("export", folder))
    assert files(tmp_path) == ["tiny.joblib"]
    refuse(cli("export", folder), "tiny.joblib", "--force")
    succeed(cli("export", folder, "--force"))
    assert files(tmp_path) == ["tiny.joblib"]
