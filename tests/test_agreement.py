"""Krippendorff's alpha and Cohen's kappa: by hand, against the libraries, with intervals, and where they are not defined."""

import json
import math

import krippendorff
import numpy as np
import pytest
from annotated import annotated, joined
from sklearn.metrics import cohen_kappa_score
from small import config

from trainer.agreement import measure, to_json
from trainer.schema import NEWS_LABELS

LETTERS = "nfvc"


def agreement(folder, *items, **settings):
    return measure(annotated(folder, *items), NEWS_LABELS, config(*(f"evaluation.{k}={v}" for k, v in settings.items())))


def random_people(rng, articles, length, people, noise, missing):
    """Return records of people who label alike but for noise, and leave some paragraphs out; and the table of it."""
    items, rows = [], []
    for number in range(articles):
        truth = rng.choice(list(LETTERS), length, p=[0.5, 0.1, 0.3, 0.1])
        table = np.array([np.where(rng.random(length) < noise, rng.choice(list(LETTERS), length), truth) for _ in range(people)])
        table[rng.random(table.shape) < missing] = "-"
        items.append(joined(number, site=f"{number}.example", **{f"p{k}": "".join(table[k]) for k in range(people)}))
        rows.append(table)
    return items, np.concatenate(rows, axis=1)


def test_nobody_to_compare_gives_nothing(tmp_path):
    assert agreement(tmp_path, joined(0, ann="nn--", bob="--vv")) is None


def test_kappa_and_alpha_by_hand(tmp_path):
    # ann: n n n n n n v v v v, bob: n n n n n v v v v n. They agree on 8 of 10; both say n 6 times and v 4 times.
    # kappa: chance .6 * .6 + .4 * .4 = .52, so (.8 - .52) / .48. alpha: 20 values, 12 n and 8 v;
    # expected disagreement 2 * 12 * 8 / (20 * 19) = 192 / 380, observed .2, so 1 - .2 * 380 / 192.
    found = agreement(tmp_path, joined(0, ann="nnnnnnvvvv", bob="nnnnnvvvvn"))
    (pair,) = found.pairs
    assert pair.kappa[0] == pytest.approx(0.28 / 0.48)
    assert found.alpha[0] == pytest.approx(1 - 0.2 * 380 / 192)
    assert (pair.one, pair.other, pair.paragraphs) == ("ann", "bob", 10)
    assert pair.confusion[0] == (5, 0, 1, 0)
    assert pair.confusion[2] == (1, 0, 3, 0)


def test_labels_against_the_rest_by_hand(tmp_path):
    # Only the two captions are disputed: news is agreed on throughout.
    found = agreement(tmp_path, joined(0, ann="nnnncc", bob="nnnncv"))
    news, fundraising, _, caption = found.pairs[0].per_label
    assert news[0] == pytest.approx(1)
    assert math.isnan(fundraising[0])
    # caption: 5 of 6 alike, ann says it twice, bob once: chance (2 * 1 + 4 * 5) / 36.
    assert caption[0] == pytest.approx((5 / 6 - 22 / 36) / (1 - 22 / 36))
    assert found.per_label[0][0] == pytest.approx(1)


@pytest.mark.parametrize(("seed", "people", "missing"), [(0, 2, 0.0), (1, 2, 0.3), (2, 4, 0.2), (3, 5, 0.6)])
def test_values_are_those_of_the_libraries(tmp_path, seed, people, missing):
    items, table = random_people(np.random.default_rng(seed), 12, 20, people, 0.3, missing)
    found = agreement(tmp_path, *items)
    codes = np.array([[np.nan if x == "-" else LETTERS.index(x) for x in row] for row in table])
    assert found.alpha[0] == pytest.approx(krippendorff.alpha(codes, level_of_measurement="nominal"))
    for k, value in enumerate(found.per_label):
        one = np.where(np.isnan(codes), np.nan, codes == k)
        assert value[0] == pytest.approx(krippendorff.alpha(one, level_of_measurement="nominal"))
    for pair in found.pairs:
        a, b = codes[int(pair.one[1])], codes[int(pair.other[1])]
        both = ~np.isnan(a) & ~np.isnan(b)
        assert pair.paragraphs == both.sum()
        assert pair.kappa[0] == pytest.approx(cohen_kappa_score(a[both], b[both]))
        for k, value in enumerate(pair.per_label):
            assert value[0] == pytest.approx(cohen_kappa_score(a[both] == k, b[both] == k))


def test_resamples_follow_the_definition_of_the_libraries(tmp_path, monkeypatch):
    # Without resampling every draw is the data, so both ends of the intervals must be the libraries' values.
    items, _ = random_people(np.random.default_rng(5), 12, 20, 3, 0.3, 0.2)
    monkeypatch.setattr("trainer.agreement.resample_sites", lambda units, config: np.ones((20, units), np.intp))
    found = agreement(tmp_path, *items)
    figures = [found.alpha, *found.per_label]
    for pair in found.pairs:
        figures += [pair.kappa, *pair.per_label]
    for value, low, high in figures:
        assert (low, high) == pytest.approx((value, value))


def test_intervals_cover_the_truth_about_as_often_as_they_say(tmp_path):
    # The truth is the agreement on very many articles; 95 % intervals over 30 should hold it most of the time.
    items, table = random_people(np.random.default_rng(100), 26, 400, 2, 0.3, 0.0)
    codes = np.array([[LETTERS.index(x) for x in row] for row in table])
    truth = krippendorff.alpha(codes, level_of_measurement="nominal")
    kappa = cohen_kappa_score(*codes)
    covered = []
    for seed in range(40):
        items, _ = random_people(np.random.default_rng(seed), 26, 12, 2, 0.3, 0.0)
        found = agreement(tmp_path, *items, resamples=200)
        covered += [found.alpha[1] <= truth <= found.alpha[2], found.pairs[0].kappa[1] <= kappa <= found.pairs[0].kappa[2]]
    assert 0.8 <= np.mean(covered) <= 1.0


def test_intervals_are_over_sites_where_there_are_many_else_over_articles(tmp_path):
    many = [joined(i, site=f"{i % 10}.example", ann="nv", bob="nn") for i in range(20)]
    assert agreement(tmp_path, *many).resampled == "10 sites"
    few = [joined(i, site=f"{i % 3}.example", ann="nv", bob="nn") for i in range(20)]
    assert agreement(tmp_path, *few).resampled == "20 articles"


def test_one_article_has_values_without_intervals(tmp_path):
    found = agreement(tmp_path, joined(0, ann="nnvv", bob="nnvn"))
    assert found.resampled == ""
    assert not math.isnan(found.alpha[0])
    assert math.isnan(found.alpha[1])
    assert math.isnan(found.pairs[0].kappa[2])


def test_one_label_alone_has_no_agreement_to_measure(tmp_path):
    found = agreement(tmp_path, *(joined(i, ann="nnn", bob="nnn") for i in range(3)))
    assert all(math.isnan(x) for x in (*found.alpha, *found.pairs[0].kappa, *found.per_label[0]))
    assert found.pairs[0].confusion[0][0] == 9


def test_a_single_shared_paragraph_is_no_error(tmp_path):
    found = agreement(tmp_path, joined(0, ann="nv", bob="-n"))
    assert (found.paragraphs, found.articles) == (1, 1)
    assert found.pairs[0].kappa[0] == 0


def test_people_who_share_nothing_are_no_pair(tmp_path):
    found = agreement(tmp_path, joined(0, ann="nv--", bob="nvcn", cid="--cv"))
    assert [(pair.one, pair.other) for pair in found.pairs] == [("ann", "bob"), ("bob", "cid")]
    assert found.annotators == ("ann", "bob", "cid")


def test_paragraphs_of_one_person_count_for_nothing(tmp_path):
    one = agreement(tmp_path, joined(0, ann="nnvvcc", bob="nnvc--"))
    two = agreement(tmp_path, joined(0, ann="nnvv", bob="nnvc"))
    assert one.alpha[0] == two.alpha[0]
    assert one.paragraphs == two.paragraphs == 4


def test_json_has_no_nan(tmp_path):
    found = to_json(agreement(tmp_path, joined(0, ann="nnn", bob="nnn")))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["alpha"] == [None, None, None]
    assert found["pairs"][0]["confusion"][0] == [3, 0, 0, 0]
