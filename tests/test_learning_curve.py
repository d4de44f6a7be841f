"""The learning curve: the law, what it foresees, and the command."""

from __future__ import annotations

import json
import sys
from itertools import pairwise

import numpy as np
import pytest
from commands import read, refuse, succeed
from small import SET, config, load, records, write

from trainer.dataset import load_labels
from trainer.evaluation import split_folds
from trainer.grouping import join_near_duplicates
from trainer.learning_curve import MACRO, SHARES, Law, _extrapolated, _training_rows, fit_law, learning_curve
from trainer.schema import NEWS_LABELS

ARTICLES = np.array([40.0, 80.0, 160.0, 320.0])


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The curve of 48 articles of 24 sites."""
    dataset = load(tmp_path_factory.mktemp("curve") / "labels.jsonl", records(48, 24))
    return learning_curve(dataset, config(), more=20, jobs=1)


@pytest.mark.parametrize("law", [Law(0.8, 3.0, 0.6), Law(0.95, 1.2, 0.3), Law(0.6, 0.0, 0.5)])
def test_a_law_is_found_again(law):
    found = fit_law(ARTICLES, law(ARTICLES))
    np.testing.assert_allclose(found(ARTICLES), law(ARTICLES), atol=1e-3)
    assert found(420.0) == pytest.approx(law(420.0), abs=5e-3)


@pytest.mark.parametrize("f1", [[0, 0, 0, 0], [0.9, 0.7, 0.5, 0.3], [0.2, 0.9, 0.1, 0.8], [1, 1, 1, 1], [0, 0, 0, 1]])
def test_a_law_never_falls_and_stays_below_one(f1):
    law = fit_law(ARTICLES, np.array(f1, float))
    along = law(np.geomspace(40, 1e6, 50))
    assert (np.diff(along) >= -1e-9).all()
    assert along.max() <= 1 + 1e-6


def test_the_range_is_wider_where_points_lie_off_the_law():
    smooth = np.tile(Law(0.8, 3.0, 0.6)(ARTICLES)[:, None], (1, 200))
    rough = smooth + np.array([0.05, -0.05, 0.05, -0.05])[:, None]
    widths = []
    for f1 in (smooth, rough):
        _, (value, low, high), gain = _extrapolated(f1, ARTICLES, 100, np.random.default_rng(0))
        assert low - 1e-9 <= value <= high + 1e-9
        widths.append(gain[2] - gain[1])
    assert widths[0] < 0.002
    assert widths[1] > 0.01


def test_most_ranges_hold_what_twice_the_articles_bring():
    truth, seen, rng = Law(0.85, 2.5, 0.5), np.array([20.0, 40.0, 80.0, 160.0]), np.random.default_rng(1)
    held = []
    for _ in range(12):
        points = truth(seen) + rng.normal(0, 0.01, 4)
        f1 = points[:, None] + np.append(np.zeros((4, 1)), rng.normal(0, 0.01, (4, 60)), axis=1)
        _, _, (_, low, high) = _extrapolated(f1, seen, 160, rng)
        held.append(low <= truth(320.0) - truth(160.0) <= high)
    assert sum(held) >= 10


def test_larger_parts_hold_the_smaller_ones_and_nothing_that_is_tested(tmp_path):
    dataset = load_labels([write(tmp_path / "labels.jsonl", records(48, 24))], NEWS_LABELS)
    group = join_near_duplicates(dataset, config()).group
    for held in split_folds(dataset, config(), group):
        parts = [set(_training_rows(group, held, share, seed=0).tolist()) for share in SHARES]
        assert all(small < large for small, large in pairwise(parts))
        assert parts[-1] == set(range(48)) - set(held.tolist())
        for part in parts:
            assert {group[i] for i in part}.isdisjoint(group[held].tolist())


def test_figures_of_a_curve_hang_together(measured):
    assert [label.name for label in measured.labels] == [MACRO, *NEWS_LABELS.names]
    assert measured.articles == pytest.approx([4, 8, 16, 32], abs=2)
    macro, *labels = measured.labels
    assert len(macro.f1) == len(SHARES)
    mean = [np.mean([label.f1[i][0] for label in labels]) for i in range(len(SHARES))]
    assert [value for value, _, _ in macro.f1] == pytest.approx(mean)
    assert macro.f1[-1][0] > macro.f1[0][0]
    for label in measured.labels:
        assert all(low - 1e-9 <= value <= high + 1e-9 for value, low, high in label.f1)
        assert label.gain[0] >= 0
        assert label.expected[0] == pytest.approx(min(1, label.f1[-1][0] + label.gain[0]))
    assert measured.best == max(labels, key=lambda label: label.gain[0]).name


def test_the_same_data_give_the_same_curve(tmp_path):
    dataset = load(tmp_path / "labels.jsonl", records(36, 18))
    first, second = (learning_curve(dataset, config("context.epochs=2"), jobs=1) for _ in range(2))
    assert first == second


def test_looking_far_ahead_is_noted(tmp_path):
    dataset = load(tmp_path / "labels.jsonl", records(36, 18))
    notes = learning_curve(dataset, config("context.epochs=2"), more=1000, jobs=1).notes
    assert any("far to look ahead" in note for note in notes)


def test_a_label_that_nothing_has_is_noted(tmp_path):
    items = records(36, 18)
    for item in items:
        for paragraph in item["paragraphs"]:
            if paragraph["label"] == "caption":
                paragraph["label"] = None
    found = learning_curve(load(tmp_path / "labels.jsonl", items), config("context.epochs=2"), jobs=1)
    assert "caption" not in [label.name for label in found.labels]
    assert any("caption" in note for note in found.notes)


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "labels.jsonl", records(36, 18))


QUICKLY = (*SET, "--set", "context.epochs=2", "--jobs", "1")


def test_the_command_says_what_more_is_worth(cli, file):
    result = succeed(cli("labels", "curve", file, "--more", "50", *QUICKLY))
    assert "The next 50 articles are worth +" in result.out
    assert "most for" in result.out
    assert "fundraising" in result.out


def test_the_json_is_the_curve(cli, file, tmp_path):
    out = tmp_path / "curve.json"
    result = succeed(cli("labels", "curve", file, "--json", "--out", out, *QUICKLY))
    found = json.loads(result.out)
    assert json.loads(out.read_text()) == found
    assert [label["name"] for label in found["labels"]] == [MACRO, *NEWS_LABELS.names]
    assert set(found["labels"][0]["law"]) == {"limit", "gap", "rate"}
    assert found["more"] == 100
    assert found["data"]["articles"] == 36


def test_the_drawing_is_a_picture(cli, file, tmp_path):
    pytest.importorskip("matplotlib")
    succeed(cli("labels", "curve", file, "--out", tmp_path / "curve.png", *QUICKLY))
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_a_picture_is_refused_before_the_work(cli, file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    refuse(cli("labels", "curve", file, "--out", tmp_path / "c.png", *QUICKLY), "paragraph-trainer[plot]")


def test_too_few_sites_are_refused(cli, tmp_path):
    refuse(cli("labels", "curve", write(tmp_path / "few.jsonl", records(8, 4)), *QUICKLY), "16 sites, there are 4")


@pytest.mark.parametrize(
    ("arguments", "wanted"), [(["--out", "c.svg"], "c.svg"), (["--jobs", "0"], "--jobs"), (["--more", "0"], "--more")]
)
def test_what_cannot_work_is_refused(cli, file, arguments, wanted):
    refuse(cli("labels", "curve", file, *arguments), wanted)


def test_an_existing_picture_is_kept(cli, file, tmp_path):
    (tmp_path / "c.json").write_text("{}")
    refuse(cli("labels", "curve", file, "--out", tmp_path / "c.json"), "c.json", "--force")
    assert read(tmp_path / "c.json") == [{}]
