"""What scikit-learn asks of an estimator, and what its tools do with this one."""

import pickle
import warnings

import numpy as np
import pytest
from estimators import arrays, data, fitted, kinds, same, tiny
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.utils import estimator_checks


def objects(items):
    """Return a one-dimensional array of lists, as cross-validation takes it."""
    out = np.empty(len(items), object)
    out[:] = items
    return out


# ── conventions


def test_check_estimator_passes():
    """Run what scikit-learn 1.9 runs for this estimator: the check of cloning.

    Its other checks fit numeric matrices, one label a row. They do not apply to articles of paragraphs, and scikit-learn
    leaves them out for an estimator whose tags say `two_d_array = False`, with a SkipTestWarning. Those that need no data
    are called below by name; what the others look for (parameters left alone by `fit`, `fit` returning the estimator,
    idempotence, results that depend on neither order nor subset, pickling, an error before fitting) has its own test here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        results = estimator_checks.check_estimator(tiny(), on_fail=None)
    assert [result["check_name"] for result in results if result["status"] == "passed"]
    assert [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"] == []


@pytest.mark.parametrize(
    "name",
    [
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_estimators_unfitted",
        "check_get_params_invariance",
        "check_mixin_order",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_set_params",
        "check_valid_tag_types",
    ],
)
def test_check_that_needs_no_data_passes(name):
    if not hasattr(estimator_checks, name):
        pytest.skip("this version of scikit-learn has no such check")
    getattr(estimator_checks, name)("ArticleClassifier", tiny())


def test_tags_declare_texts_in_articles():
    tags = tiny().__sklearn_tags__()
    assert (tags.input_tags.two_d_array, tags.input_tags.string, tags.no_validation) == (False, True, True)
    assert is_classifier(tiny())


def test_parameters_can_be_read_set_and_cloned():
    model = tiny(C=3.0, labels=("a", "b"), dilations=(7,))
    assert model.get_params()["C"] == 3.0
    assert model.set_params(C=4.0, width=9) is model
    assert (model.C, model.width) == (4.0, 9)
    assert clone(model).get_params() == model.get_params()
    assert not hasattr(clone(fitted()), "network_")
    with pytest.raises(ValueError, match="Invalid parameter"):
        model.set_params(depth=3)


def test_fit_returns_the_estimator_and_leaves_parameters_and_data_alone():
    texts, labels, sites = data()
    model, before = tiny(), (str(texts), str(labels), str(sites))
    params = model.get_params()
    assert model.fit(texts, labels, sites) is model
    assert model.get_params() == params
    assert (str(texts), str(labels), str(sites)) == before


def test_predicting_before_fitting_is_refused():
    for method in ("predict", "predict_proba"):
        with pytest.raises(NotFittedError):
            getattr(tiny(), method)([["a"]])
    with pytest.raises(NotFittedError):
        tiny().score([["a"]], [["news"]])


def test_fitted_estimator_survives_pickling():
    copy = pickle.loads(pickle.dumps(fitted()))
    np.testing.assert_array_equal(copy.predict_proba(data()[0]), fitted().predict_proba(data()[0]))


# ── the same each time


def test_articles_are_judged_each_by_itself():
    texts = data()[0]
    whole = fitted().predict_proba(texts)
    alone = np.concatenate([fitted().predict_proba([article]) for article in texts])
    backwards = np.concatenate([fitted().predict_proba(texts[::-1])])
    np.testing.assert_array_equal(whole, alone)
    order = np.concatenate(np.split(np.arange(len(whole)), np.cumsum([len(a) for a in texts])[:-1])[::-1])
    np.testing.assert_array_equal(whole[order], backwards)


def test_same_seed_same_network():
    one, other = (tiny(views=2, min_kind=10, seed=5).fit(*data(), kinds=kinds()) for _ in range(2))
    assert same(one, other)
    np.testing.assert_array_equal(one.out_of_fold_, other.out_of_fold_)
    np.testing.assert_array_equal(one.fold_, other.fold_)


def test_fitting_again_gives_the_same_network():
    model = tiny().fit(*data())
    first = arrays(model)
    model.fit(*data())
    assert all(np.array_equal(a, b) for a, b in zip(first, arrays(model), strict=True))


def test_global_random_state_has_no_say():
    np.random.seed(1)  # noqa: NPY002
    one = tiny().fit(*data())
    np.random.seed(2)  # noqa: NPY002
    assert same(one, tiny().fit(*data()))


def test_other_seed_other_network():
    one, other = tiny(seed=0).fit(*data()), tiny(seed=1).fit(*data())
    for name, ours in one.network_.sequence.arrays.items():
        assert not np.array_equal(ours, other.network_.sequence.arrays[name]), name


# ── tools


def test_cross_validation_over_articles():
    texts, labels, sites = data()
    scores = cross_val_score(tiny(epochs=10), objects(texts), objects(labels), groups=sites, cv=GroupKFold(3))
    assert scores.shape == (3,)
    assert ((scores > 0) & (scores <= 1)).all()


def test_grid_search():
    texts, labels, sites = data()
    search = GridSearchCV(tiny(), {"C": [0.1, 1.0]}, cv=GroupKFold(2)).fit(objects(texts), objects(labels), groups=sites)
    assert search.best_params_["C"] in (0.1, 1.0)
    assert search.predict(texts).shape == (sum(map(len, texts)),)


def test_arrays_of_lists_fit_as_lists_do():
    texts, labels, sites = data()
    model = tiny().fit(objects(texts), objects(labels), np.array(sites))
    assert same(model, tiny().fit(texts, labels, sites))
    np.testing.assert_array_equal(model.predict_proba(objects(texts)), model.predict_proba(texts))
