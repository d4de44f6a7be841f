"""From a model and a few labelled articles of a user's own sites to a model that is better there: `adapt`.

The base stays the prior of all that changes, so that little data moves it little:

- First stage: a correction is added to the weights of word pairs, fitted with a penalty on its own size. Pairs are what tells
  the lines of one site from those of others; corrections of single words, characters and shapes cost more elsewhere than they
  gave (`benchmarks/adapt.py`). Pairs that the labelled paragraphs lack keep their weights.
- Second stage: a fixed, small number of small steps of its last two layers from the base's weights, on first-stage scores from
  corrections fitted without the article.
- Thresholds: a limit of a few lost characters in a thousand cannot be checked on a few paragraphs. Below
  `adapt.min_news_chars` labelled characters of news the base's thresholds stay, chosen on more data; from there on they are
  chosen anew on out-of-fold probabilities, as in training. A label without labelled paragraphs keeps the base's.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from trainer.config import Config
from trainer.context import Articles, input_names, inputs
from trainer.dataset import Dataset
from trainer.errors import InputError
from trainer.estimator import encode, feature_matrix
from trainer.features import FAMILIES, Batch
from trainer.fitting import Sample, adjust_sequence
from trainer.model import Classifier
from trainer.network import Network
from trainer.policy import Policy, choose_thresholds
from trainer.schema import UNLABELLED, LabelSet
from trainer.sequence import SequenceStage
from trainer.text import Matrix, TextStage, softmax
from trainer.training import Trained, versions

Index = NDArray[np.intp]
logger = logging.getLogger(__name__)
_PAIRS = FAMILIES.index("pairs")
_ITERATIONS = 100
_MOST = 127  # of an 8-bit weight


def adapt(base: Classifier, dataset: Dataset, config: Config) -> Trained:
    """Adapt a model to labelled articles; the same model, data, configuration and seed give the same bytes.

    One article of one site is enough, and so are labels of a few of its paragraphs. The label set, the sizes of the stages and
    the safety valves are the base's; of the configuration count `seed`, `inner_folds`, `[adapt]` and `policy.max_news_loss`.

    Raises:
        InputError: the labels of base and configuration differ, or nothing is labelled that the base could learn from.
    """
    check_labels(base, config)
    material = _Material.build(base.network, dataset, base.labels)
    if not material.known.any():
        raise InputError(
            "none of the paragraphs has a label that the base could learn from", hint="Label some paragraphs; 50 are a start."
        )
    fold = _folds(material, config)
    with threadpool_limits(1):
        network, probability = _fit(material, fold, config)
    policy, chosen = _policy(base.policy, probability, material, base.labels, config)
    info = {
        "config": config.model_dump(mode="json"),
        "config_digest": config.digest,
        "data": dataset.summary(),
        "versions": versions(),
        "base": {"name": base.name, "digest": base.digest, "data": base.info.get("data", {})},
        "adapted": {
            "labelled": int(material.known.sum()),
            "folds": int(fold.max()) + 1,
            "thresholds": "chosen anew" if chosen else "of the base",
        },
    }
    return Trained(network, base.labels, policy, info, probability.T)


def check_labels(base: Classifier, config: Config) -> None:
    """Refuse a base with other labels than the configuration's; colours and keys may differ."""
    have, want = ([(label.name, label.kept) for label in labels] for labels in (base.labels, config.label_set))
    if have != want:
        raise InputError(
            f"the base {base.name} has the labels {', '.join(base.labels.names)}, "
            f"the configuration {', '.join(config.label_set.names)}",
            hint="Give the configuration the base was trained with, or train without --base.",
        )


@dataclass(frozen=True)
class _Material:
    """Articles as the base sees them; arrays over all N paragraphs in order.

    `scores`: the base's first-stage log-odds [kinds, N]. `pairs`: what the weights of word pairs are multiplied with
    [N, buckets]. `truth`: column of the label. `kind`: column of the kind to learn, UNLABELLED where there is none.
    """

    network: Network
    batches: list[Batch]
    articles: Articles
    scores: Matrix
    pairs: sp.csr_matrix
    chars: Index
    truth: Index
    kind: Index
    weight: NDArray[np.float64]

    @classmethod
    def build(cls, network: Network, dataset: Dataset, labels: LabelSet) -> _Material:
        texts = [text for article in dataset.texts for text in article]
        batches = network.batches(texts)
        articles = Articles.build(batches, [len(article) for article in dataset.texts])
        contributions = network.contributions(batches)
        truth = encode(dataset.labels, list(labels.names))
        first, last = _columns_of_pairs(network)
        return cls(
            network,
            batches,
            articles,
            network.text.scores(contributions),
            feature_matrix(batches, network.text.settings)[:, first:last].astype(np.float64),
            np.fromiter(map(len, texts), np.intp, truth.size),
            truth,
            _kinds(network, dataset, truth, network.refine(articles, contributions)),
            np.repeat(dataset.weights, [len(article) for article in dataset.texts]),
        )

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether there is something to learn of a paragraph."""
        return np.asarray(self.kind != UNLABELLED)

    def seen(self, text: TextStage) -> Matrix:
        """Return what the second stage reads after a first stage, [inputs, N]."""
        contributions = self.network._replace(text=text).contributions(self.batches)
        return inputs(self.articles, contributions, text.scores(contributions), self.network.kept_kinds)


def _columns_of_pairs(network: Network) -> tuple[int, int]:
    bounds = np.cumsum([0, *network.text.settings.buckets]).tolist()
    return bounds[_PAIRS], bounds[_PAIRS + 1]


def _kinds(network: Network, dataset: Dataset, truth: Index, scores: Matrix) -> Index:
    """Return the column of each paragraph's kind: the given one, or where the base has no such, its label's likeliest one."""
    column: dict[tuple[str | None, int], int] = {
        pair: number for number, pair in enumerate(zip(network.kinds, network.label_of, strict=True))
    }
    label_of = np.array(network.label_of)
    out = np.full(truth.size, UNLABELLED)
    for row, (label, name) in enumerate(zip(truth.tolist(), (x for kinds in dataset.kinds for x in kinds), strict=True)):
        own = np.flatnonzero(label_of == label)
        if (name, label) in column:
            out[row] = column[name, label]
        elif own.size:
            out[row] = own[scores[own, row].argmax()]
    return out


def _folds(material: _Material, config: Config) -> Index:
    """Deal the articles that have labels out to folds; return the fold of each paragraph."""
    article = material.articles.article
    labelled = np.unique(article[material.known])
    dealt = np.zeros(int(article[-1]) + 1, np.intp)
    dealt[np.random.default_rng(config.seed).permutation(labelled)] = np.arange(labelled.size) % config.inner_folds
    return np.asarray(dealt[article])


def _fit(material: _Material, fold: Index, config: Config) -> tuple[Network, Matrix]:
    """Return the adapted stages and out-of-fold probabilities [labels, N], from stages fitted without the paragraph's fold."""
    network, article = material.network, material.articles.article
    rows = np.flatnonzero(material.known)
    steps = 2 * (int(fold.max()) + 2)
    held_out = [(rows[fold[rows] != number], np.flatnonzero(fold == number)) for number in range(int(fold.max()) + 1)]
    seen = np.zeros((len(input_names(network.kinds)), article.size))
    for number, (fit_rows, held) in enumerate(held_out):
        seen[:, held] = material.seen(_text_stage(material, fit_rows, config))[:, held]
        logger.info("fitted the first stage, out of fold", extra={"step": number + 1, "steps": steps})
    probability = np.zeros((network.labels, article.size))
    for number, (fit_rows, held) in enumerate(held_out):
        stage = _sequence_stage(material, seen, fit_rows, config)
        probability[:, held] = network.merge(softmax(stage.scores(seen[:, held], article[held])))
        logger.info("adjusted the second stage, out of fold", extra={"step": len(held_out) + number + 1, "steps": steps})
    text, sequence = _text_stage(material, rows, config), _sequence_stage(material, seen, rows, config)
    return network._replace(text=text, sequence=sequence), probability


def _text_stage(material: _Material, rows: Index, config: Config) -> TextStage:
    """Return the base's first stage with corrected weights of the word pairs of some labelled paragraphs."""
    text = material.network.text
    pairs = material.pairs[rows]
    used = np.unique(pairs.indices)
    if not used.size:
        return text
    added = correction(
        pairs[:, used], material.scores[:, rows], material.kind[rows], material.weight[rows], config.adapt.strength
    )
    weights, scale = text.weights.copy(), text.scale.copy()
    own = slice(*_columns_of_pairs(material.network))
    exact = weights[own] * scale[_PAIRS]
    exact[used] += (added[1:] - added[0]).T
    scale[_PAIRS] = np.maximum(scale[_PAIRS], np.abs(exact).max(axis=0) / _MOST)  # that of the base, unless 8 bits are too few
    weights[own] = np.rint(exact / scale[_PAIRS]).astype(np.int8)
    return TextStage(text.settings, weights, scale, text.bias)


def correction(features: sp.csr_matrix, offset: Matrix, kind: Index, weight: NDArray[np.float64], strength: float) -> Matrix:
    """Fit what to add to a linear model's weights, [kinds, features].

    It minimises, by L-BFGS, the weighted cross-entropy plus the sum of its squares over twice the strength: a convex function.

    Args:
        features: [n, features]. offset: [kinds, n] the model's log-odds. kind: [n] column of the true kind. weight: [n].
        strength: inverse of the penalty.
    """
    shape, column = (len(offset), features.shape[1]), np.arange(kind.size)
    turned = features.T.tocsr()

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = offset + (features @ flat.reshape(shape).T).T
        scores -= scores.max(axis=0)
        slope = np.exp(scores)
        total = slope.sum(axis=0)
        value = float(weight @ (np.log(total) - scores[kind, column])) + float(flat @ flat) / (2 * strength)
        slope /= total
        slope[kind, column] -= 1
        return value, (turned @ (slope * weight).T).T.ravel() + flat / strength

    start = np.zeros(shape[0] * shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS})
    return np.asarray(found.x.reshape(shape))


def _sequence_stage(material: _Material, seen: Matrix, rows: Index, config: Config) -> SequenceStage:
    """Return the base's second stage, a few steps on towards what some labelled paragraphs say."""
    stage, article = material.network.sequence, material.articles.article
    whole = np.flatnonzero(np.isin(article, article[rows]))  # with the unlabelled paragraphs of the same articles
    truth = np.where(np.isin(whole, rows), material.kind[whole], UNLABELLED)
    sample = Sample(seen[:, whole].T.astype(np.float32), article[whole], truth, material.weight[whole])
    return adjust_sequence(stage, sample, config.adapt.steps, config.adapt.learning_rate)


def _policy(base: Policy, probability: Matrix, material: _Material, labels: LabelSet, config: Config) -> tuple[Policy, bool]:
    """Return the policy, and whether its thresholds were chosen anew; see the module."""
    known = material.truth != UNLABELLED
    truth, chars = material.truth[known], material.chars[known]
    if chars[np.isin(truth, labels.kept)].sum() < config.adapt.min_news_chars:
        return base, False
    chosen = choose_thresholds(probability[:, known], truth, chars, labels.kept, config.policy.max_news_loss)
    own = np.isin(np.arange(len(labels)), truth)
    return base._replace(thresholds=tuple(np.where(own, chosen, base.thresholds).tolist())), True
