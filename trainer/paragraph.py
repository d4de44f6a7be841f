"""Paragraphs of an article and where they stand in the text they came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from trainer.errors import InputError

Wrap = Literal["auto", "never", "always"]
WRAPS: tuple[Wrap, ...] = ("auto", "never", "always")

LINE_ENDS = "\n\r\v\f\x85\u2028\u2029"
# Nothing to see: white space, controls, format characters (Unicode categories Z*, Cc, Cf), fillers and variation selectors.
INVISIBLE = (
    r"\s\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u070f\u115f\u1160\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    r"\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_LINE = re.compile(f"[^{LINE_ENDS}]+")
_VISIBLE = re.compile(f"[^{INVISIBLE}]")
_FIRST_WORD = re.compile(r"\S+")

# A hard-wrapped text: lines of this many columns at most, this share of them filled up, this share going on in lower case.
_WRAP_COLUMNS = (40, 110)
_WRAP_FILLED, _WRAP_LOWER, _WRAP_MIN_LINES = 0.6, 0.4, 3


class Paragraph(NamedTuple):
    """One paragraph and its place.

    `start` and `end` are offsets into the given string, in code points. `text` is that slice; where a hard-wrapped
    paragraph was joined, it is the slice with each inner line break replaced by one space.
    """

    text: str
    start: int
    end: int


class Article(NamedTuple):
    """One scraped text and its paragraphs in reading order."""

    text: str
    paragraphs: tuple[Paragraph, ...]

    @classmethod
    def from_text(cls, text: str, wrap: Wrap = "auto") -> Article:
        """Split `text` as `split` does."""
        return cls(text, tuple(split(text, wrap)))

    @classmethod
    def from_paragraphs(cls, paragraphs: Sequence[str]) -> Article:
        """Take a split that was made elsewhere; offsets are those in the paragraphs joined by one newline each.

        Raises:
            InputError: an item is not a string.
        """
        placed, at = [], 0
        for index, text in enumerate(paragraphs):
            if not isinstance(text, str):
                raise InputError(
                    f"paragraph {index} is {type(text).__name__}, not str", hint="Pass decoded text, paragraph by paragraph."
                )
            placed.append(Paragraph(text, at, at + len(text)))
            at += len(text) + 1
        return cls("\n".join(paragraphs), tuple(placed))


def split(text: str, wrap: Wrap = "auto") -> list[Paragraph]:
    """Split a text into its paragraphs: the lines that show something.

    CRLF, CR, LF, VT, FF, NEL, U+2028 and U+2029 end a line. A line of only white space, zero-width or control
    characters is empty. Spans are disjoint, in order, and with the gaps between them give `text` back.

    Args:
        text: any `str`, lone surrogates included.
        wrap: `auto` joins the lines of hard-wrapped text (paragraphs broken at a fixed column, blank lines between);
            `never` takes each line as a paragraph; `always` joins all lines between two blank ones.

    Raises:
        InputError: `text` is not a string, or `wrap` is none of the three.
    """
    if not isinstance(text, str):
        raise InputError(f"expected str, got {type(text).__name__}", hint="Decode bytes first, e.g. data.decode('utf-8').")
    if wrap not in WRAPS:
        raise InputError(f"wrap is {wrap!r}", hint=f"Use one of {', '.join(WRAPS)}.")
    lines = _lines(text)
    if wrap == "never" or len(lines) < 2:
        return lines
    return _join_wrapped(text, lines, force=wrap == "always")


def _lines(text: str) -> list[Paragraph]:
    """Return the lines that show something."""
    visible = _VISIBLE.search
    if any(end in text for end in LINE_ENDS[1:]):
        return [Paragraph(match[0], *match.span()) for match in _LINE.finditer(text) if visible(match[0])]
    # With line feeds alone, which is the rule, it goes several times quicker.
    lines, start, new = [], 0, tuple.__new__  # Paragraph() does the same more slowly
    for line in text.split("\n"):
        end = start + len(line)
        if "!" <= line < "\x7f" or visible(line):  # mostly, the first character tells
            lines.append(new(Paragraph, (line, start, end)))
        start = end + 1
    return lines


def _join_wrapped(text: str, lines: list[Paragraph], *, force: bool) -> list[Paragraph]:
    """Join lines that a fixed column broke; lines are those that show something."""
    _, starts, ends = zip(*lines, strict=True)
    adjacent = [start - end == 1 or text[end:start] == "\r\n" for end, start in zip(ends, starts[1:], strict=False)]
    joins = adjacent if force else _wrapped_joins(lines, adjacent)
    if not any(joins):
        return lines
    out = [[lines[0]]]
    for line, joined in zip(lines[1:], joins, strict=True):
        if joined:
            out[-1].append(line)
        else:
            out.append([line])
    return [
        run[0] if len(run) == 1 else Paragraph(" ".join(line.text.strip() for line in run), run[0].start, run[-1].end)
        for run in out
    ]


def _wrapped_joins(lines: list[Paragraph], adjacent: list[bool]) -> list[bool]:
    """For each line but the last: was it broken off from the next one by a fixed column?

    A line is filled when the next line's first word would not have fitted in. The column is taken from the lines
    themselves, leaving out the longest 5 % (a long URL does not fit any column).
    """
    none = [False] * len(adjacent)
    lengths = sorted([len(line.rstrip()) for (line, _, _), near in zip(lines, adjacent, strict=False) if near])
    if len(lengths) < _WRAP_MIN_LINES:
        return none
    column = lengths[max(0, int(len(lengths) * 0.95) - 1)]
    if not _WRAP_COLUMNS[0] <= column <= _WRAP_COLUMNS[1]:
        return none
    filled = [
        near and len(line.text.rstrip()) + 1 + _first_word(after.text) > column * 0.9
        for line, after, near in zip(lines, lines[1:], adjacent, strict=False)
    ]
    lower = sum(after.text.lstrip()[:1].islower() for after, is_filled in zip(lines[1:], filled, strict=True) if is_filled)
    broken = sum(filled)
    if broken < _WRAP_MIN_LINES or broken < _WRAP_FILLED * len(lengths) or lower < _WRAP_LOWER * broken:
        return none
    return filled


def _first_word(text: str) -> int:
    match = _FIRST_WORD.search(text)
    return len(match[0]) if match else 0
