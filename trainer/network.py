"""Both stages together: articles in, probabilities out. What the model file holds and what a scraper runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trainer.context import Articles, Context, ContextSettings, ContextStage
from trainer.features import Batch, extract_all
from trainer.text import Matrix, TextStage, softmax


class Network(NamedTuple):
    """The fitted stages; immutable, and free of state between calls.

    `passes` are applied in turn, each on the scores of the one before, the first on those of `text`.
    """

    text: TextStage
    passes: tuple[ContextStage, ...]
    context: ContextSettings
    kept: tuple[int, ...]

    def batches(self, paragraphs: Sequence[str]) -> list[Batch]:
        """Extract the features of any number of paragraphs."""
        return extract_all(paragraphs, self.text.settings)

    def probabilities(self, articles: Sequence[Sequence[str]]) -> Matrix:
        """Return probabilities [classes, paragraphs of all articles]; each article is judged by itself."""
        batches = self.batches([paragraph for article in articles for paragraph in article])
        if not batches:
            return np.zeros((self.text.bias.size + 1, 0))
        return softmax(self.refine(Articles.build(batches, [len(article) for article in articles]), self.contributions(batches)))

    def contributions(self, batches: Sequence[Batch]) -> Matrix:
        """Return what each family of features adds to the first stage's scores, [families, classes - 1, N]."""
        return np.concatenate([self.text.contributions(batch) for batch in batches], axis=2)

    def refine(self, articles: Articles, contributions: Matrix) -> Matrix:
        """Return the log-odds after all passes, [classes, N]."""
        scores = self.text.scores(contributions)
        view = Context(articles, contributions, self.kept, self.context)
        for stage in self.passes:
            scores = stage.scores(view.inputs(scores))
        return scores
