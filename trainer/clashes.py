"""The same text, or nearly the same, under different labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from datasketch import MinHash, MinHashLSH

from trainer.dataset import LabelledArticle
from trainer.findings import Finding, Opinions, doubt, finding, suggestion
from trainer.schema import LabelSet

_SHINGLE, _PERMUTATIONS, _LEAST_WORDS, _NEAR = 3, 128, 8, 0.8
_HALF = 40  # letters at which a clash counts half; short texts rightly carry different labels in different places
_LEAST_SCORE = 0.3
_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"\w+")
Progress = Callable[[Iterable[Any], int], Iterable[Any]]


class Place(NamedTuple):
    """A labelled paragraph."""

    number: int
    paragraph: int
    label: str


def clashes(
    articles: Sequence[LabelledArticle],
    labels: LabelSet,
    opinions: Opinions | None = None,
    progress: Progress = lambda items, _: items,
) -> list[Finding]:
    """Return a finding for each text that stands under different labels, at the place where the label is most doubtful.

    Texts are the same after folding case, digits, signs and white space; in two articles they are nearly the same from a Jaccard
    similarity of 0.8 of their word 3-grams on (MinHash; Broder, 1997). Headlines, which stand again as breadcrumbs and teasers,
    and tables of contents are left out. The score is n / (n + 40) for a text of n letters, times the similarity, times the doubt
    of the model if there is one: short texts may rightly change their label, and a model that reads the context says where.
    Below 0.3 nothing is reported.
    """
    places: dict[str, list[Place]] = {}
    for number, article in enumerate(articles):
        for index, (text, label) in enumerate(zip(article.texts, article.labels, strict=True)):
            if label is not None and text.strip():
                places.setdefault(fold(text), []).append(Place(number, index, label))
    kept = {label.name for label in labels if label.kept}
    for text in {_headline(article, kept) for article in articles}:
        places.pop(text, None)
    contents = _tables_of_contents(places)
    places = {text: [place for place in found if place[:2] not in contents] for text, found in places.items()}
    same = [one for text, found in places.items() for one in _clash("same", 1.0, text, found, articles, labels, opinions)]
    seen = {(one.article, one.index) for one in same}
    near: dict[tuple[str, int], Finding] = {}
    for likeness, text, other in _near(list(places), progress):
        found = places[text] + places[other]
        if len({place.number for place in found}) < 2:  # a comment that quotes the story, a caption that repeats it
            continue
        for one in _clash("near", likeness, text, found, articles, labels, opinions):
            place = one.article, one.index
            if place not in seen and (place not in near or near[place].score < one.score):
                near[place] = one
    return [*same, *near.values()]


def fold(text: str) -> str:
    """Return the words of a text, with case and digits folded; a text without words as it is."""
    folded = _DIGITS.sub("0", text.casefold())
    return " ".join(_WORD.findall(folded)) or " ".join(folded.split())


def _headline(article: LabelledArticle, kept: set[str]) -> str:
    """Return the first paragraph of the story, folded."""
    return next((fold(text) for text, label in zip(article.texts, article.labels, strict=True) if label in kept), "")


def _tables_of_contents(places: Mapping[str, Sequence[Place]]) -> set[tuple[int, int]]:
    """Return (article, paragraph) of lines in a row that all stand again, under one other label, in their article."""
    again: set[tuple[int, int, str]] = set()
    for found in places.values():
        names: dict[int, set[str]] = {}
        for place in found:
            names.setdefault(place.number, set()).add(place.label)
        again |= {place for place in found if len(names[place.number]) > 1}
    return {(number, index) for number, index, label in again if {(number, index - 1, label), (number, index + 1, label)} & again}


def _clash(
    kind: str,
    likeness: float,
    text: str,
    places: Sequence[Place],
    articles: Sequence[LabelledArticle],
    labels: LabelSet,
    opinions: Opinions | None,
) -> Iterator[Finding]:
    """Yield a finding if the labels differ and the evidence is strong enough."""
    count = Counter(place.label for place in places)
    if len(count) < 2:
        return
    letters = sum(map(str.isalpha, text))
    weight = likeness * letters / (letters + _HALF)

    def doubtful(place: Place) -> tuple[float, int]:
        believed = doubt(opinions[place.number], place.paragraph, place.label, labels) if opinions else 1.0
        return believed, -count[place.label]

    worst = max(places, key=doubtful)
    score = weight * doubtful(worst)[0]
    if score < _LEAST_SCORE:
        return
    others = sorted(count.keys() - {worst.label}, key=lambda label: (-count[label], label))
    suggested: str | None
    if opinions:
        suggested = suggestion(opinions[worst.number], worst.paragraph, others, labels)
    else:
        suggested = others[0] if count[others[0]] > count[worst.label] else None
    counter = next(place for place in places if place.label == (suggested or others[0]))
    stands = ", ".join(f"{label} {times}×" for label, times in count.most_common())
    what = "the same text" if kind == "same" else f"a text like this ({likeness:.0%})"
    reason = f"{what} is {counter.label} at {articles[counter.number].where} paragraph {counter.paragraph} ({stands})"
    yield finding(kind, articles[worst.number], worst.paragraph, suggested=suggested, score=score, reason=reason)


def _near(texts: Sequence[str], progress: Progress) -> Iterator[tuple[float, str, str]]:
    """Yield (similarity, text, other) for pairs of long texts that are nearly the same."""
    index = MinHashLSH(threshold=_NEAR, num_perm=_PERMUTATIONS)
    long = [text for text in texts if len(_WORD.findall(text)) >= _LEAST_WORDS]
    sketches: dict[str, MinHash] = {}
    made = MinHash.generator(map(_shingles, long), num_perm=_PERMUTATIONS, seed=1)
    for text, sketch in progress(zip(long, made, strict=True), len(long)):
        for other in index.query(sketch):
            likeness = sketch.jaccard(sketches[other])
            if likeness >= _NEAR:
                yield likeness, text, other
        index.insert(text, sketch)
        sketches[text] = sketch


def _shingles(text: str) -> list[bytes]:
    words = _WORD.findall(text)
    return [" ".join(words[i : i + _SHINGLE]).encode("utf-8", "surrogatepass") for i in range(len(words) - _SHINGLE + 1)]
