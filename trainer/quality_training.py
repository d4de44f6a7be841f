"""From articles with a verdict to a model of article quality.

What the model sees of an article comes from a paragraph model that does not know the article's site: the sites are dealt into
folds, and each fold is filtered by a model trained on the others. So label profiles look in training as they will on new sites.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from trainer.breaking import copies
from trainer.config import Config
from trainer.dataset import Dataset, LabelledArticle
from trainer.errors import InputError
from trainer.estimator import feature_matrix
from trainer.features import FAMILIES, FeatureSettings, extract_all
from trainer.grouping import join_near_duplicates
from trainer.model import Classifier
from trainer.quality import kept_texts, measures, probability_of_poor, standardised
from trainer.quality_config import QualityConfig
from trainer.result import FilterResult
from trainer.text import Matrix, TextStage
from trainer.training import fit as fit_paragraphs
from trainer.training import make_policy, versions
from trainer.verdicts import POOR, REASONS, VERDICTS

Index = NDArray[np.intp]
Progress = Callable[[Iterable[Any], int], Iterable[Any]]
_UNKNOWN = -1  # reason of an article that is good, or poor for a reason nobody gave
_LEAST = 2  # articles of either verdict
_DECIDE = 20  # real articles of either verdict, from which on they alone decide on the threshold


class Material(NamedTuple):
    """Articles as the model sees them; all arrays have a row or an element an article.

    `text` [n, buckets]: mean over kept paragraphs. `scaled`: see `quality.Measures`. `signals` [n, signals]. `poor`, `reason`:
    the truth. `weight`. `group`: never split. `fold`: in which the article was filtered. `broken`: the same of broken copies of
    good articles (`breaking.copies`), which are learnt from alone.
    """

    text: sp.csr_matrix
    scaled: Matrix
    signals: Matrix
    poor: NDArray[np.bool_]
    reason: Index
    weight: NDArray[np.float64]
    group: Index
    fold: Index
    broken: Material | None = None

    def select(self, rows: Index) -> Material:
        """Return some of the articles, and the broken copies of their groups."""
        rows_of: list[Any] = [array[rows] for array in self[:-1]]
        broken = self.broken.select(np.flatnonzero(np.isin(self.broken.group, self.group[rows]))) if self.broken else None
        return Material(*rows_of)._replace(broken=broken)

    @property
    def all(self) -> Material:
        """Articles and broken copies together."""
        if not self.broken:
            return self
        pairs: list[Any] = list(zip(self[:-1], self.broken[:-1], strict=True))
        both: list[Any] = [sp.vstack(pairs[0], format="csr"), *map(np.concatenate, pairs[1:])]
        return Material(*both)


class Fitted(NamedTuple):
    """The arrays of a model, see `quality.QualityModel`."""

    text: TextStage
    centre: Matrix
    spread: Matrix
    weights: Matrix
    threshold: float

    def scores(self, material: Material) -> Matrix:
        """Return the outputs, [outputs, articles]."""
        rounded = _dense(self.text)
        inputs = standardised(material.scaled, self.centre, self.spread)
        return np.asarray((material.text @ rounded).T + self.weights @ inputs.T + self.text.bias[:, None])


class TrainedQuality(NamedTuple):
    """A fitted model, what it was trained on and with, and the out-of-fold probabilities of poor behind its threshold."""

    fitted: Fitted
    labels: tuple[str, ...]
    info: dict[str, Any]
    out_of_fold: Matrix


def judged(dataset: Dataset) -> Dataset:
    """Return the articles that have a verdict.

    Raises:
        InputError: too few of either verdict, or of one site only.
    """
    rows = [number for number, article in enumerate(dataset.articles) if article.quality]
    found = dataset.select(rows)
    for verdict in VERDICTS:
        if sum(article.quality == verdict for article in found.articles) < _LEAST:
            hint = 'Articles carry "quality": "good" or "poor"; see labels/GUIDELINES.md.'
            raise InputError(f"fewer than {_LEAST} articles are judged {verdict}", hint=hint)
    return found


def prepare(
    dataset: Dataset,
    config: QualityConfig,
    *,
    jobs: int = -1,
    split_sites: bool = False,
    progress: Progress = lambda items, _: items,
) -> Material:
    """Filter every article with a paragraph model of other sites, and measure what it keeps.

    Args:
        dataset: all articles; the paragraph models learn from those without a verdict too. config: settings.
        split_sites: deal articles instead of sites into the folds, to show how much that flatters.
        progress: wraps the iterable of finished folds.
    """
    group = np.arange(len(dataset.articles)) if split_sites else groups(dataset, config)
    folds = split(dataset, group, config)
    label_set = config.paragraphs.label_set
    broken, of = copies(dataset, [label_set.names[k] for k in label_set.kept], config.seed, config.model.broken)
    part = [np.flatnonzero(np.isin(of, held)) for held in folds]
    work = (
        delayed(_filter_fold)(dataset, config.paragraphs, group, held, broken.select(rows))
        for held, rows in zip(folds, part, strict=True)
    )
    done = Parallel(n_jobs=jobs, return_as="generator")(work)
    results: dict[int, FilterResult] = {}
    of_copies: dict[int, FilterResult] = {}
    fold = np.zeros(len(dataset.articles), np.intp)
    for number, (own, spoilt) in enumerate(progress(done, len(folds))):
        results |= dict(zip(folds[number].tolist(), own, strict=True))
        of_copies |= dict(zip(part[number].tolist(), spoilt, strict=True))
        fold[folds[number]] = number
    rows = np.array([i for i, article in enumerate(dataset.articles) if article.quality], np.intp)
    found = material(dataset.select(rows), [results[i] for i in rows.tolist()], group[rows], fold[rows], config)
    if not of.size:
        return found
    return found._replace(broken=material(broken, [of_copies[i] for i in range(of.size)], group[of], fold[of], config))


def material(dataset: Dataset, results: Sequence[FilterResult], group: Index, fold: Index, config: QualityConfig) -> Material:
    """Put together what is known of filtered articles that all have a verdict."""
    found = measures(results)
    articles = dataset.articles
    number = {reason: column for column, reason in enumerate(REASONS)}
    return Material(
        _mean_features(results, FeatureSettings(**config.features.model_dump())),
        found.scaled,
        found.signals,
        np.array([article.quality == POOR for article in articles]),
        np.array([number.get(article.quality_reason or "", _UNKNOWN) for article in articles], np.intp),
        dataset.weights,
        group,
        fold,
    )


def groups(dataset: Dataset, config: QualityConfig) -> Index:
    """Return the number of each article's group: its site, and sites that share a story."""
    paragraphs = config.paragraphs.model_copy(update={"evaluation": config.evaluation})
    return join_near_duplicates(dataset, paragraphs).group


def split(dataset: Dataset, group: Index, config: QualityConfig) -> list[Index]:
    """Return the article numbers of each fold; groups are whole, verdicts spread evenly."""
    count = min(config.evaluation.folds, int(np.unique(group).size))
    if count < 2:
        raise InputError("all sites share a story, so they form one group; at least 2 are needed", hint="Add other sites.")
    kind = np.array([f"{a.weight >= 1} {a.quality_reason or a.quality}" for a in dataset.articles])
    return stratified(kind, group, count, config.seed)


def stratified(kind: NDArray[Any], group: Index, count: int, seed: int) -> list[Index]:
    """Return the numbers of each fold, whole groups, kinds spread evenly as far as there are enough of any."""
    if np.unique(kind, return_counts=True)[1].max() < count:
        kind = np.zeros(kind.size, np.intp)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # kinds rarer than folds
        return [held for _, held in splitter.split(kind, kind, group) if held.size]


def train(dataset: Dataset, config: QualityConfig, found: Material) -> TrainedQuality:
    """Fit on all articles with a verdict; `found` is what `prepare` returned for the dataset."""
    fitted, out_of_fold = fit(found, config)
    info = {
        "task": "quality",
        "config": config.model_dump(mode="json"),
        "config_digest": config.digest,
        "data": summary(judged(dataset)),
        "versions": versions(),
    }
    return TrainedQuality(fitted, config.paragraphs.label_set.names, info, out_of_fold)


def fit(found: Material, config: QualityConfig) -> tuple[Fitted, Matrix]:
    """Fit verdict and reason, and choose the threshold on articles of groups that were not trained on.

    Returns:
        The model, and the probability of poor of each article from a model that did not see its group.
    """
    count = min(config.model.threshold_folds, int(np.unique(found.group).size))
    poor = np.zeros(found.poor.size)
    for held in stratified(found.poor.astype(int), found.group, count, config.seed):
        rest = np.setdiff1d(np.arange(found.poor.size), held)
        scores = _fit(found.select(rest), config, with_reasons=False).scores(found.select(held))
        poor[held] = probability_of_poor(scores)
    real = found.weight >= 1
    decides = real if np.bincount(found.poor[real], minlength=2).min() >= _DECIDE else np.ones_like(real)
    threshold = best_threshold(found.poor[decides], poor[decides])
    return _fit(found, config)._replace(threshold=threshold), poor


def best_threshold(truth: NDArray[np.bool_], score: Matrix) -> float:
    """Return the threshold from which on calling poor gives the best F1 of poor: midway to the next score below."""
    order = np.argsort(-score, kind="stable")
    hits, ranked = np.cumsum(truth[order]), score[order]
    f1 = 2 * hits / (np.arange(1, truth.size + 1) + truth.sum())
    last = np.append(ranked[1:] != ranked[:-1], True)  # equal scores go together
    best = int(np.flatnonzero(last)[f1[last].argmax()])
    below = ranked[best + 1] if best + 1 < ranked.size else ranked[best]
    return float((ranked[best] + below) / 2)


def summary(dataset: Dataset) -> dict[str, Any]:
    """Return counts for cards and reports."""
    articles = dataset.articles
    reasons = [article.quality_reason for article in articles if article.quality == POOR]
    return {
        "articles": len(articles),
        "sites": len(set(dataset.sites.tolist())),
        "labels": {verdict: sum(article.quality == verdict for article in articles) for verdict in VERDICTS},
        "reasons": {reason: reasons.count(reason) for reason in REASONS},
        "digest": dataset.quality_digest,
    }


def _filter_fold(
    dataset: Dataset, config: Config, group: Index, held: Index, broken: Dataset
) -> tuple[list[FilterResult], list[FilterResult]]:
    """Filter the articles of a fold, and broken copies of some, by a model of the other folds."""
    rest = np.setdiff1d(np.arange(len(dataset.articles)), held)
    training = dataset.select(rest)
    model = fit_paragraphs(training, config, group[rest])
    policy = make_policy(model, training, config)
    classifier = Classifier(model.network_, config.label_set, policy, name="fold", digest="", info={})

    def filtered(articles: Sequence[LabelledArticle]) -> list[FilterResult]:
        return list(classifier.filter_many([list(article.texts) for article in articles]))

    return filtered(dataset.select(held).articles), filtered(broken.articles)


def _mean_features(results: Sequence[FilterResult], settings: FeatureSettings) -> sp.csr_matrix:
    """Return hashed features of kept paragraphs, the mean over an article's paragraphs, [articles, buckets]."""
    texts, counts = kept_texts(results)
    matrix = feature_matrix(extract_all(texts, settings), settings)
    article = np.repeat(np.arange(len(results)), counts)
    mean = sp.csr_matrix((1 / counts[article], (article, np.arange(article.size))), shape=(len(results), article.size))
    return (mean @ matrix).tocsr()


def _fit(found: Material, config: QualityConfig, *, with_reasons: bool = True) -> Fitted:
    found = found.all
    centre = found.scaled.mean(axis=0)
    spread = np.maximum(found.scaled.std(axis=0), 1e-6)
    inputs = standardised(found.scaled, centre, spread)
    model = config.model
    used = np.flatnonzero(np.bincount(found.text.indices, minlength=found.text.shape[1]) >= model.min_count)
    matrix = sp.hstack([found.text[:, used] * model.text_scale, sp.csr_matrix(inputs * model.measure_scale)], format="csr")
    outputs = 1 + len(REASONS)
    coef, bias = np.zeros((outputs, matrix.shape[1])), np.zeros(outputs)
    with threadpool_limits(1):
        if np.unique(found.poor).size == 2:
            verdict = _regression(matrix, found.poor.astype(np.intp), found.weight, model.C, model.balance)
            coef[0], bias[0] = verdict.coef_[0], verdict.intercept_[0]
        else:  # where the sites left have only one: as likely as that many of it make it (Laplace's rule)
            bias[0] = np.log((found.poor.sum() + 1) / ((~found.poor).sum() + 1))
        known = np.flatnonzero(found.reason != _UNKNOWN)
        seen = np.unique(found.reason[known])
        bias[1:] = -1e3  # a reason without examples is never the likeliest, unless there are no others
        if with_reasons and seen.size > 1:
            reasons = _regression(matrix[known], found.reason[known], found.weight[known], model.reason_C, model.reason_balance)
            scores, intercept = reasons.coef_, reasons.intercept_
            if seen.size == 2:  # scikit-learn keeps one row for two classes
                scores, intercept = np.concatenate([-scores, scores]) / 2, np.concatenate([-intercept, intercept]) / 2
            coef[1 + seen], bias[1 + seen] = scores, intercept
        elif seen.size:
            bias[1 + seen] = 0
    weights = np.zeros((outputs, found.text.shape[1]))
    weights[:, used] = coef[:, : used.size] * model.text_scale
    text = _rounded(weights.T, bias, FeatureSettings(**config.features.model_dump()))
    return Fitted(text, centre, spread, coef[:, used.size :] * model.measure_scale, 0.5)


def _regression(
    matrix: sp.csr_matrix, truth: Index, weight: NDArray[np.float64], strength: float, balance: float
) -> LogisticRegression:
    count = np.bincount(truth)
    inverse = (truth.size / (np.count_nonzero(count) * np.maximum(count, 1))) ** balance
    return LogisticRegression(C=strength, max_iter=300, tol=1e-4).fit(matrix, truth, sample_weight=weight * inverse[truth])


def _rounded(weights: Matrix, bias: Matrix, settings: FeatureSettings) -> TextStage:
    """Round weights [buckets, outputs] to 8 bits, by family and output."""
    scale, rounded = [], []
    for part in np.split(weights, np.cumsum(settings.buckets)[:-1]):
        step = np.maximum(np.abs(part).max(axis=0), 1e-9) / 127
        scale.append(step)
        rounded.append(np.rint(part / step).astype(np.int8))
    return TextStage(settings, np.concatenate(rounded), np.array(scale), bias)


def _dense(text: TextStage) -> Matrix:
    """Return the weights that the rounded ones stand for, [buckets, outputs]."""
    parts = np.split(text.weights.astype(np.float64), np.cumsum(text.settings.buckets)[:-1])
    return np.concatenate([part * text.scale[family] for family, part in zip(range(len(FAMILIES)), parts, strict=True)])
