"""Why a paragraph got its label: what words, characters, shape and context add to the log-odds against the story."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from trainer import characters
from trainer.context import Articles
from trainer.features import SHAPES, Batch, FeatureSettings, extract, normalise
from trainer.model import Classifier
from trainer.network import Network
from trainer.text import Matrix, root_count, softmax

_WORDS, _PAIRS, _CHARS = range(3)
_LEAST = 1e-12  # probability


class Group(NamedTuple):
    """What a group of features adds to the log-odds, and its strongest features.

    Of words and characters each has the weight that the first stage gives it; of shape and context, what is lost from the
    log-odds without it.
    """

    name: str
    contribution: float
    strongest: tuple[tuple[str, float], ...]


class Explanation(NamedTuple):
    """Log-odds of a label against the story (the likeliest kept label), and what each group adds to it.

    A group's contribution is what is lost from the log-odds when the paragraph is judged without it: without its words,
    without its characters, with a neutral shape, without neighbours. Since the second stage is not linear, contributions
    need not add up.
    """

    index: int  # type: ignore[assignment] # named as in the record contract
    label: str
    log_odds: float
    groups: tuple[Group, ...]


def explain(model: Classifier, paragraphs: Sequence[str], indexes: Sequence[int], top: int = 3) -> list[Explanation]:
    """Explain the likeliest label of some paragraphs of one article.

    Args:
        model: the model. paragraphs: all paragraphs of the article. indexes: which ones to explain. top: features a group.
    """
    network = model.network
    batches = network.batches(paragraphs)
    if not batches:
        return []
    articles = Articles.build(batches, [len(paragraphs)])
    parts = network.contributions(batches)
    final = _of_labels(network, network.refine(articles, parts))
    out = []
    for i in indexes:
        k = int(final[:, i].argmax())
        whole = _log_odds(final[:, i], k, network.kept)
        groups = []
        for name, families in (("words", (_WORDS, _PAIRS)), ("characters", (_CHARS,))):
            less = parts.copy()
            less[list(families), :, i] = 0
            without = _of_labels(network, network.refine(articles, less))[:, i]
            strongest = _strongest(network, normalise(paragraphs[i]), families, k, parts[:, :, i], top)
            groups.append(Group(name, whole - _log_odds(without, k, network.kept), strongest))
        groups.append(_shape(network, articles, parts, i, k, whole, top))
        groups.append(_context(network, paragraphs, i, k, whole))
        out.append(Explanation(i, model.labels.names[k], whole, tuple(groups)))
    return out


def _of_labels(network: Network, scores: Matrix) -> Matrix:
    """Turn scores of kinds into logarithms of the labels' probabilities, [labels, N]."""
    return np.asarray(np.log(np.maximum(network.merge(softmax(scores)), _LEAST)))


def _log_odds(scores: Matrix, k: int, kept: Sequence[int]) -> float:
    """Log-odds of label k against the likeliest kept label (of a kept label: against the likeliest other one)."""
    rivals = [j for j in range(len(scores)) if j not in kept] if k in kept else list(kept)
    return float(scores[k] - max(scores[j] for j in rivals))


def _shape(network: Network, articles: Articles, parts: Matrix, i: int, k: int, whole: float, top: int) -> Group:
    """Judge the paragraph with a neutral shape, and with one measure of it neutral after the other."""
    neutral = np.median(articles.shape, axis=1)

    def lost(measures: slice) -> float:
        shape = articles.shape.copy()
        shape[measures, i] = neutral[measures]
        without = _of_labels(network, network.refine(articles._replace(shape=shape), parts))[:, i]
        return whole - _log_odds(without, k, network.kept)

    each = sorted(((name, lost(slice(n, n + 1))) for n, name in enumerate(SHAPES)), key=lambda item: -item[1])
    return Group("shape", lost(slice(None)), tuple((name, value) for name, value in each[:top] if value > 0))


def _context(network: Network, paragraphs: Sequence[str], i: int, k: int, whole: float) -> Group:
    """Judge the paragraph alone, without what stands before it, and without what stands behind it."""

    def judged(begin: int, end: int) -> float:
        batches = network.batches(paragraphs[begin:end])
        scores = _of_labels(network, network.refine(Articles.build(batches, [end - begin]), network.contributions(batches)))
        return _log_odds(scores[:, i - begin], k, network.kept)

    sides = (("what stands before", whole - judged(i, len(paragraphs))), ("what stands behind", whole - judged(0, i + 1)))
    return Group("context", whole - judged(i, i + 1), tuple(sorted(sides, key=lambda side: -side[1])))


def _strongest(
    network: Network, text: str, families: Sequence[int], k: int, parts: Matrix, top: int
) -> tuple[tuple[str, float], ...]:
    """Return the features of a paragraph that speak most for label k, with their first-stage weight.

    Of the label's kinds the one counts that the first stage thinks most likely, given its contributions [families, kinds - 1].
    """
    settings = network.text.settings
    own = [kind for kind, label in enumerate(network.label_of) if label == k]
    kind = max(own, key=lambda kind: network.text.scores(parts[:, :, None])[kind, 0])
    batch = extract([text], settings)
    found: dict[str, float] = {}
    for family in families:
        for name, weight in zip(_names(text, family, settings), _weights(network, batch, family, kind), strict=True):
            found[name] = found.get(name, 0.0) + float(weight)
    ranked = sorted(found.items(), key=lambda item: -item[1])
    return tuple((name, weight) for name, weight in ranked[:top] if weight > 0)


def _weights(network: Network, batch: Batch, family: int, kind: int) -> Matrix:
    """Weight of each bucket of the one paragraph in a batch, for a kind against the first one, which is the story."""
    stage = network.text
    base = int(np.cumsum([0, *stage.settings.buckets])[family])
    buckets = np.concatenate([part.bucket for part in batch.families[family]]) + base
    rows = np.zeros((buckets.size, stage.bias.size + 1))
    rows[:, 1:] = stage.weights[buckets] * stage.scale[family]
    return np.asarray(rows[:, kind] / root_count(np.array([buckets.size])))


def _names(text: str, family: int, settings: FeatureSettings) -> Iterator[str]:
    """Name the buckets of a normalised paragraph, in order."""
    pad = settings.gap
    code, cls = characters.fold("\n" * pad + text + "\n" * pad)
    shown = "".join(map(chr, code)).replace("\n", "¶")
    if family == _CHARS:
        for size in range(settings.char_ngrams[0], settings.char_ngrams[1] + 1):
            for at in range(len(shown) - pad):
                yield f"‹{shown[at : at + size]}›"
        return
    words = [shown[begin:end] for begin, end in zip(*characters.word_borders(cls), strict=True)]
    yield from words if family == _WORDS else (f"{a} {b}" for a, b in zip(["¶", *words], [*words, "¶"], strict=True))
