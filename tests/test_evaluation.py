import io
import json
import math

import numpy as np
import pytest
from rich.console import Console
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)
from small import article, config, load, records, story

from trainer import artifact, evaluation, training
from trainer.dataset import Dataset
from trainer.errors import InputError
from trainer.evaluation import Scored, cross_validate, evaluate_model, evaluate_training, report
from trainer.policy import NEVER
from trainer.report import markdown, show, show_leakage, to_json

NONE = Dataset(())
CLASSES = 4


def scored(seed=0, sites=12, paragraphs=40, *, truth=None, ties=False):
    """Return made-up predictions, right about two times in three."""
    rng = np.random.default_rng(seed)
    site = np.repeat(np.arange(sites), rng.integers(paragraphs // 2, paragraphs, sites))
    truth = rng.choice(CLASSES, site.size, p=[0.5, 0.1, 0.3, 0.1]) if truth is None else truth(rng, site)
    probability = rng.dirichlet(np.ones(CLASSES), site.size).T
    hit = rng.random(site.size) < 0.5
    probability[:, hit] = 0.3 * probability[:, hit] + 0.7 * (np.arange(CLASSES)[:, None] == truth[hit])
    if ties:
        probability = np.round(probability, 1)
    return Scored(
        truth=truth,
        label=probability.argmax(axis=0),
        probability=probability,
        chars=rng.integers(1, 900, site.size),
        removed=probability[0] < 0.2,
        site=site,
    )


def measured(found, *overrides):
    return report(found, config(*overrides), NONE, title="made up", thresholds=((NEVER, 0.5, 0.5, 0.5),))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return load(tmp_path_factory.mktemp("labels") / "small.jsonl", records())


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Articles the model of `trained` has not seen."""
    return load(tmp_path_factory.mktemp("labels") / "other.jsonl", records(36)[24:])


@pytest.fixture(scope="module")
def trained(dataset):
    return training.train(dataset, config())


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return artifact.load(artifact.save(folder, trained.network, trained.labels, trained.policy, trained.info))


@pytest.fixture(scope="module")
def validated(dataset):
    return cross_validate(dataset, config(), jobs=1)


# ── figures on made-up predictions


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
def test_figures_of_each_label_are_scikit_learns(seed, ties):
    found = scored(seed, ties=ties)
    result = measured(found, "evaluation.resamples=10")
    precision, recall, f1, support = precision_recall_fscore_support(found.truth, found.label, labels=range(CLASSES))
    for name, expected in {"precision": precision, "recall": recall, "f1": f1}.items():
        np.testing.assert_allclose([figure[0] for figure in result.per_label[name]], expected, atol=1e-12, err_msg=name)
    assert result.support == tuple(support)
    expected = [average_precision_score(found.truth == k, found.probability[k]) for k in range(CLASSES)]
    np.testing.assert_allclose([figure[0] for figure in result.per_label["average_precision"]], expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_overall_figures_are_scikit_learns(seed):
    found = scored(seed)
    result = measured(found, "evaluation.resamples=10")
    overall = {name: figure[0] for name, figure in result.overall.items()}
    assert overall["accuracy"] == pytest.approx(accuracy_score(found.truth, found.label))
    assert overall["macro_f1"] == pytest.approx(f1_score(found.truth, found.label, average="macro"))
    assert np.array_equal(result.confusion, confusion_matrix(found.truth, found.label, labels=range(CLASSES)))
    precision, recall, f1, _ = precision_recall_fscore_support(
        found.truth == 0, found.label == 0, sample_weight=found.chars, average="binary"
    )
    assert overall["news_char_precision"] == pytest.approx(precision)
    assert overall["news_char_recall"] == pytest.approx(recall)
    assert overall["news_char_f1"] == pytest.approx(f1)


@pytest.mark.parametrize("seed", range(4))
def test_cost_and_gain_of_the_thresholds_are_those_of_a_slow_count(seed):
    found = scored(seed)
    news = lost = junk = gone = 0
    for truth, chars, removed in zip(found.truth, found.chars, found.removed, strict=True):
        if truth == 0:
            news += chars
            lost += chars * removed
        else:
            junk += chars
            gone += chars * removed
    overall = measured(found, "evaluation.resamples=10").overall
    assert lost > 0 < gone
    assert overall["news_lost_per_1000"][0] == pytest.approx(1000 * lost / news)
    assert overall["junk_removed"][0] == pytest.approx(gone / junk)


def test_several_kept_labels_count_as_news_together():
    found = scored()
    kept = 'labels=[{name="news", kept=true}, {name="fundraising"}, {name="navigation"}, {name="caption", kept=true}]'
    overall = measured(found, kept, "evaluation.resamples=10").overall
    is_news = np.isin(found.truth, (0, 3))
    assert overall["news_char_recall"][0] == pytest.approx(
        found.chars[is_news & np.isin(found.label, (0, 3))].sum() / found.chars[is_news].sum()
    )
    assert overall["junk_removed"][0] == pytest.approx(found.chars[~is_news & found.removed].sum() / found.chars[~is_news].sum())


def test_nothing_removed_costs_and_gains_nothing():
    found = scored()
    overall = measured(found._replace(removed=np.zeros_like(found.removed))).overall
    assert overall["news_lost_per_1000"] == overall["junk_removed"] == (0, 0, 0)


def test_perfect_predictions_have_perfect_figures_and_intervals():
    found = scored()
    exact = (np.arange(CLASSES)[:, None] == found.truth).astype(float)
    result = measured(found._replace(label=found.truth, probability=exact, removed=found.truth != 0))
    for name, figure in result.overall.items():
        assert figure == ((0, 0, 0) if name == "news_lost_per_1000" else (1, 1, 1)), name
    assert all(figure == (1, 1, 1) for figures in result.per_label.values() for figure in figures)


def test_label_that_neither_occurs_nor_is_predicted_has_no_figures():
    found = scored(truth=lambda rng, site: rng.choice(3, site.size))
    probability = found.probability.copy()
    probability[3] = 0
    result = measured(found._replace(probability=probability, label=probability.argmax(axis=0)))
    assert result.support[3] == 0
    for name in ("precision", "recall", "f1", "average_precision"):
        assert all(math.isnan(value) for value in result.per_label[name][3]), name
    expected = f1_score(found.truth, probability.argmax(axis=0), average="macro")
    assert result.overall["macro_f1"][0] == pytest.approx(expected)


def test_no_news_or_no_junk_leaves_figures_undefined_but_no_error():
    for label in (0, 1):
        result = measured(scored(truth=lambda rng, site, k=label: np.full(site.size, k)))
        undefined = "junk_removed" if label == 0 else "news_lost_per_1000"
        assert math.isnan(result.overall[undefined][0])
        assert to_json(result)["overall"][undefined] == [None, None, None]
        assert "–" in markdown(result)
        show(result, Console(file=io.StringIO()))


# ── intervals


@pytest.mark.parametrize("seed", range(5))
def test_intervals_enclose_the_value(seed):
    result = measured(scored(seed, sites=20), "evaluation.resamples=200")
    figures = [*result.overall.values(), *(figure for figures in result.per_label.values() for figure in figures)]
    inside = [low <= value <= high for value, low, high in figures]
    assert all(low <= high for _, low, high in figures)
    assert np.mean(inside) == 1


def test_intervals_cover_the_truth_about_as_often_as_they_should():
    """The truth is what very many sites give; it should lie inside about 19 times in 20."""
    accuracies = [measured(scored(seed, sites=30), "evaluation.resamples=200").overall["accuracy"] for seed in range(60)]
    truth = measured(scored(1000, sites=3000), "evaluation.resamples=10").overall["accuracy"][0]
    assert 0.85 <= np.mean([low <= truth <= high for _, low, high in accuracies]) <= 1


def test_intervals_narrow_with_more_sites():
    def width(sites):
        return np.mean(
            [high - low for _, low, high in measured(scored(0, sites=sites), "evaluation.resamples=200").overall.values()]
        )

    assert width(160) < 0.6 * width(20)


def test_one_site_has_no_spread():
    for value, low, high in measured(scored(sites=1)).overall.values():
        assert value == pytest.approx(low) == pytest.approx(high)


def test_intervals_are_those_of_sites_drawn_with_replacement():
    """A slow bootstrap: sites are drawn, their paragraphs put together, scikit-learn asked each time."""
    found, settings = scored(3, sites=9), config("evaluation.resamples=40", "seed=5")
    draws = np.random.default_rng(5).multinomial(9, np.full(9, 1 / 9), size=40)
    rows = [np.concatenate([np.flatnonzero(found.site == s).repeat(times) for s, times in enumerate(draw)]) for draw in draws]
    result = report(found, settings, NONE, title="", thresholds=())

    def interval(values):
        return pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=1e-12)

    f1 = [f1_score(found.truth[r], found.label[r], average="macro", labels=range(CLASSES)) for r in rows]
    assert result.overall["macro_f1"][1:] == interval(f1)
    precision = [average_precision_score(found.truth[r] == 2, found.probability[2][r]) for r in rows]
    assert result.per_label["average_precision"][2][1:] == interval(precision)
    lost = [
        1000 * (found.chars * found.removed)[r][found.truth[r] == 0].sum() / found.chars[r][found.truth[r] == 0].sum()
        for r in rows
    ]
    assert result.overall["news_lost_per_1000"][1:] == interval(lost)


def test_site_numbers_do_not_matter():
    found = scored()
    assert to_json(measured(found)) == to_json(measured(found._replace(site=found.site * 7 + 3)))


# ── cross-validation


@pytest.fixture
def folds(monkeypatch):
    """Record the articles that each fold is fitted on, and their groups."""
    seen = []
    original = evaluation.fit

    def spy(dataset, settings, groups):
        seen.append((dataset.articles, groups))
        return original(dataset, settings, groups)

    monkeypatch.setattr(evaluation, "fit", spy)
    return seen


def test_every_labelled_paragraph_is_judged_once(dataset, validated):
    counts = dataset.counts()
    assert dict(zip(validated.labels, validated.support, strict=True)) == {name: counts[name] for name in validated.labels}
    assert np.array(validated.confusion).sum() == sum(counts.values())
    assert validated.data == dataset.summary()
    assert len(validated.thresholds) == 3
    assert validated.title.startswith("3-fold")
    assert "site-grouped" in validated.title


def test_no_site_is_on_both_sides(dataset, folds):
    cross_validate(dataset, config(), jobs=1)
    assert len(folds) == 3
    held = [{a.id for a in dataset.articles} - {a.id for a in fitted} for fitted, _ in folds]
    assert sorted(x for ids in held for x in ids) == sorted(a.id for a in dataset.articles)
    for (fitted, _), out in zip(folds, held, strict=True):
        assert not {a.site for a in fitted} & {a.site for a in dataset.articles if a.id in out}


def test_same_story_on_two_sites_is_on_one_side_and_in_one_inner_group(tmp_path, folds):
    told = [(story(i // 2), "news") for i in range(12)]
    items = [article(i, f"{i}.example", told[i], ("Donate now to us", "fundraising"), ("Home", "navigation")) for i in range(12)]
    dataset = load(tmp_path / "x.jsonl", items)
    result = cross_validate(dataset, config(), jobs=1)
    assert any(note.startswith("12 articles were near-duplicates") for note in result.notes)
    for fitted, groups in folds:
        numbers = {int(a.id[2:]) for a in fitted}
        assert {i ^ 1 for i in numbers} == numbers
        group = {int(a.id[2:]): g for a, g in zip(fitted, groups, strict=True)}
        assert all(group[i] == group[i ^ 1] for i in numbers)


def test_random_split_is_called_leaky_and_splits_sites(dataset, folds):
    result = cross_validate(dataset, config(), jobs=1, split_sites=True)
    assert "leaky" in result.title
    assert any(
        {a.site for a in fitted} & ({a.site for a in dataset.articles if a.id not in {b.id for b in fitted}})
        for fitted, _ in folds
    )
    assert sum(result.support) == sum(dataset.counts().values())


def test_fewer_sites_than_folds_is_said(tmp_path):
    dataset = load(tmp_path / "x.jsonl", records(12, 3))
    result = cross_validate(dataset, config("evaluation.folds=5"), jobs=1)
    assert "3 folds instead of 5: there are no more sites" in result.notes
    assert len(result.thresholds) == 3


def test_two_sites_are_enough_or_refused(tmp_path):
    """Each fold then has one site to train on, which has no groups to split."""
    dataset = load(tmp_path / "x.jsonl", records(8, 2))
    try:
        result = cross_validate(dataset, config(), jobs=1)
    except InputError as error:
        assert "site" in str(error)  # noqa: PT017
    else:
        assert sum(result.support) == sum(dataset.counts().values())


def test_sites_that_all_share_a_story_are_refused(tmp_path):
    items = [article(i, f"{i}.example", (story(0), "news"), ("Home", "navigation")) for i in range(4)]
    with pytest.raises(InputError, match="share a story"):
        cross_validate(load(tmp_path / "x.jsonl", items), config(), jobs=1)


def only_at(items, label, sites):
    for item in items:
        for paragraph in item["paragraphs"]:
            if paragraph["label"] == label and item["site"] not in sites:
                paragraph["label"] = None
    return items


def test_label_absent_from_a_fold_is_said(tmp_path):
    items = only_at(records(), "caption", {"site00.example"})
    items[0]["paragraphs"] += [{"text": f"Photo {i}: Jane Doe", "label": "caption"} for i in range(3)]
    dataset = load(tmp_path / "x.jsonl", items)
    result = cross_validate(dataset, config(), jobs=1)
    said = [note for note in result.notes if "holds no caption" in note]
    assert len(said) == 2
    assert result.support[3] == dataset.counts()["caption"]


def test_label_with_fewer_examples_than_folds_is_no_obstacle(tmp_path):
    items = only_at(records(), "caption", ())
    items[0]["paragraphs"][0]["label"] = "caption"
    result = cross_validate(load(tmp_path / "x.jsonl", items), config(), jobs=1)
    assert result.support[3] == 1


def test_label_without_any_example_is_no_obstacle(tmp_path):
    result = cross_validate(load(tmp_path / "x.jsonl", only_at(records(), "caption", ())), config(), jobs=1)
    assert result.support[3] == 0
    show(result, Console(file=io.StringIO()))


def test_unlabelled_and_empty_articles_are_no_obstacle(tmp_path):
    items = records()
    for paragraph in items[0]["paragraphs"]:
        paragraph["label"] = None
    extra = [article(1, "empty.example"), article(2, "unlabelled.example", ("One.", None), ("Two.", None))]
    dataset = load(tmp_path / "x.jsonl", [*items, *extra])
    result = cross_validate(dataset, config(), jobs=1)
    assert sum(result.support) == dataset.summary()["paragraphs"] - dataset.summary()["unlabelled"]


def test_evaluation_is_the_same_each_time(dataset, validated):
    assert to_json(cross_validate(dataset, config(), jobs=1)) == to_json(validated)


def test_evaluation_is_the_same_in_several_processes(dataset, validated):
    assert to_json(cross_validate(dataset, config(), jobs=2)) == to_json(validated)


def test_other_seed_other_folds(dataset, validated):
    assert to_json(cross_validate(dataset, config("seed=1"), jobs=1)) != to_json(validated)


def test_progress_sees_every_fold(dataset):
    seen = []

    def progress(items, total):
        for item in items:
            seen.append(total)
            yield item

    cross_validate(dataset, config(), jobs=1, progress=progress)
    assert seen == [3, 3, 3]


def test_progress_is_optional_and_results_do_not_depend_on_their_order_of_arrival(dataset, validated):
    wrapped = cross_validate(dataset, config(), jobs=1, progress=lambda items, total: list(items))
    assert to_json(wrapped) == to_json(validated)


# ── saved models and training runs


def test_saved_model_is_scored_with_its_own_thresholds(saved, other):
    result = evaluate_model(saved, other, config())
    truth = [label for labels in other.labels for label in labels]
    found = [prediction.label for texts in other.texts for prediction in saved.label(texts)]
    assert np.array_equal(result.confusion, confusion_matrix(truth, found, labels=list(saved.labels.names)))
    assert result.thresholds == (saved.policy.thresholds,)
    assert "tiny" in result.title
    assert result.notes == ()


def test_scoring_a_model_on_its_own_training_data_is_noted(saved, dataset):
    assert any("trained on" in note for note in evaluate_model(saved, dataset, config()).notes)


def test_removal_figures_of_a_saved_model_are_those_of_its_filter_without_valves(saved, other):
    result = evaluate_model(saved, other, config())
    bare = saved.policy._replace(headline=0, max_removed_share=1.0, allow_empty=True)
    free = type(saved)(saved.network, saved.labels, bare, name="x", digest="", info={})
    junk = gone = 0
    for texts, labels in zip(other.texts, other.labels, strict=True):
        keep = free.filter(texts).keep
        junk += sum(len(t) for t, label in zip(texts, labels, strict=True) if label != "news")
        gone += sum(len(t) for t, label, k in zip(texts, labels, keep, strict=True) if label != "news" and not k)
    assert gone > 0
    assert result.overall["junk_removed"][0] == pytest.approx(gone / junk)


def test_model_with_other_labels_is_refused(saved, other):
    labels = 'labels=[{name="news", kept=true}, {name="junk"}]'
    with pytest.raises(InputError, match=r"the model has the labels news, .*the configuration news, junk"):
        evaluate_model(saved, other, config(labels))


def test_report_of_training_says_what_it_is(dataset, trained):
    result = evaluate_training(dataset, config(), trained)
    assert "out-of-fold" in result.title
    assert sum(result.support) == sum(dataset.counts().values())
    truth = np.array([label for labels in dataset.labels for label in labels])
    found = np.array(result.labels)[trained.out_of_fold.argmax(axis=1)]
    assert result.overall["accuracy"][0] == pytest.approx((truth == found).mean())
    assert result.thresholds == (trained.policy.thresholds,)


def test_training_keeps_the_news_it_promises(dataset, trained):
    lost = evaluate_training(dataset, config(), trained).overall["news_lost_per_1000"][0]
    assert lost <= 1000 * config().policy.max_news_loss + 1e-9


# ── the report, for machines and people


def test_json_has_every_figure_and_reads_back(validated):
    plain = to_json(validated)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["labels"] == ["news", "fundraising", "navigation", "caption"]
    assert plain["overall"]["macro_f1"] == list(validated.overall["macro_f1"])
    assert all(len(figures) == 4 and all(len(figure) == 3 for figure in figures) for figures in plain["per_label"].values())


def test_tables_show_labels_figures_and_notes(validated):
    out = io.StringIO()
    show(validated, Console(file=out, width=140))
    text = out.getvalue()
    for wanted in (*validated.labels, *validated.notes, f"{validated.overall['macro_f1'][0]:.3f}", "confusion", "95 %"):
        assert wanted in text
    assert all(name in markdown(validated) for name in validated.labels)


def test_leakage_table_shows_the_difference(validated):
    out = io.StringIO()
    leaky = measured(scored())
    show_leakage(validated, leaky, Console(file=out, width=140))
    assert f"{leaky.overall['macro_f1'][0] - validated.overall['macro_f1'][0]:+.3f}" in out.getvalue()


def test_names_with_square_brackets_are_shown_as_they_are():
    labels = 'labels=[{name="news[/b]", kept=true}, {name="[red]ads"}, {name="navigation"}, {name="caption"}]'
    result = report(scored(), config(labels), NONE, title="saved model a[/b]", thresholds=(), notes=["no [x] here[/]"])
    out = io.StringIO()
    show(result, Console(file=out, width=140))
    for wanted in ("news[/b]", "[red]ads", "a[/b]", "no [x] here[/]"):
        assert wanted in out.getvalue()
