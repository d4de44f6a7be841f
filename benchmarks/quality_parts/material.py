"""What is measured on: annotated pages and the views of them that a filter meets, written articles, and the folds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.config import Config
from trainer.dataset import Dataset, load_labels
from trainer.estimator import encode
from trainer.evaluation import split_folds
from trainer.files import read_lines
from trainer.grouping import join_near_duplicates

Index = NDArray[np.intp]
KeptBy = dict[str, dict[str, list[int]]]  # page id → extractor → paragraphs in its output
WHOLE, SHORT = "whole", "short"
SHORT_OF = "trafilatura"  # whose residue the very short articles are cut from
LONGEST, MARGIN = 5, 2  # paragraphs of a very short article; paragraphs it may take from beyond the story


class View(NamedTuple):
    """Articles cut from those of a collection.

    `source` [articles of the view]: the article each was cut from. `rows` [paragraphs of the view]: which paragraphs of the
    collection they are.
    """

    dataset: Dataset
    source: Index
    rows: Index

    @property
    def sizes(self) -> Index:
        return np.array([len(texts) for texts in self.dataset.texts], np.intp)


@dataclass(frozen=True)
class Collection:
    """Articles with all that figures need; arrays over all paragraphs in order.

    `truth`: column of the label. `chars`: length. `site`, `article`: numbers. `group`, `fold`: [articles].
    """

    dataset: Dataset
    truth: Index
    chars: Index
    site: Index
    article: Index
    group: Index
    fold: Index
    views: dict[str, View]


class Material(NamedTuple):
    """Everything a run measures on; `written` is empty without label files."""

    pages: Collection
    written: Collection
    kept_by: KeptBy
    extractors: tuple[str, ...]
    folds: int
    digest: str


def load(corpus: Path, labels: Path | None, config: Config, limit: int | None = None) -> Material:
    """Read pages and written articles and split both into folds; `limit`: at most so many of each, for quick runs."""
    pages = _limited(load_labels([corpus], config.label_set, config.by_kind), limit, config.seed)
    kept_by = read_kept_by(corpus)
    written = load_labels([labels], config.label_set, config.by_kind) if labels else Dataset(())
    written = _limited(written, limit, config.seed)
    folds, group, fold = assign_folds(pages, written, config)
    count = len(pages.articles)
    extractors = tuple(sorted({name for article in pages.articles for name in kept_by.get(article.id, {})} - {"none"}))
    collections = [
        collect(part, config, group[at], fold[at]) for part, at in ((pages, slice(count)), (written, slice(count, None)))
    ]
    for name in extractors:
        pieces = [(i, np.array(kept_by[a.id].get(name, []), np.intp)) for i, a in enumerate(pages.articles)]
        collections[0].views[name] = cut(pages, pieces)
    if SHORT_OF in extractors:
        kept = [np.array(kept_by[a.id].get(SHORT_OF, []), np.intp) for a in pages.articles]
        collections[0].views[SHORT] = cut(pages, list(short_pieces(collections[0], kept, config)))
    chosen = json.dumps([kept_by.get(article.id) for article in pages.articles]).encode()
    digest = hashlib.sha256(pages.digest.encode() + written.digest.encode() + chosen).hexdigest()
    return Material(collections[0], collections[1], kept_by, extractors, folds, digest)


def read_kept_by(corpus: Path) -> KeptBy:
    """Return which paragraphs of each page the extractors' outputs contain."""
    records = [json.loads(line) for _, line in read_lines(corpus)]
    return {record["id"]: record.get("kept_by", {}) for record in records}


def assign_folds(pages: Dataset, written: Dataset, config: Config) -> tuple[int, Index, Index]:
    """Return the number of folds, and group and fold of each article, pages first.

    Pages are split as `trainer evaluate` splits them alone, and so are the written articles; one that shares a site or a
    story with a page goes to that page's fold.
    """
    count = len(pages.articles)
    group = join_near_duplicates(merge_in_order(pages, written), config).group
    fold = np.zeros(group.size, np.intp)
    folds = split_folds(pages, config, group[:count])
    for number, held in enumerate(folds):
        fold[held] = number
    of_page = dict(zip(group[:count].tolist(), fold[:count].tolist(), strict=True))
    apart = np.array([i for i in range(count, group.size) if group[i] not in of_page], np.intp)
    for i in range(count, group.size):
        fold[i] = of_page.get(group[i], 0)
    if apart.size:
        for number, held in enumerate(split_folds(written.select(apart - count), config, group[apart])):
            fold[apart[held]] = number % len(folds)
    return len(folds), group, fold


def collect(dataset: Dataset, config: Config, group: Index, fold: Index) -> Collection:
    """Put a dataset's arrays together, with the view that takes all paragraphs."""
    sizes = [len(texts) for texts in dataset.texts]
    article = np.repeat(np.arange(len(sizes)), np.array(sizes, np.intp))
    truth = encode(dataset.labels, list(config.label_set.names))
    chars = np.fromiter((len(text) for texts in dataset.texts for text in texts), np.intp, article.size)
    number = np.unique(dataset.sites, return_inverse=True)[1] if sizes else np.zeros(0, np.intp)
    whole = View(dataset, np.arange(len(sizes)), np.arange(article.size))
    return Collection(dataset, truth, chars, number[article], article, group, fold, {WHOLE: whole})


def cut(dataset: Dataset, pieces: Sequence[tuple[int, Index]]) -> View:
    """Return the view whose articles are some paragraphs each of an article: (its number, their indexes); empty ones fall out."""
    begin = np.cumsum([0, *(len(texts) for texts in dataset.texts)])
    pieces = [(number, chosen) for number, chosen in pieces if chosen.size]
    articles = []
    for number, chosen in pieces:
        whole = dataset.articles[number]
        parts = {name: tuple(getattr(whole, name)[i] for i in chosen) for name in ("texts", "labels", "kinds")}
        articles.append(replace(whole, **parts))
    rows = np.concatenate([np.zeros(0, np.intp), *(begin[number] + chosen for number, chosen in pieces)])
    return View(Dataset(tuple(articles)), np.array([number for number, _ in pieces], np.intp), rows)


def short_pieces(pages: Collection, kept: Sequence[Index], config: Config) -> Iterator[tuple[int, Index]]:
    """Cut the story of each page, as an extractor delivers it, into very short articles: see `windows`."""
    rng = np.random.default_rng(config.seed)
    is_news = np.isin(pages.truth, config.label_set.kept)
    begin = np.searchsorted(pages.article, np.arange(len(kept)))
    for number, chosen in enumerate(kept):
        for window in windows(is_news[begin[number] + chosen], rng):
            yield number, chosen[window]


def windows(is_news: NDArray[np.bool_], rng: np.random.Generator) -> Iterator[Index]:
    """Cut the stretch from the first to the last news paragraph, and MARGIN paragraphs each side, into runs of 1 to LONGEST."""
    news = np.flatnonzero(is_news)
    if not news.size:
        return
    first, end = max(news[0] - MARGIN, 0), min(news[-1] + 1 + MARGIN, is_news.size)
    edges = first + np.append(0, np.cumsum(rng.integers(1, LONGEST + 1, end - first)))
    for left, right in pairwise(np.unique(np.minimum(edges, end))):
        yield np.arange(left, right)


def merge_in_order(*datasets: Dataset) -> Dataset:
    """Return the articles of several datasets, one after the other."""
    return Dataset(tuple(article for dataset in datasets for article in dataset.articles))


def _limited(dataset: Dataset, limit: int | None, seed: int) -> Dataset:
    """Return whole sites, drawn at random, until `limit` articles are reached."""
    if limit is None or limit >= len(dataset.articles):
        return dataset
    site = np.unique(dataset.sites, return_inverse=True)[1]
    order = np.random.default_rng(seed).permutation(site.max() + 1)
    rows = np.concatenate([np.flatnonzero(site == number) for number in order])[:limit]
    return dataset.select(np.sort(rows))
