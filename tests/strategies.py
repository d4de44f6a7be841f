"""Strings that scrapers meet and that break things: every code point, and pieces known to be trouble."""

from __future__ import annotations

from hypothesis import strategies as st

LINE_ENDS = ("\r\n", "\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029")
ODD_PIECES = (
    *LINE_ENDS,
    "\x00",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x1f",
    "\x7f",
    " ",
    "\t",
    "\u00a0",
    "\u3000",
    "\u00ad",
    "\u200b",
    "\u200d",
    "\u200e",
    "\u200f",
    "\u202e",
    "\u2066",
    "\u2069",
    "\ufeff",
    "\ufe0f",
    "\ud800",
    "\udfff",
    "\ud83d\ude00",
    "😀",
    "👩\u200d👩\u200d👧",
    "🇺🇸",
    "e\u0301",
    "\u0301\u0327",
    "ﬁ",
    "ﷺ",
    "Ǆ",
    "İ",
    "ß",
    "１２",
    "٣",
    "½",
    "क्षि",
    "ที่",
    "한국",
    "新聞",
    "\U000e0041",
    "\U0010ffff",
    "“it’s”",
    "Donate now!",
    "the",
    "News",
    "2.5%",
    "$100",
    "https://example.org/a?b=c#d",
    "|",
    "(AP)",
)

any_text = st.text(st.characters(), max_size=80)
odd_text = st.lists(st.one_of(st.sampled_from(ODD_PIECES), st.text(st.characters(), max_size=6)), max_size=40).map("".join)
texts = st.one_of(any_text, odd_text)

# HTML, from sound to senseless: an element opened, closed or left open, with text between.
TAGS = "p div li ul h1 td tr table section br html head body script style select svg a b i span p:x frameset".split()
ATTRIBUTES = ("", " hidden", ' style="display: none"', ' aria-hidden="true"', ' class="a>b"', " a=1 a=2", "/")
PIECES = (
    " ",
    "\n",
    "Tide",
    "two words",
    "&amp;",
    "&nbsp;",
    "&#0;",
    "&#xd800;",
    "&x;",
    "<!-- c -->",
    "<!--",
    "<![CDATA[x]]>",
    "<?pi?>",
)
WRECKS = (
    "<",
    ">",
    "</",
    "<!",
    "&",
    '"',
    "\x00",
    "\ufeff",
    "\ud800",
    "é",
    "<!DOCTYPE html>",
    '<?xml version="1.0" encoding="utf-16"?>',
)
tags = st.builds("<{}{}>".format, st.sampled_from(TAGS), st.sampled_from(ATTRIBUTES))
closing_tags = st.sampled_from(TAGS).map("</{}>".format)
markup = st.lists(st.one_of(tags, closing_tags, st.sampled_from((*PIECES, *WRECKS))), max_size=60).map("".join)
digests = st.text("0123456789abcdef", min_size=12, max_size=12)
