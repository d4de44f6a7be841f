"""Signals of a filtered article, on cases counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from filtered import filtered
from hypothesis import given
from hypothesis import strategies as st

from trainer import signals
from trainer.heuristics import RULES, broken
from trainer.quality import signals as signals_of

STORY = (
    "Harbour ramp closes",
    "The harbour office closed the north ramp on Tuesday. Divers had found a crack in its third pile!",
    "“We will repair it,” said Ada Holm. Is that soon?",
)
PROSE = "The divers who looked at the ramp said that it would be shut to all of the traffic with the coming of spring."


def one(name: str, *paragraphs: str, removed: tuple[int, ...] = ()) -> float:
    """Return a signal of an article."""
    return signals_of(filtered(*paragraphs, removed=removed))[name]


def words(count: int) -> str:
    """Return a line of different words."""
    return " ".join(f"w{number}" for number in range(count))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("characters", sum(map(len, STORY))),
        ("paragraphs", 3),
        ("paragraph_characters", sum(map(len, STORY)) / 3),
        ("words", 3 + 18 + 10),
        ("short_lines", 1 / 3),
        ("line_breaks", 2 / 31),
        ("punctuated_lines", 2 / 3),
        ("sentence_words", 31 / 5),
        ("longest_sentence", 9),
        ("questions", 2 / 5),
        ("quotes", 2 / 31),
        ("quote_balance", 1),
        ("ends_in_full_stop", 1),
        ("title_case", 8 / 31),
        ("c4_lines", 2 / 3),
        ("c4_sentences", 4),
        ("duplicate_lines", 0),
        ("top_2_gram", 0),
        ("author", 1 / 31),
        ("title_overlap", 2 / 3),
        ("gopher_stop_words", 2),
    ],
)
def test_a_story_counted_by_hand(name, value):
    assert one(name, *STORY) == pytest.approx(value)


def test_what_the_filter_removed_counts_only_as_removed():
    result = signals_of(filtered("a" * 10, "b" * 30, "c" * 20, "d" * 40, removed=(1,)))
    assert result["removed_share"] == pytest.approx(0.3)
    assert result["characters"] == 70
    assert result["longest_run"] == pytest.approx(60 / 70)


@pytest.mark.parametrize(
    ("name", "least", "text", "other"),
    [
        ("word_length", 9.9, "abcdefghij klmnopqrst", "ab cd"),
        ("hashes", 0.5, "#one two", "one two"),
        ("ellipses", 0.5, "Wait... what", "Wait. what"),
        ("ellipses", 0.5, "Wait… what", "Wait, what"),
        ("alphabetic_words", 1.0, "a b3 (c)", "1 2 3"),
        ("glued_words", 0.9, "NewsWorldUkraine", "News"),
        ("glued_words", 0.3, "the war.The end", "the war. The end"),
        ("glued_digits", 0.5, "foreign29:07Is it", "foreign 29:07 is it"),
        ("upper_case", 1.0, "ALL SHOUTED", "all quiet"),
        ("digits", 0.5, "1234 abcd", "abcd abcd"),
        ("commas", 0.5, "one, two", "one two"),
        ("brackets", 1.0, "(one) two", "one two"),
        ("symbols", 0.5, "a=b c", "a b c"),
        ("debris", 0.5, "cafÃ© here", "café here"),
        ("debris", 0.5, "donâ€™t now", "don’t now"),
        ("debris", 0.5, "lo\ufffdst it", "lost it"),
        ("stop_words", 1.0, "The and, of", "harbour pilot boat"),
        ("reader", 0.5, "your boat", "their boat"),
        ("author", 0.5, "my boat", "their boat"),
        ("bullet_lines", 1.0, "- one", "one -"),
        ("bullet_lines", 1.0, "• one", "one •"),
        ("ellipsis_lines", 1.0, "and then...", "and then."),
        ("ends_in_ellipsis", 1.0, "and then …", "and then."),
        ("lorem_ipsum", 1.0, "Lorem ipsum dolor", "Lorem dolor"),
        ("curly_brackets", 1.0, "{ x", "} x"),
        ("reading_prompt", 1.0, "Subscribe to read on", "Subscribers were angry at the mayor"[12:]),
    ],
)
def test_a_signal_is_there_with_its_cause_and_not_without(name, least, text, other):
    assert one(name, text) >= least > one(name, other)


def test_a_quotation_mark_without_its_counterpart_is_out_of_balance():
    assert one("quote_balance", "“One,” he said. “Two.") < one("quote_balance", "“One,” he said. “Two.”") == 1
    assert one("quote_balance", 'One," he said.') == 0


def test_a_prompt_behind_the_last_kept_paragraph_counts_and_one_further_down_does_not():
    below = ("Continue reading", "x", "y", "z")
    assert one("reading_prompt", PROSE, *below, removed=(1, 2, 3, 4)) == 1
    assert one("reading_prompt", PROSE, *below[::-1], removed=(1, 2, 3, 4)) == 0


def test_repeated_lines_count_from_their_second_time_on():
    assert one("duplicate_lines", "one two", "three", "one two", "one two") == 0.5
    assert one("duplicate_line_characters", "one two", "three", "one two", "one two") == pytest.approx(14 / 26)
    assert one("duplicate_lines", "one two", "two one") == 0


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_most_frequent_n_gram_counts_with_all_its_places(n):
    gram = "".join("abcd"[:n])
    text = " ".join(["x1", *gram, "x2", *gram, "x3", *gram, "x4"])
    assert one(f"top_{n}_gram", text) == pytest.approx(3 * n / (3 * n + 8))
    assert one(f"top_{n}_gram", words(40)) == 0


@pytest.mark.parametrize("n", range(5, 11))
def test_n_grams_that_stood_before_count_from_their_second_time_on(n):
    again = "".join("abcdefghij"[:n])
    text = " ".join([*again, "zz", *again])
    assert one(f"duplicate_{n}_grams", text) == pytest.approx(n / (2 * n + 2))
    if n > 5:
        assert one(f"duplicate_{n}_grams", " ".join([*again[:-1], "zz", *again[:-1]])) == 0


def test_n_grams_of_one_article_are_not_repeated_in_another():
    line = " ".join("abcdefgh")
    measured = signals.measure([filtered(line), filtered(line), filtered(f"{line} {line}")])
    column = signals.NAMES.index("duplicate_5_grams")
    assert measured[:, column].tolist() == [0, 0, 0.5]


@pytest.mark.parametrize(
    "line",
    [
        "No stop at the end here",
        "Too short.",
        "You need JavaScript for this page.",
        "We and others make use of cookies here.",
        "It just goes on and on...",
        f"A word of {'x' * 1001} characters is here.",
    ],
)
def test_c4_drops_a_line(line):
    assert one("c4_lines", PROSE, line) == 0.5
    assert one("c4_sentences", PROSE, line) == 1


def test_an_article_without_text_has_finite_signals():
    for result in (filtered(), filtered("gone", removed=(0,)), filtered(" "), filtered("\n", "…")):
        assert np.isfinite(signals.measure([result])).all()


@pytest.mark.parametrize(
    ("rules", "name", "paragraphs"),
    [
        ("Gopher", "words", (PROSE,)),
        ("Gopher", "top_2_gram", ("the boat " * 60,)),
        ("Gopher", "alphabetic_words", (f"{PROSE} {PROSE} {PROSE} " + "12 " * 60,)),
        ("C4", "c4_sentences", (PROSE,)),
        ("C4", "curly_brackets", (PROSE, PROSE + " Again.", "Then { it ended here.")),
        ("FineWeb", "short_lines", tuple(f"Line {number}." for number in range(9))),
        ("FineWeb", "punctuated_lines", tuple(words(9) for _ in range(9))),
    ],
)
def test_a_rule_is_broken_by_what_it_is_about(rules, name, paragraphs):
    measured = signals.measure([filtered(*paragraphs)])
    value = measured[0, signals.NAMES.index(name)]
    assert any(rule.signal == name and rule.breaks(value, rule.threshold) for rule in RULES[rules])
    assert broken(rules, measured)[0] >= 1


def test_a_plain_story_breaks_no_rule():
    story = [f"{PROSE} Pile {number} of {number * 7} was looked at, said diver {'abcdefgh'[number]}olm." for number in range(8)]
    measured = signals.measure([filtered(*[line.replace("divers", f"crews{i}") for i, line in enumerate(story)])])
    assert broken("C4", measured)[0] == broken("FineWeb", measured)[0] == 0


@given(st.lists(st.lists(st.text(max_size=60), max_size=6), min_size=1, max_size=5), st.integers(0, 7))
def test_an_article_is_measured_by_itself_whatever_it_holds(articles, removed):
    results = [filtered(*paragraphs, removed=(removed,)) for paragraphs in articles]
    together = signals.measure(results)
    assert np.isfinite(together).all()
    apart = np.concatenate([signals.measure([result]) for result in results])
    np.testing.assert_array_equal(together, apart)


def test_every_signal_says_what_it_is():
    assert all(len(text) > 10 for text in signals.SIGNALS.values())
    assert len(set(signals.SIGNALS.values())) == len(signals.SIGNALS)
