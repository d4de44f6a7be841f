"""Many articles' kept text as one stretch of bytes: characters classed, words found and hashed. In NumPy, in linear time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.intp]
Flags = NDArray[np.bool_]
Hashes = NDArray[np.uint64]

# Classes of bytes. The bytes of a curly quote, a dash or an ellipsis character are all of its class; those of other characters
# beyond ASCII count as letters. What stands from UPPER on is rare, so that looking it up by place is cheap.
WHITE, LOWER, LETTER, UPPER, DIGIT, DOT, STOP, OPEN, CLOSE = range(9)
QUOTE, APOSTROPHE, BRACKET, HASH, CURLY, COMMA, DASH, ELLIPSIS, SYMBOL = range(9, 18)
CLASSES = 18
_PAD = 8  # line ends before and behind the text, so that eight bytes can be read anywhere
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)
_WIDE = {0x93: DASH, 0x94: DASH, 0x98: APOSTROPHE, 0x99: APOSTROPHE, 0x9C: OPEN, 0x9D: CLOSE, 0xA2: SYMBOL, 0xA6: ELLIPSIS}
_P1, _P2, _P3, _P4 = (np.uint64(x) for x in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xFF51AFD7ED558CCD))
_SHIFT = np.uint64(31)


def _tables() -> tuple[bytes, NDArray[np.uint8]]:
    """Return the class of each byte, and that of the third byte of a character from U+2000 on."""
    classes = bytearray([SYMBOL] * 128 + [LETTER] * 128)
    for characters, cls in (
        ("\t\n\v\f\r \x1c\x1d\x1e\x1f\0", WHITE),
        ("abcdefghijklmnopqrstuvwxyz", LOWER),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", UPPER),
        ("0123456789", DIGIT),
        (".", DOT), ("!?", STOP), ('"', QUOTE), ("'`", APOSTROPHE), ("()[]", BRACKET), ("#", HASH), ("{}", CURLY),
        (",;:", COMMA), ("-", DASH),
    ):  # fmt: skip
        for character in characters:
            classes[ord(character)] = cls
    wide = np.full(256, LETTER, np.uint8)
    for byte, cls in _WIDE.items():
        wide[byte] = cls
    return bytes(classes), wide


_CLASS, _WIDE_CLASS = _tables()


class Scan(NamedTuple):
    """Kept lines of n articles as bytes (UTF-8), their words and where they stand.

    A line is a kept paragraph; a word what stands between white space. Offsets of lines and articles say where they begin, with
    one more for the end.

    Attributes:
        lowered: the bytes in lower case. byte, cls [bytes]: the bytes and their classes.
        start, end [words]: where each word stands. core_start, core_end: the same without the punctuation around it.
        hash [words]: of the core in lower case, other in each article; a core of over 16 bytes counts as its ends and length.
        head [words]: the core's first eight bytes.
        special [k]: places of class UPPER and on, special_cls [k] their classes. wide: places of bytes beyond ASCII.
        line_word [lines + 1], line_chars [lines]: its first word; its characters. article_line, article_word, article_byte
        [n + 1]: the article's first line, word, byte.
    """

    lowered: bytes
    byte: NDArray[np.uint8]
    cls: NDArray[np.uint8]
    start: Index
    end: Index
    core_start: Index
    core_end: Index
    hash: Hashes
    head: Hashes
    special: Index
    special_cls: NDArray[np.uint8]
    wide: Index
    line_word: Index
    line_chars: Index
    article_line: Index
    article_word: Index
    article_byte: Index

    @property
    def line_words(self) -> Index:
        """Words of each line."""
        return np.diff(self.line_word)

    def places(self, cls: int) -> Index:
        """Return where the bytes of a class stand, of UPPER or a later one."""
        return np.asarray(self.special[self.special_cls == cls])

    def of_line(self, values: NDArray[np.generic]) -> Index:
        """Add up what is said of each line [..., lines], by article."""
        return sums(values, self.article_line)

    def of_word(self, flags: Flags) -> Index:
        """Count the flagged words of each article."""
        return counts(flags.nonzero()[0], self.article_word)

    def of_place(self, places: Index) -> Index:
        """Count the places, in order, that are in each article."""
        return counts(places, self.article_byte)


def scan(lines: Sequence[str], sizes: Index, first_line: Index) -> Scan:
    """Scan kept paragraphs; those without a word are left out.

    Args:
        lines: of all articles, of `sizes` characters each. first_line [articles + 1]: each article's first line, and the end.
    """
    data = b"\n" * _PAD + "\n".join(lines).encode("utf-8", "surrogatepass") + b"\n" * _PAD
    byte = np.frombuffer(data, np.uint8)
    line_end = np.flatnonzero(byte == 10)[_PAD - 1 : 1 - _PAD]
    if line_end.size > max(len(lines), 1) + 1:
        return scan([line.replace("\n", " ") for line in lines], sizes, first_line)
    line_end = line_end[: len(lines) + 1]
    wide = np.flatnonzero(byte >= 0x80) if not data.isascii() else line_end[:0]
    cls = _classes(data, byte, wide)
    white = cls == WHITE
    border = np.flatnonzero(white[1:] != white[:-1]) + 1
    start, end = border.reshape(-1, 2).T.copy()
    line_word = start.searchsorted(line_end)
    article_byte = line_end[first_line]
    article_word = line_word[first_line]
    full = np.flatnonzero(line_word[1:] > line_word[:-1])
    if full.size < len(lines):
        first_line = np.searchsorted(full, first_line)
        line_word, sizes = np.append(line_word[full], line_word[-1]), sizes[full]
    core_start, core_end = _cores(cls, start, end)
    lowered = data.lower()
    article = np.repeat(np.arange(1, first_line.size, dtype=np.uint64) << np.uint64(20), np.diff(article_word))
    hashed, head = _hashes(lowered, core_start, core_end, article)
    special = np.flatnonzero(cls >= UPPER)
    return Scan(
        lowered,
        byte,
        cls,
        start,
        end,
        core_start,
        core_end,
        hashed,
        head,
        special,
        cls[special],
        wide,
        line_word,
        sizes,
        first_line,
        article_word,
        article_byte,
    )


def sums(values: NDArray[np.generic], offsets: Index) -> Index:
    """Add up the values of each stretch `values[..., offsets[i]:offsets[i + 1]]`; whole numbers only, which are exact."""
    running = np.zeros((*values.shape[:-1], values.shape[-1] + 1), np.int64)
    np.add.accumulate(values, axis=-1, dtype=np.int64, out=running[..., 1:])
    at = running[..., offsets]
    return np.asarray(at[..., 1:] - at[..., :-1])


def counts(places: Index, offsets: Index) -> Index:
    """Count the places, in order, of each stretch from one offset to the next."""
    at = places.searchsorted(offsets)
    return np.asarray(at[1:] - at[:-1])


def repeated(hashed: Hashes) -> tuple[Index, Flags]:
    """Return where values stand that occur more than once, and whether each place is its value's first.

    The places of one value stand together, in order. A value's upper bits are sorted together with its place, so values must
    be `mixed`.
    """
    bits = np.uint64(hashed.size.bit_length())
    low = (np.uint64(1) << bits) - np.uint64(1)
    number = (hashed & ~low) | np.arange(hashed.size, dtype=np.uint64)
    number.sort()
    high = number >> bits
    same = np.zeros(number.size + 1, np.bool_)
    np.equal(high[1:], high[:-1], out=same[1:-1])
    inside = np.flatnonzero(same[1:] | same[:-1])
    return (number[inside] & low).view(np.intp), ~same[inside]


def spread(starts: Index, ends: Index) -> tuple[Index, Index]:
    """Return all places in the stretches [starts, ends), and the number of the stretch of each."""
    sizes = ends - starts
    row = np.repeat(np.arange(starts.size), sizes)
    first = np.cumsum(sizes) - sizes
    return np.arange(row.size) - first[row] + starts[row], row


def _classes(data: bytes, byte: NDArray[np.uint8], wide: Index) -> NDArray[np.uint8]:
    cls = np.frombuffer(data.translate(_CLASS), np.uint8)
    if not wide.size:
        return cls
    cls = cls.copy()
    lead = byte[wide]
    at = wide[lead == 0xE2]  # U+2000 to U+2FFF
    at = at[byte[at + 1] == 0x80]
    found = _WIDE_CLASS[byte[at + 2]]
    for offset in range(3):
        cls[at + offset] = found
    at = wide[lead == 0xC2]
    at = at[byte[at + 1] == 0xA0]  # no-break space
    cls[at] = cls[at + 1] = WHITE
    return cls


def _cores(cls: NDArray[np.uint8], start: Index, end: Index) -> tuple[Index, Index]:
    """Return where words stand without punctuation around them; a word of punctuation alone keeps a part of it."""
    core_start, core_end = start, end
    marked = np.flatnonzero(cls.take(start) > DIGIT)
    if marked.size:
        core_start = start.copy()
        for _ in range(4):
            marked = marked[(cls[core_start[marked]] > DIGIT) & (core_start[marked] < end[marked] - 1)]
            core_start[marked] += 1
    marked = np.flatnonzero(cls.take(end - 1) > DIGIT)
    if marked.size:
        core_end = end.copy()
        for _ in range(6):
            marked = marked[(cls[core_end[marked] - 1] > DIGIT) & (core_end[marked] - 1 > core_start[marked])]
            core_end[marked] -= 1
    return core_start, core_end


def _hashes(lowered: bytes, start: Index, end: Index, article: Hashes) -> tuple[Hashes, Hashes]:
    """Hash words from their first and last eight bytes and their length, apart by article."""
    eight = np.ndarray((len(lowered) - 7,), np.dtype("<u8"), lowered, strides=(1,))
    size = end - start
    head = eight.take(start)
    head &= _MASKS.take(np.minimum(size, 8))
    hashed = head * _P1
    hashed += (size.view(np.uint64) + article) * _P3
    long = np.flatnonzero(size > 8)
    hashed[long] += eight.take(end[long] - 8) * _P2
    return mixed(hashed), head


def mixed(value: Hashes) -> Hashes:
    """Spread the entropy of 64-bit values to their upper bits; changes `value`."""
    value ^= value >> _SHIFT
    value *= _P4
    value ^= value >> _SHIFT
    return value
