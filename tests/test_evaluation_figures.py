"""The figures of an evaluation and their intervals, on made-up predictions, beside slow counts and scikit-learn's."""

import io
import math

import numpy as np
import pytest
from predictions import CLASSES, NONE, measured, scored
from rich.console import Console
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)
from small import config

from trainer.evaluation import report
from trainer.report import markdown, show, to_json

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
