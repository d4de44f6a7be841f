"""What more labels are worth: quality on parts of the sites, and a power law through it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.optimize import least_squares

from trainer.config import Config
from trainer.dataset import Dataset
from trainer.errors import InputError
from trainer.evaluation import Interval, Scored, interval, join_scored, measure, resample_sites, score_articles, split_folds
from trainer.grouping import join_near_duplicates
from trainer.policy import NEVER, Policy
from trainer.text import Matrix
from trainer.training import fit

SHARES = (0.125, 0.25, 0.5, 1.0)  # of the sites on the training side
MACRO = "macro-F1"
_LEAST_SITES = 16  # so that an eighth of them is two
_FLATTEST, _STEEPEST = 0.05, 1.5  # exponents of learning curves in the literature lie below 1
_WIDEST = 1.5
# Settings that train in seconds; the shape of the curve is what counts here, not its height.
FAST = (
    "inner_folds=2",
    "features.word_bits=15",
    "features.pair_bits=15",
    "features.char_bits=15",
    "context.width=24",
    "context.head=24",
    "context.dilations=[1, 2]",
    "context.views=0",
    "context.epochs=15",
    "evaluation.folds=3",
    "evaluation.resamples=200",
)

Index = NDArray[np.intp]


class Fit(NamedTuple):
    """One model of a learning curve: `rows` to train on, a share of those that are not `held` out."""

    share: float
    held: Index
    rows: Index


class Law(NamedTuple):
    """F1 on n articles: `limit` - `gap` · n^-`rate` (Figueroa et al., 2012, BMC Med. Inform. Decis. Mak. 12:8)."""

    limit: float
    gap: float
    rate: float

    def __call__(self, articles: NDArray[np.float64] | float) -> Any:
        """Return the F1 on so many articles."""
        return self.limit - self.gap * np.asarray(articles, float) ** -self.rate


@dataclass(frozen=True, slots=True)
class LabelCurve:
    """The curve of one label, or of the macro average.

    Attributes:
        name: of the label, or MACRO. paragraphs: labelled ones; articles: those that have any. f1: at each share.
        law: the power law through them. expected, gain: F1 with the further articles, and what they add to the last point.
    """

    name: str
    paragraphs: int
    articles: int
    f1: tuple[Interval, ...]
    law: Law
    expected: Interval
    gain: Interval


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Quality against the number of training articles; every figure is (value, lower, upper), a 95 % interval.

    Attributes:
        articles: in training at each share, mean over the folds. more: further articles that gains are for. labels: the
        macro average first. best: name of the label that gains most. data: counts and digest. notes: one line each.
    """

    articles: tuple[float, ...]
    more: int
    labels: tuple[LabelCurve, ...]
    best: str
    data: dict[str, Any]
    notes: tuple[str, ...]


def learning_curve(
    dataset: Dataset,
    config: Config,
    *,
    more: int = 100,
    jobs: int = -1,
    progress: Callable[[Iterable[Any], int], Iterable[Any]] = lambda items, _: items,
) -> LearningCurve:
    """Cross-validate on growing parts of the training side's sites, smaller ones within larger ones, and extrapolate.

    The intervals cover which sites there are (bootstrap) and, for what is expected, how far the points lie off the law, but not
    that the law itself may be wrong: look no further ahead than about what there is already.

    Args:
        dataset: labelled articles. config: settings, FAST for quick ones. more: further articles, like those there are.
        jobs: processes, -1 for one a core. progress: wraps the iterable of finished fits; gets their number too.

    Raises:
        InputError: too few sites.
    """
    group, _ = join_near_duplicates(dataset, config)
    plan = plan_of(group, split_folds(dataset, config, group), config.seed)
    done = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(_run)(dataset, config, group, rows, held) for _, held, rows in plan
    )
    scored = list(progress(done, len(plan)))
    by_share = [
        join_scored([found for (share, _, _), found in zip(plan, scored, strict=True) if share == part]) for part in SHARES
    ]
    return through(by_share, plan, dataset, config, more)


def plan_of(group: Index, folds: Sequence[Index], seed: int) -> list[Fit]:
    """Return what to fit: in each fold, each of SHARES of the groups that are not held out.

    Raises:
        InputError: too few groups.
    """
    count = np.unique(group).size
    if count < _LEAST_SITES:
        raise InputError(f"a learning curve needs {_LEAST_SITES} sites, there are {count}", hint="Label more sites first.")
    return [Fit(share, held, _training_rows(group, held, share, seed)) for share in SHARES for held in folds]


def _training_rows(group: Index, held: Index, share: float, seed: int) -> Index:
    """Return the articles of part of the groups that are not held out; a larger part holds the smaller ones."""
    others = np.setdiff1d(group, group[held])
    order = np.random.default_rng(seed).permutation(others)
    return np.flatnonzero(np.isin(group, order[: max(2, round(share * others.size))]))


def _run(dataset: Dataset, config: Config, group: Index, rows: Index, held: Index) -> Scored:
    training, test = dataset.select(rows), dataset.select(held)
    model = fit(training, config, group[rows])
    never = Policy((NEVER,) * len(config.labels), 0, 1.0, 0.0, allow_empty=False)  # thresholds are not looked at here
    return score_articles(dataset, held, config, model.predict_proba(test.texts).T, never)


def through(by_share: Sequence[Scored], plan: Sequence[Fit], dataset: Dataset, config: Config, more: int) -> LearningCurve:
    """Return the curve through what was found at each of SHARES on articles that were held out."""
    articles = [float(np.mean([fit.rows.size for fit in plan if fit.share == part])) for part in SHARES]
    labels = config.label_set
    sites = np.unique(by_share[0].site, return_inverse=True)
    weights = resample_sites(sites[0].size, config)
    measures = [measure(scored._replace(site=sites[1]), labels, weights) for scored in by_share]
    rng = np.random.default_rng(config.seed)

    def curve(name: str, f1: Matrix, having: list[int]) -> LabelCurve:
        law, expected, gain = _extrapolated(f1, np.array(articles), more, rng)
        points = tuple(interval(values) for values in f1)
        return LabelCurve(name, sum(having), sum(map(bool, having)), points, law, expected, gain)

    counts = {name: [article.labels.count(name) for article in dataset.articles] for name in labels.names}
    everything = [len(article.labels) - article.labels.count(None) for article in dataset.articles]
    curves = [curve(MACRO, np.array([found.overall["macro_f1"] for found in measures]), everything)]
    for k, name in enumerate(labels.names):
        if counts[name] and any(counts[name]):
            curves.append(curve(name, np.array([found.per_label["f1"][:, k] for found in measures]), counts[name]))
    absent = [name for name in labels.names if not any(counts[name])]
    notes = [f"no paragraph is labelled {name}, so nothing is known of it" for name in absent]
    if more > 2 * articles[-1]:
        notes.append(f"{more} more are more than twice the {articles[-1]:.0f} articles trained on here: far to look ahead")
    best = max(curves[1:], key=lambda label: label.gain[0]).name
    return LearningCurve(tuple(articles), more, tuple(curves), best, dataset.summary(), tuple(notes))


def _extrapolated(
    f1: Matrix, articles: NDArray[np.float64], more: int, rng: np.random.Generator
) -> tuple[Law, Interval, Interval]:
    """Return the law of the data, and what is expected and gained with `more` articles; f1 [shares, resamples]."""
    f1 = np.nan_to_num(f1)  # a label that was neither there nor found
    law = fit_law(articles, f1[:, 0])
    freedom = max(1, articles.size - len(law))
    spread = float(np.sqrt(((law(articles) - f1[:, 0]) ** 2).sum() / freedom))
    # Each point with a draw of sites of its own: other sites to train on would move the points about as much.
    draws = rng.permuted(f1[:, 1:], axis=1)
    laws = [law] + [fit_law(articles, column + rng.normal(0, spread, column.size)) for column in draws.T]
    gain = np.array([float(own(articles[-1] + more) - own(articles[-1])) for own in laws])
    last = np.append(f1[-1, 0], draws[-1])
    return law, interval(np.minimum(last + gain, 1.0)), interval(gain)


def fit_law(articles: NDArray[np.float64], f1: NDArray[np.float64]) -> Law:
    """Fit the power law by least squares; it never falls, and its limit lies between 0 and 1."""
    times = articles / articles[0]  # so that the gap, at the first point, is of the size of an F1

    def misses(law: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(law[0] - law[1] * times ** -law[2] - f1)

    def slopes(law: NDArray[np.float64]) -> NDArray[np.float64]:
        power = times ** -law[2]
        return np.stack([np.ones_like(power), -power, law[1] * power * np.log(times)], axis=1)

    start = np.clip([f1.max() + 0.05, f1.max() - f1.min() + 0.05, 0.5], 0.001, 0.999)
    bounds = ([0.0, 0.0, _FLATTEST], [1.0, _WIDEST, _STEEPEST])
    limit, gap, rate = least_squares(misses, start, slopes, bounds, ftol=1e-6, xtol=1e-6).x.tolist()
    return Law(limit, gap * float(articles[0]) ** rate, rate)
