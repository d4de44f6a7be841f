"""What an article's words and sentences say of it: see `signals.SIGNALS`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer.scan import (
    APOSTROPHE,
    BRACKET,
    CLOSE,
    DOT,
    ELLIPSIS,
    HASH,
    LETTER,
    LOWER,
    QUOTE,
    STOP,
    UPPER,
    Flags,
    Hashes,
    Index,
    Scan,
    spread,
    sums,
)

_TITLE_BYTES = 4
_GOPHER = ("the", "be", "to", "of", "and", "that", "have", "with")
_READER, _AUTHOR = ("you", "your"), ("i", "my", "we", "our")
# Words that C4's phrases begin with or hold; of "javascript" a word's first eight bytes are looked at.
_HINTS = ("javascri", "cookie", "cookies", "terms", "privacy", "lorem")
_OTHERS = """
a about after all also an are as at because been before being but by can could did do does for from had has he her his how if in
into is it its just more most no not on one only or other out over said she should so some such than their them then there these
they this those through under up very was were what when where which while who will would
""".split()
_SLOT_BITS = 12
_NEXT = 0xD1342543DE82EF95
_IS_READER, _IS_AUTHOR, _IS_OTHER, IS_HINT = 256, 512, 1024, 2048  # bits of a word's meaning; the lowest are of _GOPHER


def _stop_table() -> tuple[np.uint64, Hashes, NDArray[np.uint16]]:
    """Return a multiplier under which no two stop words share a slot, the word in each slot, and what it is, in bits."""
    words = (*_GOPHER, *_READER, *_AUTHOR, *_OTHERS, *_HINTS)
    keys = np.array([int.from_bytes(word.encode(), "little") for word in words], np.uint64)
    multiplier = 0x9E3779B97F4A7C15
    while np.unique(slots := (keys * np.uint64(multiplier)) >> np.uint64(64 - _SLOT_BITS)).size < keys.size:
        multiplier = (multiplier * _NEXT + 2) % (1 << 64)  # odd again, and far away: found within tens of steps
    key, meaning = np.zeros(1 << _SLOT_BITS, np.uint64), np.zeros(1 << _SLOT_BITS, np.uint16)
    key[slots] = keys
    kinds = ((_READER, _IS_READER), (_AUTHOR, _IS_AUTHOR), (_HINTS, IS_HINT), (words, _IS_OTHER))
    bits = {word: bit for some, bit in reversed(kinds) for word in some} | {word: 1 << k for k, word in enumerate(_GOPHER)}
    meaning[slots] = [bits[word] for word in words]
    return np.uint64(multiplier), key, meaning


_MULTIPLIER, _STOP_KEY, _STOP_MEANING = _stop_table()


def meanings(text: Scan) -> NDArray[np.uint16]:
    """Return the bits of each word, 0 for one that is not in the table."""
    slot = ((text.head * _MULTIPLIER) >> np.uint64(64 - _SLOT_BITS)).view(np.int64)
    return np.asarray(_STOP_MEANING.take(slot) * (_STOP_KEY.take(slot) == text.head))


def of_words(text: Scan, count: Index, meaning: NDArray[np.uint16], visible: Index) -> dict[str, NDArray[np.generic]]:
    """Measure the words: name → [articles]. `visible`: bytes that are not white space."""
    words = np.diff(text.article_word)
    per_word = np.maximum(words, 1)
    held = np.zeros(words.size, np.uint16)
    full = np.flatnonzero(words)
    if full.size:
        held[full] = np.bitwise_or.reduceat(meaning, text.article_word[:-1][full])
    dots, cls = text.places(DOT), text.cls
    first = cls.take(text.core_start)
    three = dots[(cls[dots + 1] == DOT) & (cls[dots + 2] == DOT) & (cls[dots - 1] != DOT)]
    return {
        "words": words,
        "word_length": (visible - text.of_place(_inner_bytes(text))) / per_word,
        "hashes": count[:, HASH] / per_word,
        "ellipses": (count[:, ELLIPSIS] + text.of_place(three)) / per_word,
        "alphabetic_words": text.of_word(_has_letter(text, first)) / per_word,
        "gopher_stop_words": np.bitwise_count(held & 255),
        "stop_words": text.of_word((meaning & (IS_HINT - 1)) > 0) / per_word,
        "reader": text.of_word(meaning == _IS_READER) / per_word,
        "author": text.of_word(meaning == _IS_AUTHOR) / per_word,
        "title_case": text.of_word(first == UPPER) / per_word,
    }


def _inner_bytes(text: Scan) -> Index:
    """Return where bytes stand that are not the first of their character."""
    return np.asarray(text.wide[(text.byte[text.wide] & 0xC0) == 0x80])


def _has_letter(text: Scan, first: NDArray[np.uint8]) -> Flags:
    """Return which words have a letter; `first` is the class that the core of each begins with."""
    has = _is_letter(first)
    open_ones = np.flatnonzero(~has)
    place, row = spread(text.start[open_ones], text.end[open_ones])
    has[open_ones[row[_is_letter(text.cls[place])]]] = True
    return has


def _is_letter(cls: NDArray[np.uint8]) -> Flags:
    return np.asarray((cls == LOWER) | (cls == UPPER) | (cls == LETTER))


def endings(text: Scan) -> tuple[NDArray[np.uint8], Flags]:
    """Return the class that each word ends in, and whether a sentence ends there: closing quotes and brackets are passed over."""
    last = text.cls.take(text.end - 1)
    ends = (last == DOT) | (last == STOP) | (last == ELLIPSIS)
    at = np.flatnonzero((last == CLOSE) | (last == QUOTE) | (last == BRACKET) | (last == APOSTROPHE))
    place = text.end[at] - 1
    for _ in range(2):
        step = np.where(text.byte[place] < 0x80, 1, 3)
        place = np.maximum(place - step, text.start[at])
        before = text.cls[place]
        ends[at] |= (before == DOT) | (before == STOP)
        passed = (before == CLOSE) | (before == QUOTE) | (before == BRACKET) | (before == APOSTROPHE)
        at, place = at[passed], place[passed]
    return last, ends


def of_sentences(text: Scan, last: NDArray[np.uint8], ends: Flags) -> dict[str, NDArray[np.generic]]:
    """Measure the sentences: name → [articles]. `last` and `ends` as `endings` returns them."""
    asks = text.of_word(ends & (last == STOP))
    ends = ends.copy()
    ends[text.line_word[1:] - 1] = True
    final = np.flatnonzero(ends)
    size = final.copy()
    size[0:1] += 1
    size[1:] -= final[:-1]
    offsets = final.searchsorted(text.article_word)
    number = np.maximum(np.diff(offsets), 1)
    mean = sums(size, offsets) / number
    longest = np.zeros(number.size, np.int64)
    full = np.flatnonzero(np.diff(offsets))
    if full.size:
        longest[full] = np.maximum.reduceat(size, offsets[full])
    return {
        "questions": asks / number,
        "sentence_words": mean,
        "sentence_spread": np.sqrt(np.maximum(sums(size * size, offsets) / number - mean**2, 0)),
        "longest_sentence": longest,
    }


def title_overlap(text: Scan) -> NDArray[np.float64]:
    """Return the share of the longer words of each article's first line that occur in its other lines."""
    lines = np.diff(text.article_line)
    first = text.article_line[:-1][lines > 1]
    place, row = spread(text.line_word[first], text.line_word[first + 1])
    is_long = text.core_end[place] - text.core_start[place] >= _TITLE_BYTES
    place, row = place[is_long], row[is_long]
    slot = (text.hash >> np.uint64(48)).view(np.int64)
    marked = np.zeros(1 << 16, np.bool_)
    marked[slot[place]] = True
    like = marked.take(slot)
    like[place] = False
    others = np.append(text.hash[like], np.uint64(0))
    others.sort()
    sought = text.hash[place]
    occurs = others[np.minimum(others.searchsorted(sought), others.size - 1)] == sought
    out = np.zeros(lines.size)
    held = np.bincount(row, minlength=first.size)
    out[lines > 1] = np.bincount(row, occurs, first.size) / np.maximum(held, 1)
    return out
