"""Which articles must not be told apart by a split: those of one site, and the same story under two site names."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from trainer.config import Config
from trainer.dataset import Dataset, LabelledArticle

_SHINGLE, _PERMUTATIONS, _LEAST_WORDS = 5, 128, 30
_LSH_MOST = 0.9  # of the first, coarse search; the sketches themselves are compared after it
_WORD = re.compile(r"\w+")


class Groups(NamedTuple):
    """`group` [articles]: number of each article's group; `joined`: articles near-identical to one of another site."""

    group: NDArray[np.intp]
    joined: int


def join_near_duplicates(dataset: Dataset, config: Config) -> Groups:
    """Group articles by site, and sites by near-duplicate stories (MinHash; Broder, 1997) of word 5-grams.

    The story is the paragraphs with a kept label; the Jaccard threshold is `evaluation.near_duplicate`.
    """
    site_of = np.unique(dataset.sites, return_inverse=True)[1]
    threshold = config.evaluation.near_duplicate
    index = MinHashLSH(threshold=min(threshold, _LSH_MOST), num_perm=_PERMUTATIONS)
    sketches: dict[int, MinHash] = {}
    kept = {label.name for label in config.label_set if label.kept}
    edges: list[tuple[int, int]] = []
    for number, article in enumerate(dataset.articles):
        shingles = _shingles(article, kept)
        if shingles:
            sketch = MinHash(num_perm=_PERMUTATIONS, seed=1)
            sketch.update_batch(shingles)
            near = [int(other) for other in index.query(sketch) if sketch.jaccard(sketches[int(other)]) >= threshold]
            edges += [(number, other) for other in near if site_of[other] != site_of[number]]
            index.insert(str(number), sketch)
            sketches[number] = sketch
    ends = np.array(edges, np.intp).reshape(-1, 2)
    sites = int(site_of.max()) + 1
    graph = coo_matrix((np.ones(len(ends)), (site_of[ends[:, 0]], site_of[ends[:, 1]])), shape=(sites, sites))
    component = connected_components(graph, directed=False)[1]
    return Groups(component[site_of].astype(np.intp), int(np.unique(ends).size))


def _shingles(article: LabelledArticle, kept: set[str]) -> list[bytes]:
    story = " ".join(text for text, label in zip(article.texts, article.labels, strict=True) if label in kept)
    words = _WORD.findall(story.casefold())
    if len(words) < _LEAST_WORDS:
        return []
    return [" ".join(words[i : i + _SHINGLE]).encode("utf-8", "surrogatepass") for i in range(len(words) - _SHINGLE + 1)]
