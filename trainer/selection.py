"""What to label next: a batch of a pool's articles, each with the reason it was picked for.

`mixed` measures an article by how much of each label it likely holds, in units of what the pool's articles hold on average, so
that some of a rare label is more than much of a common one. It adds up the logarithms of what the batch holds with it, so that
each picked article makes the next of its kind count less, and weighs each label by the doubt that the model has about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from trainer.pool import NEAR_DUPLICATE, Pool

Strategy = Literal["mixed", "uncertainty", "rare", "diverse", "random"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
RANDOM_SHARE = 0.2
PER_SITE = 3
_AGAIN = 0.5  # what an article counts for each labelled or picked one of its site
_TINY = 1e-9

Scores = NDArray[np.float64]


class Pick(NamedTuple):
    """A picked article.

    `row`: number in the pool. `reason`: for people. `score`: by which it was picked, in the strategy's own unit; 0 where it was
    drawn at random. `random`: whether it belongs to the share drawn at random.
    """

    row: int
    reason: str
    score: float
    random: bool


def choose(
    pool: Pool,
    number: int,
    strategy: Strategy = "mixed",
    *,
    labelled_sites: Mapping[str, int] | None = None,
    random_share: float = RANDOM_SHARE,
    per_site: int = PER_SITE,
    seed: int = 0,
) -> list[Pick]:
    """Pick articles, best first after those drawn at random; the same arguments give the same picks.

    No two picks are near-duplicates of each other. The share drawn at random is a sample of the pool as it is, near-duplicates
    apart, so what is measured on it holds for the pool. Of the others, a site gives at most `per_site`, and more only where all
    sites have given that many.

    Args:
        pool: see `pool.read_pool`. number: how many to pick; fewer where the pool has no more.
        labelled_sites: articles of each site that are labelled already.
        random_share: share drawn at random. per_site: see above. seed: of the random choices.
    """
    batch = _Batch(pool, labelled_sites or {}, per_site, np.random.default_rng(seed))
    batch.draw(number if strategy == "random" else round(random_share * min(number, len(pool.place))))
    while len(batch.picks) < number and batch.free.any():
        batch.take_best(strategy)
    return batch.picks


class _Batch:
    """A batch in the making.

    `free` [n]: whether the article may still be picked. `known` [sites]: labelled or picked articles, `picked` [sites]: of them
    picked. `share` [n, labels]: how much of each label it holds, the pool's mean being 1; `held` [labels]: the picks' sum.
    `doubt` [labels]: the part of a label's expected paragraphs that may well be of another, 0 to 1.
    """

    def __init__(self, pool: Pool, labelled_sites: Mapping[str, int], per_site: int, rng: np.random.Generator) -> None:
        self.pool, self.per_site, self.rng = pool, per_site, rng
        self.free = np.ones(len(pool.place), bool)
        self.known = np.array([labelled_sites.get(name, 0) if name else 0 for name in pool.sites], np.intp)
        self.is_new = self.known == 0
        self.picked = np.zeros(len(pool.sites), np.intp)
        # Squares: a paragraph that is likely of a label counts more than many that hardly are, as long articles have them.
        squares = pool.squares.sum(axis=0)
        self.share = pool.squares * len(pool.place) / (squares + _TINY)
        self.doubt = 1 - squares / (pool.expected.sum(axis=0) + _TINY)
        self.held = np.zeros(len(pool.labels))
        self.luck = rng.random(len(pool.place))
        self.picks: list[Pick] = []

    def draw(self, number: int) -> None:
        """Pick at random."""
        for row in self.rng.permutation(len(self.free)).tolist():
            if len(self.picks) < number and self.free[row]:
                self._take(Pick(row, "drawn at random", 0.0, random=True))

    def take_best(self, strategy: Strategy) -> None:
        """Pick the best article of those whose sites have given the fewest rounds of `per_site`."""
        gain = self.gain()
        scores = self.scores(strategy, gain)
        rounds = np.where(self.free, self.picked[self.pool.site] // self.per_site, np.iinfo(np.intp).max)
        allowed = np.flatnonzero(rounds == rounds.min())
        row = int(allowed[scores[allowed].argmax()])
        self._take(Pick(row, self.reason(row, strategy, gain[row]), float(scores[row]), random=False))

    def gain(self) -> NDArray[np.float64]:
        """Return what each article adds to the logarithm of what the batch holds of each label, by its doubt, [n, labels]."""
        return np.asarray(self.doubt * np.log1p(self.share / (1 + self.held)))

    def scores(self, strategy: Strategy, gain: NDArray[np.float64]) -> Scores:
        """Return how good each article is to pick next, [n]."""
        fresh = _AGAIN ** self.known[self.pool.site]  # 1 where the site is new
        doubt = self.pool.entropy / self.pool.paragraphs
        if strategy == "uncertainty":
            return np.asarray(doubt * fresh)
        if strategy == "rare":
            return np.asarray(self.share.max(axis=1) * fresh)
        if strategy == "diverse":
            return np.asarray(self.luck - self.known[self.pool.site])
        return np.asarray(gain.sum(axis=1) * fresh)

    def reason(self, row: int, strategy: Strategy, gain: NDArray[np.float64]) -> str:
        """Say in words why an article is picked."""
        pool = self.pool
        site = pool.site[row]
        new = "a site not labelled before" if pool.sites[site] and self.is_new[site] and not self.picked[site] else ""
        if strategy == "uncertainty":
            why = f"{pool.entropy[row] / pool.paragraphs[row]:.2f} nats of doubt{'' if pool.whole else ' a paragraph'}"
        elif strategy == "diverse":
            why = "" if new else "drawn among the sites labelled least"
        else:
            label = int((gain if strategy == "mixed" else self.share[row]).argmax())
            name, expected = pool.labels[label], pool.expected[row, label]
            why = f"{name} with probability {expected:.2f}" if pool.whole else f"about {expected:.1f} paragraphs of {name}"
        return ", ".join(part for part in (why, new) if part)

    def _take(self, pick: Pick) -> None:
        row = pick.row
        self.picks.append(pick)
        self.free &= (self.pool.sketch == self.pool.sketch[row]).mean(axis=1) < NEAR_DUPLICATE
        self.free[row] = False
        self.known[self.pool.site[row]] += 1
        self.picked[self.pool.site[row]] += 1
        self.held += self.share[row]
