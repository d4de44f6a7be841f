"""Splitting: nothing is lost, nothing visible falls into a gap, hard-wrapped text is put together."""

from __future__ import annotations

import textwrap
import unicodedata

import pytest
from hypothesis import example, given
from strategies import LINE_ENDS, texts

from trainer import Article, InputError, Paragraph, split
from trainer.paragraph import WRAPS

# Format characters that are drawn: Arabic, Syriac and Kaithi signs written around or above digits.
DRAWN_FORMATS = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
# Of other categories, yet blank: Hangul fillers, grapheme joiner, empty Braille cell, variation selectors, tags.
BLANKS = {0x34F, 0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0000, 0xE1000)}
POEM = """The harbour keeps its lamps alight
    Long after boats come in,
And counts the gulls that cross the night
    As misers count their tin.

Nobody asks the tide to stay,
    And nobody is wrong:
The water takes the day away
    And brings it back as song."""


def is_blank(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] == "Z" or category in ("Cc", "Cf") or ord(char) in BLANKS or char == "\u2065"


def gaps(text: str, paragraphs: list[Paragraph]) -> list[str]:
    ends, starts = [0, *(p.end for p in paragraphs)], [*(p.start for p in paragraphs), len(text)]
    return [text[end:start] for end, start in zip(ends, starts, strict=True)]


def prose(articles: list[str], count: int) -> list[str]:
    lines = [" ".join(line.split()) for article in articles for line in article.splitlines()]
    return [line for line in lines if len(line) > 250 and line.isprintable()][:count]


@pytest.mark.parametrize("wrap", WRAPS)
@given(text=texts)
@example(text="")
@example(text="\n")
@example(text="a\r\n\r\nb")
def test_spans_are_disjoint_ordered_and_within_the_text(text: str, wrap: str) -> None:
    paragraphs = split(text, wrap)
    edges = [edge for paragraph in paragraphs for edge in paragraph[1:]]
    assert edges == sorted(edges)
    assert all(0 <= p.start < p.end <= len(text) for p in paragraphs)


@given(text=texts)
def test_line_feeds_alone_split_as_other_line_ends_do(text: str) -> None:
    for end in LINE_ENDS:
        text = text.replace(end, "\n")
    assert split(text, "never") == split(text.replace("\n", "\u2028"), "never")


@given(text=texts)
def test_a_paragraph_is_its_slice_of_the_text(text: str) -> None:
    assert all(text[p.start : p.end] == p.text for p in split(text, "never"))


@given(text=texts)
def test_paragraphs_and_gaps_give_the_text_back(text: str) -> None:
    paragraphs = split(text, "never")
    between = gaps(text, paragraphs)
    whole = "".join(gap + p.text for gap, p in zip(between, paragraphs, strict=False)) + between[-1]
    assert whole == text


@pytest.mark.parametrize("wrap", WRAPS)
@given(text=texts)
def test_no_gap_shows_anything(text: str, wrap: str) -> None:
    assert all(is_blank(char) for gap in gaps(text, split(text, wrap)) for char in gap)


@given(text=texts)
def test_no_paragraph_holds_a_line_end(text: str) -> None:
    assert not any(char in paragraph.text for paragraph in split(text, "never") for char in "\n\r\v\f\x85\u2028\u2029")


@pytest.mark.parametrize("wrap", ["auto", "always"])
@given(text=texts)
def test_joined_paragraphs_say_what_their_span_says(text: str, wrap: str) -> None:
    assert all(p.text.split() == text[p.start : p.end].split() for p in split(text, wrap))


@pytest.mark.parametrize("end", LINE_ENDS)
def test_each_line_end_ends_a_line(end: str) -> None:
    assert split(f"one{end}two", "never") == [Paragraph("one", 0, 3), Paragraph("two", 3 + len(end), 6 + len(end))]


@pytest.mark.parametrize("char", ["\x1c", "\x1d", "\x1e", "\x1f", "\t", "\x00", "\u200b"])
def test_other_controls_do_not_end_a_line(char: str) -> None:
    text = f"one{char}two"
    assert split(text, "never") == [Paragraph(text, 0, len(text))]


def test_carriage_return_and_line_feed_are_one_line_end() -> None:
    assert [p.text for p in split("one\r\ntwo\r\n\r\nthree", "always")] == ["one two", "three"]


def test_lines_of_blank_characters_are_empty() -> None:
    blank = [chr(code) for code in range(0x110000) if code not in DRAWN_FORMATS and is_blank(chr(code))]
    assert [f"U+{ord(char):04X}" for char in blank if split(f"a\n {char}\t\nb", "never")[1:-1]] == []


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\u200b\n\ufeff", "\x00", " \u00a0\t\u3000", "\u2800", "\u3164\n\u200d\ufe0f"])
def test_a_text_without_anything_to_see_has_no_paragraphs(text: str) -> None:
    assert split(text) == []


@pytest.mark.parametrize("char", ["a", ".", "-", "1", "é", "\u0301", "|", "©", "😀", "新", "ก", "\ud800", "\ue000", "\u0600"])
def test_one_visible_character_makes_a_paragraph(char: str) -> None:
    assert [p.text for p in split(f"\n \u200b{char}\n")] == [f" \u200b{char}"]


@pytest.mark.parametrize("text", ["word " * 200_000, "\u200b" * 1_000_000, "a\n" * 500_000, "\n" * 1_000_000, " \n" * 500_000])
@pytest.mark.parametrize("wrap", WRAPS)
def test_a_megabyte_is_split(text: str, wrap: str) -> None:
    assert len(split(text, wrap)) <= 500_000


@pytest.mark.parametrize("given", [b"text", bytearray(b"text"), None, 3, ["text"]])
def test_what_is_not_a_string_is_refused(given: object) -> None:
    with pytest.raises(InputError, match="expected str"):
        split(given)


def test_an_unknown_wrap_is_refused() -> None:
    with pytest.raises(InputError, match=r"auto, never, always"):
        split("text", "sometimes")


@pytest.mark.parametrize("width", [70, 72, 76, 80])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_hard_wrapped_text_is_joined(articles: list[str], width: int, end: str) -> None:
    originals = prose(articles, 12)
    wrapped = [textwrap.wrap(p, width, break_on_hyphens=False, break_long_words=False) for p in originals]
    text = (end * 2).join(end.join(lines) for lines in wrapped)
    joined = split(text)
    assert [p.text for p in joined] == originals
    assert [text[p.start : p.end].replace(end, " ") for p in joined] == originals
    assert gaps(text, joined)[1:-1] == [end * 2] * (len(originals) - 1)


def test_two_wrapped_paragraphs_under_a_headline_and_a_menu(articles: list[str]) -> None:
    first, second = prose(articles, 2)
    menu = "Home\nPolitics\nSport\nWeather"
    text = f"{menu}\n\nCouncil votes on bridge\n\n{textwrap.fill(first, 72)}\n\n{textwrap.fill(second, 72)}\n"
    found = [p.text for p in split(text)]
    assert found[:5] == ["Home", "Politics", "Sport", "Weather", "Council votes on bridge"]
    assert len(found) == 7


def test_a_wrapped_text_of_one_paragraph_is_joined(articles: list[str]) -> None:
    (original,) = prose(articles, 1)
    assert [p.text for p in split(textwrap.fill(original, 76, break_on_hyphens=False))] == [original]


MENU = "\n".join(["Home", "US Politics", "World", "Opinion", "Sports & Culture", "Donate", "Sign in", "About us"] * 6)
HEADLINES = "\n".join(
    f"{place} {what} after {reason} as officials promise review"
    for place, what in [("Lincoln", "closes two clinics"), ("Omaha", "raises water rates"), ("Kearney", "delays bridge work")]
    for reason in ("long night vote", "state audit", "third flood in a year", "weeks of protest")
)


@pytest.mark.parametrize("text", [MENU, HEADLINES, POEM], ids=["menu", "headlines", "poem"])
def test_lines_that_no_column_broke_are_not_joined(text: str) -> None:
    assert split(text) == split(text, "never")


def test_articles_with_a_paragraph_a_line_are_not_joined(label_lines: list[str], articles: list[str]) -> None:
    assert [text for text in articles if split(text) != split(text, "never")] == []


def test_long_lines_are_not_joined(articles: list[str]) -> None:
    text = "\n".join(prose(articles, 20))
    assert split(text) == split(text, "never")


def test_always_joins_up_to_a_blank_line_and_never_does_not_join() -> None:
    text = "one\n two \nthree\n\n\u200b\nfour\n \nfive\r\nsix"
    assert [p.text for p in split(text, "always")] == ["one two three", "four", "five six"]
    assert [p.text for p in split(text, "never")] == ["one", " two ", "three", "four", "five", "six"]


def test_joined_spans_cover_the_source(articles: list[str]) -> None:
    text = "\n\n".join(textwrap.fill(p, 70) for p in prose(articles, 5))
    joined, lines = split(text, "always"), split(text, "never")
    assert [lines[0].start, lines[-1].end] == [joined[0].start, joined[-1].end]
    assert {p.start for p in joined} <= {p.start for p in lines}
    assert {p.end for p in joined} <= {p.end for p in lines}
    assert [gap for gap in gaps(text, joined) if gap] == ["\n\n"] * 4


def test_given_paragraphs_keep_their_place_in_the_joined_text() -> None:
    article = Article.from_paragraphs(["one", "", "two\nlines"])
    assert article.text == "one\n\ntwo\nlines"
    assert [article.text[p.start : p.end] for p in article.paragraphs] == ["one", "", "two\nlines"]


@given(text=texts)
def test_from_text_splits(text: str) -> None:
    assert Article.from_text(text) == (text, tuple(split(text)))


@pytest.mark.parametrize("item", [None, b"bytes", 3, ["nested"]])
def test_given_paragraphs_must_be_strings(item: object) -> None:
    with pytest.raises(InputError, match="paragraph 1 is"):
        Article.from_paragraphs(["fine", item])
