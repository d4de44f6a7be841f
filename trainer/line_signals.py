"""What an article's lines, which are its kept paragraphs, say of it: see `signals.SIGNALS`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer.scan import APOSTROPHE, CLOSE, CURLY, DOT, ELLIPSIS, QUOTE, STOP, Flags, Scan, counts, mixed, repeated
from trainer.word_signals import IS_HINT

_SHORT_LINE = 30
_LONGEST_WORD = 1000
_LEAST_WORDS = 5
_POLICIES = (b"terms of use", b"privacy policy", b"cookie policy", b"uses cookies", b"use of cookies", b"use cookies")
_C4_PHRASES, _LOREM = (b"javascript", *_POLICIES), b"lorem ipsum"


def of_lines(
    text: Scan, meaning: NDArray[np.uint16], last_class: NDArray[np.uint8], ends: Flags
) -> dict[str, NDArray[np.generic]]:
    """Measure the lines and how the last one ends: name → [articles]. `last_class` and `ends` as `endings` returns them."""
    lines = np.diff(text.article_line)
    per_line = np.maximum(lines, 1)
    last = text.line_word[1:] - 1
    first = text.start[text.line_word[:-1]]
    final = last_class[last]
    at = text.end[last]
    ellipsis = (final == ELLIPSIS) | (
        (final == DOT) & (text.cls[at - 2] == DOT) & (text.cls[at - 3] == DOT) & (at - text.start[last] >= 3)
    )
    bullet = (text.byte[first] == ord("-")) | (
        (text.byte[first] == 0xE2) & (text.byte[first + 1] == 0x80) & (text.byte[first + 2] == 0xA2)
    )
    marked = (final == DOT) | (final == STOP) | (final == QUOTE) | (final == CLOSE)
    punctuated = marked | (final == APOSTROPHE) | (final == ELLIPSIS)
    words = text.line_words
    mentions, lorem = _phrases(text, meaning)
    by_c4 = marked & ~ellipsis & (words >= _LEAST_WORDS) & ~_overlong(text) & ~mentions
    sentence = counts(ends.nonzero()[0], text.line_word)
    again = _seen_before(text)
    said = (bullet, ellipsis, again, by_c4, punctuated, text.line_chars <= _SHORT_LINE)
    bullets, ellipses, repeats, c4, stops, short = text.of_line(np.stack(said)) / per_line
    curly = text.places(CURLY)
    end = np.flatnonzero(lines)
    at_end = text.article_line[1:][end] - 1
    is_full_stop, is_ellipsis = (np.zeros(lines.size, np.bool_) for _ in range(2))
    is_full_stop[end], is_ellipsis[end] = (ends[last] & ~ellipsis)[at_end], ellipsis[at_end]
    return {
        "ends_in_full_stop": is_full_stop,
        "ends_in_ellipsis": is_ellipsis,
        "bullet_lines": bullets,
        "ellipsis_lines": ellipses,
        "duplicate_lines": repeats,
        "duplicate_line_characters": text.of_line(text.line_chars * again) / np.maximum(text.of_line(text.line_chars), 1),
        "c4_lines": c4,
        "c4_sentences": text.of_line(np.maximum(sentence, 1) * by_c4),
        "lorem_ipsum": text.of_word(lorem) > 0,
        "curly_brackets": text.of_place(curly[text.byte[curly] == ord("{")]),
        "punctuated_lines": stops,
        "short_lines": short,
        "line_breaks": np.maximum(lines - 1, 0) / np.maximum(np.diff(text.article_word), 1),
    }


def _overlong(text: Scan) -> Flags:
    found = np.zeros(text.line_chars.size, np.bool_)
    words = np.flatnonzero(text.end - text.start > _LONGEST_WORD)
    found[text.line_word.searchsorted(words, side="right") - 1] = True
    return found


def _phrases(text: Scan, meaning: NDArray[np.uint16]) -> tuple[Flags, Flags]:
    """Return which lines mention JavaScript or a phrase of a policy notice, and which words begin placeholder text."""
    lines, words = np.zeros(text.line_chars.size, np.bool_), np.zeros(text.start.size, np.bool_)
    hints = np.flatnonzero(meaning == IS_HINT)
    line = text.line_word.searchsorted(hints, side="right") - 1
    for number in np.unique(line):
        first, last = text.line_word[number : number + 2]
        said = text.lowered[text.start[first] : text.end[last - 1]]
        lines[number] = any(phrase in said for phrase in _C4_PHRASES)
    for word in hints:
        at = text.core_start[word]
        words[word] = text.lowered[at : at + len(_LOREM)] == _LOREM
    return lines, words


def _seen_before(text: Scan) -> Flags:
    """Return which lines stood in their article before, as far as their words say and the first and the last of them."""
    if not text.line_chars.size:
        return np.zeros(0, np.bool_)
    first = text.line_word[:-1]
    running = np.zeros(text.hash.size + 1, np.uint64)
    np.cumsum(text.hash, out=running[1:])
    line = np.diff(running[text.line_word])
    line += text.hash[first] * np.uint64(3) + text.hash[text.line_word[1:] - 1] * np.uint64(5)
    again = np.zeros(line.size, np.bool_)
    index, is_first = repeated(mixed(line))
    again[index[~is_first]] = True
    return again
