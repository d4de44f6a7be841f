"""The estimator: shapes, labels, folds, weights, and what it refuses."""

from collections import Counter

import numpy as np
import pytest
from estimators import arrays, data, fitted, kinds, same, tiny
from sklearn.metrics import f1_score

from trainer.estimator import article_runs, encode
from trainer.schema import MAX_KIND_CHARS, MAX_KINDS, UNLABELLED
from trainer.text import softmax

LONG = {"epochs": 25, "learning_rate": 1e-2}
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


def test_label_without_example_gets_no_probability():
    model = tiny(epochs=10).fit(*relabelled(lambda label: "navigation" if label == "caption" else label))
    texts = data()[0]
    assert model.classes_.tolist() == list(LABELS)
    for probability in (model.predict_proba(texts), model.out_of_fold_):
        assert probability.shape[1] == 4
        assert (probability[:, 3] == 0).all()
        assert probability[:, 2].max() > 0.5


def test_first_label_may_lack_examples():
    model = tiny().fit(*relabelled(lambda label: None if label == "news" else label))
    assert (model.predict_proba(data()[0])[:, 0] == 0).all()


def test_two_labels_of_four_are_enough():
    model = tiny(epochs=10).fit(*relabelled(lambda label: label if label in ("news", "navigation") else None))
    probability = model.predict_proba(data()[0])
    assert (probability[:, [1, 3]] == 0).all()
    assert min(probability[:, 0].max(), probability[:, 2].max()) > 0.5


@pytest.mark.parametrize("fine", [False, True], ids=["labels", "kinds"])
@pytest.mark.parametrize("labels", [("prose", "junk"), ("junk", "prose")])
def test_binary(labels, fine):
    texts, truth, sites = relabelled(lambda label: "prose" if label == "news" else "junk")
    model = tiny(labels=labels, kept=("prose",), min_kind=20, **LONG).fit(texts, truth, sites, kinds=kinds() if fine else None)
    flat = np.array([label for article in truth for label in article])
    assert (len(model.kinds_) > 2) == fine
    assert model.predict_proba(texts).shape == (flat.size, 2)
    np.testing.assert_allclose(model.predict_proba(texts).sum(axis=1), 1, atol=1e-12)
    assert (model.predict(texts) == flat).mean() > 0.8


@pytest.mark.parametrize("views", [0, 2])
def test_five_labels(views):
    names = (*LABELS, "sentence")
    texts, labels, sites = data()
    labels = [
        ["sentence" if label == "news" and len(text) < 150 else label for text, label in zip(*pair, strict=True)]
        for pair in zip(texts, labels, strict=True)
    ]
    model = tiny(labels=names, views=views, **LONG).fit(texts, labels, sites)
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


def test_class_weights_make_rare_labels_likelier_to_the_first_stage():
    def share(name):
        network = tiny(class_weight=name, epochs=1).fit(*data()).network_
        batches = network.batches([text for article in data()[0] for text in article])
        return softmax(network.text.scores(network.contributions(batches)))[3].mean()

    assert share("none") < share("sqrt") < share("balanced")


def test_balance_makes_rare_labels_likelier_to_the_second_stage():
    none, some, full = (tiny(balance=power, **LONG).fit(*data()).out_of_fold_[:, 3].mean() for power in (0.0, 0.5, 1.0))
    assert none < some < full


@pytest.mark.parametrize("ngrams", [(2, 2), (3, 5), [4, 6]])
def test_char_ngrams_of_any_range(ngrams):
    assert np.isfinite(tiny(char_ngrams=ngrams).fit(*data()).out_of_fold_).all()


# ── kinds


def with_kinds(names, min_kind=10, **params):
    return tiny(min_kind=min_kind, **params).fit(*data(), kinds=names)


def test_kinds_are_told_apart_and_add_up_to_labels():
    model = with_kinds(kinds(), **LONG)
    texts = data()[0]
    truth = [label for article in data()[1] for label in article]
    count = Counter(zip((kind for article in kinds() for kind in article), truth, strict=True))
    frequent = {pair for pair, paragraphs in count.items() if paragraphs >= 10}
    assert len(frequent) > 4
    assert frequent <= set(model.kinds_) <= frequent | {(label, label) for label in LABELS}
    assert model.network_.kinds == tuple(kind for kind, _ in model.kinds_)
    assert [LABELS[k] for k in model.network_.label_of] == [label for _, label in model.kinds_]
    assert model.network_.text.bias.size == len(model.kinds_) - 1
    for probability in (model.predict_proba(texts), model.out_of_fold_):
        assert probability.shape == (len(truth), 4)
        np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-12)
    assert (model.predict(texts) == truth).mean() > 0.8


def test_without_kinds_labels_are_the_kinds():
    assert fitted().kinds_ == [(label, label) for label in LABELS]


def test_the_first_kind_is_of_the_story():
    texts, labels, sites = data()
    model = tiny(labels=LABELS[::-1], min_kind=10).fit(texts, labels, sites, kinds=kinds())
    assert model.kinds_[0] == ("news", "news")
    assert model.network_.kept_kinds == (0,)
    both = tiny(labels=LABELS[::-1], kept=("news", "caption")).fit(texts, labels, sites)
    assert {label for _, label in both.kinds_[:2]} == {"news", "caption"}
    assert both.network_.kept_kinds == (0, 1)


def test_rare_kinds_go_with_the_rest_of_their_label():
    frequency = Counter(kind for article in kinds() for kind in article)
    for least in (2, 15, 40):
        found = {kind for kind, label in with_kinds(kinds(), least).kinds_ if kind not in LABELS}
        assert found == {kind for kind, paragraphs in frequency.items() if paragraphs >= least} - set(LABELS)
    assert same(with_kinds(kinds(), 10**6), tiny().fit(*data()))


def test_min_kind_of_zero_tells_no_kinds_apart():
    without = tiny(min_kind=0).fit(*data())
    assert with_kinds(kinds(), 0).kinds_ == without.kinds_
    assert same(with_kinds(kinds(), 0), without)
    np.testing.assert_array_equal(with_kinds(kinds(), 0).out_of_fold_, without.out_of_fold_)


def test_a_paragraph_without_a_kind_goes_by_its_label():
    nameless = [[kind if kind == "related" else None for kind in article] for article in kinds()]
    assert with_kinds(nameless).kinds_ == [
        *[("news", "news"), ("fundraising", "fundraising")],
        *[("navigation", "navigation"), ("related", "navigation"), ("caption", "caption")],
    ]
    assert same(with_kinds([[None] * len(article) for article in kinds()]), tiny().fit(*data()))


def test_kinds_of_unlabelled_paragraphs_do_not_count():
    texts, labels, sites = relabelled(lambda label: None if label == "caption" else label)
    made_up = [["x" if label is None else "y" for label in article] for article in labels]
    model = tiny(min_kind=1).fit(texts, labels, sites, kinds=made_up)
    assert model.kinds_ == [("y", label) for label in LABELS[:3]]
    assert (model.out_of_fold_[:, 3] == 0).all()


def test_one_name_under_two_labels_is_two_kinds():
    model = with_kinds([["same"] * len(article) for article in kinds()])
    assert model.kinds_ == [("same", label) for label in LABELS]
    assert same(model, tiny().fit(*data()))


@pytest.mark.parametrize("min_kind", [0, 10])
@pytest.mark.parametrize(
    "change",
    [lambda names: names[1:], lambda names: [*names, []], lambda names: [names[0][1:], *names[1:]], lambda names: []],
    ids=["an article less", "one more", "a paragraph less", "none"],
)
def test_kinds_of_another_shape_are_refused(change, min_kind):
    with pytest.raises(ValueError, match="kinds must hold"):
        with_kinds(change(kinds()), min_kind)


def test_more_kinds_than_a_model_holds_and_longer_names_are_refused():
    numbered = [[f"{kind} {i % MAX_KINDS}" for i, kind in enumerate(article)] for article in kinds()]
    with pytest.raises(ValueError, match=f"{MAX_KINDS} kinds.*raise min_kind"):
        with_kinds(numbered, 1)
    with pytest.raises(ValueError, match=f"{MAX_KIND_CHARS} characters"):
        with_kinds([[kind * 50 for kind in article] for article in kinds()])


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


def test_an_article_of_residue_alone_is_fitted():
    """Thinned copies of it may have no paragraph left."""
    texts = [["The council met on Monday.", "It will meet again."], ["Home", "About us"], ["Menu"], []]
    labels = [["news", "navigation"], ["navigation", "navigation"], ["navigation"], []]
    model = tiny(min_count=1, views=4).fit(texts, labels)
    assert np.isfinite(model.out_of_fold_).all()


def test_fold_without_any_label_to_learn_from_is_fitted():
    """Only one site is labelled: the fold that holds it out has nothing to say of it."""
    texts, labels, sites = data()
    only = [article if site == sites[0] else [None] * len(article) for article, site in zip(labels, sites, strict=True)]
    model = tiny().fit(texts, only, sites)
    site = np.repeat(sites, [len(article) for article in texts])
    blind = model.out_of_fold_[site == sites[0]]
    np.testing.assert_allclose(blind, np.tile(blind[0], (len(blind), 1)), atol=1e-12)
    assert np.isfinite(model.out_of_fold_).all()


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
