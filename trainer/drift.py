"""Does a site's removal share stay what it was? A rank CUSUM for each site, small enough to be stored with it."""

from __future__ import annotations

import struct

import numpy as np

PASSED = 20  # articles passed over while a memory learns the site; as many are flagged once it has changed
WARM_UP = 30  # articles after these before the site is watched
WINDOW = 200  # latest articles that a new one is compared with
SLACK, LIMIT = 0.5, 8.0  # of the CUSUM, in standard deviations
_STEPS = 10_000  # a share is kept in hundredths of a per cent
_STATE = struct.Struct("<ddB?")
_UNIT = np.dtype("<u2")


class Drift:
    """Watches the share of an article's paragraphs that goes, article by article, and says when it has changed.

    Each share is ranked among those of the site's last WINDOW articles. On a steady site ranks are uniform whatever the shares'
    distribution, many zeros included, so one setting fits all sites (sequential ranks: McDonald, 1990, Naval Research
    Logistics 37(5)). A two-sided CUSUM of the standardised rank (Page, 1954, Biometrika 41) tells a lasting change from an odd
    article; no article counts more than 1.7 standard deviations. After a change PASSED articles in a row are flagged, the one
    that showed it included, and what is usual is learnt anew.

    Attributes:
        usual: median share of the articles that new ones are compared with, 0 to 1; `None` before the first.
    """

    def __init__(self) -> None:
        self._high = self._low = 0.0
        self._pass, self._changed = PASSED, False
        self._window = np.empty(0, _UNIT)

    @property
    def usual(self) -> float | None:
        """See the class."""
        return float(np.median(self._window)) / _STEPS if self._window.size else None

    def update(self, share: float) -> bool:
        """Take the share of the site's next article, 0 to 1; return whether the article is to be flagged."""
        if self._pass:
            self._pass -= 1
            return self._changed
        value = round(share * _STEPS)
        if self._window.size >= WARM_UP:
            below = (self._window < value).sum() + ((self._window == value).sum() + 1) / 2
            score = (2 * below / (self._window.size + 1) - 1) * 3**0.5
            self._high = max(0.0, self._high + score - SLACK)
            self._low = max(0.0, self._low - score - SLACK)
            if max(self._high, self._low) > LIMIT:
                self._high = self._low = 0.0
                self._pass, self._changed = PASSED - 1, True
                self._window = self._window[:0]
                return True
        self._window = np.append(self._window[1 - WINDOW :], _UNIT.type(value))
        return False

    def to_bytes(self) -> bytes:
        """Return the state: 18 bytes, and two for each article compared with."""
        return _STATE.pack(self._high, self._low, self._pass, self._changed) + self._window.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Drift:
        """Return the watch that gave these bytes; a new one of none."""
        drift = cls()
        if data:
            drift._high, drift._low, drift._pass, drift._changed = _STATE.unpack_from(data)
            drift._window = np.frombuffer(data, _UNIT, offset=_STATE.size)
        return drift
