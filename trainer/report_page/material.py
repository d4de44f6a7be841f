"""What a report page is made of: judged items, whichever the task, with their texts and surroundings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.config import Config
from trainer.dataset import Dataset
from trainer.errors import InputError
from trainer.evaluation import Report, Scored, resample_sites
from trainer.schema import LabelSet
from trainer.text import Matrix

Index = NDArray[np.intp]
_LENGTHS = {40: "under 40 characters", 100: "40 to 99 characters", 300: "100 to 299 characters"}
_LONG = "300 characters or more"
_FIRST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Items with truth and prediction: paragraphs, or whole articles.

    Of the N items in reading order n are judged; the others, unlabelled, are shown as neighbours alone.

    Attributes:
        scored: the judged items; `site` indexes `sites`. labels: the classes in column order, and which are kept.
        place: [n] numbers of the judged items among all. texts: [N]. article: [N] index into `articles`, ids.
        groups: by what errors are grouped → group of each judged item [n], "" for none.
        limit: share of the kept characters that may be lost, 0 to 1; None where there is none. weights: [resamples, sites], see
        `evaluation.resample_sites`. unit, kept, rest: what an item, and the characters to keep and to remove, are called.
        any_label: whether a threshold removes whatever reaches it, not only what most likely goes: then a label is given at the
        threshold, likeliest or not. odds: log-odds of the lowest and the highest threshold of the slider.
        shown: characters shown of a text.
    """

    scored: Scored
    labels: LabelSet
    place: Index
    texts: Sequence[str]
    article: Index
    articles: Sequence[str]
    sites: Sequence[str]
    groups: Mapping[str, Sequence[str]]
    weights: Index
    limit: float | None = None
    unit: str = "paragraph"
    kept: str = "news"
    rest: str = "junk"
    any_label: bool = False
    odds: tuple[float, float] = (0.0, 9.2)  # 0.5 to 0.9999
    shown: int = 600

    @property
    def residue(self) -> Matrix:
        """Probability of each judged item to be one that goes, [n]."""
        return np.asarray(1 - self.scored.probability[list(self.labels.kept)].sum(axis=0))

    @property
    def stays(self) -> NDArray[np.bool_]:
        """Whether the true class of each judged item is one that is kept, [n]."""
        return np.isin(self.scored.truth, self.labels.kept)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Whether the likeliest class is not the true one, [n]."""
        return np.asarray(self.scored.truth != self.scored.label)


def of_report(report: Report, dataset: Dataset, config: Config) -> Material:
    """Put together what the page on an evaluation of paragraphs needs.

    Raises:
        InputError: the report does not know what it was computed from.
    """
    if report.detail is None:
        raise InputError("this report holds figures alone, no paragraphs")
    scored, order, _ = report.detail
    sizes = np.array([len(article.texts) for article in dataset.articles], np.intp)
    begin = np.cumsum(sizes) - sizes
    parts = [begin[i] + np.flatnonzero([name is not None for name in dataset.articles[i].labels]) for i in order]
    place = np.concatenate(parts).astype(np.intp)
    article = np.repeat(np.arange(sizes.size), sizes)
    names = np.unique(dataset.sites)
    seen, site = np.unique(scored.site, return_inverse=True)
    kinds = [kind or "" for found in dataset.kinds for kind in found]
    index = place - begin[article[place]]
    return Material(
        scored=scored._replace(site=site),
        labels=config.label_set,
        place=place,
        texts=[text for texts in dataset.texts for text in texts],
        article=article,
        articles=[found.id for found in dataset.articles],
        sites=[str(name) for name in names[seen]],
        groups={
            "kind": [kinds[i] for i in place],
            "length": [length_group(chars) for chars in scored.chars.tolist()],
            "place in the article": _places(index, sizes[article[place]]),
        },
        weights=resample_sites(seen.size, config),
        limit=config.policy.max_news_loss,
        kept=" or ".join(config.label_set.names[k] for k in config.label_set.kept),
    )


def length_group(chars: int, groups: Mapping[int, str] = _LENGTHS, longest: str = _LONG) -> str:
    """Say how long a text of so many characters is; `groups` by the length they end before."""
    return next((name for limit, name in groups.items() if chars < limit), longest)


def _places(index: Index, size: Index) -> list[str]:
    thirds = np.minimum(3 * index // np.maximum(size, 1), 2)
    names = ("first third", "middle third", "last third")
    return [f"first {_FIRST} paragraphs" if i < _FIRST else names[third] for i, third in zip(index, thirds, strict=True)]
