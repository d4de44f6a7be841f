"""Fingerprints: what only differs in numbers and dates is one paragraph, what differs in words is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from strategies import texts

from trainer.fingerprints import fingerprints, normalise

SAME = [
    ("Donate by 5 March: £1,250 to go!", "Donate by Friday, 12th May: £80 to go"),
    ("Published Monday, 3rd March 2025 at 10:15am", "published Sat 11 Oct 2024 at 9pm"),
    ("  READ\tMORE \n", "Read more"),
    ("“Read more” – here…", '"Read more" - here...'),
    ("١٢٣ comments", "7 comments"),
    ("Comments (1,024)", "Comments (3)"),
]
OTHER = [
    ("Read more about ferries", "Read more about trains"),
    ("Give $5 today", "Take $5 today"),
    ("The bridge is closed", "The bridge is not closed"),
    ("covid19", "covid"),
    ("Marchers met", "Mayors met"),
    ("пожертвуйте", "читайте"),
]


@pytest.mark.parametrize(("left", "right"), SAME)
def test_numbers_dates_case_and_punctuation_do_not_tell_paragraphs_apart(left: str, right: str) -> None:
    assert normalise(left) == normalise(right)
    assert len(set(fingerprints([left, right]))) == 1


@pytest.mark.parametrize(("left", "right"), OTHER)
def test_words_tell_paragraphs_apart(left: str, right: str) -> None:
    assert len({*fingerprints([left, right]), None}) == 3


@pytest.mark.parametrize("text", ["", " ", "2-1", "12.03.2024", "Monday", "3 May", "…", "\u200b", "1st – 3rd"])
def test_what_has_nothing_but_numbers_has_no_fingerprint(text: str) -> None:
    assert fingerprints([text]) == [None]


def test_the_example_of_the_docstring_holds() -> None:
    for text in ("Donate by 5 March: £1,250 to go!", "Donate by Friday, 12th May: £80 to go"):
        assert normalise(text) == "donate by 0 to go"


@given(text=texts)
def test_any_string_has_a_fingerprint_of_64_bits(text: str) -> None:
    (number,) = fingerprints([text])
    assert number is None or -(2**63) <= number < 2**63
    assert fingerprints([f" {text}\t"]) == [number]
    assert normalise(normalise(text)) == normalise(text)


@given(text=texts)
def test_plain_and_other_texts_are_folded_alike(text: str) -> None:
    plain = "".join(c for c in text if c.isascii())
    assert normalise(f"{plain} é") == f"{normalise(f'{plain} e')[:-1]}é"
