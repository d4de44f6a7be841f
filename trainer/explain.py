"""Why a paragraph got its label: what words, characters, shape and context add to the log-odds against the story."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from trainer import characters
from trainer.context import Articles
from trainer.features import BINS, SHAPES, Batch, FeatureSettings, extract, normalise
from trainer.model import Classifier
from trainer.network import Network
from trainer.text import Matrix, root_count, softmax

_WORDS, _PAIRS, _CHARS, _SHAPE = range(4)
_LEAST = 1e-12  # probability


class Group(NamedTuple):
    """What a group of features adds to the log-odds, and its strongest features with what the first stage gives them."""

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
        for name, families in (("words", (_WORDS, _PAIRS)), ("characters", (_CHARS,)), ("shape", (_SHAPE,))):
            less, seen = parts.copy(), articles
            less[list(families), :, i] = 0
            if name == "shape":
                shape = articles.shape.copy()
                shape[:, i] = np.median(shape, axis=1)
                seen = articles._replace(shape=shape)
            without = _of_labels(network, network.refine(seen, less))[:, i]
            strongest = _strongest(network, normalise(paragraphs[i]), families, k, parts[:, :, i], top)
            groups.append(Group(name, whole - _log_odds(without, k, network.kept), strongest))
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
        for name, weight in zip(_names(text, batch, family, settings), _weights(network, batch, family, kind), strict=True):
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
    return np.asarray(rows[:, kind] / root_count(np.array([buckets.size]), family))


def _names(text: str, batch: Batch, family: int, settings: FeatureSettings) -> Iterator[str]:
    """Name the buckets of the one paragraph in a batch, in order."""
    pad = settings.gap
    code, cls = characters.fold("\n" * pad + text + "\n" * pad)
    if family == _SHAPE:
        for number, measure in enumerate(SHAPES):
            yield f"{measure} {int(batch.families[_SHAPE][0].bucket[number] % BINS)}/{BINS - 1}"
        return
    shown = "".join(map(chr, code)).replace("\n", "¶")
    if family == _CHARS:
        for size in range(settings.char_ngrams[0], settings.char_ngrams[1] + 1):
            for at in range(len(shown) - pad):
                yield f"‹{shown[at : at + size]}›"
        return
    words = [shown[begin:end] for begin, end in zip(*characters.word_borders(cls), strict=True)]
    yield from words if family == _WORDS else (f"{a} {b}" for a, b in zip(["¶", *words], [*words, "¶"], strict=True))
