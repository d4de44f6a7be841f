"""Adaptation of a model to a user's own sites: what it learns, what it leaves alone, and how little it needs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from small import SETTINGS as QUICK
from small import article, config, write

from trainer import adaptation_evaluation, artifact
from trainer.adaptation import adapt, correction
from trainer.cli.train import train
from trainer.config import load_config
from trainer.dataset import Dataset, load_labels
from trainer.errors import InputError
from trainer.schema import NEWS_LABELS

STEMS, ENDS = "bor cal dem fir gal hov zip yex wug quo vij xan".split(), "ano est ilt ume ock ard ing oth".split()
WORDS = [stem + end for stem in STEMS for end in ENDS]  # the first half is the story's, each residue label has some of the rest
POOLS = {"news": WORDS[:48], "navigation": WORDS[48:66], "fundraising": WORDS[66:82], "caption": WORDS[82:]}
ON_PAGE = ("news", "navigation", "news", "news", "caption", "news", "fundraising", "news")
SETTINGS = config("context.epochs=16")


def line(rng, label):
    return " ".join(rng.choice(POOLS[label], 9)).capitalize() + "."


LINE = line(np.random.default_rng(77), "news")  # a line of the user's site that reads like a story
AT = 3


def made_up(number, site, labels=ON_PAGE):
    rng = np.random.default_rng(number)
    return article(number, site, *((line(rng, label), label) for label in labels))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Return a model of articles in which words tell the labels."""
    folder = tmp_path_factory.mktemp("base")
    train(
        [write(folder / "x.jsonl", [made_up(i, f"{i % 8}.example") for i in range(40)])],
        folder / "base",
        overrides=(*QUICK, "context.epochs=16"),
    )
    return artifact.load(folder / "base")


def page(number, *extra, site="mine.example", labelled=True):
    """Return a page of the user's site: a story with the site's own line in the midst of it."""
    item = made_up(1000 + number, site)
    item["paragraphs"].insert(AT, {"text": LINE, "label": "navigation"})
    if not labelled:
        item["paragraphs"] = [part | {"label": None} for part in item["paragraphs"]]
    return item


def mine(path, *items):
    return load_labels([write(path, list(items))], NEWS_LABELS, adapting=True)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return mine(tmp_path_factory.mktemp("mine") / "m.jsonl", *(page(i) for i in range(4)))


def residue(network, texts):
    return 1 - network.probabilities([texts])[0]


def texts(item):
    return [part["text"] for part in item["paragraphs"]]


def unseen():
    return texts(page(9))


def digest(trained, folder):
    artifact.save(folder, trained.network, trained.labels, trained.policy, trained.info)
    return hashlib.sha256((folder / artifact.WEIGHTS).read_bytes()).hexdigest()


def test_a_line_of_the_site_is_learnt_and_its_stories_stay(base, pages):
    before, after = residue(base.network, unseen()), residue(adapt(base, pages, SETTINGS).network, unseen())
    news = [i for i, part in enumerate(page(9)["paragraphs"]) if part["label"] == "news"]
    assert before[AT] < 0.1
    assert after[AT] > 0.9
    assert (after[news] < 0.1).all()


def test_other_sites_keep_their_predictions_nearly(base, pages):
    others = [texts(made_up(i, "other.example")) for i in range(200, 220)]
    before, after = base.network.probabilities(others), adapt(base, pages, SETTINGS).network.probabilities(others)
    assert (before.argmax(axis=0) == after.argmax(axis=0)).mean() > 0.97


def test_only_weights_of_word_pairs_and_the_last_layers_change(base, pages):
    network, changed = base.network, adapt(base, pages, SETTINGS).network
    bounds = np.cumsum([0, *network.text.settings.buckets])
    same = (network.text.weights == changed.text.weights).all(axis=1)
    assert same[: bounds[1]].all()
    assert same[bounds[2] :].all()
    assert 0.5 < same[bounds[1] : bounds[2]].mean() < 1
    moved = {name for name, array in network.sequence.arrays.items() if (array != changed.sequence.arrays[name]).any()}
    assert moved
    assert moved <= {"head", "head_bias", "out", "out_bias"}


def test_the_same_labels_give_the_same_bytes(base, pages, tmp_path):
    again = Dataset(tuple(replace(item, id=f"other-{item.id}") for item in pages.articles))
    assert digest(adapt(base, pages, SETTINGS), tmp_path / "a") == digest(adapt(base, again, SETTINGS), tmp_path / "b")


def test_an_adapted_model_is_saved_loaded_and_adapted_again(base, pages, tmp_path):
    trained = adapt(base, pages, SETTINGS)
    artifact.save(tmp_path / "m", trained.network, trained.labels, trained.policy, trained.info)
    loaded = artifact.load(tmp_path / "m")
    assert (loaded.network.probabilities([unseen()]) == trained.network.probabilities([unseen()])).all()
    assert loaded.info["base"]["name"] == base.name
    assert loaded.info["base"]["digest"] == base.digest
    assert loaded.info["config"]["adapt"] == SETTINGS.adapt.model_dump()
    assert adapt(loaded, pages, SETTINGS).info["base"]["digest"] == loaded.digest


def test_out_of_fold_probabilities_come_from_models_that_did_not_see_the_article(base, pages):
    changed = list(pages.articles)
    changed[0] = replace(changed[0], labels=tuple("caption" for _ in changed[0].labels))
    first = slice(0, len(changed[0].texts))
    settings = config("inner_folds=4", "adapt.steps=0")  # the last layers learn from scores that may have seen the article
    one, other = (adapt(base, data, settings).out_of_fold for data in (pages, Dataset(tuple(changed))))
    assert (one[first] == other[first]).all()
    assert one.shape == (sum(map(len, pages.texts)), 4)
    assert np.allclose(one.sum(axis=1), 1)


def test_one_article_is_enough_and_out_of_fold_is_then_the_base(base, tmp_path):
    data = mine(tmp_path / "x.jsonl", page(1))
    trained = adapt(base, data, SETTINGS)
    expected = base.network.probabilities(data.texts)
    assert (expected == trained.out_of_fold.T).all()
    assert trained.info["adapted"] == {"labelled": 9, "folds": 1, "thresholds": "of the base"}
    assert residue(trained.network, unseen())[AT] > 0.5 > residue(base.network, unseen())[AT]


@pytest.mark.parametrize("label", ["news", "fundraising", "navigation", "caption"])
def test_five_paragraphs_of_one_label_are_enough(base, tmp_path, label):
    data = mine(tmp_path / "x.jsonl", article(1, "a.example", *((text, label) for text in unseen()[:5]), ("Home", None)))
    assert np.isfinite(adapt(base, data, SETTINGS).network.probabilities([unseen()])).all()


def test_articles_without_labels_and_empty_ones_do_not_matter(base, pages, tmp_path):
    more = mine(tmp_path / "x.jsonl", *(page(i) for i in range(4)), page(7, labelled=False), article(8, "a.example"))
    one, other = adapt(base, pages, SETTINGS).network, adapt(base, more, SETTINGS).network
    assert (one.text.weights == other.text.weights).all()
    assert all((array == other.sequence.arrays[name]).all() for name, array in one.sequence.arrays.items())


def test_unlabelled_paragraphs_are_context(base, tmp_path):
    alone = article(1, "a.example", (LINE, "navigation"))
    within = page(1)
    within["paragraphs"] = [part | {"label": part["label"] if part["text"] == LINE else None} for part in within["paragraphs"]]
    one, other = (adapt(base, mine(tmp_path / "x.jsonl", item), SETTINGS).network for item in (alone, within))
    assert (one.text.weights == other.text.weights).all()
    assert any((array != other.sequence.arrays[name]).any() for name, array in one.sequence.arrays.items())


def test_a_kind_that_the_base_does_not_know_is_learnt_as_its_label(base, tmp_path):
    def learnt(kind):
        item = page(1)
        item["paragraphs"][AT]["kind"] = kind
        return adapt(base, mine(tmp_path / "x.jsonl", item), SETTINGS).network.text.weights

    assert (learnt(None) == learnt("no such kind")).all()


def test_a_kind_of_the_base_is_learnt_as_such(tmp_path):
    items = [made_up(i, f"{i % 8}.example", (*ON_PAGE, "navigation")) for i in range(40)]
    for item in items:
        for number, part in enumerate(item["paragraphs"]):
            part["kind"] = "promo" if number == 8 else None
    train([write(tmp_path / "b.jsonl", items)], tmp_path / "base", overrides=QUICK)
    base = artifact.load(tmp_path / "base")
    assert base.network.kinds.count("promo") == 1

    def moved(kind):
        item = page(1)
        item["paragraphs"][AT]["kind"] = kind
        network = adapt(base, mine(tmp_path / "x.jsonl", item), SETTINGS).network
        scores = network.text.scores(network.contributions(network.batches([LINE])))
        return scores[network.kinds.index("promo"), 0] - scores[network.kinds.index("navigation"), 0]

    assert moved("promo") > 0 > moved("navigation")


def test_other_labels_than_the_bases_are_refused_with_the_next_step(base, pages):
    with pytest.raises(InputError, match=r"labels news, .*without --base"):
        adapt(base, pages, load_config("configs/five-labels.toml"))


def test_nothing_to_learn_from_is_refused_with_the_next_step(base, tmp_path):
    with pytest.raises(InputError, match=r"no paragraph is labelled.*Label some"):
        mine(tmp_path / "m.jsonl", page(0, labelled=False))
    unlabelled = replace(mine(tmp_path / "n.jsonl", page(0)).articles[0], labels=(None,) * len(page(0)["paragraphs"]))
    with pytest.raises(InputError, match=r"could learn from.*Label some"):
        adapt(base, Dataset((unlabelled,)), SETTINGS)


def test_thresholds_stay_until_there_is_news_enough(base, pages):
    few, many = (adapt(base, pages, config(f"adapt.min_news_chars={chars}")) for chars in (100_000, 100))
    assert few.policy == base.policy
    assert many.policy != base.policy
    assert many.info["adapted"]["thresholds"] == "chosen anew"
    assert many.policy._replace(thresholds=()) == base.policy._replace(thresholds=())


def test_weights_of_articles_count(base, pages):
    heavy = Dataset(tuple(replace(item, weight=50.0) for item in pages.articles))
    one, other = (residue(adapt(base, data, SETTINGS).network, unseen()) for data in (pages, heavy))
    assert (one != other).any()


def test_correction_is_the_minimum_of_its_loss():
    rng = np.random.default_rng(1)
    features, offset = sp.random_array((12, 5), density=0.5, rng=rng, format="csr"), rng.normal(size=(3, 12))
    kind, weight = rng.integers(0, 3, 12), rng.uniform(0.5, 2, 12)

    def loss(delta):
        scores = offset + delta @ features.T.toarray()
        log_total = np.log(np.exp(scores).sum(axis=0))
        return weight @ (log_total - scores[kind, np.arange(12)]) + (delta**2).sum() / (2 * 0.7)

    found = correction(features, offset, kind, weight, 0.7)
    assert loss(found) < loss(np.zeros((3, 5)))
    assert all(loss(found) < loss(found + 0.05 * rng.normal(size=(3, 5))) for _ in range(50))
    assert np.abs(correction(features, offset, kind, weight, 1e-6)).max() < 1e-4


def test_cross_validation_leaves_sites_out_and_shows_the_base(base, tmp_path):
    data = mine(tmp_path / "x.jsonl", *(page(i, site=f"{i % 3}.example") for i in range(6)))
    found = adaptation_evaluation.cross_validate(base, data, SETTINGS)
    assert found.title == "3-fold cross-validation of the adaptation, sites left out"
    assert sum(found.support) == 54
    assert any(note.startswith("the base as it is") for note in found.notes)
    assert any(note.startswith("on new pages of the same sites") for note in found.notes)
    json.dumps(found.data)


def test_cross_validation_of_one_site_leaves_articles_out_and_says_so(base, pages):
    found = adaptation_evaluation.cross_validate(base, pages, SETTINGS)
    assert "articles left out" in found.title
    assert any("all labels are of one site" in note for note in found.notes)
    value, low, high = found.overall["accuracy"]
    assert low <= value <= high


def test_cross_validation_needs_two_labelled_articles(base, tmp_path):
    data = mine(tmp_path / "x.jsonl", page(1), page(2, labelled=False))
    with pytest.raises(InputError, match=r"only one article.*--evaluate"):
        adaptation_evaluation.cross_validate(base, data, SETTINGS)


def test_figures_of_the_adaptation_come_from_its_out_of_fold_probabilities(base, pages):
    trained = adapt(base, pages, SETTINGS)
    found = adaptation_evaluation.evaluate_training(base, pages, SETTINGS, trained)
    labels = [label for labels in pages.labels for label in labels]
    right = [NEWS_LABELS.names[k] == label for k, label in zip(trained.out_of_fold.argmax(axis=1), labels, strict=True)]
    assert found.overall["accuracy"][0] == pytest.approx(np.mean(right))
    assert "2 folds by article" in found.title
