"""Label colours that can be read as text, on light and on dark paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

PAPER = ("#ffffff", "#16181d")  # light, dark
FALLBACK = "#888888"  # for a label whose colour is not given as #rrggbb or #rgb
CONTRAST = 4.5  # of text with what it stands on: WCAG 2.2, level AA
_TINT = 0.09  # share of the label's colour in the ground of a removed paragraph
_STEPS = 100
_HEX = re.compile(r"#([0-9a-fA-F]{3}){1,2}")

Rgb = tuple[float, float, float]


class Ink(NamedTuple):
    """A label's colours on one paper, #rrggbb: of its text, and of the ground its text may stand on."""

    text: str
    ground: str


def ink(colour: str, paper: str) -> Ink:
    """Return a label's colours on a paper: its own, moved towards black or white until the text has CONTRAST on either ground."""
    own = _parse(colour if _HEX.fullmatch(colour) else FALLBACK)
    sheet = _parse(paper)
    ground = _mix(sheet, own, _TINT)
    far: Rgb = (0, 0, 0) if _luminance(sheet) > 0.5 else (1, 1, 1)
    text = next(
        mixed
        for mixed in (_mix(own, far, step / _STEPS) for step in range(_STEPS + 1))
        if min(contrast(_hex(mixed), paper), contrast(_hex(mixed), _hex(ground))) >= CONTRAST
    )
    return Ink(_hex(text), _hex(ground))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours #rrggbb as WCAG 2.2 defines it, 1 to 21."""
    low, high = sorted((_luminance(_parse(one)), _luminance(_parse(other))))
    return (high + 0.05) / (low + 0.05)


def rules(colours: Sequence[str]) -> str:
    """Return the CSS for the paper and for the labels, which are told by their number: `data-label`."""
    lines = [f":root {{ --paper: light-dark({PAPER[0]}, {PAPER[1]}); }}"]
    for number, colour in enumerate(colours):
        light, dark = (ink(colour, paper) for paper in PAPER)
        text, ground = (f"light-dark({a}, {b})" for a, b in zip(light, dark, strict=True))
        lines.append(f'[data-label="{number}"] {{ --ink: {text}; --ground: {ground}; }}')
    return "\n".join(lines) + "\n"


def _parse(colour: str) -> Rgb:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    red, green, blue = bytes.fromhex(digits)
    return red / 255, green / 255, blue / 255


def _hex(colour: Rgb) -> str:
    return "#" + bytes(round(part * 255) for part in colour).hex()


def _mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (a + (b - a) * share for a, b in zip(one, other, strict=True))
    return red, green, blue


def _luminance(colour: Rgb) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
