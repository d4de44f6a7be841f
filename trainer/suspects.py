"""Labels that are probably wrong: confident learning on out-of-fold probabilities (Northcutt et al., 2021; cleanlab)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from cleanlab.filter import find_label_issues

from trainer.config import Config
from trainer.dataset import Dataset, LabelledArticle
from trainer.estimator import encode
from trainer.findings import Finding, Opinions, finding, spread, stretch
from trainer.grouping import join_near_duplicates
from trainer.model import Classifier
from trainer.schema import UNLABELLED, LabelSet
from trainer.text import Matrix
from trainer.training import fit

# The settings of configs/fast.toml. Of labels that were made wrong on purpose, the first forty found are as often right as with
# those of configs/news.toml, which take six times as long.
QUICK = (
    "inner_folds=3",
    "features.word_bits=16",
    "features.pair_bits=16",
    "features.char_bits=16",
    "context.width=24",
    "context.head=24",
    "context.dilations=[1, 2]",
    "context.views=0",
    "context.epochs=12",
)

UNSEEN = "a model that has not seen this site"
_NEARBY = 3  # paragraphs


def out_of_fold(articles: Sequence[LabelledArticle], config: Config) -> list[Matrix]:
    """Return for each article the probabilities [paragraphs, classes] of a model that has seen nothing of its site.

    Raises:
        InputError: fewer than two labels are used.
    """
    order = sorted(range(len(articles)), key=lambda number: (articles[number].site, articles[number].content))
    dataset = Dataset(tuple(articles[number] for number in order))
    model = fit(dataset, config, join_near_duplicates(dataset, config).group)
    found = dict(zip(order, spread(model.out_of_fold_, dataset.articles), strict=True))
    return [found[number] for number in range(len(articles))]


def opinions_of(model: Classifier, articles: Sequence[LabelledArticle], labels: LabelSet) -> list[Matrix]:
    """Return for each article the probabilities [paragraphs, classes] of a model with these labels, in whatever order."""
    columns = [model.labels.index[name] for name in labels.names]
    return spread(model.predict_proba([article.texts for article in articles])[:, columns], articles)


def probably_wrong(articles: Sequence[LabelledArticle], opinions: Opinions, labels: LabelSet, who: str = UNSEEN) -> list[Finding]:
    """Return the paragraphs whose label confident learning calls wrong; `who` has the opinions, in words.

    The score is the doubt of the model, 1 - the probability of the label, times its mean doubt of the label's other paragraphs
    within three of it: a model that does not know a long comment thread doubts some of its lines, and they are right; a slip of
    the hand stands alone.
    """
    truth = encode([article.labels for article in articles], list(labels.names))
    probability = np.concatenate(list(opinions))
    known = np.flatnonzero(truth != UNLABELLED)
    used, code = np.unique(truth[known], return_inverse=True)
    if used.size < 2:
        return []
    believed = probability[np.ix_(known, used)]
    believed /= believed.sum(axis=1, keepdims=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "May not flag all label issues", UserWarning)  # of a label with few paragraphs
        wrong = known[find_label_issues(code, believed, filter_by="both", n_jobs=1)]
    places = [(article, index) for article in articles for index in range(len(article.texts))]
    found = []
    for row in wrong:
        article, index = places[row]
        given, likeliest = labels.names[truth[row]], labels.names[int(probability[row].argmax())]
        reason = (
            f"labelled {given}{_between(article, index)}; {who} says "
            f"{likeliest} {probability[row].max():.2f}, {given} {probability[row, truth[row]]:.2f}"
        )
        doubts = 1 - probability[row - index : row - index + len(article.texts), truth[row]]
        score = doubts[index] * doubts[_alike(article, index)].mean()
        found.append(finding("model", article, index, suggested=likeliest, score=score, reason=reason))
    return found


def _alike(article: LabelledArticle, index: int) -> slice:
    """Return the stretch of one label around a paragraph, up to three paragraphs on each side."""
    before, after = stretch(article.labels, index, article.labels[index])
    return slice(index - min(before, _NEARBY), index + min(after, _NEARBY) + 1)


def _between(article: LabelledArticle, index: int) -> str:
    """Say what the neighbours are labelled."""
    before = article.labels[index - 1] if index else None
    after = article.labels[index + 1] if index + 1 < len(article.labels) else None
    if before and after:
        return f" between {before} and {after}"
    return f" after {before}" if before else f" before {after}" if after else ""
