"""What the second stage reads: named, on its grid, of one article alone; and that articles are judged by themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import story

from trainer.context import Articles, Terms, input_names, inputs
from trainer.features import SHAPES, FeatureSettings, extract_all
from trainer.model import Classifier
from trainer.sequence import INPUT_GRID, INPUT_LIMIT
from trainer.text import softmax

PIECES = ["", "Donate now!", "Home", "Photo: AP", "The council met on Monday to vote on the bridge, said Mayor Ruth Vance."]
drawn_articles = st.lists(st.lists(st.sampled_from([*PIECES, "\ud800", "|", story(1, 30), story(2, 30)]), max_size=6), max_size=5)


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


# ── articles are judged each by itself


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


def test_probabilities_are_finite_and_add_up_to_one(model: Classifier, split_articles: list[list[str]]) -> None:
    probability = model.predict_proba(split_articles)
    assert np.isfinite(probability).all()
    assert (probability >= 0).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=0, atol=1e-12)


# ── inputs


def seen(model: Classifier, articles: list[list[str]]) -> np.ndarray:
    """Return what the model's second stage reads of some articles."""
    network = model.network
    batches = network.batches([paragraph for article in articles for paragraph in article])
    parts = network.contributions(batches)
    built = Articles.build(batches, [len(article) for article in articles])
    return inputs(built, parts, network.text.scores(parts), network.kept_kinds)


def test_each_input_has_a_name(model: Classifier, split_articles: list[list[str]]) -> None:
    names = input_names(model.network.kinds)
    assert len(set(names)) == len(names) == len(seen(model, split_articles))
    assert {group for group, _ in names} == {"text", "shape", "layout", "shared"}
    assert model.network.sequence.arrays["enter"].shape[1] == len(names)


def test_inputs_lie_on_their_grid(model: Classifier, split_articles: list[list[str]]) -> None:
    found = seen(model, [*split_articles, ["word " * 2000] * 300])
    assert (found * INPUT_GRID == np.rint(found * INPUT_GRID)).all()
    assert np.abs(found).max() <= INPUT_LIMIT


@given(articles=drawn_articles.filter(any))
def test_inputs_do_not_depend_on_the_batch(model: Classifier, articles: list[list[str]]) -> None:
    alone = [seen(model, [article]) for article in articles if article]
    assert np.array_equal(seen(model, articles), np.concatenate(alone, axis=1))


def test_no_word_is_shared_across_the_border_of_articles(model: Classifier) -> None:
    first, second = [story(1), "Home", story(2)], [story(3), "About us"]
    before = seen(model, [first, second])
    teaser = " ".join(story(3).split()[:10])
    after = seen(model, [[*first, teaser, story(3)], second])
    assert np.array_equal(before[:, 3:], after[:, 5:])


# ── with scores given: kinds a and c are the story, b is not

KINDS = ("a", "b", "c")


def described(
    texts: list[str], best: list[int], kinds: tuple[str, ...] = KINDS, kept: tuple[int, ...] = (0, 2)
) -> dict[str, np.ndarray]:
    """Return each input by its name, for an article whose paragraphs the first stage is sure of."""
    batches = extract_all(texts, FeatureSettings(8, 8, 8))
    parts = np.random.default_rng(0).normal(size=(3, len(kinds) - 1, len(texts)))
    scores = np.where(np.array(best) == np.arange(len(kinds))[:, None], 6.0, 0.0)
    scores -= scores[0]
    found = inputs(Articles.build(batches, [len(texts)]), parts, scores, kept)
    names = input_names(kinds)
    assert len(found) == len(names)
    by_name = dict(zip((name for _, name in names), found, strict=True))
    for k, kind in enumerate(kinds):
        np.testing.assert_allclose(by_name[f"probability of {kind}"], softmax(scores)[k] * 2, atol=0.5 / INPUT_GRID)
        if k:
            np.testing.assert_allclose(by_name[f"log-odds of {kind}"], scores[k] / 2, atol=0.5 / INPUT_GRID)
            for family, part in zip(("words", "pairs", "chars"), parts, strict=True):
                np.testing.assert_allclose(by_name[f"{kind} by {family}"], part[k - 1] / 2, atol=0.5 / INPUT_GRID)
    shapes = np.concatenate([batch.shape for batch in batches], axis=1)
    for name, row in zip(SHAPES, shapes, strict=True):
        assert np.array_equal(by_name[name], row / 2)
    return by_name


def test_names_stand_at_their_rows() -> None:
    texts = [story(i, 5 + 3 * i) for i in range(6)]
    for kinds in (KINDS, KINDS[:2], ("a", "b", "c", "d", "e")):
        described(texts, [i % len(kinds) for i in range(6)], kinds, (0,))


def test_layout() -> None:
    found = described(["Home", "Menu", "home", "HOME", "Menu!"], [1] * 5)
    np.testing.assert_allclose(found["place"], np.log2(np.arange(1, 6)) / 2, atol=0.5 / INPUT_GRID)
    np.testing.assert_allclose(found["place from the end"], found["place"][::-1])
    np.testing.assert_allclose(found["relative place"], (np.arange(5) + 0.5) / 5 * 4, atol=0.5 / INPUT_GRID)
    np.testing.assert_allclose(found["paragraphs"], np.log2(6) / 2, atol=0.5 / INPUT_GRID)
    np.testing.assert_allclose(found["copies"], np.log2([3, 2, 3, 3, 2]), atol=0.5 / INPUT_GRID)


def test_repeated_pairs_are_those_that_stand_in_another_paragraph_too() -> None:
    found = described(["read more about this", "read more about that", "quite other words"], [1] * 3)
    shared = found["repeated pairs"] / 4
    assert shared[0] == shared[1] == pytest.approx(0.6, abs=1e-2)  # the edges count as words: ¶ read, read more, more about
    assert shared[2] == 0


PROSE = [story(i, 40) for i in range(6)]


def teaser(of: int) -> str:
    return " ".join(PROSE[of].split()[5:15])


def check_shared(found: np.ndarray, expected: list[int]) -> None:
    """Compare shares; some words of a paragraph that shares none fall into the place of another in the table."""
    shared = np.array(expected, bool)
    assert (found[shared] == 4).all(), found
    assert (found[~shared] < 0.3 * 4).all(), found


def test_words_shared_with_the_story_and_with_its_beginning() -> None:
    """The first three paragraphs of prose open the story."""
    texts = [teaser(5), *PROSE[:5], teaser(0), teaser(2), teaser(3), teaser(5)]
    found = described(texts, [1, 0, 2, 0, 2, 0, 1, 1, 1, 1])
    check_shared(found["words shared with the story"], [0, 0, 0, 0, 0, 0, 1, 1, 1, 0])
    check_shared(found["words shared with its beginning"], [0, 0, 0, 0, 0, 0, 1, 1, 0, 0])


def test_residue_and_short_lines_before_the_story_do_not_open_it() -> None:
    texts = ["Home", PROSE[5], PROSE[4][:60], *PROSE[:4], teaser(0), teaser(2), teaser(3), teaser(5), PROSE[4][:30]]
    found = described(texts, [0, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    check_shared(found["words shared with its beginning"][-5:], [1, 1, 0, 0, 0])
    check_shared(found["words shared with the story"][-5:], [1, 1, 1, 0, 0])


def test_the_probability_of_the_story_is_that_of_all_its_kinds() -> None:
    """Two kinds of the story may share a probability that neither has alone."""
    batches = extract_all([PROSE[0], teaser(0)], FeatureSettings(8, 8, 8))
    scores = np.array([[0.0, 0.0], [-0.5, 6.0], [0.0, 0.0]])
    articles, at = Articles.build(batches, [2]), [name for _, name in input_names(KINDS)].index("words shared with the story")
    assert inputs(articles, np.zeros((3, 2, 2)), scores, (0, 2))[at, 1] == 4
    assert inputs(articles, np.zeros((3, 2, 2)), scores, (0,))[at, 1] == 0
    assert inputs(articles, np.zeros((3, 2, 2)), scores, ())[at, 1] == 0


# ── articles with part of their paragraphs


@given(articles=drawn_articles, seed=st.integers(0, 99))
def test_selected_paragraphs_are_as_if_they_had_been_alone(articles: list[list[str]], seed: int) -> None:
    settings = FeatureSettings(8, 8, 8)
    texts = [paragraph for article in articles for paragraph in article]
    keep = np.random.default_rng(seed).random(len(texts)) < 0.6
    sizes = np.array([len(article) for article in articles], np.intp)
    article = np.repeat(np.arange(sizes.size), sizes)
    left = np.bincount(article[keep], minlength=sizes.size)
    selected = Articles.build(extract_all(texts, settings), sizes.tolist()).select(np.flatnonzero(keep))
    built = Articles.build(extract_all([text for text, stays in zip(texts, keep, strict=True) if stays], settings), left.tolist())
    for name, ours, theirs in zip(Articles._fields, selected, built, strict=True):
        pairs = zip(ours, theirs, strict=True) if isinstance(ours, Terms) else [(ours, theirs)]
        assert all(np.array_equal(a, b) for a, b in pairs), name


def test_nothing_selected_gives_no_inputs() -> None:
    articles = Articles.build(extract_all(PROSE[:2], FeatureSettings(8, 8, 8)), [2]).select(np.zeros(0, np.intp))
    assert inputs(articles, np.zeros((3, 2, 0)), np.zeros((3, 0)), (0,)).shape == (len(input_names(KINDS)), 0)
