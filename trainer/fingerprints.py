"""Fingerprints of paragraphs that stay the same where only numbers and dates change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b

_NUMBERS = frozenset(
    "0 0st 0nd 0rd 0th 0am 0pm "
    "january february march april may june july august september october november december "
    "jan feb mar apr jun jul aug sep sept oct nov dec "
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun".split()
)
_ASCII = {code: " " if not chr(code).isalnum() else "0" if chr(code).isdigit() else chr(code) for code in range(128)}
_NO_WORD, _DIGITS, _ZEROS = re.compile(r"[\W_]"), re.compile(r"\d"), re.compile("00+")
_RUN = re.compile(r"(?<!\S)0(?: 0)+(?!\S)")


def normalise(text: str) -> str:
    """Return the words of a text in lower case, one space between them; numbers and English dates are `0`.

    "Donate by 5 March: £1,250 to go!" and "Donate by Friday, 12th May: £80 to go" both give "donate by 0 to go". Digits of any
    script count as numbers, names of months and days of the week as dates, and a run of several of them is one `0`.
    """
    folded = text.casefold()
    plain = folded.translate(_ASCII) if folded.isascii() else _DIGITS.sub("0", _NO_WORD.sub(" ", folded))
    words = (_ZEROS.sub("0", plain) if "00" in plain else plain).split()
    if _NUMBERS.isdisjoint(words):
        return " ".join(words)
    return _RUN.sub("0", " ".join(["0" if word in _NUMBERS else word for word in words]))


def fingerprints(paragraphs: Sequence[str]) -> list[int | None]:
    """Return a signed 64-bit hash (BLAKE2b) of each normalised paragraph; `None` where nothing but numbers is left.

    A line of numbers alone (a score, the cell of a table) folds to what a thousand others fold to, so it gets none.
    """
    return [_fingerprint(normalise(text)) for text in paragraphs]


def _fingerprint(words: str) -> int | None:
    if words in ("", "0"):
        return None
    return int.from_bytes(blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little", signed=True)
