"""The second stage: each article is judged by itself, exactly, whatever shares its batch."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.context import Context, ContextStage, input_names
from trainer.model import Classifier

PIECES = ["", "Donate now!", "Home", "Photo: AP", "The council met on Monday to vote on the bridge, said Mayor Ruth Vance."]


@pytest.fixture(scope="module")
def split_articles(articles: list[str]) -> list[list[str]]:
    rng = np.random.default_rng(5)
    odd = [[], [""], ["", "", ""], ["Only one paragraph."], ["\ud800"], ["|"] * 40]
    drawn = [[PIECES[k] for k in rng.integers(0, len(PIECES), size)] for size in (2, 3, 7, 33, 34)]
    return [article.split("\n") for article in articles[:12]] + odd + drawn


def judged(model: Classifier, articles: list[list[str]]) -> list[np.ndarray]:
    """Probabilities article by article, judged in one batch."""
    return np.split(model.predict_proba(articles), np.cumsum([len(article) for article in articles])[:-1])


def same(left: list[np.ndarray], right: list[np.ndarray]) -> bool:
    return [x.tobytes() for x in left] == [x.tobytes() for x in right]


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_articles_get_the_same_probabilities(model: Classifier, split_articles: list[list[str]], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(split_articles))
    shuffled = judged(model, [split_articles[i] for i in order])
    assert same(shuffled, [judged(model, split_articles)[i] for i in order])


def test_one_batch_equals_a_batch_an_article(model: Classifier, split_articles: list[list[str]]) -> None:
    assert same(judged(model, split_articles), [model.predict_proba([article]) for article in split_articles])


@pytest.mark.parametrize("size", [2, 3, 7])
def test_the_cut_into_batches_does_not_matter(model: Classifier, split_articles: list[list[str]], size: int) -> None:
    runs = [split_articles[i : i + size] for i in range(0, len(split_articles), size)]
    assert same(judged(model, split_articles), [part for run in runs for part in judged(model, run)])


def test_changing_an_article_changes_no_other(model: Classifier, split_articles: list[list[str]]) -> None:
    before = judged(model, split_articles)
    changed = [*split_articles[:3], ["Please give today."] * 50, *split_articles[4:]]
    after = judged(model, changed)
    assert same(before[:3] + before[4:], after[:3] + after[4:])


def test_neighbours_matter(model: Classifier) -> None:
    line = "Support independent journalism"
    alone = model.predict_proba([[line]])[0]
    amid = model.predict_proba([[*PIECES[1:], line, *PIECES[1:]]])[len(PIECES) - 1]
    assert not np.allclose(alone, amid, atol=1e-3)


@pytest.mark.parametrize("empties", [1, 5, 200])
def test_empty_articles_in_the_middle_change_nothing(model: Classifier, split_articles: list[list[str]], empties: int) -> None:
    first, second = split_articles[:2]
    got = model.predict_proba([[]] * empties + [first] + [[]] * empties + [second] + [[]] * empties)
    assert got.tobytes() == model.predict_proba([first, second]).tobytes()


@pytest.mark.parametrize("given", [[], [[]], [[], [], []]])
def test_no_paragraphs_give_no_rows(model: Classifier, given: list[list[str]]) -> None:
    assert model.predict_proba(given).shape == (0, len(model.labels))


@pytest.mark.parametrize("paragraph", ["", "x", "\ud800", "One sentence about the vote in Lincoln on Tuesday night."])
def test_an_article_of_one_paragraph(model: Classifier, paragraph: str) -> None:
    probability = model.predict_proba([[paragraph]])
    assert probability.shape == (1, len(model.labels))
    assert probability.sum() == pytest.approx(1)


def test_an_article_of_three_thousand_paragraphs(model: Classifier, split_articles: list[list[str]]) -> None:
    long = [PIECES[i * i % len(PIECES)] for i in range(3000)]
    probability = model.predict_proba([long])
    assert probability.shape == (3000, len(model.labels))
    assert judged(model, [split_articles[0], long, split_articles[1]])[1].tobytes() == probability.tobytes()


def test_each_input_has_a_name(model: Classifier, split_articles: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    build = Context.inputs
    monkeypatch.setattr(Context, "inputs", lambda self, scores: seen.append(build(self, scores)) or seen[-1])
    model.predict_proba(split_articles)
    names = input_names(model.labels.names, model.network.context)
    assert len(set(names)) == len(names)
    assert {inputs.shape[0] for inputs in seen} == {len(names)}
    assert len(seen) == len(model.network.passes)
    assert all((inputs * 256 == np.rint(inputs * 256)).all() and np.abs(inputs).max() <= 15 for inputs in seen)


def test_the_trained_stages_are_exact_and_on_their_grid(model: Classifier) -> None:
    for stage in model.network.passes:
        assert stage.is_exact
        for weights in (stage.hidden, stage.hidden_bias, stage.out, stage.out_bias):
            assert (weights * 4096 == np.rint(weights * 4096)).all()


@pytest.mark.parametrize("huge", ["hidden", "hidden_bias", "out", "out_bias"])
def test_a_stage_with_huge_weights_is_not_exact(huge: str) -> None:
    weights = {"hidden": np.ones((3, 5)), "hidden_bias": np.ones(3), "out": np.ones((4, 3)), "out_bias": np.ones(4)}
    assert ContextStage(**weights).is_exact
    assert not ContextStage(**weights | {huge: weights[huge] * 1e9}).is_exact


def test_probabilities_are_finite_and_add_up_to_one(model: Classifier, split_articles: list[list[str]]) -> None:
    probability = model.predict_proba(split_articles)
    assert np.isfinite(probability).all()
    assert (probability >= 0).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=0, atol=1e-12)
