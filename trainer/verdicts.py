"""What is said of a whole article: good or poor, and why it is poor."""

GOOD, POOR = VERDICTS = ("good", "poor")
REASONS = ("truncated", "listing", "promo", "garbled", "other_genre")
