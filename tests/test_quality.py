"""The model of article quality: trained, saved, loaded, used; and that its evaluation is honest."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import judged
import numpy as np
import pytest
import small
from filtered import filtered

import trainer
from trainer import quality_training as training
from trainer.artifact import WEIGHTS
from trainer.dataset import Dataset
from trainer.errors import ArtifactError, ConfigError, InputError
from trainer.quality import NAMES, probability_of_poor
from trainer.quality_artifact import load_quality, save_quality
from trainer.quality_config import load_quality_config
from trainer.quality_evaluation import cross_validate
from trainer.quality_report import to_json
from trainer.verdicts import REASONS

CONFIG = judged.config()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return small.load(tmp_path_factory.mktemp("judged") / "labels.jsonl", judged.records())


@pytest.fixture(scope="module")
def found(dataset: Dataset) -> training.Material:
    return training.prepare(dataset, CONFIG, jobs=1)


@pytest.fixture(scope="module")
def trained(dataset: Dataset, found: training.Material) -> training.TrainedQuality:
    return training.train(dataset, CONFIG, found)


@pytest.fixture(scope="module")
def folder(trained: training.TrainedQuality, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_quality(tmp_path_factory.mktemp("model") / "q", *trained.fitted, trained.labels, trained.info)


OFFER = filtered(*["Buy your kettle today and save 40 percent! Your order ships free to you."] * 3)
STORY = filtered(
    "Ferry company loses island contract",
    "The council said on Tuesday that the ferry would stop in May, and that no other company had asked for the route.",
    "“We will miss it,” said Ada Holm, who has run the shop at the pier for thirty years.",
)


def test_a_loaded_model_judges_as_it_was_trained_to(folder):
    quality = trainer.load_quality(folder)
    poor, good = quality.judge(OFFER), quality.judge(STORY)
    assert (poor.verdict, poor.reason) == ("poor", "promo")
    assert (good.verdict, good.reason) == ("good", None)
    assert poor.probability < 1 - quality.threshold < good.probability
    assert tuple(poor.signals) == NAMES


def test_what_is_served_is_what_was_fitted(folder, dataset, found, trained):
    model = load_quality(folder)
    classifier = trainer.load()
    results = list(classifier.filter_many([list(texts) for texts in dataset.texts]))
    material = training.material(dataset, results, found.group, found.fold, CONFIG)
    np.testing.assert_allclose(model.scores(results), trained.fitted.scores(material), atol=1e-6)


def test_verdicts_do_not_depend_on_the_batch_or_on_threads(folder):
    model = load_quality(folder)
    results = [OFFER, STORY, filtered(), filtered("x", removed=(0,))] * 20
    alone = [model.judge(result) for result in results]
    assert list(model.judge_many(results)) == alone
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(model.judge, results)) == alone


def test_the_same_data_settings_and_seed_give_the_same_bytes(dataset, folder, tmp_path):
    again = training.train(dataset, CONFIG, training.prepare(dataset, CONFIG, jobs=2))
    save_quality(tmp_path / "q", *again.fitted, again.labels, again.info)
    assert (tmp_path / "q" / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()


@pytest.mark.parametrize("at", [0, 9, 400, -1])
def test_a_changed_byte_is_noticed(folder, tmp_path, at):
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[at] ^= 1
    (tmp_path / WEIGHTS).write_bytes(data)
    with pytest.raises(ArtifactError):
        load_quality(tmp_path)


def test_a_file_cut_short_is_refused(folder, tmp_path):
    (tmp_path / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-9])
    with pytest.raises(ArtifactError):
        load_quality(tmp_path)


def test_a_model_of_the_other_kind_is_refused_by_name(folder):
    with pytest.raises(ArtifactError, match="a model of article quality, not of paragraphs"):
        trainer.load(folder)
    with pytest.raises(ArtifactError, match="a model of paragraphs, not of article quality"):
        trainer.load_quality(trainer.artifact.find())


def test_a_model_made_with_other_signals_is_refused(trained, tmp_path, monkeypatch):
    save_quality(tmp_path / "q", *trained.fitted, trained.labels, trained.info)
    monkeypatch.setattr("trainer.quality_artifact.NAMES", ("strange", *NAMES[1:]))
    with pytest.raises(ArtifactError, match="other signals"):
        load_quality(tmp_path / "q")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 1.5}, "wrong kind"),
        ({"spread": 0.0}, "no spread"),
        ({"weights": np.nan}, "out of range"),
    ],
)
def test_a_model_that_could_not_be_loaded_is_not_saved(trained, tmp_path, change, message):
    fitted = trained.fitted
    for name, value in change.items():
        fitted = fitted._replace(**{name: value if name == "threshold" else np.full_like(getattr(fitted, name), value)})
    with pytest.raises(ArtifactError, match=message):
        save_quality(tmp_path / "q", *fitted, trained.labels, trained.info)
    assert not (tmp_path / "q").exists()


def test_results_of_another_label_set_are_refused(folder):
    with pytest.raises(InputError, match="filtered with the labels"):
        load_quality(folder).judge(filtered("a", labels=("x", "y", "z")))
    with pytest.raises(InputError, match="filtered with the labels"):
        load_quality(folder).probabilities([filtered("a", labels=("x", "y", "z"))])


def test_no_article_is_filtered_or_judged_by_a_model_that_knows_its_site(dataset, found, monkeypatch):
    seen = []
    fit = training.fit_paragraphs

    def watched(part, config, group):
        seen.append(frozenset(part.sites.tolist()))
        return fit(part, config, group)

    monkeypatch.setattr(training, "fit_paragraphs", watched)
    again = training.prepare(dataset, CONFIG, jobs=1)
    sites = [{article.site for article, fold in zip(dataset.articles, again.fold, strict=True) if fold == k} for k in range(3)]
    assert all(not held & trained_on for held, trained_on in zip(sites, seen, strict=True))
    assert set().union(*sites) == set(dataset.sites.tolist())
    fitted = []
    real = training.fit

    def watched_fit(part, config):
        fitted.append(set(np.unique(part.group).tolist()))
        return real(part, config)

    monkeypatch.setattr(training, "fit", watched_fit)
    cross_validate(dataset, CONFIG, found)
    held = [set(np.unique(found.group[found.fold == k]).tolist()) for k in np.unique(found.fold)]
    assert all(not ours & theirs for ours, theirs in zip(held, fitted, strict=True))


def test_a_story_under_two_site_names_is_in_one_fold(dataset):
    articles = list(dataset.articles)
    copy = replace(articles[0], id="copy", site="elsewhere.example")
    both = Dataset((*articles, copy))
    group = training.groups(both, CONFIG)
    assert group[0] == group[-1]
    folds = training.split(both, group, CONFIG)
    assert any({0, len(articles)} <= set(held.tolist()) for held in folds)


def test_the_report_has_the_figures_of_the_verdict_the_reasons_and_the_rules(dataset, found):
    report = cross_validate(dataset, CONFIG, found)
    data = json.loads(json.dumps(to_json(report)))
    assert (data["task"], data["labels"], sum(data["support"])) == ("quality", ["good", "poor"], 24)
    value, low, high = data["per_label"]["f1"][1]
    assert 0 <= low <= value <= high <= 1
    assert data["overall"]["reasons_macro_f1"][0] == data["reasons"]["overall"]["macro_f1"][0]
    assert {"Gopher", "C4", "FineWeb", "length, short is poor"} <= data["baselines"].keys()
    assert [sum(row) for row in data["confusion"]] == data["support"]
    assert len(data["articles"]) == 24
    only = cross_validate(dataset, CONFIG, found, only=[dataset.articles[0].id, dataset.articles[1].id])
    assert sum(only.verdict.support) == 2


def test_the_threshold_is_the_best_for_f1():
    truth = np.array([True, True, False, True, False, False])
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.2, 0.1])
    assert 0.2 < training.best_threshold(truth, score) < 0.6
    assert training.best_threshold(np.array([True, False]), np.array([0.5, 0.5])) == 0.5


def test_a_handful_of_real_articles_does_not_choose_the_threshold_alone(found):
    _, poor = training.fit(found, CONFIG)
    real = [int(np.where(found.poor, poor, 0).argmax()), int(np.where(found.poor, 1, poor).argmin())]  # the easiest of each
    weight = np.full_like(found.weight, 0.5)
    weight[real] = 1
    fitted, poor = training.fit(found._replace(weight=weight), CONFIG)
    assert fitted.threshold == training.best_threshold(found.poor, poor) != training.best_threshold(found.poor[real], poor[real])


def test_many_real_articles_choose_the_threshold_alone(found, monkeypatch):
    monkeypatch.setattr(training, "_DECIDE", 3)
    some = np.where(np.arange(found.weight.size) < 8, 1.0, 0.5)
    fitted, out_of_fold = training.fit(found._replace(weight=some), CONFIG)
    assert fitted.threshold == training.best_threshold(found.poor[:8], out_of_fold[:8])


def test_a_balance_of_one_makes_the_rarer_reason_likelier(found):
    promo = REASONS.index("promo")
    first = np.flatnonzero(found.reason == promo)[0]
    rest = found.select(np.flatnonzero((found.reason != promo) | (np.arange(found.reason.size) == first)))

    def score(balance):
        fitted, _ = training.fit(rest, judged.config(f"model.reason_balance={balance}"))
        return fitted.scores(rest)[1 + promo].mean()

    assert score(0) < score(0.5) < score(1)


def test_log_odds_of_zero_are_even():
    assert probability_of_poor(np.zeros((6, 1))) == pytest.approx(0.5)


@pytest.mark.parametrize("articles", [4, 5, 8])
def test_few_articles_are_enough(tmp_path, articles):
    few = small.load(tmp_path / "few.jsonl", judged.records(articles))
    report = cross_validate(few, CONFIG, training.prepare(few, CONFIG, jobs=1))
    assert sum(report.verdict.support) == articles


def test_a_verdict_that_one_site_alone_has_is_not_known_on_the_others(dataset, found):
    poor = found.group == found.group[0]
    alone = found._replace(poor=poor, reason=np.where(poor, 0, -1))
    articles = (replace(a, quality="poor" if bad else "good") for a, bad in zip(dataset.articles, poor, strict=True))
    report = cross_validate(Dataset(tuple(articles)), CONFIG, alone)
    held = (found.fold == found.fold[0]) & poor
    assert report.scored.probability[1][held].max() < 0.2
    assert training.fit(alone.select(np.flatnonzero(~poor)), CONFIG)[0].scores(alone)[0].max() < 0


def test_too_few_verdicts_are_refused(dataset):
    good = Dataset(tuple(article for article in dataset.articles if article.quality == "good"))
    with pytest.raises(InputError, match="fewer than 2 articles are judged poor"):
        training.judged(good)


def test_the_defaults_are_those_of_the_file_and_unknown_keys_are_named():
    assert load_quality_config(small.ROOT / "configs" / "quality.toml") == load_quality_config()
    with pytest.raises(ConfigError, match=r"unknown key model\.depth"):
        load_quality_config(None, ["model.depth=3"])
    with pytest.raises(ConfigError, match=r"unknown key paragraphs\.context\.depth"):
        load_quality_config(None, ["paragraphs.context.depth=3"])


def test_the_shipped_model_loads_by_its_name_and_tells_an_offer_from_a_story():
    quality = trainer.load_quality()
    assert quality.name == "quality-en"
    assert quality.digest == trainer.load_quality("quality-en").digest
    assert quality.judge(OFFER).probability < quality.judge(STORY).probability
