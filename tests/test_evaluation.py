"""Cross-validation, the scoring of saved models and training runs, and the report for machines and people."""

import io
import json

import numpy as np
import pytest
from predictions import NONE, measured, scored
from rich.console import Console
from sklearn.metrics import confusion_matrix
from small import article, config, load, records, story

from trainer import artifact, evaluation, training
from trainer.errors import InputError
from trainer.evaluation import cross_validate, evaluate_model, evaluate_training, report
from trainer.report import markdown, show, show_leakage, to_json


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
