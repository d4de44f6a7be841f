"""What can be measured of a filtered article: a flat record of named signals, each with its source.

The published heuristics keep their authors' definitions, on the kept paragraphs as the document and each as a line:

- Gopher: Rae et al., 2021, arXiv 2112.11446, appendix A.1.1 and table A1;
- C4: Raffel et al., 2020, JMLR 21(140), section 2.2, and the code published with it;
- FineWeb: Penedo et al., 2024, arXiv 2406.17557, section 3.5, and the code published with it (datatrove).

Their thresholds are in `heuristics`. Time is linear in the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from trainer.repetition import DUPLICATE, TOP, repetition
from trainer.result import FilterResult
from trainer.scan import (
    APOSTROPHE,
    BRACKET,
    CLASSES,
    CLOSE,
    COMMA,
    CURLY,
    DIGIT,
    DOT,
    ELLIPSIS,
    HASH,
    LETTER,
    LOWER,
    OPEN,
    QUOTE,
    STOP,
    SYMBOL,
    UPPER,
    Flags,
    Hashes,
    Index,
    Scan,
    counts,
    mixed,
    repeated,
    scan,
    spread,
    sums,
)  # fmt: skip
from trainer.text import Matrix

SIGNALS = {
    "characters": "characters kept",
    "paragraphs": "paragraphs kept",
    "removed_share": "share of the article's characters that the filter removed",
    "longest_run": "share of the kept characters in the longest stretch of kept paragraphs without a removed one between them",
    "paragraph_characters": "characters of a kept paragraph, mean",
    "words": "words kept; Gopher keeps 50 to 100,000",
    "word_length": "characters of a word, mean; Gopher keeps 3 to 10",
    "hashes": "number signs a word; Gopher keeps up to 0.1",
    "ellipses": "ellipses a word; Gopher keeps up to 0.1",
    "bullet_lines": "share of lines that begin with a bullet; Gopher keeps up to 0.9",
    "ellipsis_lines": "share of lines that end in an ellipsis; Gopher keeps up to 0.3",
    "alphabetic_words": "share of words with a letter; Gopher keeps from 0.8 on",
    "gopher_stop_words": "how many of the, be, to, of, and, that, have, with occur; Gopher keeps from 2 on",
    "duplicate_lines": "share of lines that stood in the article before; Gopher keeps up to 0.3",
    "duplicate_line_characters": "share of characters in such lines; Gopher keeps up to 0.2, FineWeb less than 0.1",
    "top_2_gram": "share of characters in the most frequent pair of words; Gopher keeps up to 0.2",
    "top_3_gram": "the same of three words; Gopher keeps up to 0.18",
    "top_4_gram": "the same of four words; Gopher keeps up to 0.16",
    "duplicate_5_grams": "share of characters in five words that stood in the article before; Gopher keeps up to 0.15",
    "duplicate_6_grams": "the same of six words; Gopher keeps up to 0.14",
    "duplicate_7_grams": "the same of seven words; Gopher keeps up to 0.13",
    "duplicate_8_grams": "the same of eight words; Gopher keeps up to 0.12",
    "duplicate_9_grams": "the same of nine words; Gopher keeps up to 0.11",
    "duplicate_10_grams": "the same of ten words; Gopher keeps up to 0.1",
    "c4_lines": "share of lines that C4 keeps: five words or more, none of over 1,000 characters, a full stop, question mark, "
    "exclamation mark or closing quote at the end and no ellipsis, no JavaScript, no phrase of a policy notice",
    "c4_sentences": "sentences in those lines; C4 keeps from 3 on",
    "lorem_ipsum": "1 where placeholder text occurs; C4 drops it",
    "curly_brackets": "curly brackets; C4 drops what has one",
    "punctuated_lines": "share of lines that end in punctuation; FineWeb keeps more than 0.12",
    "short_lines": "share of lines of up to 30 characters; FineWeb keeps less than 0.67",
    "line_breaks": "line breaks a word; FineWeb's code keeps up to 0.3",
    "ends_in_full_stop": "1 where the last kept paragraph ends in a full stop, question mark, exclamation mark or closing quote",
    "ends_in_ellipsis": "1 where it ends in an ellipsis",
    "reading_prompt": "1 where it or one of the two paragraphs behind it asks to read on, subscribe or log in",
    "glued_words": "words glued together (NewsWorldUkraine, war.The), a word",
    "glued_digits": "digits glued to capital letters (foreign29:07Is), a word",
    "upper_case": "share of letters in upper case",
    "title_case": "share of words that begin in upper case",
    "digits": "share of digits in the characters that are not white space",
    "commas": "commas, colons and semicolons a word",
    "brackets": "brackets a word",
    "symbols": "other symbols (slashes, equals signs …) a word",
    "debris": "signs of a wrong encoding (Ã©, â€™, the replacement character), a word",
    "questions": "share of sentences that end in a question or exclamation mark",
    "sentence_words": "words of a sentence, mean",
    "sentence_spread": "words of a sentence, standard deviation",
    "longest_sentence": "words of the longest sentence",
    "stop_words": "share of words that are English stop words",
    "reader": "share of words that address the reader: you, your",
    "author": "share of words that speak of the author: I, my, we, our",
    "quotes": "quotation marks a word",
    "quote_balance": "1 where every quotation mark has its counterpart, falling to 0",
    "title_overlap": "share of the longer words of the first kept paragraph that occur in the others; 0 where there are none",
}  # fmt: skip
NAMES = tuple(SIGNALS)
CHUNK_CHARS = 1 << 19  # of articles measured at once, so that the arrays stay in the processor's cache

_SHORT_LINE = 30
_TEXT = itemgetter(0)  # of a paragraph
_LONGEST_WORD = 1000
_LEAST_WORDS = 5
_TITLE_BYTES = 4
_POLICIES = (b"terms of use", b"privacy policy", b"cookie policy", b"uses cookies", b"use of cookies", b"use cookies")
_C4_PHRASES, _LOREM = (b"javascript", *_POLICIES), b"lorem ipsum"
_PROMPTS = ("continue read", "read the ", "keep reading", "subscribe", "log in", "sign in", "full story", "full article")
_PROMPT_CHARS = 120  # of each of the paragraphs looked at
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
_IS_READER, _IS_AUTHOR, _IS_OTHER, _IS_HINT = 256, 512, 1024, 2048  # bits of a word's meaning; the lowest are of _GOPHER


def _stop_table() -> tuple[np.uint64, Hashes, NDArray[np.uint16]]:
    """Return a multiplier under which no two stop words share a slot, the word in each slot, and what it is, in bits."""
    words = (*_GOPHER, *_READER, *_AUTHOR, *_OTHERS, *_HINTS)
    keys = np.array([int.from_bytes(word.encode(), "little") for word in words], np.uint64)
    multiplier = np.uint64(0x9E3779B97F4A7C15)
    while np.unique(slots := (keys * multiplier) >> np.uint64(64 - _SLOT_BITS)).size < keys.size:
        multiplier += np.uint64(2)
    key, meaning = np.zeros(1 << _SLOT_BITS, np.uint64), np.zeros(1 << _SLOT_BITS, np.uint16)
    key[slots] = keys
    kinds = ((_READER, _IS_READER), (_AUTHOR, _IS_AUTHOR), (_HINTS, _IS_HINT), (words, _IS_OTHER))
    bits = {word: bit for some, bit in reversed(kinds) for word in some} | {word: 1 << k for k, word in enumerate(_GOPHER)}
    meaning[slots] = [bits[word] for word in words]
    return multiplier, key, meaning


_MULTIPLIER, _STOP_KEY, _STOP_MEANING = _stop_table()


def measure(results: Iterable[FilterResult]) -> Matrix:
    """Measure filtered articles: [articles, signals] in the order of NAMES. Each is measured by itself."""
    parts = [_measure(run) for run in _runs(results)]
    return np.concatenate(parts) if parts else np.zeros((0, len(NAMES)))


def _runs(results: Iterable[FilterResult]) -> Iterator[list[FilterResult]]:
    run: list[FilterResult] = []
    size = 0
    for result in results:
        run.append(result)
        size += result.paragraphs[-1].end + 64 if result.paragraphs else 64
        if size >= CHUNK_CHARS:
            yield run
            run, size = [], 0
    if run:
        yield run


def _measure(results: Sequence[FilterResult]) -> Matrix:
    texts = [list(map(_TEXT, result.paragraphs)) for result in results]
    sizes = np.fromiter(map(len, chain.from_iterable(texts)), np.intp)
    keep = np.frombuffer(b"".join([bytes(result.keep) for result in results]), np.bool_)
    text = scan([list(compress(line, result.keep)) for line, result in zip(texts, results, strict=True)], sizes[keep])
    count, meaning, ends = _class_counts(text), _meanings(text), _ends(text)
    visible = sums(text.end - text.start, text.article_word)  # bytes that are not white space
    parts = [
        _extent(sizes, keep, np.cumsum([0, *map(len, texts)]), text),
        _words(text, count, meaning, visible),
        _lines(text, meaning, *ends),
        dict(zip((*(f"top_{n}_gram" for n in TOP), *(f"duplicate_{n}_grams" for n in DUPLICATE)), repetition(text), strict=True)),
        {"reading_prompt": _prompts(results, texts)},
        _characters(text, count, visible),
        _sentences(text, *ends),
        {"title_overlap": _title_overlap(text)},
    ]
    found = {name: values for part in parts for name, values in part.items()}
    return np.stack([found[name] for name in NAMES], axis=1).astype(np.float64)


def _extent(sizes: Index, keep: Flags, offsets: Index, text: Scan) -> dict[str, NDArray[np.generic]]:
    """Measure how much of each article stays, and in how long a stretch, from its paragraphs' sizes."""
    stays = sizes * keep
    kept = sums(stays, offsets)
    border = np.ones(keep.size, np.bool_)
    border[1:] = keep[1:] != keep[:-1]
    border[offsets[:-1][offsets[:-1] < keep.size]] = True
    first = np.flatnonzero(border)
    longest = np.zeros(kept.size, np.int64)
    if first.size:
        article = offsets.searchsorted(first, side="right") - 1
        np.maximum.at(longest, article, np.add.reduceat(stays, first))
    paragraphs = np.diff(text.article_line)
    return {
        "characters": kept,
        "paragraphs": paragraphs,
        "removed_share": 1 - kept / np.maximum(sums(sizes, offsets), 1) * (np.diff(offsets) > 0),
        "longest_run": longest / np.maximum(kept, 1),
        "paragraph_characters": kept / np.maximum(paragraphs, 1),
    }


def _class_counts(text: Scan) -> Index:
    """Count the characters of each class from UPPER on, [articles, classes]."""
    articles = text.article_byte.size - 1
    each = text.of_place(text.special)
    row = np.repeat(np.arange(articles) * CLASSES, each)
    count = np.bincount(row + text.special_cls, minlength=articles * CLASSES).reshape(articles, CLASSES)
    count[:, [OPEN, CLOSE, ELLIPSIS]] //= 3  # of three bytes each
    return count


def _meanings(text: Scan) -> NDArray[np.uint16]:
    """Return the bits of each word, 0 for one that is not in the table."""
    slot = ((text.head * _MULTIPLIER) >> np.uint64(64 - _SLOT_BITS)).view(np.int64)
    return np.asarray(_STOP_MEANING[slot] * (_STOP_KEY[slot] == text.head))


def _words(text: Scan, count: Index, meaning: NDArray[np.uint16], visible: Index) -> dict[str, NDArray[np.generic]]:
    words = np.diff(text.article_word)
    per_word = np.maximum(words, 1)
    held = np.zeros(words.size, np.uint16)
    full = np.flatnonzero(words)
    if full.size:
        held[full] = np.bitwise_or.reduceat(meaning, text.article_word[:-1][full])
    dots, cls = text.places(DOT), text.cls
    three = dots[(cls[dots + 1] == DOT) & (cls[dots + 2] == DOT) & (cls[dots - 1] != DOT)]
    return {
        "words": words,
        "word_length": (visible - text.of_place(_inner_bytes(text))) / per_word,
        "hashes": count[:, HASH] / per_word,
        "ellipses": (count[:, ELLIPSIS] + text.of_place(three)) / per_word,
        "alphabetic_words": text.of_word(_has_letter(text)) / per_word,
        "gopher_stop_words": np.bitwise_count(held & 255),
        "stop_words": text.of_word((meaning & (_IS_HINT - 1)) > 0) / per_word,
        "reader": text.of_word(meaning == _IS_READER) / per_word,
        "author": text.of_word(meaning == _IS_AUTHOR) / per_word,
        "title_case": text.of_word(cls[text.core_start] == UPPER) / per_word,
    }


def _inner_bytes(text: Scan) -> Index:
    """Return where bytes stand that are not the first of their character."""
    return text.special[:0] if text.lowered.isascii() else np.flatnonzero((text.byte & 0xC0) == 0x80)


def _has_letter(text: Scan) -> Flags:
    cls = text.cls
    has: Flags = _is_letter(cls[text.core_start])
    open_ones = np.flatnonzero(~has)
    place, row = spread(text.start[open_ones], text.end[open_ones])
    has[open_ones[row[_is_letter(cls[place])]]] = True
    return has


def _is_letter(cls: NDArray[np.uint8]) -> Flags:
    return np.asarray((cls == LOWER) | (cls == UPPER) | (cls == LETTER))


def _ends(text: Scan) -> tuple[NDArray[np.uint8], Flags]:
    """Return the class that each word ends in, and whether a sentence ends there: closing quotes and brackets are passed over."""
    last = text.cls[text.end - 1]
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


def _lines(text: Scan, meaning: NDArray[np.uint16], last_class: NDArray[np.uint8], ends: Flags) -> dict[str, NDArray[np.generic]]:
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
    curly = text.places(CURLY)
    end = np.flatnonzero(lines)
    at_end = text.article_line[1:][end] - 1
    is_full_stop, is_ellipsis = (np.zeros(lines.size, np.bool_) for _ in range(2))
    is_full_stop[end], is_ellipsis[end] = (ends[last] & ~ellipsis)[at_end], ellipsis[at_end]
    return {
        "ends_in_full_stop": is_full_stop,
        "ends_in_ellipsis": is_ellipsis,
        "bullet_lines": text.of_line(bullet) / per_line,
        "ellipsis_lines": text.of_line(ellipsis) / per_line,
        "duplicate_lines": text.of_line(again) / per_line,
        "duplicate_line_characters": text.of_line(text.line_chars * again) / np.maximum(text.of_line(text.line_chars), 1),
        "c4_lines": text.of_line(by_c4) / per_line,
        "c4_sentences": text.of_line(np.maximum(sentence, 1) * by_c4),
        "lorem_ipsum": text.of_word(lorem) > 0,
        "curly_brackets": text.of_place(curly[text.byte[curly] == ord("{")]),
        "punctuated_lines": text.of_line(punctuated) / per_line,
        "short_lines": text.of_line(text.line_chars <= _SHORT_LINE) / per_line,
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
    hints = np.flatnonzero(meaning == _IS_HINT)
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
    line = np.add.reduceat(text.hash, first)
    line += text.hash[first] * np.uint64(3) + text.hash[text.line_word[1:] - 1] * np.uint64(5)
    again = np.zeros(line.size, np.bool_)
    index, is_first = repeated(mixed(line))
    again[index[~is_first]] = True
    return again


def _prompts(results: Sequence[FilterResult], texts: Sequence[Sequence[str]]) -> Flags:
    """Return whether each article's last kept paragraph or one of the two behind it asks to read on, subscribe or log in."""
    found = np.zeros(len(results), np.bool_)
    for number, (result, lines) in enumerate(zip(results, texts, strict=True)):
        keep, last = result.keep, len(lines) - 1
        while last >= 0 and not keep[last]:
            last -= 1
        if last >= 0:
            near = [lines[last][-_PROMPT_CHARS:], *[line[:_PROMPT_CHARS] for line in lines[last + 1 : last + 3]]]
            said = "\n".join(near).lower()
            for phrase in _PROMPTS:
                if phrase in said:
                    found[number] = True
                    break
    return found


def _characters(text: Scan, count: Index, visible: Index) -> dict[str, NDArray[np.generic]]:
    cls = text.cls
    words = np.maximum(np.diff(text.article_word), 1)
    upper, dot = cls[1:] == UPPER, text.places(DOT)
    digit = np.flatnonzero(upper & (cls[:-1] == DIGIT))
    glued = text.of_place(np.flatnonzero(upper & (cls[:-1] == LOWER)))
    glued += text.of_place(dot[(cls[dot - 1] == LOWER) & (cls[dot + 1] == UPPER)])
    glued_digits = text.of_place(digit[cls[digit + 2] == LOWER])
    others = count.sum(axis=1) + 2 * (count[:, OPEN] + count[:, CLOSE] + count[:, ELLIPSIS])
    lower = np.maximum(visible - others, 0)  # what is not special
    opened, closed, straight = count[:, OPEN], count[:, CLOSE], count[:, QUOTE]
    quotes = opened + closed + straight
    return {
        "glued_words": glued / words,
        "glued_digits": glued_digits / words,
        "upper_case": count[:, UPPER] / np.maximum(lower + count[:, UPPER], 1),
        "digits": count[:, DIGIT] / np.maximum(visible, 1),
        "commas": count[:, COMMA] / words,
        "brackets": count[:, BRACKET] / words,
        "symbols": (count[:, SYMBOL] + count[:, CURLY]) / words,
        "debris": text.of_place(_debris(text)) / words,
        "quotes": quotes / words,
        "quote_balance": 1 - (np.abs(opened - closed) + straight % 2) / np.maximum(quotes, 1),
    }


def _debris(text: Scan) -> Index:
    """Return where UTF-8 was read as Latin-1 or Windows-1252 once too often, and where characters were replaced."""
    byte = text.byte
    if text.lowered.isascii():
        return text.special[:0]
    doubled = np.flatnonzero(byte == 0xC3)
    after, third = byte[doubled + 1], byte[doubled + 2]
    doubled = doubled[
        (((after == 0x83) | (after == 0x82)) & (third >= 0xC2)) | ((after == 0xA2) & ((third == 0xE2) | (third == 0xC2)))
    ]
    lost = np.flatnonzero(byte == 0xEF)
    return np.sort(np.append(doubled, lost[(byte[lost + 1] == 0xBF) & (byte[lost + 2] == 0xBD)]))


def _sentences(text: Scan, last: NDArray[np.uint8], ends: Flags) -> dict[str, NDArray[np.generic]]:
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


def _title_overlap(text: Scan) -> NDArray[np.float64]:
    """Return the share of the longer words of each article's first line that occur in its other lines."""
    lines = np.diff(text.article_line)
    first = text.article_line[:-1][lines > 1]
    place, row = spread(text.line_word[first], text.line_word[first + 1])
    is_long = text.core_end[place] - text.core_start[place] >= _TITLE_BYTES
    place, row = place[is_long], row[is_long]
    slot = (text.hash >> np.uint64(48)).view(np.int64)
    marked = np.zeros(1 << 16, np.bool_)
    marked[slot[place]] = True
    like = marked[slot]
    like[place] = False
    others = np.append(text.hash[like], np.uint64(0))
    others.sort()
    sought = text.hash[place]
    occurs = others[np.minimum(others.searchsorted(sought), others.size - 1)] == sought
    out = np.zeros(lines.size)
    held = np.bincount(row, minlength=first.size)
    out[lines > 1] = np.bincount(row, occurs, first.size) / np.maximum(held, 1)
    return out
