"""Features: the same in any batch, folded as text should be, words in many scripts, sums as a plain reference has them."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import ODD_PIECES, texts

from trainer import characters
from trainer.characters import DIGIT, LETTER, LINK, LOWER, SEPARATOR, SPACE, STOP, UPPER, fold
from trainer.features import CHUNK_CHARS, FAMILIES, MAX_CHARS, SHAPES, Batch, FeatureSettings, chunks, extract, normalise
from trainer.text import TextStage, softmax

SETTINGS = FeatureSettings(12, 12, 12, (3, 5))
NGRAMS = [(2, 2), (4, 4), (3, 5), (2, 5), (2, 8)]


def rows(batch: Batch) -> list[tuple[object, ...]]:
    """Everything a batch says of each of its paragraphs."""
    parts = [part for family in batch.families for part in family]
    return [
        (
            *(part.bucket[part.indptr[i] : part.indptr[i + 1]].tolist() for part in parts),
            batch.shape[:, i].tolist(),
            int(batch.identity[i]),
            batch.word[batch.word_indptr[i] : batch.word_indptr[i + 1]].tolist(),
            batch.word_size[batch.word_indptr[i] : batch.word_indptr[i + 1]].tolist(),
        )
        for i in range(len(batch))
    ]


def features(paragraph: str, settings: FeatureSettings = SETTINGS) -> tuple[object, ...]:
    (row,) = rows(extract([normalise(paragraph)], settings))
    return row


def words(paragraph: str) -> list[int]:
    return extract([normalise(paragraph)], SETTINGS).word.tolist()


def sizes(paragraph: str) -> list[int]:
    return extract([normalise(paragraph)], SETTINGS).word_size.tolist()


@pytest.mark.parametrize("ngrams", NGRAMS)
@given(paragraphs=st.lists(texts, min_size=1, max_size=12))
def test_a_batch_equals_each_paragraph_alone(paragraphs: list[str], ngrams: tuple[int, int]) -> None:
    settings = FeatureSettings(12, 11, 10, ngrams)
    assert rows(extract([normalise(p) for p in paragraphs], settings)) == [features(p, settings) for p in paragraphs]


@pytest.mark.parametrize("ngrams", NGRAMS)
def test_a_batch_of_odd_paragraphs_equals_each_alone(ngrams: tuple[int, int]) -> None:
    settings = FeatureSettings(12, 11, 10, ngrams)
    paragraphs = [
        "",
        " ",
        *ODD_PIECES,
        "x" * (3 * MAX_CHARS),
        "ﷺ" * MAX_CHARS,
        " " * MAX_CHARS + "x",
        *map(chr, range(0, 0x3100, 7)),
        "",
    ]
    together = [row for run in chunks(paragraphs) for row in rows(extract(run, settings))]
    assert together == [features(p, settings) for p in paragraphs]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("two  words", "two words"),
        ("two\twords", "two words"),
        ("two\nwords", "two words"),
        ("two\r\nwords", "two words"),
        ("two\u00a0words", "two words"),
        ("two\u2009words", "two words"),
        ("two\u3000words", "two words"),
        ("two\u2028words", "two words"),
        ("two\x00words", "two words"),
        ("  two words \n", "two words"),
        ("\ufefftwo words", "two words"),
        ("tw\u200bo words", "two words"),
        ("two\u00ad words", "two words"),
        ("two \u200bwords", "two words"),
        ("two\u200b words", "two words"),
        ("two\u200f \u200ewords", "two words"),
        ("two words\u200b", "two words"),
        ("two words \u200b", "two words"),
        ("\u200b two words", "two words"),
        ("\u202etwo words\u202c", "two words"),
        ("co\u00adoperate", "cooperate"),
        ("ﬁnd", "find"),
        ("Ｎｅｗｓ", "News"),
        ("cafe\u0301", "café"),
        ("1,234", "5,678"),
        ("\u0663\u0664", "12"),
        ("१२", "12"),
        ("“so”", '"so"'),
        ("it’s", "it's"),
        ("a – b", "a - b"),
        ("heart\ufe0f", "heart"),
    ],
)
def test_spellings_that_mean_the_same_give_the_same_features(left: str, right: str) -> None:
    assert features(left) == features(right)


@pytest.mark.parametrize("text", ["Donate NOW", "École Été", "ΑΘΗΝΑ σήμερα", "НОВОСТИ дня", "ԵՐԵՎԱՆ", "Ǆ Ǆ", "ᲐᲮᲐᲚᲘ"])
def test_case_is_folded_in_words_and_told_in_shape(text: str) -> None:
    upper, lower = text.upper(), text.lower()
    assert words(upper) == words(lower)
    assert features(upper) != features(lower)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ελλάδα νέα", [6, 3]),
        ("Новости дня", [7, 3]),
        ("أخبار اليوم", [5, 5]),
        ("חדשות היום", [5, 4]),
        ("समाचार की", [6, 2]),
        ("क्षि\u200dणि", [6]),
        ("ที่นี่", [6]),
        ("ახალი ამბები", [5, 6]),
        ("新闻 今天", [2, 2]),
        ("오늘의 뉴스", [3, 2]),
        ("ዜና ዛሬ", [2, 2]),
        ("Tiếng Việt", [5, 4]),
        ("nai\u0308ve", [5]),
        ("it's 2.5", [2, 1, 1, 1]),
    ],
)
def test_letters_of_many_scripts_make_words(text: str, expected: list[int]) -> None:
    assert sizes(text) == expected


@pytest.mark.parametrize("text", ["", " ", "...", "|", "\u200b", "\x00", "😀", "\ud800", "— “ ” —", "$%&"])
def test_a_paragraph_without_word_characters_has_no_words(text: str) -> None:
    batch = extract([normalise(text)], SETTINGS)
    assert batch.word.size == 0
    assert np.isfinite(batch.shape).all()


def test_an_empty_paragraph_has_one_pair_and_the_gap_as_characters() -> None:
    batch = extract([""], SETTINGS)
    assert [part.indptr.tolist() for part in batch.families[FAMILIES.index("pairs")]] == [[0, 1]]
    assert all(part.indptr.tolist() == [0, 4] for part in batch.families[FAMILIES.index("chars")])


@pytest.mark.parametrize("tail", ["x", " more", "\u0301", "\n", "ﷺ", "😀" * 10, "word " * 10_000])
@pytest.mark.parametrize("base", ["word ", "x", "ﬁ", "e\u0301", "\ud800", " a"])
def test_nothing_depends_on_what_follows_max_chars(base: str, tail: str) -> None:
    head = (base * MAX_CHARS)[:MAX_CHARS]
    assert features(head + tail) == features(head)


@given(texts)
def test_normalised_text_is_short_and_one_line(text: str) -> None:
    normal = normalise(text * 60)
    assert len(normal) <= MAX_CHARS
    assert "\n" not in normal
    assert unicodedata.is_normalized("NFKC", normal) or len(text * 60) >= MAX_CHARS


@given(texts)
def test_shapes_lie_on_their_grid(text: str) -> None:
    batch = extract([normalise(text)], SETTINGS)
    assert batch.shape.shape == (len(SHAPES), 1)
    assert (batch.shape * 64 == np.rint(batch.shape * 64)).all()
    assert (batch.shape >= 0).all()
    assert (batch.shape < 8).all()


@given(st.lists(texts, min_size=1, max_size=5))
def test_shapes_count_characters_one_by_one(paragraphs: list[str]) -> None:
    normal = [normalise(text) for text in paragraphs]
    shape = dict(zip(SHAPES, extract(normal, SETTINGS).shape, strict=True))
    for number, text in enumerate(normal):
        classes = fold(f"\n{text}\n").cls.tolist()[1:-1]
        size = max(len(classes), 1)
        letters = sum(classes.count(one) for one in (LOWER, UPPER, LETTER))
        sentences = sum(one == STOP and after <= SPACE for one, after in pairwise([*classes, SEPARATOR]))
        expected = {
            "upper case": 4 * classes.count(UPPER) / max(letters, 1),
            "digits": 8 * classes.count(DIGIT) / size,
            "punctuation": 16 * (len(classes) - letters - classes.count(DIGIT) - classes.count(SPACE)) / size,
            "links": 2 * np.log2(1 + classes.count(LINK)),
            "sentences": 2 * np.log2(1 + sentences),
        }
        for name, value in expected.items():
            assert shape[name][number] == min(np.rint(value * 64) / 64, 8 - 1 / 64), name


@given(texts)
def test_buckets_stay_in_their_tables(text: str) -> None:
    batch = extract([normalise(text)], SETTINGS)
    for family, size in zip(batch.families, SETTINGS.buckets, strict=True):
        assert all(
            part.bucket.size == part.indptr[-1] and (part.bucket >= 0).all() and (part.bucket < size).all() for part in family
        )


def test_identity_tells_order_and_spacing_apart_from_words() -> None:
    assert features("one two")[-3] == features("One,  two!")[-3]
    assert features("one two")[-3] != features("two one")[-3]
    assert features("one two")[-3] != features("onetwo")[-3]


@given(st.lists(st.one_of(texts, st.just("y" * 5000), st.just("")), max_size=60))
def test_chunks_keep_order_and_count(paragraphs: list[str]) -> None:
    runs = list(chunks(paragraphs))
    assert [text for run in runs for text in run] == [normalise(p) for p in paragraphs]
    assert all(runs)


@pytest.mark.parametrize("paragraphs", [["y" * 5000] * 100, [""] * 40_000, ["ﷺ" * 5000] * 70, ["ab"] * 30_000])
def test_chunks_stay_small_enough_for_the_tables(paragraphs: list[str]) -> None:
    runs = list(chunks(paragraphs))
    assert sum(map(len, runs)) == len(paragraphs)
    assert all(sum(map(len, run)) <= CHUNK_CHARS for run in runs)
    assert all(len(extract(run, FeatureSettings(8, 8, 8, (2, 8)))) == len(run) for run in runs)


def reference(stage: TextStage, batch: Batch, i: int) -> np.ndarray:
    """Log-odds of paragraph i, term by term."""
    total, base = stage.bias.astype(float).copy(), 0
    for number, (family, size) in enumerate(zip(batch.families, stage.settings.buckets, strict=True)):
        buckets = [b for part in family for b in part.bucket[part.indptr[i] : part.indptr[i + 1]].tolist()]
        root = max(len(buckets), 1) ** 0.5
        for bucket in buckets:
            total += stage.weights[base + bucket].astype(float) * stage.scale[number] / root
        base += size
    return total


@pytest.mark.parametrize("ngrams", NGRAMS)
@pytest.mark.parametrize("classes", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("weights", ["random", "highest", "lowest"])
def test_text_scores_equal_a_plain_reference(ngrams: tuple[int, int], classes: int, weights: str) -> None:
    rng = np.random.default_rng(classes)
    settings = FeatureSettings(8, 8, 8, ngrams)
    shape = (sum(settings.buckets), classes - 1)
    table = {"random": rng.integers(-127, 128, shape), "highest": np.full(shape, 127), "lowest": np.full(shape, -128)}[weights]
    stage = TextStage(settings, table.astype(np.int8), rng.uniform(0, 0.02, (3, classes - 1)), rng.normal(size=classes - 1))
    batch = extract([normalise(p) for p in ["", "Donate now!", "क्षि 新聞 \ud800", "the end " * 40, "z" * 800]], settings)
    got = stage.contributions(batch).sum(axis=0) + stage.bias[:, None]
    expected = np.array([reference(stage, batch, i) for i in range(len(batch))]).T
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("ngrams", NGRAMS)
@pytest.mark.parametrize("weight", [-128, 0, 127])
def test_text_scores_of_the_longest_paragraph_do_not_overflow(ngrams: tuple[int, int], weight: int) -> None:
    settings = FeatureSettings(4, 4, 4, ngrams)
    stage = TextStage(settings, np.full((sum(settings.buckets), 3), weight, np.int8), np.full((3, 3), 0.01), np.zeros(3))
    batch = extract([normalise("a " * MAX_CHARS)], settings)
    expected = [reference(stage, batch, 0)]
    np.testing.assert_allclose(stage.contributions(batch).sum(axis=0).T, expected, rtol=0, atol=1e-9)


def test_softmax_adds_up_to_one() -> None:
    probability = softmax(np.array([[0.0, 1000.0, -1000.0], [0.0, -1000.0, 1000.0], [0.0, 0.0, 1000.0]]))
    np.testing.assert_allclose(probability.sum(axis=0), 1)
    assert probability[:, 0].tolist() == pytest.approx([1 / 3] * 3)


@given(texts)
def test_folding_leaves_no_format_characters_and_no_double_spaces(text: str) -> None:
    folded = "".join(map(chr, characters.fold(f"\n{normalise(text)}\n").code))
    assert folded[0] == folded[-1] == "\n"
    assert "  " not in folded
    assert not any(unicodedata.category(char) == "Cf" for char in folded if ord(char) < characters.LIMIT)
