"""What is said of a whole article: good or poor, and why it is poor.

Where one word has to say both, as in Label Studio, it is the verdict's code: `good`, or the reason.
"""

from __future__ import annotations

GOOD, POOR = VERDICTS = ("good", "poor")
REASONS = ("truncated", "listing", "promo", "garbled", "other_genre")
CODES = (GOOD, *REASONS)
VERDICTS_SAID = "quality_annotations"  # field of a record: what each annotator said, [{"annotator", "verdict", "updated"}]


def code_of(quality: object, reason: object) -> str | None:
    """Return the code of a verdict; None where there is none, or no reason."""
    return GOOD if quality == GOOD else str(reason) if quality == POOR and reason in REASONS else None


def fields_of(code: str) -> dict[str, str]:
    """Return the fields of a record that a code stands for."""
    return {"quality": GOOD} if code == GOOD else {"quality": POOR, "quality_reason": code}
