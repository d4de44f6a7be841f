"""Paragraphs to features, in whole batches, in NumPy: the same code for training and serving.

Three families of features, each a list of buckets per paragraph:

- `words`: each word, hashed;
- `pairs`: each two neighbouring words, the paragraph's edges counting as words;
- `chars`: each n characters, the paragraph's edges included.

Besides, the shape of each paragraph: measures of length, case, digits, punctuation, stop words …

The word hash is a polynomial over code points modulo 2^64, taken from one running sum over the batch (prefix sums as in
Karp and Rabin, 1987), then mixed with the finaliser of MurmurHash3 (Appleby, 2011); the weights of hashed features share
buckets as in Weinberger et al., 2009. Nothing here depends on what else is in the batch.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer import characters
from trainer.characters import BAR, BRACKET, CLASSES, COLON, DIGIT, LETTER, LINK, LOWER, MONEY, QUOTE, SPACE, STOP, SYMBOL, UPPER

FAMILIES = ("words", "pairs", "chars")
MAX_CHARS = 4096  # of a paragraph; what follows has no say in its label
CHUNK_CHARS = 1 << 17  # of a batch, so that the arrays stay in the processor's cache

_PRIME = 0x9E3779B97F4A7C15  # odd, so it has an inverse modulo 2^64
_ROWS = CHUNK_CHARS + 2 * MAX_CHARS
_POWER = np.cumprod(np.full(_ROWS, _PRIME, np.uint64))
_INVERSE = np.cumprod(np.full(_ROWS, pow(_PRIME, -1, 1 << 64), np.uint64))
_CHAR_STEP, _CHAR_MIX = np.uint32(0x01000193), np.uint32(2654435761)

_STOP_WORDS = """
a about after all also an and are as at be because been before being but by can could did do does for from had has have he
her his how i if in into is it its just more most my no not of on one only or other our out over said she should so some
such than that the their them then there these they this those through to under up very was we were what when where which
while who will with would you your
""".split()

SHAPES = (
    "length", "words", "word length", "upper case", "title case", "digits", "punctuation", "stop words", "sentences",
    "full stop", "colon", "first character", "last character", "links", "bars", "brackets", "quotes", "money", "symbols",
    "glue", "glued digits", "clock",
)  # fmt: skip
_LARGEST_SHAPE = 8 - 1 / 64


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """How paragraphs are hashed: table sizes as powers of two, and the shortest and longest character n-gram."""

    word_bits: int = 17
    pair_bits: int = 17
    char_bits: int = 17
    char_ngrams: tuple[int, int] = (4, 4)

    @property
    def gap(self) -> int:
        """Separators between paragraphs, so many that no character n-gram touches two of them."""
        return max(self.char_ngrams[1] - 1, 1)

    @property
    def buckets(self) -> tuple[int, int, int]:
        """Buckets of each family, in the order of FAMILIES."""
        return 1 << self.word_bits, 1 << self.pair_bits, 1 << self.char_bits


class Family(NamedTuple):
    """Buckets of one family: those of paragraph i are `bucket[indptr[i]:indptr[i + 1]]`."""

    bucket: NDArray[np.intp]
    indptr: NDArray[np.intp]


class Batch(NamedTuple):
    """Features of n paragraphs.

    `families`: per family one or more parts (one a character n-gram length). `shape`: [measures, n], on the grid of 1/64.
    `word`: 64-bit hashes of all words in order, `word_indptr` [n + 1], `word_size` their lengths in characters.
    `pair`, `pair_indptr`: the same of neighbouring words. `identity` [n]: equal for paragraphs with the same words in order.
    """

    families: tuple[tuple[Family, ...], ...]
    shape: NDArray[np.float64]
    word: NDArray[np.uint64]
    word_size: NDArray[np.intp]
    word_indptr: NDArray[np.intp]
    pair: NDArray[np.uint64]
    pair_indptr: NDArray[np.intp]
    identity: NDArray[np.uint64]

    def __len__(self) -> int:
        """Return the number of paragraphs."""
        return int(self.shape.shape[1])


def normalise(paragraph: str) -> str:
    """Return the text that features see: NFKC, one line, at most MAX_CHARS characters."""
    text = paragraph[:MAX_CHARS].strip()
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)[:MAX_CHARS]
    return text.replace("\n", " ") if "\n" in text else text


def chunks(paragraphs: Sequence[str]) -> Iterator[list[str]]:
    """Yield the paragraphs, normalised, in runs of about CHUNK_CHARS characters."""
    run: list[str] = []
    size = 0
    for paragraph in paragraphs:
        text = normalise(paragraph)
        if size + len(text) + 8 > CHUNK_CHARS:
            yield run
            run, size = [], 0
        run.append(text)
        size += len(text) + 8
    if run:
        yield run


def extract_all(paragraphs: Sequence[str], settings: FeatureSettings) -> list[Batch]:
    """Extract the features of any number of paragraphs."""
    return [extract(run, settings) for run in chunks(paragraphs)]


def extract(texts: Sequence[str], settings: FeatureSettings) -> Batch:
    """Hash one run of normalised paragraphs, as `chunks` yields them."""
    pad = settings.gap
    gap = "\n" * pad
    code, cls = characters.fold(gap + gap.join(texts) + gap)
    edge = np.flatnonzero(code == 10).reshape(-1, pad)
    first, last = edge[:-1, -1] + 1, edge[1:, 0]  # paragraph i is code[first[i]:last[i]]

    start, end = characters.word_borders(cls)
    running = np.cumsum(code * _POWER[: code.size], dtype=np.uint64)
    word = _word_hashes(running, start, end)
    word_indptr = np.append(np.searchsorted(start, first), start.size)

    pair, pair_indptr = _pairs(word, word_indptr)
    shape = _shapes(cls, first, last, start, word, word_indptr)
    families = (
        (Family(_bucket(word, settings.word_bits), word_indptr),),
        (Family(_bucket(pair, settings.pair_bits), pair_indptr),),
        tuple(_char_ngrams(code, last, settings)),
    )
    return Batch(families, shape, word, end - start, word_indptr, pair, pair_indptr, segment_sums(pair, pair_indptr))


def mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread the entropy of 64-bit values over all their bits."""
    value = value ^ (value >> np.uint64(33))
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(29)
    return value


def segment_sums(values: NDArray[np.uint64], indptr: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Sum each stretch `values[indptr[i]:indptr[i + 1]]` modulo 2^64; an empty stretch gives 0.

    Args:
        values: [elements] or [elements, columns], each in one stretch. indptr: [n + 1] from 0 to the number of elements.
    """
    out = np.zeros((indptr.size - 1, *values.shape[1:]), np.uint64)
    full = np.flatnonzero(indptr[1:] > indptr[:-1])
    if full.size:
        out[full] = np.add.reduceat(values, indptr[full], axis=0)
    return out


def _word_hashes(running: NDArray[np.uint64], start: NDArray[np.intp], end: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Hash the stretches [start, end) of a text from the running sum of its characters times the powers of _PRIME."""
    return mix(np.multiply(running[end - 1] - running[start - 1], _INVERSE[start], dtype=np.uint64))


def _bucket(hashed: NDArray[np.uint64], bits: int) -> NDArray[np.intp]:
    return (hashed >> np.uint64(64 - bits)).astype(np.intp)


def _pairs(word: NDArray[np.uint64], indptr: NDArray[np.intp]) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """Hash neighbouring words; a zero stands before, between and after the paragraphs."""
    count = indptr.size - 1
    row = np.repeat(np.arange(1, count + 1), np.diff(indptr))
    padded = np.zeros(word.size + count + 1, np.uint64)
    padded[np.arange(word.size) + row] = word
    return mix(padded[:-1] * np.uint64(3) + padded[1:]), indptr + np.arange(count + 1)


def _char_ngrams(code: NDArray[np.uint32], last: NDArray[np.intp], settings: FeatureSettings) -> Iterator[Family]:
    """Hash character n-grams: those of paragraph i begin in the gap before it and run on into the one behind it."""
    indptr = np.append(0, last)
    lowest, highest = settings.char_ngrams
    rolling = code
    for size in range(2, highest + 1):
        rolling = rolling[:-1] * _CHAR_STEP + code[size - 1 :]
        if size >= lowest:
            bucket = (rolling[: last[-1]] * _CHAR_MIX) >> np.uint32(32 - settings.char_bits)
            yield Family(bucket.astype(np.intp), indptr)


def _stop_word_table() -> NDArray[np.bool_]:
    table = np.zeros(1 << 16, np.bool_)
    code, _ = characters.fold("\n" + "\n".join(_STOP_WORDS) + "\n")
    edge = np.flatnonzero(code == 10)
    running = np.cumsum(code * _POWER[: code.size], dtype=np.uint64)
    word = _word_hashes(running, edge[:-1] + 1, edge[1:])
    table[_bucket(word, 16)] = True
    return table


_IS_STOP_WORD = _stop_word_table()


def _shapes(
    cls: NDArray[np.uint8],
    first: NDArray[np.intp],
    last: NDArray[np.intp],
    start: NDArray[np.intp],
    word: NDArray[np.uint64],
    word_indptr: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Measure each paragraph: [measures, n], from 0 to just below 8, on the grid of 1/64."""
    n = first.size
    size = last - first
    stretch = np.diff(last, prepend=0)  # the gap before a paragraph counts as separators
    row = np.repeat(np.arange(n), stretch)
    rare = np.flatnonzero(cls[: row.size] != LOWER)  # few, so lower case is what is left
    count = np.bincount(row[rare] * CLASSES + cls[rare], minlength=n * CLASSES).reshape(n, CLASSES).T
    count[LOWER] = stretch - count.sum(axis=0)
    words = np.diff(word_indptr)
    letters = count[LOWER] + count[UPPER] + count[LETTER]
    per_char, per_word = np.maximum(size, 1), np.maximum(words, 1)

    def per_paragraph(flags: NDArray[np.bool_]) -> NDArray[np.intp]:
        running = np.append(0, np.cumsum(flags))
        return np.diff(running[word_indptr])

    def positions(flags: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Count the flagged positions of each paragraph; the gaps have none."""
        return np.bincount(row[np.flatnonzero(flags)], minlength=n)

    is_digit = cls == DIGIT
    is_letter = (cls >= LOWER) & (cls <= LETTER)
    ending = _last_class(cls, first, last)
    leading = np.where(size > 0, cls[np.minimum(first, cls.size - 1)], SPACE)
    final = np.where(size > 0, cls[last - 1], SPACE)
    values = np.stack(
        [
            np.log2(1.0 + size) / 2,
            np.log2(1.0 + words) / 2,
            letters / per_word / 2,
            4.0 * count[UPPER] / np.maximum(letters, 1),
            4.0 * per_paragraph(cls[start] == UPPER) / per_word,
            8.0 * count[DIGIT] / per_char,
            16.0 * (size - letters - count[DIGIT] - count[SPACE]) / per_char,
            6.0 * per_paragraph(_IS_STOP_WORD[_bucket(word, 16)]) / per_word,
            np.log2(1.0 + positions((cls[:-1] == STOP) & (cls[1:] <= SPACE))) * 2,
            4.0 * (ending == STOP),
            4.0 * (ending == COLON),
            leading * 0.5,
            final * 0.5,
            np.log2(1.0 + count[LINK]) * 2,
            np.log2(1.0 + count[BAR]) * 2,
            np.log2(1.0 + count[BRACKET]),
            np.log2(1.0 + count[QUOTE]),
            np.log2(1.0 + count[MONEY]) * 2,
            np.log2(1.0 + count[SYMBOL]) * 2,
            np.log2(1.0 + positions(((cls[:-1] == LOWER) | is_digit[:-1]) & (cls[1:] == UPPER))) * 2,
            np.log2(1.0 + positions(is_letter[:-1] & is_digit[1:] | is_digit[:-1] & is_letter[1:])) * 2,
            np.log2(1.0 + positions(is_digit[:-2] & (cls[1:-1] == COLON) & is_digit[2:])) * 2,
        ]
    )
    values *= 64
    np.rint(values, out=values)
    values /= 64
    np.minimum(values, _LARGEST_SHAPE, out=values)
    return values


def _last_class(cls: NDArray[np.uint8], first: NDArray[np.intp], last: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Class of the last character, closing quotes and brackets passed over (two at most)."""
    at = last - 1
    for _ in range(2):
        closing = (cls[at] == QUOTE) | (cls[at] == BRACKET)
        at = np.where(closing & (at > first), at - 1, at)
    return cls[at]
