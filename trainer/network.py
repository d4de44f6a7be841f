"""Both stages together: articles in, probabilities out. What the model file holds and what a scraper runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trainer.context import Articles, ContextSettings, ContextStage, build_inputs
from trainer.features import Batch, chunks, extract
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
        return [extract(run, self.text.settings) for run in chunks(paragraphs)]

    def probabilities(self, articles: Sequence[Sequence[str]]) -> Matrix:
        """Return probabilities [classes, paragraphs of all articles]; each article is judged by itself."""
        batches = self.batches([paragraph for article in articles for paragraph in article])
        if not batches:
            return np.zeros((self.text.bias.size + 1, 0))
        own = np.concatenate([self.text.scores(batch) for batch in batches], axis=1)
        return softmax(self.refine(Articles.build(batches, [len(article) for article in articles]), own)[-1])

    def refine(self, articles: Articles, own: Matrix) -> list[Matrix]:
        """Return the log-odds after the first stage and after each pass, each [classes, N]."""
        scores = [own]
        for stage in self.passes:
            scores.append(stage.scores(build_inputs(articles, own, scores[-1], self.kept, self.context)))
        return scores
