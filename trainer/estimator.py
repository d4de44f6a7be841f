"""The scikit-learn estimator: both stages fitted on articles, the second on out-of-fold scores of the first."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from trainer.augmentation import thinned_views
from trainer.context import Articles, inputs
from trainer.features import FAMILIES, Batch, FeatureSettings, extract_all
from trainer.fitting import Sample, Training, fit_sequence
from trainer.network import Network, merge
from trainer.schema import MAX_KIND_CHARS, MAX_KINDS, UNLABELLED
from trainer.sequence import SequenceSettings, SequenceStage
from trainer.text import Matrix, TextStage, bucket_counts, root_count, softmax

Index = NDArray[np.intp]
logger = logging.getLogger(__name__)
_CLASS_WEIGHTS = {"sqrt": 0.5, "balanced": 1.0, "none": 0.0}  # power of the inverse frequency
_UNSEEN = -12.0  # log-odds of a label without examples

Names = Sequence[Sequence[str | None]]


class _Material(NamedTuple):
    """What the second stage is fitted on: articles with out-of-fold first-stage scores; see `context.inputs`.

    `truth`, `kind`: [N] columns. `chars`: [N] lengths. `weight`: [N].
    """

    articles: Articles
    parts: Matrix
    scores: Matrix
    kept_kinds: list[int]
    truth: Index
    kind: Index
    chars: Index
    weight: NDArray[np.float64]

    def sample(self, rows: Index) -> Sample:
        """Return the articles with only some of their paragraphs, as the network sees them."""
        chosen = self.articles.select(rows)
        seen = inputs(chosen, self.parts[:, :, rows], self.scores[:, rows], self.kept_kinds)
        return Sample(seen.T.astype(np.float32), chosen.article, self.kind[rows], self.weight[rows])

    def thinned(self, rows: Index, kept: Sequence[int], seed: int) -> Iterator[Index]:
        """Yield thinned copies of some of the articles, for ever; see `thinned_views`."""
        article = np.unique(self.articles.article[rows], return_inverse=True)[1]
        for chosen in thinned_views(self.truth[rows], self.kind[rows], self.chars[rows], article, kept, seed):
            yield rows[chosen]


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
        min_kind: a kind with fewer paragraphs is not told apart from the rest of its label; 0 tells no kinds apart.
        width, head, dilations: see `sequence.SequenceSettings`.
        views: copies of each article with part of its residue left out, drawn anew for each pass of the second stage's
            training over the data.
        balance: weight of a label there, as a power of its inverse frequency.
        epochs, batch, learning_rate, dropout, decay: see `fitting.Training`.
        folds: folds, by group, of the out-of-fold scores.
        seed: of every random choice.

    Attributes:
        classes_: label names. kinds_: what both stages tell apart, as (kind, label). network_: the fitted `Network`.
        out_of_fold_: [paragraphs, classes] probabilities of the training paragraphs, from networks fitted without its group on
        first-stage scores fitted without it (the scores those networks learnt from may have seen it); fold_: [paragraphs] the
        fold of each.
    """

    def __init__(
        self,
        *,
        labels: Sequence[str] = ("news", "fundraising", "navigation", "caption"),
        kept: Sequence[str] = ("news",),
        word_bits: int = 17,
        pair_bits: int = 17,
        char_bits: int = 17,
        char_ngrams: tuple[int, int] = (4, 4),
        min_count: int = 2,
        C: float = 1.0,  # noqa: N803 (scikit-learn's name)
        class_weight: str = "sqrt",
        min_kind: int = 50,
        width: int = 48,
        head: int = 48,
        dilations: tuple[int, ...] = (1, 2, 4),
        views: int = 1,
        balance: float = 0.3,
        epochs: int = 40,
        batch: int = 4096,
        learning_rate: float = 3e-3,
        dropout: float = 0.3,
        decay: float = 1e-4,
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
        self.min_kind = min_kind
        self.width = width
        self.head = head
        self.dilations = dilations
        self.views = views
        self.balance = balance
        self.epochs = epochs
        self.batch = batch
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.decay = decay
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
        kinds: Names | None = None,
    ) -> Self:
        """Fit both stages.

        Args:
            X: articles. y: their labels. groups: [articles] the site of each; an article each where left out.
            sample_weight: [articles] how much each counts; 1 where left out.
            kinds: like y, a finer name of what each paragraph is, None where it has none.

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
        fine = self._tell_apart(truth, y, kinds)
        with threadpool_limits(1):
            self._fit(X, truth, fine, group, np.repeat(of_article, [len(a) for a in X]))
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

    def _tell_apart(self, truth: Index, y: Names, kinds: Names | None) -> Index:
        """Set `kinds_` and return the column of each paragraph's kind.

        A kind that too few paragraphs have, and paragraphs without one, go by the name of their label.
        """
        names = [[None] * len(labels) for labels in y] if kinds is None else kinds
        if [len(article) for article in names] != [len(article) for article in y]:
            raise ValueError("kinds must hold the same articles with as many names as paragraphs")
        given = list(zip(truth.tolist(), (name for article in names for name in article), strict=True))
        count = Counter(given)
        told_apart = {pair for pair, paragraphs in count.items() if pair[1] is not None and paragraphs >= self.min_kind > 0}
        pairs = [(k, name if (k, name) in told_apart else self.labels[k]) for k, name in given]
        # Scores are relative to the first kind: the story comes first.
        order = sorted(
            {pair for pair in pairs if pair[0] != UNLABELLED}, key=lambda pair: (self.labels[pair[0]] not in self.kept, pair)
        )
        self.kinds_ = [(str(name), str(self.labels[k])) for k, name in order]
        if len(order) > MAX_KINDS or any(len(name) > MAX_KIND_CHARS for name, _ in self.kinds_):
            raise ValueError(f"there may be {MAX_KINDS} kinds, with names of {MAX_KIND_CHARS} characters; raise min_kind")
        column = {pair: number for number, pair in enumerate(order)}
        return np.array([column.get(pair, UNLABELLED) for pair in pairs], np.intp)

    def _fit(
        self,
        X: Sequence[Sequence[str]],  # noqa: N803
        truth: Index,
        fine: Index,
        group: Index,
        of_paragraph: NDArray[np.float64],
    ) -> None:
        features = FeatureSettings(self.word_bits, self.pair_bits, self.char_bits, (self.char_ngrams[0], self.char_ngrams[1]))
        names = list(self.labels)
        label_of = tuple(names.index(label) for _, label in self.kinds_)
        kept = tuple(names.index(name) for name in self.kept)
        batches = extract_all([p for article in X for p in article], features)
        splits = list(_splits(group, truth, self.folds, self.seed))
        step, steps = 0, 2 * (len(splits) + 1)

        def log(what: str) -> None:
            nonlocal step
            step += 1
            logger.info("fitted the %s", what, extra={"step": step, "steps": steps})

        matrix = feature_matrix(batches, features)
        text_weight = _weights(truth, _CLASS_WEIGHTS[self.class_weight]) * of_paragraph

        def text_stage(rows: Index) -> TextStage:
            return self._fit_text(features, matrix[rows], fine[rows], text_weight[rows], len(label_of))

        parts = np.zeros((len(FAMILIES), len(label_of) - 1, truth.size))
        scores = np.zeros((len(label_of), truth.size))
        at = np.cumsum([0, *map(len, batches)])
        for fit_rows, held in splits:
            stage = text_stage(fit_rows)
            for batch, begin in zip(batches, at, strict=False):
                inside = held[(held >= begin) & (held < begin + len(batch))]
                if inside.size:
                    parts[:, :, inside] = stage.contributions(batch)[:, :, inside - begin]
            scores[:, held] = stage.scores(parts[:, :, held])
            log("first stage, out of fold")

        material = _Material(
            Articles.build(batches, [len(a) for a in X]),
            parts,
            scores,
            [kind for kind, label in enumerate(label_of) if label in kept],
            truth,
            fine,
            np.fromiter((len(p) for a in X for p in a), np.intp, truth.size),
            _weights(truth, self.balance) * of_paragraph,
        )
        whole = material.sample(np.arange(truth.size))

        def sequence_stage(rows: Index, number: int) -> SequenceStage:
            seed = self.seed + 1000 * (number + 1)
            own = Sample(whole.inputs[rows], whole.article[rows], whole.truth[rows], whole.weight[rows])
            views = material.thinned(rows, kept, seed)

            def samples() -> list[Sample]:
                return [own, *(material.sample(next(views)) for _ in range(self.views))]

            return self._fit_sequence(samples, len(label_of), seed)

        self.fold_ = np.zeros(truth.size, np.intp)
        self.out_of_fold_ = np.zeros((truth.size, len(names)))
        for number, (_, held) in enumerate(splits):
            fitted = sequence_stage(np.setdiff1d(np.arange(truth.size), held), number)
            self.fold_[held] = number
            found = fitted.scores(whole.inputs[held].T.astype(np.float64), whole.article[held])
            self.out_of_fold_[held] = merge(softmax(found), label_of, len(names)).T
            log("second stage, out of fold")
        last = sequence_stage(np.arange(truth.size), len(splits))
        log("second stage")
        text = text_stage(np.flatnonzero(truth != UNLABELLED))
        self.network_ = Network(text, last, tuple(kind for kind, _ in self.kinds_), label_of, len(names), kept)
        log("first stage")

    def _fit_text(
        self, features: FeatureSettings, matrix: sp.csr_matrix, truth: Index, weight: NDArray[np.float64], classes: int
    ) -> TextStage:
        """Fit a multinomial logistic regression and round it to 8 bits."""
        used = np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]) >= self.min_count)
        if np.unique(truth).size > 1 and used.size:
            model = LogisticRegression(C=self.C, max_iter=60, tol=1e-3)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # the number of steps is the limit meant
                model.fit(matrix[:, used], truth, sample_weight=weight)
            coef, intercept = _full_classes(model, classes)
        else:  # nothing to tell apart, or nothing to tell it by: only the labels' frequencies
            share = np.bincount(truth, weight, minlength=classes) / (weight.sum() or 1.0)
            coef, intercept = np.zeros((classes, used.size)), np.log(np.maximum(share, np.exp(_UNSEEN)))
        weights = np.zeros((matrix.shape[1], classes - 1))
        weights[used] = (coef[1:] - coef[0]).T
        scale, rounded = [], []
        for part in np.split(weights, np.cumsum(features.buckets)[:-1]):
            step = np.maximum(np.abs(part).max(axis=0), 1e-9) / 127
            scale.append(step)
            rounded.append(np.rint(part / step).astype(np.int8))
        return TextStage(features, np.concatenate(rounded), np.array(scale), intercept[1:] - intercept[0])

    def _fit_sequence(self, samples: Callable[[], list[Sample]], outputs: int, seed: int) -> SequenceStage:
        settings = SequenceSettings(self.width, self.head, tuple(self.dilations))
        training = Training(self.epochs, self.batch, self.learning_rate, self.dropout, self.decay, seed)
        return fit_sequence(samples, outputs, settings, training)


def _weights(truth: Index, power: float) -> NDArray[np.float64]:
    """Return the weight of each paragraph's label: a power of its inverse frequency."""
    count = np.bincount(truth[truth != UNLABELLED])
    inverse = count.sum() / (np.count_nonzero(count) * np.maximum(count, 1))
    return np.asarray((inverse**power)[np.where(truth == UNLABELLED, 0, truth)])


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
            value = (1 / root_count(bucket_counts(parts))).astype(np.float32)
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
