"""Both stages together: articles in, probabilities out. What the model file holds and what a scraper runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from trainer.context import Articles, inputs
from trainer.features import Batch, extract_all
from trainer.sequence import SequenceStage
from trainer.text import Matrix, TextStage, softmax


class Network(NamedTuple):
    """The fitted stages; immutable, and free of state between calls.

    Both stages tell `kinds` apart, which may be finer than labels; `label_of` gives the label column of each kind, and a
    label's probability is the sum over its kinds. `labels`: how many there are. `kept`: columns of the labels that make up
    the story.
    """

    text: TextStage
    sequence: SequenceStage
    kinds: tuple[str, ...]
    label_of: tuple[int, ...]
    labels: int
    kept: tuple[int, ...]

    def batches(self, paragraphs: Sequence[str]) -> list[Batch]:
        """Extract the features of any number of paragraphs."""
        return extract_all(paragraphs, self.text.settings)

    def probabilities(self, articles: Sequence[Sequence[str]]) -> Matrix:
        """Return probabilities [labels, paragraphs of all articles]; each article is judged by itself."""
        batches = self.batches([paragraph for article in articles for paragraph in article])
        if not batches:
            return np.zeros((self.labels, 0))
        scores = self.refine(Articles.build(batches, [len(article) for article in articles]), self.contributions(batches))
        return self.merge(softmax(scores))

    def contributions(self, batches: Sequence[Batch]) -> Matrix:
        """Return what each family of features adds to the first stage's scores, [families, kinds - 1, N]."""
        return np.concatenate([self.text.contributions(batch) for batch in batches], axis=2)

    def refine(self, articles: Articles, contributions: Matrix) -> Matrix:
        """Return the log-odds after both stages, [kinds, N]."""
        seen = inputs(articles, contributions, self.text.scores(contributions), self.kept_kinds)
        return self.sequence.scores(seen, articles.article)

    def merge(self, of_kinds: Matrix) -> Matrix:
        """Add probabilities of kinds up to those of labels, [labels, N]."""
        return merge(of_kinds, self.label_of, self.labels)

    @property
    def kept_kinds(self) -> tuple[int, ...]:
        """Columns of the kinds that make up the story."""
        return tuple(kind for kind, label in enumerate(self.label_of) if label in self.kept)


def merge(of_kinds: Matrix, label_of: Sequence[int], labels: int) -> Matrix:
    """Add probabilities [kinds, N] up to those of labels [labels, N], in a fixed order; a label without kinds gets 0."""
    out = np.zeros((labels, of_kinds.shape[1]))
    for label in range(labels):
        own = [of_kinds[kind] for kind, its in enumerate(label_of) if its == label]
        if own:
            out[label] = reduce(np.add, own)
    return out
