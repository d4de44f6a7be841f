"""The scikit-learn estimator: both stages fitted on articles, the second on out-of-fold scores of the first."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from trainer.augmentation import thinned_views
from trainer.context import Articles, Context, ContextSettings, ContextStage, to_weight_grid
from trainer.features import FAMILIES, Batch, FeatureSettings, extract_all
from trainer.network import Network
from trainer.schema import UNLABELLED
from trainer.text import Matrix, TextStage, bucket_counts, root_count, softmax

Index = NDArray[np.intp]
logger = logging.getLogger(__name__)
_CLASS_WEIGHTS = {"sqrt": 0.5, "balanced": 1.0, "none": 0.0}  # power of the inverse frequency
_UNSEEN = -12.0  # log-odds of a label without examples
_BATCH = 256  # paragraphs of a mini-batch


class ArticleClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Labels of paragraphs, judged within their article.

    `X` is a sequence of articles, each a sequence of paragraphs (`str`); `y` a sequence of label sequences of the same
    lengths, `None` for a paragraph that is not labelled (it still serves as context). Probabilities come stacked: a row a
    paragraph, articles in order.

    Args:
        labels: label names in column order.
        kept: those that make up the story.
        word_bits, pair_bits, char_bits, char_ngrams: see `features.FeatureSettings`.
        min_count: a bucket seen in fewer paragraphs gets no weight.
        C: inverse strength of the first stage's L2 penalty.
        class_weight: `sqrt` (square root of the inverse frequency), `balanced`, or `none`.
        near, window, sums: see `context.ContextSettings`.
        passes: how often the second stage is applied, each time on the scores of the time before.
        hidden: units of each network; networks: how many are averaged (in log-odds) in the last pass.
        views: copies of each article with part of its residue left out, added to the second stage's training.
        epochs, steps: passes over the data and mini-batches at most; alpha, learning_rate: of the networks' training.
        folds: folds, by group, of the out-of-fold scores.
        seed: of every random choice.

    Attributes:
        classes_: label names. network_: the fitted `Network`. out_of_fold_: [paragraphs, classes] probabilities of the
        training paragraphs, from networks fitted without its group on first-stage scores
        fitted without it (the scores those networks learnt from may have seen it); fold_: [paragraphs] the fold of each.
    """

    def __init__(
        self,
        *,
        labels: Sequence[str] = ("news", "fundraising", "navigation", "caption"),
        kept: Sequence[str] = ("news",),
        word_bits: int = 18,
        pair_bits: int = 18,
        char_bits: int = 18,
        char_ngrams: tuple[int, int] = (4, 4),
        min_count: int = 2,
        C: float = 1.0,  # noqa: N803 (scikit-learn's name)
        class_weight: str = "sqrt",
        near: int = 2,
        window: int = 6,
        sums: tuple[int, ...] = (5, 15),
        passes: int = 2,
        hidden: int = 32,
        networks: int = 3,
        views: int = 1,
        epochs: int = 30,
        steps: int = 6000,
        alpha: float = 1e-3,
        learning_rate: float = 1e-3,
        folds: int = 5,
        seed: int = 0,
    ) -> None:
        self.labels = labels
        self.kept = kept
        self.word_bits = word_bits
        self.pair_bits = pair_bits
        self.char_bits = char_bits
        self.char_ngrams = char_ngrams
        self.min_count = min_count
        self.C = C
        self.class_weight = class_weight
        self.near = near
        self.window = window
        self.sums = sums
        self.passes = passes
        self.hidden = hidden
        self.networks = networks
        self.views = views
        self.epochs = epochs
        self.steps = steps
        self.alpha = alpha
        self.learning_rate = learning_rate
        self.folds = folds
        self.seed = seed

    def __sklearn_tags__(self) -> Any:
        """Declare that input is text in articles, which generic checks cannot make."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.no_validation = True
        return tags

    def fit(
        self,
        X: Sequence[Sequence[str]],  # noqa: N803
        y: Sequence[Sequence[str | None]],
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Fit both stages.

        Args:
            X: articles. y: their labels. groups: [articles] the site of each; an article each where left out.
            sample_weight: [articles] how much each counts; 1 where left out.

        Raises:
            ValueError: the arguments do not match, an unknown label, or fewer than two labels or groups.
        """
        self.classes_ = np.array(self.labels)
        if self.class_weight not in _CLASS_WEIGHTS:
            raise ValueError(f"class_weight must be one of {', '.join(_CLASS_WEIGHTS)}, got {self.class_weight!r}")
        truth, group = self._check(X, y, groups)
        of_article = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        if of_article.shape != (len(X),) or not (of_article > 0).all():
            raise ValueError("sample_weight must hold a positive number for each article")
        weight = self._weights(truth) * np.repeat(of_article, [len(a) for a in X])
        with threadpool_limits(1):
            self._fit(X, truth, group, weight)
        return self

    def predict_proba(self, X: Sequence[Sequence[str]]) -> NDArray[np.float64]:  # noqa: N803
        """Return probabilities [paragraphs of all articles, classes]."""
        check_is_fitted(self, "network_")
        parts = [self.network_.probabilities(run) for run in article_runs(X)]
        return np.concatenate(parts, axis=1).T if parts else np.zeros((0, len(self.labels)))

    def predict(self, X: Sequence[Sequence[str]]) -> NDArray[Any]:  # noqa: N803
        """Return the likeliest label of each paragraph."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def score(self, X: Sequence[Sequence[str]], y: Sequence[Sequence[str | None]], sample_weight: None = None) -> float:  # noqa: N803, ARG002
        """Return the macro-averaged F1 over the labelled paragraphs."""
        from sklearn.metrics import f1_score

        truth = encode(y, list(self.labels))
        known = truth != UNLABELLED
        found = self.predict_proba(X).argmax(axis=1)
        return float(f1_score(truth[known], found[known], average="macro", zero_division=0))

    def _check(
        self,
        X: Sequence[Sequence[str]],  # noqa: N803
        y: Sequence[Sequence[str | None]],
        groups: ArrayLike | None,
    ) -> tuple[Index, Index]:
        if len(X) != len(y) or any(len(a) != len(b) for a, b in zip(X, y, strict=False)):
            raise ValueError("X and y must hold the same articles with as many labels as paragraphs")
        truth = encode(y, list(self.labels))
        group = np.unique(np.arange(len(X)) if groups is None else np.asarray(groups), return_inverse=True)[1]
        if group.size != len(X):
            raise ValueError("groups must name a site for each article")
        if np.unique(truth[truth != UNLABELLED]).size < 2 or np.unique(group).size < 2:
            raise ValueError("training needs at least two labels and two groups")
        return truth, np.repeat(group, [len(a) for a in X])

    def _fit(self, X: Sequence[Sequence[str]], truth: Index, group: Index, weight: NDArray[np.float64]) -> None:  # noqa: N803
        features = FeatureSettings(self.word_bits, self.pair_bits, self.char_bits, (self.char_ngrams[0], self.char_ngrams[1]))
        context = ContextSettings(self.near, self.window, tuple(self.sums))
        kept = [list(self.labels).index(name) for name in self.kept]
        batches = extract_all([p for article in X for p in article], features)
        articles = Articles.build(batches, [len(a) for a in X])
        matrix = feature_matrix(batches, features)
        everything = np.arange(truth.size)
        article = articles.article
        splits = list(_splits(group, truth, self.folds, self.seed))
        step, steps = 0, (1 + self.passes) * (len(splits) + 1)

        def log(what: str) -> None:
            nonlocal step
            step += 1
            logger.info("fitted the %s", what, extra={"step": step, "steps": steps})

        def text_stage(rows: Index) -> TextStage:
            return self._fit_text(features, matrix[rows], truth[rows], weight[rows])

        parts = np.zeros((len(FAMILIES), len(self.labels) - 1, truth.size))
        earlier = np.zeros((len(self.labels), truth.size))
        at = np.cumsum([0, *map(len, batches)])
        for fit_rows, held in splits:
            stage = text_stage(fit_rows)
            for batch, begin in zip(batches, at, strict=False):
                inside = held[(held >= begin) & (held < begin + len(batch))]
                if inside.size:
                    parts[:, :, inside] = stage.contributions(batch)[:, :, inside - begin]
            earlier[:, held] = stage.scores(parts[:, :, held])
            log("first stage, out of fold")
        stages = []
        views = [everything, *thinned_views(truth, article, kept, self.views, self.seed)]
        row = np.concatenate(views)
        contexts = [Context(articles.select(rows), parts[:, :, rows], kept, context) for rows in views]

        def context_stage(mask: NDArray[np.bool_], stacked: Matrix, number: int) -> ContextStage:
            use = np.flatnonzero(mask[row])
            networks = self.networks if number == self.passes - 1 else 1
            seed = self.seed + 1000 * (number + 1)
            return self._fit_context(stacked[:, use], truth[row[use]], weight[row[use]], networks, seed)

        for number in range(self.passes):
            inputs = [seen.inputs(earlier[:, rows]) for seen, rows in zip(contexts, views, strict=True)]
            stacked = np.concatenate(inputs, axis=1)

            later = np.zeros_like(earlier)
            for _, held in splits:
                mask = truth != UNLABELLED
                mask[held] = False
                later[:, held] = context_stage(mask, stacked, number).scores(inputs[0][:, held])
                log("second stage, out of fold")
            stages.append(context_stage(truth != UNLABELLED, stacked, number))
            log("second stage")
            earlier = later
        self.out_of_fold_ = softmax(earlier).T
        self.fold_ = np.zeros(truth.size, np.intp)
        for number, (_, held) in enumerate(splits):
            self.fold_[held] = number
        self.network_ = Network(text_stage(np.flatnonzero(truth != UNLABELLED)), tuple(stages), context, tuple(kept))
        log("first stage")

    def _weights(self, truth: Index) -> NDArray[np.float64]:
        count = np.bincount(truth[truth != UNLABELLED], minlength=len(self.labels))
        inverse = count.sum() / (np.count_nonzero(count) * np.maximum(count, 1))
        weights = np.asarray(inverse ** _CLASS_WEIGHTS[self.class_weight])
        return weights[truth]

    def _fit_text(self, features: FeatureSettings, matrix: sp.csr_matrix, truth: Index, weight: NDArray[np.float64]) -> TextStage:
        """Fit a multinomial logistic regression and round it to 8 bits."""
        used = np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]) >= self.min_count)
        if np.unique(truth).size > 1 and used.size:
            model = LogisticRegression(C=self.C, max_iter=60, tol=1e-3)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # the number of steps is the limit meant
                model.fit(matrix[:, used], truth, sample_weight=weight)
            coef, intercept = _full_classes(model, len(self.labels))
        else:  # nothing to tell apart, or nothing to tell it by: only the labels' frequencies
            share = np.bincount(truth, weight, minlength=len(self.labels)) / weight.sum()
            coef, intercept = np.zeros((len(self.labels), used.size)), np.log(np.maximum(share, np.exp(_UNSEEN)))
        weights = np.zeros((matrix.shape[1], len(self.labels) - 1))
        weights[used] = (coef[1:] - coef[0]).T
        scale, rounded = [], []
        for part in np.split(weights, np.cumsum(features.buckets)[:-1]):
            step = np.maximum(np.abs(part).max(axis=0), 1e-9) / 127
            scale.append(step)
            rounded.append(np.rint(part / step).astype(np.int8))
        return TextStage(features, np.concatenate(rounded), np.array(scale), intercept[1:] - intercept[0])

    def _fit_context(self, inputs: Matrix, truth: Index, weight: NDArray[np.float64], networks: int, seed: int) -> ContextStage:
        """Fit `networks` networks and put them side by side as one."""
        mean = inputs.mean(axis=1)
        spread = np.maximum(inputs.std(axis=1), 0.05)
        scaled = ((inputs - mean[:, None]) / spread[:, None]).T.astype(np.float32)
        if np.unique(truth).size < 2:
            bias = np.full(len(self.labels), _UNSEEN)
            bias[truth[:1]] = 0.0
            return ContextStage(np.zeros((1, len(inputs))), np.zeros(1), np.zeros((len(self.labels), 1)), bias)
        epochs = int(np.clip(self.steps * _BATCH // len(truth), 1, self.epochs))
        hidden, hidden_bias, out, out_bias = [], [], [], []
        for number in range(networks):
            model = MLPClassifier(
                (self.hidden,),
                alpha=self.alpha,
                batch_size=min(_BATCH, len(truth)),
                learning_rate_init=self.learning_rate,
                max_iter=epochs,
                tol=0,
                n_iter_no_change=epochs,
                random_state=seed + number,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is the limit meant
                model.fit(scaled, truth, sample_weight=weight)
            first, second = (np.asarray(x, np.float64) for x in model.coefs_)
            bias = np.asarray(model.intercepts_[0], np.float64)
            hidden.append((first / spread[:, None]).T)
            hidden_bias.append(bias - first.T @ (mean / spread))
            coef, intercept = _full_network(model, second, len(self.labels))
            out.append(coef / networks)
            out_bias.append(intercept / networks)
        layers = (np.concatenate(hidden), np.concatenate(hidden_bias), np.concatenate(out, axis=1), np.sum(out_bias, axis=0))
        return ContextStage(*(to_weight_grid(layer) for layer in layers))


def encode(y: Sequence[Sequence[str | None]], labels: list[str]) -> Index:
    """Return the labels of all paragraphs as column numbers, UNLABELLED for None."""
    number: dict[str | None, int] = {name: i for i, name in enumerate(labels)}
    number[None] = UNLABELLED
    try:
        return np.array([number[label] for article in y for label in article], np.intp)
    except KeyError as error:
        raise ValueError(f"unknown label {error}") from None


def article_runs(X: Sequence[Sequence[str]], chars: int = 1 << 17) -> Iterator[list[Sequence[str]]]:  # noqa: N803
    """Yield articles in runs of about `chars` characters."""
    run: list[Sequence[str]] = []
    size = 0
    for article in X:
        run.append(article)
        size += sum(map(len, article))
        if size >= chars:
            yield run
            run, size = [], 0
    if run:
        yield run


def _splits(group: Index, truth: Index, folds: int, seed: int) -> Iterator[tuple[Index, Index]]:
    """Yield (labelled rows to fit on, rows held out); whole groups are held out."""
    count = min(folds, np.unique(group).size)
    for fit_rows, held in GroupKFold(count, shuffle=True, random_state=seed).split(group, groups=group):
        yield fit_rows[truth[fit_rows] != UNLABELLED], held


def feature_matrix(batches: Sequence[Batch], features: FeatureSettings) -> sp.csr_matrix:
    """Put the buckets of all batches into one sparse matrix [paragraphs, buckets] with the weights that serving uses."""
    base = np.cumsum([0, *features.buckets])
    rows = [sp.csr_matrix((0, base[-1]), dtype=np.float32)]
    for batch in batches:
        blocks = []
        for family, parts in enumerate(batch.families):
            value = (1 / root_count(bucket_counts(parts), family)).astype(np.float32)
            for part in parts:
                data = np.repeat(value, np.diff(part.indptr))
                column = (part.bucket + base[family]).astype(np.int32)
                blocks.append(sp.csr_matrix((data, column, part.indptr.astype(np.int32)), shape=(len(batch), base[-1])))
        rows.append(sum(blocks[1:], start=blocks[0]))
    return sp.vstack(rows, format="csr")


def _full_classes(model: LogisticRegression, classes: int) -> tuple[Matrix, Matrix]:
    """Return coefficients and intercepts of all classes; a class that was not seen gets a very low intercept."""
    coef, intercept = np.asarray(model.coef_, np.float64), np.asarray(model.intercept_, np.float64)
    if len(model.classes_) == 2:  # scikit-learn keeps one row for two classes
        coef, intercept = np.concatenate([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
    full, bias = np.zeros((classes, coef.shape[1])), np.full(classes, _UNSEEN)
    full[model.classes_], bias[model.classes_] = coef, intercept
    return full, bias


def _full_network(model: MLPClassifier, second: Matrix, classes: int) -> tuple[Matrix, Matrix]:
    """Return the output layer of all classes, [classes, hidden] and [classes]."""
    coef, intercept = second.T, np.asarray(model.intercepts_[1], np.float64)
    if len(model.classes_) == 2:  # scikit-learn keeps one logistic unit for two classes
        coef, intercept = np.concatenate([np.zeros_like(coef), coef]), np.append(0.0, intercept)
    full, bias = np.zeros((classes, coef.shape[1])), np.full(classes, _UNSEEN)
    full[model.classes_], bias[model.classes_] = coef, intercept
    return full, bias
