"""The verdict on a whole article: is what the filter keeps a whole, readable piece of journalism? In NumPy.

A linear model over three things: the article's signals (`signals`), what its kept paragraphs' words, word pairs and characters
say in the mean over paragraphs, and how the paragraph model's labels are spread over the whole article (its label profile).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import chain, compress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.errors import InputError
from trainer.features import extract_all
from trainer.result import FilterResult
from trainer.signals import NAMES, measure, runs
from trainer.text import Matrix, TextStage, softmax
from trainer.verdicts import GOOD, POOR, REASONS

BATCH_CHARS = 1 << 19  # of articles judged at once by judge_many
_COUNTS = frozenset(
    "characters paragraphs paragraph_characters words word_length gopher_stop_words curly_brackets c4_sentences sentence_words "
    "sentence_spread longest_sentence".split()
)
_SHARE_SCALE = 30.0  # shares and rates are small: they are brought to the range of counts before the logarithm
_SCALES = np.array([1.0 if name in _COUNTS else _SHARE_SCALE for name in NAMES])
LIMIT = 4.0  # of a measure, in standard deviations


class Verdict(NamedTuple):
    """What a model says of an article.

    Attributes:
        verdict: good or poor. probability: that the article is good, 0 to 1. reason: the likeliest of REASONS where it is poor,
        None where it is good. signals: name → value, see `signals.SIGNALS`.
    """

    verdict: str
    probability: float
    reason: str | None
    signals: dict[str, float]

    def record(self) -> dict[str, Any]:
        """Return the verdict as records carry it."""
        return {
            "verdict": self.verdict,
            "probability": round(self.probability, 6),
            "reason": self.reason,
            "signals": {name: round(value, 6) for name, value in self.signals.items()},
        }


class Measures(NamedTuple):
    """What is known of n articles before a model looks at them: `signals` [n, signals], `profile` [n, 2 * labels]."""

    signals: Matrix
    profile: Matrix

    @property
    def scaled(self) -> Matrix:
        """Both side by side, signals on a logarithmic scale: what a model's linear part reads, [n, signals + 2 * labels]."""
        return np.concatenate([np.log1p(self.signals * _SCALES), self.profile], axis=1)


class QualityModel:
    """A loaded model of article quality, see `load_quality`. Immutable: threads may share it.

    Columns of its outputs: the log-odds of poor, then the scores of REASONS.

    Args:
        text: what words and characters say of a paragraph, outputs as classes but the first.
        centre, spread: [inputs], of `Measures.scaled` in training. weights: [outputs, inputs].
        labels: of the paragraph model whose results it judges. threshold: an article is poor from this probability of poor on.
        name, digest, info: as of `model.Classifier`.
    """

    def __init__(
        self,
        text: TextStage,
        centre: Matrix,
        spread: Matrix,
        weights: Matrix,
        *,
        labels: tuple[str, ...],
        threshold: float,
        name: str,
        digest: str,
        info: dict[str, Any],
    ) -> None:
        self.text, self.centre, self.spread, self.weights = text, centre, spread, weights
        self.labels, self.threshold = labels, threshold
        self.name, self.digest, self.info = name, digest, info

    def judge(self, result: FilterResult) -> Verdict:
        """Judge a filtered article.

        Raises:
            InputError: it was filtered by a model of another label set.
        """
        return next(self.judge_many([result]))

    def judge_many(self, results: Iterable[FilterResult]) -> Iterator[Verdict]:
        """Judge filtered articles in batches of about BATCH_CHARS; yields a verdict each, in order, as `judge` gives it."""
        for batch in runs(map(self._checked, results), BATCH_CHARS):
            yield from self._judge(batch)

    def scores(self, results: Sequence[FilterResult]) -> Matrix:
        """Return the outputs [outputs, articles]. Raises InputError as `judge` does."""
        results = list(map(self._checked, results))
        return self._scores(results, measures(results))

    def probabilities(self, results: Sequence[FilterResult]) -> Matrix:
        """Return the probability of each of `verdicts.CODES`, [codes, articles]: good, and each reason."""
        scores = self.scores(results)
        poor = probability_of_poor(scores)
        return np.concatenate([1 - poor[None], poor * softmax(scores[1:])])

    def _checked(self, result: FilterResult) -> FilterResult:
        if result.labels != self.labels:
            raise InputError(
                f"the article was filtered with the labels {', '.join(result.labels)}; the quality model {self.name} knows "
                f"{', '.join(self.labels)}",
                hint="Filter with a model of the same labels, or train a quality model with it.",
            )
        return result

    def _scores(self, results: Sequence[FilterResult], found: Measures) -> Matrix:
        inputs = standardised(found.scaled, self.centre, self.spread)
        # Added up one by one in a fixed order, so that a verdict does not depend on the batch or on the machine.
        linear = reduce(np.add, (self.weights[:, i, None] * inputs[None, :, i] for i in range(inputs.shape[1])))
        return np.asarray(linear + self._text_scores(results) + self.text.bias[:, None])

    def _text_scores(self, results: Sequence[FilterResult]) -> Matrix:
        texts, counts = kept_texts(results)
        out = np.zeros((self.text.bias.size, len(results)))
        batches = extract_all(texts, self.text.settings)
        if batches:
            said = np.concatenate([reduce(np.add, self.text.contributions(batch)) for batch in batches], axis=1)
            article = np.repeat(np.arange(len(results)), counts)
            for row, values in enumerate(said):
                out[row] = np.bincount(article, values, len(results)) / np.maximum(counts, 1)
        return out

    def _judge(self, results: Sequence[FilterResult]) -> Iterator[Verdict]:
        found = measures(results)
        scores = self._scores(results, found)
        poor = probability_of_poor(scores)
        reason = scores[1:].argmax(axis=0)
        for number, values in enumerate(found.signals.tolist()):
            is_poor = bool(poor[number] >= self.threshold)
            yield Verdict(
                POOR if is_poor else GOOD,
                float(1 - poor[number]),
                REASONS[reason[number]] if is_poor else None,
                dict(zip(NAMES, values, strict=True)),
            )


def signals(result: FilterResult) -> dict[str, float]:
    """Measure a filtered article: name → value, see `signals.SIGNALS`."""
    return dict(zip(NAMES, measure([result])[0].tolist(), strict=True))


def measures(results: Sequence[FilterResult]) -> Measures:
    """Measure filtered articles."""
    return Measures(measure(results), _profile(results))


def standardised(scaled: Matrix, centre: Matrix, spread: Matrix) -> Matrix:
    """Return measures in standard deviations from the mean, kept within LIMIT."""
    return np.asarray(np.clip((scaled - centre) / spread, -LIMIT, LIMIT))


def kept_texts(results: Sequence[FilterResult]) -> tuple[list[str], NDArray[np.intp]]:
    """Return the kept paragraphs of all articles, and how many each has."""
    texts = [list(compress(result.texts, result.keep)) for result in results]
    return list(chain.from_iterable(texts)), np.fromiter(map(len, texts), np.intp, len(texts))


def probability_of_poor(scores: Matrix) -> Matrix:
    """Return the probability of poor of each article."""
    return np.asarray(softmax(np.stack([np.zeros(scores.shape[1]), scores[0]]))[1])


def _profile(results: Sequence[FilterResult]) -> Matrix:
    """Return how labels are spread over whole articles: mean probabilities by character and by paragraph, [n, 2 * labels]."""
    out = []
    for result in results:
        size = result.sizes.astype(np.float64)
        by_character = (result.probability * size).sum(axis=1) / max(size.sum(), 1)
        out.append(np.concatenate([by_character, result.probability.sum(axis=1) / max(size.size, 1)]))
    return np.array(out)
