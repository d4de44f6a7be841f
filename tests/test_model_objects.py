"""What may be filtered: texts, paragraphs, objects that hold either, and whole web pages."""

from __future__ import annotations

import sqlite3
import sys
from collections import ChainMap
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import pytest

from trainer import Article, Classifier, InputError, TrainerError
from trainer.pages import blocks

STORY = "The council voted 5-2 on Monday to close the bridge for a year, Mayor Ruth Vance said after the meeting."
APPEAL = "We need your help. Donate now to support our nonprofit newsroom and independent journalism."
TEXT = f"Home\n{STORY}\n{APPEAL}"
PAGE = f"""<!doctype html><html><head><title>Bridge</title></head><body><nav><a href="/">Home</a></nav>
<h1>Bridge closes</h1><p>{STORY}</p><aside>{APPEAL}</aside><script>let x = "no text"</script></body></html>"""


class Row(NamedTuple):
    """A sequence too, but its field comes first."""

    title: str
    text: str


@dataclass
class Scraped:
    title: str
    text: str


def database_row(text: str) -> sqlite3.Row:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    row: sqlite3.Row = connection.execute("select 'Bridge' as title, ? as text", [text]).fetchone()
    connection.close()
    return row


HOLDERS = [
    lambda text: {"title": "Bridge", "text": text},
    lambda text: MappingProxyType({"text": text}),
    lambda text: ChainMap({}, {"text": text}),
    lambda text: SimpleNamespace(text=text),
    lambda text: Scraped("Bridge", text),
    lambda text: Row("Bridge", text),
    database_row,
]


@pytest.mark.parametrize("hold", HOLDERS, ids=lambda hold: type(hold("")).__name__)
def test_an_object_is_filtered_as_its_text(model: Classifier, hold: Any) -> None:
    given, expected = hold(TEXT), model.filter(TEXT).to_record(paragraphs=True)
    assert model.filter(given).to_record(paragraphs=True) == expected
    assert [result.to_record(paragraphs=True) for result in model.filter_many([given, TEXT])] == [expected, expected]


def test_an_object_may_hold_paragraphs(model: Classifier) -> None:
    paragraphs = TEXT.split("\n")
    assert model.filter({"text": paragraphs}).paragraphs == model.filter(paragraphs).paragraphs


def test_an_article_of_ours_is_an_object_with_text(model: Classifier) -> None:
    assert model.filter(Article.from_text(TEXT)).paragraphs == model.filter(TEXT).paragraphs


def test_the_field_is_named(model: Classifier) -> None:
    given = {"text": "Not this.", "body": TEXT}
    assert model.filter(given, field="body").paragraphs == model.filter(TEXT).paragraphs
    assert next(model.filter_many([given], field="body")).paragraphs == model.filter(TEXT).paragraphs
    assert model.filter(TEXT, field="body").paragraphs == model.filter(TEXT).paragraphs


def test_keys_of_a_mapping_are_not_its_attributes(model: Classifier) -> None:
    assert model.filter({"items": TEXT}, field="items").paragraphs == model.filter(TEXT).paragraphs
    with pytest.raises(InputError, match="dict without 'values'"):
        model.filter({}, field="values")


def test_the_object_is_not_changed(model: Classifier) -> None:
    given = {"text": TEXT, "tags": ["a"]}
    model.filter(given, allow_empty=True)
    assert given == {"text": TEXT, "tags": ["a"]}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"body": TEXT}, "dict without 'text'"),
        (SimpleNamespace(body=TEXT), "SimpleNamespace without 'text'"),
        (3, "int without 'text'"),
        ({"text": None}, "NoneType"),
        ({"text": b"bytes"}, "bytes"),
        (SimpleNamespace(text=3), "int"),
        ({"text": {"text": TEXT}}, "dict"),
    ],
    ids=repr,
)
def test_an_object_without_a_text_is_refused(model: Classifier, given: Any, found: str) -> None:
    with pytest.raises(InputError, match=f"expected a text or a list of paragraphs, got {found}") as caught:
        model.filter(given)
    assert "\n" not in str(caught.value)


def test_a_missing_field_is_answered_with_the_next_step(model: Classifier) -> None:
    with pytest.raises(InputError, match="Name the field that holds it"):
        model.filter({"body": TEXT})


@pytest.mark.parametrize("page", [PAGE, PAGE.encode()], ids=["str", "bytes"])
def test_every_visible_block_of_a_page_is_judged(model: Classifier, page: str | bytes) -> None:
    result = model.filter_html(page, site="here.example")
    assert [paragraph.text for paragraph in result.paragraphs] == ["Home", "Bridge closes", STORY, APPEAL] == blocks(PAGE)
    assert result.to_record(paragraphs=True) == model.filter(blocks(PAGE)).to_record(paragraphs=True)
    assert result.site == "here.example"


def test_options_of_filter_hold_for_pages(model: Classifier) -> None:
    with pytest.raises(InputError, match="max_removed_share"):
        model.filter_html(PAGE, max_removed_share=2)


@pytest.mark.parametrize("page", ["", b"", "<html></html>", "<p>***</p>"])
def test_a_page_without_text_gives_nothing(model: Classifier, page: Any) -> None:
    result = model.filter_html(page)
    assert (result.text, result.paragraphs, result.flags) == ("", (), ())


@pytest.mark.parametrize("given", [None, 3, ["<p>x</p>"], SimpleNamespace(text="<p>x</p>")], ids=repr)
def test_what_is_no_page_is_refused(model: Classifier, given: Any) -> None:
    with pytest.raises(InputError, match=f"expected a page as bytes or text, got {type(given).__name__}"):
        model.filter_html(given)


def test_no_page_is_emptied_unasked(model: Classifier) -> None:
    menu = "".join(f"<li>{word}</li>" for word in ("Home", "Politics", "Sport", "Share this article", "Donate now"))
    result = model.filter_html(menu)
    assert result.text
    if not model.filter_html(menu, allow_empty=True).text:
        assert result.flags == ("empty",)


def test_without_lxml_a_page_is_refused_in_one_line(model: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lxml", None)
    with pytest.raises(TrainerError, match=r"paragraph-trainer\[html\]"):
        model.filter_html(PAGE)
