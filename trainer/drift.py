"""Do a site's articles stay what they were? Rank CUSUMs for each site, small enough to be stored with it."""

from __future__ import annotations

import struct

import numpy as np

PASSED = 20  # articles passed over while a memory learns the site; as many are flagged once it has changed
WARM_UP = 30  # articles after these before the site is watched
WINDOW = 200  # latest articles that a new one is compared with
SLACK, LIMIT = 0.5, 9.5  # of each CUSUM, in standard deviations
_STEPS = 10_000  # a share is kept in hundredths of a per cent
_STATE = struct.Struct("<4dB?")
_UNIT = np.dtype("<u2")
_MOST = np.iinfo(_UNIT).max


class Drift:
    """Watches two measures of a site's articles, one after the other, and says when either has changed.

    They are the share of an article's paragraphs that goes, and their number: where a new layout brings what the model takes for
    news, the share may hardly move, and where extraction breaks, the number falls.

    Each is ranked among those of the site's last WINDOW articles. On a steady site ranks are uniform whatever the measure's
    distribution, many zeros included, so one setting fits all sites (sequential ranks: McDonald, 1990, Naval Research
    Logistics 37(5)). A two-sided CUSUM of the standardised rank (Page, 1954, Biometrika 41) tells a lasting change from an odd
    article; no article counts more than 1.7 standard deviations. After a change PASSED articles in a row are flagged, the one
    that showed it included, and what is usual is learnt anew.

    Attributes:
        usual: median share of the articles that new ones are compared with, 0 to 1; `None` before the first.
    """

    def __init__(self) -> None:
        self._sums = np.zeros((2, 2))  # upward and downward, of share and number
        self._pass, self._changed = PASSED, False
        self._window = np.empty((0, 2), _UNIT)

    @property
    def usual(self) -> float | None:
        """See the class."""
        return float(np.median(self._window[:, 0])) / _STEPS if self._window.size else None

    def update(self, share: float, paragraphs: int) -> bool:
        """Take the site's next article: the share of its paragraphs that goes, 0 to 1, and their number; return if to flag it."""
        if self._pass:
            self._pass -= 1
            return self._changed
        values = np.array([round(share * _STEPS), min(paragraphs, _MOST)], _UNIT)
        count = len(self._window)
        if count >= WARM_UP:
            below = (self._window < values).sum(0) + ((self._window == values).sum(0) + 1) / 2
            score = (2 * below / (count + 1) - 1) * 3**0.5
            self._sums = np.maximum(self._sums + np.array([score, -score]) - SLACK, 0)
            if self._sums.max() > LIMIT:
                self._sums[:] = 0
                self._pass, self._changed = PASSED - 1, True
                self._window = self._window[:0]
                return True
        self._window = np.concatenate([self._window[1 - WINDOW :], values[None]])
        return False

    def to_bytes(self) -> bytes:
        """Return the state: 34 bytes, and four for each article compared with."""
        return _STATE.pack(*self._sums.ravel(), self._pass, self._changed) + self._window.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Drift:
        """Return the watch that gave these bytes; a new one of none."""
        drift = cls()
        if data:
            *sums, drift._pass, drift._changed = _STATE.unpack_from(data)
            drift._sums = np.array(sums).reshape(2, 2)
            drift._window = np.frombuffer(data, _UNIT, offset=_STATE.size).reshape(-1, 2)
        return drift
