"""The labelling interface, regions and predictions, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import InputError, ServerError
from trainer.result import Prediction
from trainer.schema import NEWS_LABELS, Label, LabelSet
from trainer.studio import interface

OTHER = LabelSet([Label('a "quoted" <b>', kept=True, colour="#000", hotkey="q"), Label("b")])


def made(*labels, version="trainer:m@1"):
    """Return a prediction of an article whose paragraphs have these labels."""
    return interface.prediction([f"text {i}" for i in range(len(labels))], list(labels), None, "news", version)


def test_the_configuration_is_accepted_by_label_studios_own_parser():
    from label_studio_sdk.label_interface.interface import LabelInterface

    parsed = LabelInterface(interface.config(NEWS_LABELS))
    parsed.validate()
    control = parsed.get_control(interface.CONTROL)
    assert list(control.labels) == list(NEWS_LABELS.names)
    assert control.to_name == [interface.OBJECT]


def test_names_of_labels_are_escaped():
    xml = interface.config(OTHER)
    assert interface.shown_labels(xml) == {'a "quoted" <b>': ("#000", "q"), "b": ("#888888", "")}
    shown = interface.instruction(OTHER)
    for key in ("q", "–", *interface.quality_keys(OTHER).values()):
        shown = shown.replace(f"<b>{key}</b>", "")
    assert "<b>" not in shown


def test_labels_are_replaced_and_the_rest_of_the_interface_stays():
    xml = interface.config(NEWS_LABELS).replace('size="4"', 'size="2"')
    changed = interface.with_labels(xml, OTHER)
    assert interface.shown_labels(changed) == interface.wanted_labels(OTHER)
    assert 'size="2"' in changed


@pytest.mark.parametrize("xml", ["", "<View>", "<View><Text name='a' value='$a'/></View>"])
def test_an_interface_of_another_kind_is_refused(xml):
    with pytest.raises(ServerError, match="not that of this toolkit"):
        interface.shown_labels(xml)


def test_a_prediction_that_names_an_unknown_label_or_control_does_not_fit():
    xml = interface.config(NEWS_LABELS)
    interface.check_prediction(xml, made("news", "caption"))
    with pytest.raises(InputError, match="does not fit"):
        interface.check_prediction(xml, made("news", "weather"))
    strange = made("news")
    strange["result"][0]["from_name"] = "elsewhere"
    with pytest.raises(InputError, match="does not fit"):
        interface.check_prediction(xml, strange)


def test_given_labels_go_before_the_models_and_the_seed_comes_last():
    says = [Prediction("caption", 0.75, ()), Prediction("news", 0.5, ()), Prediction("news", 1.0, ())]
    found = interface.prediction(["a", "b", "c"], [None, "navigation", None], says, "news", "v")
    assert [region["value"]["paragraphlabels"] for region in found["result"]] == [["caption"], ["navigation"], ["news"]]
    assert [region.get("score") for region in found["result"]] == [0.75, None, 1.0]
    assert found["score"] == 0.875
    seeded = interface.prediction(["a", "b"], [None, "caption"], None, "news", "v")
    assert [region["value"]["paragraphlabels"] for region in seeded["result"]] == [["news"], ["caption"]]
    assert "score" not in seeded


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=8))
def test_regions_name_each_paragraph_and_end_in_utf_16_units(texts):
    found = interface.prediction(texts, [None] * len(texts), None, "news", "v")["result"]
    assert [region["value"]["endOffset"] for region in found] == [len(text.encode("utf-16-le")) // 2 for text in texts]
    assert [(r.first, r.last, r.labels) for r in interface.regions(found)] == [(i, i, ("news",)) for i in range(len(texts))]


def test_regions_over_several_paragraphs_are_read_and_other_controls_are_not():
    value = {"start": "3", "end": "1", "paragraphlabels": ["news"], "startOffset": 7, "endOffset": 2}
    ours = {"type": "paragraphlabels", "from_name": "label", "value": value}
    theirs = {"type": "choices", "from_name": "quality", "value": {"choices": ["good"]}}
    assert list(interface.regions([theirs, ours])) == [(1, 3, ("news",))]
    assert list(interface.regions(None)) == []


@given(st.text(), st.text(), st.text(), st.text())
def test_keys_differ_where_site_or_id_do(site, article, other_site, other):
    same = (site, article) == (other_site, other)
    assert (interface.key(site, article) == interface.key(other_site, other)) == same
