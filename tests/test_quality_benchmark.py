"""What the quality benchmark computes, on data small enough to work out by hand."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from small import ROOT, SETTINGS, config, load, records, write

from trainer.context import input_names
from trainer.estimator import ArticleClassifier
from trainer.evaluation import resample_sites
from trainer.features import FAMILIES
from trainer.network import Network

BENCHMARKS = ROOT / "benchmarks"
if not (BENCHMARKS / "quality.py").exists():
    pytest.skip("the benchmarks are not part of this tree", allow_module_level=True)
sys.path.insert(0, str(BENCHMARKS))

import quality  # noqa: E402
from quality_parts import contest, figures, material, plan, results  # noqa: E402
from quality_parts.ablation import ABLATIONS, Ablation, without  # noqa: E402
from quality_parts.jobs import BASELINES, Job, run, training_side  # noqa: E402
from quality_parts.memory import remembering  # noqa: E402

CONFIG = config("evaluation.folds=2")
AS_THEY_ARE = np.ones((1, 2), np.intp)
SITE = np.array([0, 0, 1, 1])
CHARS = np.array([10, 30, 50, 10])
NEWS = np.array([True, False, True, False])


def corpus(folder: Path, articles: int = 12) -> Path:
    """Write annotated pages; one extractor keeps all but the first paragraph, another nothing of every second page."""
    pages = records(articles, 6)
    for number, page in enumerate(pages):
        everything = list(range(len(page["paragraphs"])))
        page["kept_by"] = {"trafilatura": everything[1:], "other": everything if number % 2 else [], "none": everything}
    return write(folder / "pages.jsonl", pages)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return material.load(corpus(tmp_path_factory.mktemp("corpus")), None, CONFIG)


def test_views_hold_what_the_extractor_kept(pages):
    collection = pages.pages
    assert pages.extractors == ("other", "trafilatura")
    sizes = np.array([len(a.texts) for a in collection.dataset.articles])
    view = collection.views["trafilatura"]
    assert (view.sizes == sizes - 1).all()
    flat = [text for texts in collection.dataset.texts for text in texts]
    assert [flat[row] for row in view.rows] == [text for texts in view.dataset.texts for text in texts]
    assert [flat[row] for row in view.rows] == [t for a in collection.dataset.articles for t in a.texts[1:]]
    other = collection.views["other"]
    assert len(other.dataset.articles) == 6  # empty articles fall out
    assert (other.sizes == sizes[other.source]).all()
    assert (collection.article[other.rows] == np.repeat(other.source, other.sizes)).all()


def test_folds_keep_sites_whole(pages):
    collection = pages.pages
    assert pages.folds == 2
    assert set(collection.fold) == {0, 1}
    for site in set(collection.dataset.sites):
        assert len(set(collection.fold[collection.dataset.sites == site])) == 1


def test_written_articles_of_a_page_s_site_go_to_its_fold(tmp_path):
    both = records(24, 12)
    pages = load(tmp_path / "pages.jsonl", both[:16])
    written = load(tmp_path / "written.jsonl", both[12:])  # records repeat sites from the thirteenth on
    count, group, fold = material.assign_folds(pages, written, CONFIG)
    of_site = dict(zip(pages.sites, fold, strict=False))
    shared = [i for i, site in enumerate(written.sites) if site in of_site]
    assert count == 2
    assert len(shared) > 4
    assert group.size == fold.size == 28
    assert all(fold[16 + i] == of_site[written.sites[i]] for i in shared)


def test_limit_takes_whole_sites_first(tmp_path):
    dataset = load(tmp_path / "a.jsonl", records(12, 6))
    part = material._limited(dataset, 6, 0)
    assert len(part.articles) == 6
    assert len(set(part.sites)) == 3
    assert material._limited(dataset, 100, 0) is dataset


def test_windows_cover_the_story_once():
    is_news = np.zeros(60, bool)
    is_news[[10, 20, 40]] = True
    found = list(material.windows(is_news, np.random.default_rng(0)))
    assert np.concatenate(found).tolist() == list(range(10 - material.MARGIN, 41 + material.MARGIN))
    assert {len(window) for window in found} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("is_news", "rows"), [([], []), ([False] * 9, []), ([True], [0]), ([True, False, False, False], [0, 1, 2])]
)
def test_windows_end_with_the_article(is_news, rows):
    found = [row for window in material.windows(np.array(is_news, bool), np.random.default_rng(1)) for row in window]
    assert found == rows


def test_text_figures_by_hand():
    found = np.array([True, True, False, False])
    out = figures.text_figures(CHARS, NEWS, found, SITE, SITE, AS_THEY_ARE)
    assert {key: values[0] for key, values in out.items()} == pytest.approx(
        {
            "char_precision": 10 / 40,
            "char_recall": 10 / 60,
            "char_f1": 20 / 100,
            "page_precision": (10 / 40 + 0) / 2,  # nothing is found on the second page
            "page_recall": (1 + 0) / 2,
            "page_f1": (20 / 50 + 0) / 2,
        }
    )


def test_pages_without_news_are_left_out_of_the_mean():
    out = figures.text_figures(CHARS, np.array([True, False, False, False]), np.ones(4, bool), SITE, SITE, AS_THEY_ARE)
    assert out["page_precision"][0] == 10 / 40
    assert out["char_precision"][0] == 10 / 100


def test_resampled_sites_count_as_often_as_they_are_drawn():
    out = figures.text_figures(CHARS, NEWS, np.ones(4, bool), SITE, SITE, np.array([[1, 1], [2, 0], [0, 2]]))
    assert out["char_precision"].tolist() == pytest.approx([60 / 100, 10 / 40, 50 / 60])
    assert out["page_precision"].tolist() == pytest.approx([(10 / 40 + 50 / 60) / 2, 10 / 40, 50 / 60])


def test_removal_figures_by_hand():
    out = figures.removal_figures(CHARS, NEWS, np.array([True, True, False, False]), SITE, AS_THEY_ARE)
    assert out["news_lost_per_1000"][0] == pytest.approx(1000 * 10 / 60)
    assert out["junk_removed"][0] == pytest.approx(30 / 40)


@pytest.mark.parametrize(
    ("point", "share"),
    [(0.0, 30 / 40), (0.16, 30 / 40), (1 / 6, 1.0), (0.5, 1.0), (1.0, 1.0)],
)
def test_junk_removed_by_hand(point, share):
    residue = np.array([0.8, 0.9, 0.1, 0.5])  # the first news paragraph is scored between the two of junk
    out = figures.junk_removed(residue, CHARS, NEWS, SITE, AS_THEY_ARE, [point])
    assert out[0, 0] == pytest.approx(share)


def test_equal_scores_go_together():
    residue = np.array([0.9, 0.9, 0.1, 0.5])
    assert figures.junk_removed(residue, CHARS, NEWS, SITE, AS_THEY_ARE, [0.0, 1 / 6])[0].tolist() == [0, 1]


def test_junk_removed_follows_the_draw_of_sites():
    residue = np.array([0.9, 0.8, 0.1, 0.5])
    out = figures.junk_removed(residue, CHARS, NEWS, SITE, np.array([[1, 1], [0, 2], [2, 0]]), [0.0])
    assert out[:, 0].tolist() == [0, 1, 0]


def test_calibration_by_hand():
    probability, hit = np.array([1.0, 1.0, 0.5, 0.5]), np.array([True, False, True, False])
    site = np.zeros(4, np.intp)
    assert figures.calibration_error(probability, hit, site, np.ones((1, 1), np.intp))[0] == pytest.approx(0.25)
    assert figures.reliability(probability, hit) == [(0.5, 0.5, 2), (1.0, 0.5, 2)]


def test_sheets_as_json_have_intervals_and_no_nan():
    row = figures.Row("x", {"a": np.array([1.0, 0.5, 1.5]), "b": np.full(3, np.nan)}, "note")
    sheet = figures.Sheet("t", [("a", "A", 2)], [row]).to_json()
    assert json.loads(json.dumps(sheet, allow_nan=False))["rows"][0]["figures"] == {"a": [1.0, 0.525, 1.475], "b": [None] * 3}


def test_differences_are_paired():
    base = figures.Row("base", {"a": np.array([1.0, 2.0])})
    rows = [base, figures.Row("x", {"a": np.array([0.5, 1.0])}), figures.Row("failed", {}, "why")]
    out = results.with_differences(rows, base, ["a"], sign=-1)
    assert [row.figures.get("a difference", np.zeros(0)).tolist() for row in out] == [[], [0.5, 1.0], []]


def test_what_fails_is_said_and_the_rest_goes_on(pages):
    fits = results.Results(CONFIG, pages, {}, {}, {})

    def refuse():
        raise RuntimeError("no such luck")

    assert fits.row("a", refuse).note == "no such luck"
    assert fits.row("b", lambda: {"x": np.ones(2)}).figures["x"].sum() == 2
    assert fits.failures == ["a: no such luck"]


def test_decisions_become_labels(pages):
    fits = results.Results(CONFIG, pages, {}, {}, {})
    found = fits.decided(np.array([True, False]))
    names = CONFIG.label_set.names
    assert [names[k] for k in found.label] == ["news", "navigation"]
    majority = contest.majority_predictions(fits)
    assert len(set(majority.label)) <= 2
    assert majority.label.size == pages.pages.article.size


def test_fits_run_once_and_failures_are_kept(tmp_path, pages, monkeypatch):
    good = [Job(CONFIG, fold, peer="TF-IDF", settings={"chars": False}) for fold in range(2)]
    bad = Job(CONFIG, 0, peer="TF-IDF", settings={"C": -1.0})
    outcomes, failed = run([*good, bad], pages, tmp_path, 1)
    assert set(outcomes) == {job.id for job in good}
    assert "failed: InvalidParameterError" in failed[bad.id]
    monkeypatch.setattr("quality_parts.jobs._run", lambda *_: pytest.fail("it is there already"))
    again, _ = run(good, pages, tmp_path, 1)
    fits = results.Results(CONFIG, pages, {"pages": resample_sites(6, CONFIG)}, again, failed)
    found = results.figures(fits, results.PAGES, fits.predictions(good, results.PAGES))
    assert found["macro_f1"].shape == (51,)
    assert np.isfinite(found["macro_f1"]).all()
    assert 0.2 < found["macro_f1"][0] < 1
    row = fits.row("bad", lambda: fits.predictions([bad], results.PAGES)._asdict())
    assert row.note == failed[bad.id]
    assert fits.failures == [f"bad: {failed[bad.id]}"]


def taken(ablation: Ablation, kinds: tuple[str, ...] = CONFIG.label_set.names) -> np.ndarray:
    """Say which inputs of the second stage an ablation takes away."""
    return np.array([bool(re.fullmatch(ablation.inputs, f"{group}/{name}")) for group, name in input_names(kinds)])


def fitted(ablation: Ablation, dataset) -> Network:
    """Fit the product without something."""
    model = without(ablation)(**config(*ablation.overrides).estimator_params())
    return model.fit(dataset.texts, dataset.labels, dataset.sites, kinds=dataset.kinds).network_


@pytest.mark.parametrize("name", ["words", "characters", "shape", "layout"])
def test_ablations_take_away_what_they_name(pages, name):
    ablation = ABLATIONS[name]
    network = fitted(ablation, pages.pages.dataset)
    gone = taken(ablation, network.kinds)
    assert gone.any() == bool(ablation.inputs)
    for layer in ("enter", "head"):
        of_inputs = network.sequence.arrays[layer][:, -gone.size :]
        assert (of_inputs[:, gone] == 0).all()
        assert (of_inputs[:, ~gone] != 0).any(axis=0).mean() > 0.9
    tables = np.split(network.text.weights, np.cumsum(network.text.settings.buckets)[:-1])
    assert [not table.any() for table in tables] == [family in ablation.families for family in FAMILIES]


def test_without_neighbours_no_other_paragraph_is_read(pages):
    network = fitted(ABLATIONS["neighbours"], pages.pages.dataset)
    inputs = np.random.default_rng(0).integers(-512, 512, (network.sequence.arrays["enter"].shape[1], 9)) / 256
    together = network.sequence.scores(inputs, np.zeros(9, np.intp))
    assert (together == network.sequence.scores(inputs, np.arange(9))).all()


def test_without_kinds_only_labels_are_told_apart(pages):
    assert sorted(fitted(ABLATIONS["kinds"], pages.pages.dataset).kinds) == sorted(CONFIG.label_set.names)


def test_first_stages_are_fitted_once(pages, tmp_path, monkeypatch):
    dataset = pages.pages.dataset
    parameters, fits = CONFIG.estimator_params(), []
    fit = ArticleClassifier._fit_text
    monkeypatch.setattr(ArticleClassifier, "_fit_text", lambda *given: fits.append(1) or fit(*given))

    def network(ablation: Ablation, **changed) -> Network:
        model = without(ablation, remembering(tmp_path))(**{**parameters, **changed})
        return model.fit(dataset.texts, dataset.labels, dataset.sites).network_

    first = network(Ablation())
    assert len(fits) == CONFIG.inner_folds + 1
    again = network(Ablation(), dilations=())
    network(ABLATIONS["layout"])
    network(ABLATIONS["shape"])
    assert len(fits) == CONFIG.inner_folds + 1
    assert (again.text.weights == first.text.weights).all()
    assert (again.text.scale == first.text.scale).all()
    assert (again.text.bias == first.text.bias).all()
    network(ABLATIONS["words"])
    network(Ablation(), C=2.0)
    assert len(fits) == 3 * (CONFIG.inner_folds + 1)


def test_every_pattern_of_an_ablation_covers_inputs():
    for name, ablation in ABLATIONS.items():
        assert not ablation.inputs or taken(ablation).any(), name


def test_larger_shares_contain_smaller_ones(pages):
    sides = [training_side(Job(CONFIG, 0, share=share), pages)[0] for share in (0.5, 0.8, 1.0)]
    sites = [set(side.sites) for side in sides]
    assert sites[0] < sites[2]
    assert sites[0] <= sites[1] <= sites[2]
    assert not sites[2] & set(pages.pages.dataset.sites[pages.pages.fold == 0])


def test_searches_draw_different_settings():
    jobs = plan.tuning("fastText", lambda more: config(*more), 12)
    assert len({job.id for job in jobs}) == 12
    assert all(job.tune for job in jobs)


def test_absent_pages_are_said(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["quality.py", "--corpus", str(tmp_path / "none.jsonl")])
    assert quality.main() == 0
    assert "no annotated pages at none.jsonl" in capsys.readouterr().out


def test_a_whole_run_on_few_pages(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    overrides = [part for setting in (*SETTINGS, "context.epochs=2") for part in ("--set", setting)]
    quick = ["--no-labels", "--folds", "2", "--only", "full,curve", "--jobs", "1", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["quality.py", "--corpus", str(corpus(tmp_path)), *quick, *overrides])
    assert quality.main() == 0, capsys.readouterr().err
    text = (tmp_path / "out" / "quality.txt").read_text("utf-8")
    assert "QUICK RUN, NOT THE REAL FIGURES" in text
    whole = json.loads((tmp_path / "out" / "quality.json").read_text("utf-8"))
    assert {"full page", "residue", "residue curve", "short", "calibration", "learning curve"} <= set(whole["sheets"])
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {"removal.png", "learning.png", "reliability.png"}


def test_a_peer_that_fails_or_is_absent_is_said(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(plan.FastText, "is_installed", lambda: False)
    monkeypatch.setitem(BASELINES, "TF-IDF", lambda *_, **__: 1 / 0)
    quick = ["--no-labels", "--only", "peers", "--draws", "1", "--jobs", "1", "--out", str(tmp_path / "out")]
    overrides = [part for setting in SETTINGS for part in ("--set", setting)]
    monkeypatch.setattr(sys, "argv", ["quality.py", "--corpus", str(corpus(tmp_path)), *quick, *overrides])
    assert quality.main() == 1
    assert "TF-IDF: every fit of its search failed" in capsys.readouterr().err
    text = (tmp_path / "out" / "quality.txt").read_text("utf-8")
    assert "fastText: not installed" in text
    assert "FAILED: TF-IDF" in text
    assert "C4 lines" in text
