"""What an article's characters say of it: see `signals.SIGNALS`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer.scan import (
    BRACKET,
    CLASSES,
    CLOSE,
    COMMA,
    CURLY,
    DIGIT,
    DOT,
    ELLIPSIS,
    LOWER,
    OPEN,
    QUOTE,
    SYMBOL,
    UPPER,
    Index,
    Scan,
)


def class_counts(text: Scan) -> Index:
    """Count the characters of each class from UPPER on, [articles, classes]."""
    articles = text.article_byte.size - 1
    each = text.of_place(text.special)
    row = np.repeat(np.arange(articles) * CLASSES, each)
    count = np.bincount(row + text.special_cls, minlength=articles * CLASSES).reshape(articles, CLASSES)
    count[:, [OPEN, CLOSE, ELLIPSIS]] //= 3  # of three bytes each
    return count


def of_characters(text: Scan, count: Index, visible: Index) -> dict[str, NDArray[np.generic]]:
    """Measure glued words, letters, digits and marks: name → [articles]. `visible`: bytes that are not white space."""
    cls = text.cls
    words = np.maximum(np.diff(text.article_word), 1)
    upper, dot = text.places(UPPER), text.places(DOT)
    before = cls[upper - 1]
    glued = text.of_place(upper[before == LOWER])
    glued += text.of_place(dot[(cls[dot - 1] == LOWER) & (cls[dot + 1] == UPPER)])
    after_digit = upper[before == DIGIT]
    glued_digits = text.of_place(after_digit[cls[after_digit + 1] == LOWER])
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
        "debris": _debris(text) / words,
        "quotes": quotes / words,
        "quote_balance": 1 - (np.abs(opened - closed) + straight % 2) / np.maximum(quotes, 1),
    }


def _debris(text: Scan) -> Index:
    """Count where UTF-8 was read as Latin-1 or Windows-1252 once too often, and where characters were replaced."""
    byte, lead = text.byte, text.byte[text.wide]
    doubled = text.wide[lead == 0xC3]
    after, third = byte[doubled + 1], byte[doubled + 2]
    doubled = doubled[
        (((after == 0x83) | (after == 0x82)) & (third >= 0xC2)) | ((after == 0xA2) & ((third == 0xE2) | (third == 0xC2)))
    ]
    lost = text.wide[lead == 0xEF]
    lost = lost[(byte[lost + 1] == 0xBF) & (byte[lost + 2] == 0xBD)]
    return text.of_place(doubled) + text.of_place(lost)
