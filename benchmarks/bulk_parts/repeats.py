"""What a bounded cache of first-stage scores, by paragraph, could bring at most."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from trainer.features import chunks, extract
from trainer.model import Classifier
from trainer.text import TextStage

_ROUNDS = 3


class Repeats(NamedTuple):
    """What a cache of a given size finds, and how long things take.

    Attributes:
        paragraphs, characters: shares found. everything, misses: seconds of the first stage for all paragraphs, and for those
        not found. lookups, whole: seconds of the look-ups, and of the whole filter.
    """

    paragraphs: float
    characters: float
    everything: float
    misses: float
    lookups: float
    whole: float

    @property
    def gain(self) -> float:
        """Share of the filter's time that is saved if what was found costs nothing more."""
        return (self.everything - self.misses - self.lookups) / self.whole


def measure(model: Classifier, articles: Sequence[Sequence[str]], capacity: int) -> Repeats:
    """Send the paragraphs of articles, in order, through a cache that forgets the one not used for longest."""
    paragraphs = [text for article in articles for text in article]
    lookups = [_through_cache(paragraphs, capacity) for _ in range(_ROUNDS)]
    misses = lookups[0][1]
    stage = model.network.text
    texts = ["\n".join(article) for article in articles]
    total, missed = sum(map(len, paragraphs)), sum(map(len, misses))
    return Repeats(
        1 - len(misses) / len(paragraphs),
        1 - missed / total,
        min(_first_stage(stage, paragraphs) for _ in range(_ROUNDS)),
        min(_first_stage(stage, misses) for _ in range(_ROUNDS)),
        min(seconds for seconds, _ in lookups),
        min(_filter(model, texts) for _ in range(_ROUNDS)),
    )


def _through_cache(paragraphs: Sequence[str], capacity: int) -> tuple[float, list[str]]:
    """Return the seconds of the look-ups and the paragraphs that were not found."""
    cache: OrderedDict[str, None] = OrderedDict()
    misses = []
    began = time.process_time()
    for text in paragraphs:
        if text in cache:
            cache.move_to_end(text)
        else:
            misses.append(text)
            cache[text] = None
            if len(cache) > capacity:
                cache.popitem(last=False)
    return time.process_time() - began, misses


def _first_stage(stage: TextStage, paragraphs: Sequence[str]) -> float:
    began = time.process_time()
    for run in chunks(paragraphs):
        stage.contributions(extract(run, stage.settings))
    return time.process_time() - began


def _filter(model: Classifier, texts: Sequence[str]) -> float:
    began = time.process_time()
    for _ in model.filter_many(texts):
        pass
    return time.process_time() - began
