"""What Label Studio shows and stores: the labelling interface, tasks of articles, regions of paragraphs."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from xml.etree import ElementTree

from trainer.errors import InputError, ServerError
from trainer.result import Prediction
from trainer.schema import Label, LabelSet
from trainer.verdicts import CODES

CONTROL, OBJECT, QUALITY = "label", "text", "quality"  # names in the interface; regions refer to them
REGION, CHOICE = "paragraphlabels", "choices"
_FREE_KEYS = "567890qweasdzxcv"  # for the verdict on the article: the first ones that no label has
OURS = "trainer:"  # all model versions of the toolkit begin so
LINKS = ("https://", "http://")
# What Label Studio shows of every dialogue: times that an article has not, and a choice of speakers.
_HIDDEN = '[class^="time--"], [class*="authorFilter"] { display: none }'
SEED = f"{OURS}seed"  # version of regions that no model made


class Shown(NamedTuple):
    """How a label looks in the interface."""

    colour: str
    hotkey: str


class Region(NamedTuple):
    """Paragraphs `first` to `last` of an article and the labels that a person or a model gave them."""

    first: int
    last: int
    labels: tuple[str, ...]


# ── the interface


def config(labels: LabelSet) -> str:
    """Return the labelling configuration: the paragraphs, each with the labels, their colours and keys, and the verdict."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Style").text = _HIDDEN
    ElementTree.SubElement(view, "Header", value="$title", size="4")
    ElementTree.SubElement(view, "Header", value="$review", size="6")
    control = ElementTree.SubElement(view, "ParagraphLabels", name=CONTROL, toName=OBJECT)
    control.extend(map(_label_element, labels))
    view.append(_choices(labels))
    ElementTree.SubElement(view, "Paragraphs", name=OBJECT, value="$paras", layout="dialogue", nameKey="n", textKey="text")
    return _xml(view)


def shown_labels(xml: str) -> dict[str, Shown]:
    """Return the labels of a project's configuration.

    Raises:
        ServerError: it is not one of ours.
    """
    return {e.get("value", ""): Shown(e.get("background", ""), e.get("hotkey", "")) for e in _control(_parse(xml)).iter("Label")}


def wanted_labels(labels: LabelSet) -> dict[str, Shown]:
    """Return the labels as a configuration should show them."""
    return {label.name: Shown(label.colour, label.hotkey) for label in labels}


def is_blank(xml: str) -> bool:
    """Return whether a project has no interface yet."""
    return not len(_parse(xml))


def asks_quality(xml: str) -> bool:
    """Return whether a project asks for a verdict on the article."""
    return _choice(_parse(xml)) is not None


def with_labels(xml: str, labels: LabelSet) -> str:
    """Return a project's configuration with its labels replaced and the verdict asked for; all else its owner changed stays."""
    view = _parse(xml)
    control = _control(view)
    for element in list(control):
        control.remove(element)
    control.extend(map(_label_element, labels))
    old = _choice(view)
    if old is None:
        _parent(view, control).insert(list(_parent(view, control)).index(control) + 1, _choices(labels))
    else:
        for element in list(old):
            old.remove(element)
        old.extend(_choices(labels))
    return _xml(view)


def instruction(labels: LabelSet, guidelines: str = "") -> str:
    """Return the project's instruction, HTML: the labels with their hotkeys, and a link to the guidelines, or their Markdown."""
    from markdown_it import MarkdownIt

    rows = "".join(f"<li><b>{html.escape(label.hotkey or '–')}</b> {html.escape(label.name)}</li>" for label in labels)
    more = ""
    if guidelines.startswith(LINKS):
        more = f'<p><a href="{html.escape(guidelines)}" target="_blank" rel="noopener">Guidelines</a></p>'
    elif guidelines:
        more = MarkdownIt("js-default").render(guidelines)  # tables; HTML in the text is shown, not obeyed
    keys = "".join(f"<li><b>{key}</b> {html.escape(code.replace('_', ' '))}</li>" for code, key in quality_keys(labels).items())
    return (
        f"<p>Read the whole article first. Then give each paragraph the label it should have.</p><ul>{rows}</ul>"
        "<p>At the end, say with one key whether the story, without what is around it, is good: whole, readable journalism or "
        f"comment. If not, say why not. The same key again takes it back.</p><ul>{keys}</ul>{more}"
    )


def quality_keys(labels: LabelSet) -> dict[str, str]:
    """Return the key of each verdict: the first ones that no label has."""
    taken = {label.hotkey.lower() for label in labels}
    return dict(zip(CODES, (key for key in _FREE_KEYS if key not in taken), strict=False))


def _choices(labels: LabelSet) -> ElementTree.Element:
    element = ElementTree.Element("Choices", name=QUALITY, toName=OBJECT, choice="single", showInline="true")
    for code, key in quality_keys(labels).items():
        ElementTree.SubElement(element, "Choice", value=code, hotkey=key)
    return element


def _choice(view: ElementTree.Element) -> ElementTree.Element | None:
    return view.find(f".//Choices[@name='{QUALITY}'][@toName='{OBJECT}']")


def _parent(view: ElementTree.Element, child: ElementTree.Element) -> ElementTree.Element:
    return next(element for element in view.iter() if child in list(element))


def _label_element(label: Label) -> ElementTree.Element:
    element = ElementTree.Element("Label", value=label.name, background=label.colour)
    if label.hotkey:
        element.set("hotkey", label.hotkey)
    return element


def _parse(xml: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(xml)  # noqa: S314 - from the user's own server
    except ElementTree.ParseError:
        return ElementTree.Element("View")


def _control(view: ElementTree.Element) -> ElementTree.Element:
    control = view.find(f".//ParagraphLabels[@name='{CONTROL}'][@toName='{OBJECT}']")
    if control is None:
        raise ServerError("the project's labelling interface is not that of this toolkit", hint="Choose another --project.")
    return control


def _xml(view: ElementTree.Element) -> str:
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode")


# ── tasks


def digest(texts: Sequence[str]) -> str:
    """Return the SHA-256 of an article's paragraphs, hexadecimal."""
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()


def key(site: str, article: str) -> str:
    """Return what an article is known by: the SHA-256 of its site and id, hexadecimal."""
    return hashlib.sha256(json.dumps([site, article]).encode()).hexdigest()


def paras(texts: Sequence[str]) -> list[dict[str, str]]:
    """Return the paragraphs as the interface shows them."""
    return [{"n": str(number), "text": text} for number, text in enumerate(texts, 1)]


def texts_of(data: Mapping[str, Any]) -> list[str] | None:
    """Return the paragraphs of a task's data; None where they are not ours or were changed."""
    found = data.get("paras")
    if not isinstance(data.get("key"), str) or not isinstance(data.get("id"), str) or not isinstance(found, list):
        return None
    texts = [part.get("text") if isinstance(part, dict) else None for part in found]
    return [str(text) for text in texts] if all(isinstance(text, str) for text in texts) else None


def given_verdict(data: Mapping[str, Any]) -> str | None:
    """Return the code of the verdict that a task's article had when it was pushed."""
    found = data.get(QUALITY)
    return found if found in CODES else None


def given_labels(data: Mapping[str, Any], labels: LabelSet) -> list[str | None]:
    """Return the labels that a task's paragraphs were given when it was pushed, as far as the label set has them."""
    given = data.get("labels") or [None] * len(data["paras"])
    return [label if label in labels.index else None for label in given]


# ── predictions


def is_ours(version: str) -> bool:
    """Return whether a model version is one of the toolkit's."""
    return version.startswith(OURS)


def prediction(
    texts: Sequence[str],
    given: Sequence[str | None],
    predicted: Sequence[Prediction] | None,
    seed: str,
    version: str,
    verdict: str | None = None,
) -> dict[str, Any]:
    """Return a prediction with a region for each paragraph.

    Args:
        texts: the paragraphs. given: labels that stand already; they go before the model's. predicted: the model's, one a
            paragraph, or None. seed: the label where there is neither. version: who predicts. verdict: code of
            the verdict that stands already; a model's is never given, since a key would take it back instead of confirming it.

    Returns:
        A region's score is the model's probability, the task's their mean; there are none where no model was asked.
    """
    regions, scores = [], []
    for index, text in enumerate(texts):
        said = predicted[index] if predicted and given[index] is None else None
        label = said.label if said else given[index] or seed
        region: dict[str, Any] = {
            "id": f"p{index}",
            "from_name": CONTROL,
            "to_name": OBJECT,
            "type": REGION,
            "value": {
                "start": str(index),
                "end": str(index),
                "startOffset": 0,
                "endOffset": len(text.encode("utf-16-le")) // 2,  # a browser counts UTF-16 units
                REGION: [label],
            },
        }
        if said:
            scores.append(said.probability)
            region["score"] = round(said.probability, 6)
        regions.append(region)
    if verdict:
        regions.append({"id": QUALITY, "from_name": QUALITY, "to_name": OBJECT, "type": CHOICE, "value": {CHOICE: [verdict]}})
    score = {"score": round(sum(scores) / len(scores), 6)} if scores else {}
    return {"model_version": version, "result": regions, **score}


def check_prediction(xml: str, made: Mapping[str, Any]) -> None:
    """Check a prediction against the configuration it is meant for; the server takes anything.

    Raises:
        InputError: it names a label or a control that the configuration has not.
    """
    errors = _label_interface(xml).validate_prediction(dict(made), return_errors=True)
    if errors:
        raise InputError(f"the prediction does not fit the labelling interface ({str(errors[0])[:200]})")


@cache
def _label_interface(xml: str) -> Any:
    from label_studio_sdk.label_interface.interface import LabelInterface

    return LabelInterface(xml)


# ── annotations


def regions(result: object) -> Iterator[Region]:
    """Yield the labelled stretches of an annotation, as it is stored; offsets within paragraphs count for nothing."""
    for item in result if isinstance(result, list) else []:
        if isinstance(item, dict) and item.get("type") == REGION and item.get("from_name") == CONTROL:
            value = item["value"]
            first, last = sorted((int(value["start"]), int(value["end"])))
            yield Region(first, last, tuple(map(str, value.get(REGION, ()))))


def verdict(result: object) -> str | None:
    """Return the code of the verdict on the article in an annotation; None where there is none."""
    for item in result if isinstance(result, list) else []:
        if isinstance(item, dict) and item.get("type") == CHOICE and item.get("from_name") == QUALITY:
            chosen = item["value"].get(CHOICE) or [None]
            return chosen[0] if chosen[0] in CODES else None
    return None
