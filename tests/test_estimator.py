"""The estimator: shapes, labels, folds, weights, and what it refuses."""

import numpy as np
import pytest
from estimators import arrays, data, fitted, same, tiny
from sklearn.metrics import f1_score

from trainer.estimator import article_runs, encode
from trainer.schema import UNLABELLED

LONG = {"epochs": 60, "learning_rate": 5e-3}
LABELS = ("news", "fundraising", "navigation", "caption")


def relabelled(change):
    texts, labels, sites = data()
    return texts, [[change(label) for label in article] for article in labels], sites


# ── shapes and meaning


def test_attributes_and_shapes():
    texts = data()[0]
    paragraphs = sum(map(len, texts))
    model = fitted()
    assert model.classes_.tolist() == list(LABELS)
    for probability in (model.predict_proba(texts), model.out_of_fold_):
        assert probability.shape == (paragraphs, 4)
        assert probability.dtype == np.float64
        assert (probability >= 0).all()
        np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-12)
    assert model.fold_.shape == (paragraphs,)
    assert set(model.predict(texts)) <= set(LABELS)
    assert model.predict(texts).tolist() == [LABELS[k] for k in model.predict_proba(texts).argmax(axis=1)]


def test_model_learns():
    texts, labels, sites = data(40, 20)
    model = tiny(**LONG, folds=5).fit(texts, labels, sites)
    truth = np.array([label for article in labels for label in article])
    assert (model.predict(texts) == truth).mean() > 0.85
    assert (model.classes_[model.out_of_fold_.argmax(axis=1)] == truth).mean() > (truth == "news").mean() + 0.05


def test_score_is_macro_f1_of_the_labelled_paragraphs():
    texts, labels, _ = data()
    some = [[label if i % 3 else None for i, label in enumerate(article)] for article in labels]
    flat = [label for article in some for label in article]
    known = [i for i, label in enumerate(flat) if label]
    expected = f1_score([flat[i] for i in known], fitted().predict(texts)[known], average="macro")
    assert fitted().score(texts, some) == pytest.approx(expected, abs=1e-12)


def test_neighbours_matter():
    texts = data()[0]
    alone = fitted().predict_proba([[paragraph] for article in texts for paragraph in article])
    assert np.abs(alone - fitted().predict_proba(texts)).max() > 0.01


@pytest.mark.parametrize("texts", [[], [[]], [[], []]], ids=["no article", "an empty article", "two"])
def test_nothing_in_gives_nothing_out(texts):
    assert fitted().predict_proba(texts).shape == (0, 4)
    assert fitted().predict(texts).shape == (0,)


def test_empty_articles_between_others_change_nothing():
    texts, labels, sites = data()
    np.testing.assert_array_equal(fitted().predict_proba([[], *texts, []]), fitted().predict_proba(texts))
    model = tiny().fit([*texts, []], [*labels, []], [*sites, "new.example"])
    assert np.isfinite(model.out_of_fold_).all()


def test_runs_hold_every_article_once_in_order():
    texts = data()[0]
    for chars in (1, 2000, 10**9):
        assert [article for run in article_runs(texts, chars) for article in run] == texts
    assert list(article_runs([])) == []


def test_long_articles_in_several_runs_are_judged_the_same(monkeypatch):
    texts = data()[0]
    whole = fitted().predict_proba(texts)
    monkeypatch.setattr("trainer.estimator.article_runs", lambda texts: article_runs(texts, 500))
    np.testing.assert_array_equal(fitted().predict_proba(texts), whole)


def test_encode_numbers_the_labels():
    assert encode([["b", None], [], ["a"]], ["a", "b"]).tolist() == [1, UNLABELLED, 0]
    assert encode([], ["a", "b"]).size == 0


# ── labels


def test_unlabelled_paragraphs_train_no_first_stage_but_serve_as_context():
    texts, labels, sites = data()
    extra = [[*article, "Seen nowhere else: zyzzyva quux."] for article in texts]
    with_extra = tiny().fit(extra, [[*article, None] for article in labels], sites)
    without = tiny().fit(texts, labels, sites)
    assert with_extra.out_of_fold_.shape[0] == sum(map(len, extra))
    for ours, theirs in zip(arrays(with_extra)[:3], arrays(without)[:3], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not same(with_extra, without)


def test_labels_taken_back_are_not_learnt():
    texts, labels, sites = relabelled(lambda label: None if label == "caption" else label)
    model = tiny().fit(texts, labels, sites)
    assert "caption" not in model.predict(texts)


def test_label_without_example_gets_next_to_no_probability():
    model = tiny(epochs=10).fit(*relabelled(lambda label: "navigation" if label == "caption" else label))
    texts = data()[0]
    assert model.classes_.tolist() == list(LABELS)
    for probability in (model.predict_proba(texts), model.out_of_fold_):
        assert probability.shape[1] == 4
        assert probability[:, 3].max() < 0.01
        assert probability[:, 2].max() > 0.5


def test_first_label_may_lack_examples():
    model = tiny().fit(*relabelled(lambda label: None if label == "news" else label))
    assert model.predict_proba(data()[0])[:, 0].max() < 0.01


def test_two_labels_of_four_are_enough():
    model = tiny(epochs=10).fit(*relabelled(lambda label: label if label in ("news", "navigation") else None))
    probability = model.predict_proba(data()[0])
    assert probability[:, [1, 3]].max() < 0.01
    assert min(probability[:, 0].max(), probability[:, 2].max()) > 0.5


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("labels", [("prose", "junk"), ("junk", "prose")])
def test_binary(labels, passes):
    texts, truth, sites = relabelled(lambda label: "prose" if label == "news" else "junk")
    model = tiny(labels=labels, kept=("prose",), passes=passes, **LONG).fit(texts, truth, sites)
    flat = np.array([label for article in truth for label in article])
    assert model.predict_proba(texts).shape == (flat.size, 2)
    assert (model.predict(texts) == flat).mean() > 0.8


@pytest.mark.parametrize("networks", [1, 2])
def test_five_labels(networks):
    names = (*LABELS, "sentence")
    texts, labels, sites = data()
    labels = [
        ["sentence" if label == "news" and len(text) < 150 else label for text, label in zip(*pair, strict=True)]
        for pair in zip(texts, labels, strict=True)
    ]
    model = tiny(labels=names, networks=networks, **LONG).fit(texts, labels, sites)
    flat = np.array([label for article in labels for label in article])
    assert model.predict_proba(texts).shape == (flat.size, 5)
    assert (model.predict(texts) == flat).mean() > max((flat == name).mean() for name in names) + 0.15
    assert "sentence" in model.predict(texts)


def test_columns_follow_the_order_of_labels():
    turned = tiny(labels=LABELS[::-1], **LONG).fit(*data())
    plain = tiny(**LONG).fit(*data())
    agree = turned.predict(data()[0]) == plain.predict(data()[0])
    assert turned.classes_.tolist() == list(LABELS[::-1])
    assert agree.mean() > 0.8


def test_class_weights_make_rare_labels_likelier():
    share = {
        name: tiny(class_weight=name, **LONG).fit(*data()).out_of_fold_[:, 3].mean() for name in ("none", "sqrt", "balanced")
    }
    assert share["none"] < share["sqrt"] < share["balanced"]


@pytest.mark.parametrize("ngrams", [(2, 2), (3, 5), [4, 6]])
def test_char_ngrams_of_any_range(ngrams):
    assert np.isfinite(tiny(char_ngrams=ngrams).fit(*data()).out_of_fold_).all()


# ── folds and seeds


def test_groups_stay_whole_in_the_inner_folds():
    texts, labels, sites = data(24, 8)
    model = tiny(folds=4).fit(texts, labels, sites)
    site = np.repeat(sites, [len(article) for article in texts])
    assert set(model.fold_) == set(range(4))
    for name in set(sites):
        assert np.unique(model.fold_[site == name]).size == 1, name


def test_articles_are_groups_of_their_own_where_none_are_given():
    texts, labels, _ = data()
    model = tiny(folds=4).fit(texts, labels)
    number = np.repeat(np.arange(len(texts)), [len(article) for article in texts])
    assert all(np.unique(model.fold_[number == i]).size == 1 for i in range(len(texts)))


def test_there_are_no_more_folds_than_groups():
    texts, labels, _ = data()
    model = tiny(folds=10).fit(texts, labels, ["a", "b", "c"] * 4)
    assert set(model.fold_) == {0, 1, 2}


@pytest.mark.parametrize("everywhere", [True, False])
def test_out_of_fold_probabilities_know_nothing_of_the_own_group(everywhere):
    """A made-up sentence with one label is learnt where all groups have it, and cannot be where only one group has it."""
    texts, labels, sites = data()
    odd = ["Zyzzyva quux flumadiddle."] * 8
    marked = [[*article, *odd] if everywhere or site == sites[0] else article for article, site in zip(texts, sites, strict=True)]
    truth = [[*a, *["fundraising"] * 8] if everywhere or site == sites[0] else a for a, site in zip(labels, sites, strict=True)]
    model = tiny(**LONG).fit(marked, truth, sites)
    where = np.array([text in odd for article in marked for text in article])
    found = model.out_of_fold_[where, 1].mean()
    assert found > 0.7 if everywhere else found < 0.3


def test_group_names_do_not_matter():
    texts, labels, sites = data()
    assert same(tiny().fit(texts, labels, sites), tiny().fit(texts, labels, [f"x-{site}" for site in sites]))


# ── what is refused


@pytest.mark.parametrize(
    ("X", "y", "groups", "cause"),
    [
        ([["a"], ["b"]], [["news"]], None, "same articles"),
        ([["a"], ["b", "c"]], [["news"], ["caption"]], None, "as many labels as paragraphs"),
        ([["a"], ["b"]], [["news"], ["sport"]], None, "unknown label 'sport'"),
        ([["a"], ["b"]], [["news"], ["caption"]], ["x"], "site for each article"),
        ([["a"], ["b"]], [["news"], ["caption"]], ["x", "x"], "two groups"),
        ([["a", "b"], ["c"]], [["news", None], ["news"]], None, "two labels"),
        ([["a"], ["b"]], [[None], [None]], None, "two labels"),
        ([["a", "b"]], [["news", "caption"]], None, "two groups"),
        ([], [], None, "two labels"),
    ],
)
def test_data_that_do_not_fit_are_refused(X, y, groups, cause):  # noqa: N803
    with pytest.raises(ValueError, match=cause):
        tiny().fit(X, y, groups)


@pytest.mark.parametrize("params", [{"class_weight": "auto"}, {"kept": ("sport",)}, {"class_weight": None}])
def test_wrong_parameters_are_refused_by_fit(params):
    with pytest.raises(ValueError):
        tiny(**params).fit(*data())


def test_label_that_only_one_group_has_is_no_obstacle():
    texts, labels, sites = data()
    only = [
        [label if label != "caption" or site == sites[0] else None for label in article]
        for article, site in zip(labels, sites, strict=True)
    ]
    assert np.isfinite(tiny().fit(texts, only, sites).out_of_fold_).all()


def test_groups_of_one_label_each_are_refused_or_fitted():
    """Each fold is then fitted on one label; scikit-learn alone would end in an error about classes of its own."""
    texts = [["The council met on Monday.", "It will meet again."], ["Home", "About us"]]
    try:
        tiny(min_count=1).fit(texts, [["news", "news"], ["navigation", "navigation"]])
    except ValueError as error:
        assert "group" in str(error) or "fold" in str(error), error  # noqa: PT017


def test_min_count_that_no_bucket_reaches_is_refused_or_fitted():
    try:
        tiny(min_count=10**6).fit(*data())
    except ValueError as error:
        assert "min_count" in str(error), error  # noqa: PT017


# ── weights


def test_heavier_articles_count_more():
    """Of two sites that label the same text differently, the heavier one is believed."""
    texts = [["The same words on both sites.", "Other words here."] for _ in range(8)]
    labels = [["news", "navigation"] if i % 2 else ["navigation", "news"] for i in range(8)]
    sites = [f"{i}.example" for i in range(8)]
    for heavy in (0, 1):
        weight = [20.0 if i % 2 == heavy else 1.0 for i in range(8)]
        model = tiny(epochs=40).fit(texts, labels, sites, sample_weight=weight)
        assert model.predict(texts[:1]).tolist() == (["news", "navigation"] if heavy else ["navigation", "news"])


@pytest.mark.parametrize("weight", [[1.0], [0.0] * 12, [-1.0] * 12])
def test_wrong_sample_weights_are_refused(weight):
    texts, labels, sites = data()
    with pytest.raises(ValueError, match="sample_weight"):
        tiny().fit(texts, labels, sites, sample_weight=weight)
