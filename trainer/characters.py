"""Tables over Unicode code points: what a character folds to and which class it belongs to.

Built from `unicodedata` for the code points below U+3000, where alphabets and punctuation mix; above it everything is a
letter (Chinese, Japanese, Korean, Yi, historic scripts …) but for a few ranges of punctuation, marks and emoji.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Character classes. Word characters stand together so that a comparison tells them.
SEPARATOR, SPACE, LOWER, UPPER, LETTER, DIGIT, STOP, COMMA, COLON, QUOTE, DASH, BRACKET, LINK, BAR, MONEY, SYMBOL = range(16)
CLASSES = 16
FIRST_WORD_CLASS, LAST_WORD_CLASS = LOWER, DIGIT
LIMIT = 0x3000

_SINGLE = {
    **dict.fromkeys(".!?…‼⁇।۔", STOP),
    **dict.fromkeys(",;،؛", COMMA),
    ":": COLON,
    **dict.fromkeys("\"'`‘’‚‛“”„‟′″", QUOTE),
    **dict.fromkeys("()[]{}", BRACKET),
    **dict.fromkeys("/\\@#_&=~", LINK),
    **dict.fromkeys("|•·‹›«»<>→←▶►▼*©®™", BAR),
    "%": MONEY,
}
_FOLDED = {**dict.fromkeys("“”„‟″", '"'), **dict.fromkeys("‘’‚‛′`", "'")}
# Above LIMIT: (first code point, class) of each stretch; class None is dropped.
_HIGH: tuple[tuple[int, int | None], ...] = (
    (0x3000, SYMBOL),
    (0x3005, LETTER),
    (0x3008, BRACKET),
    (0x3012, SYMBOL),
    (0x3031, LETTER),
    (0xD800, SYMBOL),
    (0xF900, LETTER),
    (0xFE00, None),
    (0xFE10, SYMBOL),
    (0xFE70, LETTER),
    (0xFEFF, None),
    (0xFF00, SYMBOL),
    (0xFF10, LETTER),
    (0xFFF0, SYMBOL),
    (0x10000, LETTER),
    (0x1D000, SYMBOL),
    (0x1E000, LETTER),
    (0x1EE00, SYMBOL),
    (0x20000, LETTER),
    (0xE0000, None),
    (0xF0000, SYMBOL),
)


class Folded(NamedTuple):
    """Characters as features see them, each array of shape [characters]."""

    code: NDArray[np.uint32]
    cls: NDArray[np.uint8]


def _classify(char: str) -> tuple[int, int]:
    """Return (folded code point, class) of a character; a folded code point of 0 drops it."""
    if char in _SINGLE:
        return ord(_FOLDED.get(char, char)), _SINGLE[char]
    category = unicodedata.category(char)
    if category[0] in "LM":
        low = char.lower()
        cls = UPPER if category in ("Lu", "Lt") else LOWER if category == "Ll" else LETTER
        return ord(low) if len(low) == 1 else ord(char), cls
    if category[0] == "N":
        return (ord("0") if category == "Nd" else ord(char)), DIGIT
    if category == "Cf":
        return 0, SPACE
    if category[0] in "ZC":
        return ord(" "), SPACE
    by_category = {"Pd": DASH, "Ps": BRACKET, "Pe": BRACKET, "Pi": QUOTE, "Pf": QUOTE, "Sc": MONEY}
    return ord("-") if category == "Pd" else ord(char), by_category.get(category, SYMBOL)


def _table() -> NDArray[np.uint32]:
    """Return folded code points in the lower 24 bits and classes in the upper 8, so that one look-up gives both."""
    pairs = [_classify(chr(code)) for code in range(LIMIT)]
    pairs[10] = 10, SEPARATOR
    return np.array([folded | cls << 24 for folded, cls in pairs], np.uint32)


_CLASS_SHIFT = np.uint32(24)
_CODE_MASK = np.uint32((1 << 24) - 1)
_TABLE = _table()
_HIGH_START = np.array([start for start, _ in _HIGH])
_HIGH_CLASS = np.array([SPACE if cls is None else cls for _, cls in _HIGH], np.uint8)
_HIGH_DROP = np.array([cls is None for _, cls in _HIGH])


def fold(text: str) -> Folded:
    """Fold a text: lower case, digits to 0, quotes and dashes to their ASCII form, white space to one space.

    Line feeds are separators and stay as they are. Format characters (zero width, bidi marks) are dropped.
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    high = bool(codes.size) and codes.max() >= LIMIT
    both = _TABLE.take(codes, mode="clip")
    folded, cls = both & _CODE_MASK, (both >> _CLASS_SHIFT).astype(np.uint8)
    if high:
        at = np.flatnonzero(codes >= LIMIT)
        stretch = np.searchsorted(_HIGH_START, codes[at], side="right") - 1
        folded[at] = np.where(_HIGH_DROP[stretch], 0, codes[at])
        cls[at] = _HIGH_CLASS[stretch]
    found = _keep(Folded(folded, cls), folded != 0)
    keep = found.cls != SPACE
    keep[1:] |= found.cls[:-1] > SPACE  # of several spaces, and of those at a paragraph's start, …
    found = _keep(found, keep)
    keep = found.cls != SPACE
    keep[:-1] |= found.cls[1:] != SEPARATOR  # … and of one at its end, none is left but the first between words
    return _keep(found, keep)


def word_borders(cls: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where words begin and where they end; the text must begin and end with something else."""
    is_word = (cls >= FIRST_WORD_CLASS) & (cls <= LAST_WORD_CLASS)
    border = np.flatnonzero(is_word[1:] != is_word[:-1]) + 1
    return border[0::2], border[1::2]


def _keep(found: Folded, keep: NDArray[np.bool_]) -> Folded:
    return found if keep.all() else Folded(found.code[keep], found.cls[keep])
