"""What to label next: a batch of a pool's articles, each with the reason it was picked for.

`mixed` adds up, over the labels, how much an article would add to what is labelled: the logarithm of the paragraphs of a label,
those already labelled and those expected in the batch so far included. So rare labels count most, and each picked article
makes the next one of its kind count less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from trainer.pool import NEAR_DUPLICATE, Index, Pool

Strategy = Literal["mixed", "uncertainty", "rare", "diverse", "random"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
RANDOM_SHARE = 0.2
PER_SITE = 3
_AGAIN = 0.5  # what an article counts for each labelled or picked one of its site

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
    labelled: Mapping[str, int] | None = None,
    sites: Mapping[str, int] | None = None,
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
        labelled: paragraphs of each label that are labelled already. sites: articles of each site that are.
        random_share: share drawn at random. per_site: see above. seed: of the random choices.
    """
    batch = _Batch(pool, labelled or {}, sites or {}, per_site, np.random.default_rng(seed))
    share = 1.0 if strategy == "random" else random_share
    batch.draw(min(number, round(share * number)))
    batch.fill(number, _SCORES[strategy])
    return batch.picks


class _Batch:
    """A batch in the making.

    `free` [n]: whether the article may still be picked. `of_site` [sites]: articles labelled or picked, `batch_of_site`: picked.
    `have` [labels]: paragraphs labelled or expected in the picks.
    """

    def __init__(
        self, pool: Pool, labelled: Mapping[str, int], sites: Mapping[str, int], per_site: int, rng: np.random.Generator
    ) -> None:
        self.pool, self.per_site, self.rng = pool, per_site, rng
        self.free = np.ones(len(pool.place), bool)
        self.have = np.array([labelled.get(name, 0) for name in pool.labels], float)
        self.of_site = np.array([sites.get(name, 0) if name else 0 for name in pool.sites], np.intp)
        self.seen = self.of_site > 0
        self.batch_of_site = np.zeros(len(pool.sites), np.intp)
        self.luck = rng.random(len(pool.place))
        self.picks: list[Pick] = []

    def draw(self, number: int) -> None:
        """Pick at random."""
        for row in self.rng.permutation(len(self.free)).tolist():
            if len(self.picks) >= number:
                break
            if self.free[row]:
                self._take(row, "drawn at random", 0.0, random=True)

    def fill(self, number: int, scores: _Score) -> None:
        """Pick the best one after the other until there are `number`."""
        while len(self.picks) < number and self.free.any():
            score, reason = scores(self)
            rounds = np.where(self.free, self.batch_of_site[self.pool.site] // self.per_site, np.iinfo(np.intp).max)
            allowed = np.flatnonzero(rounds == rounds.min())
            row = int(allowed[score[allowed].argmax()])
            self._take(row, reason(row), float(score[row]), random=False)

    def freshness(self) -> Scores:
        """Return what each article counts by its site: 1 where the site is new, half as much for each article known of it."""
        return np.asarray(_AGAIN ** self.of_site[self.pool.site])

    def site_note(self, row: int) -> str:
        """Say whether a site is new, for a reason."""
        site = self.pool.site[row]
        return ", of a site not labelled before" if self.pool.sites[site] and not self.seen[site] else ""

    def _take(self, row: int, reason: str, score: float, *, random: bool) -> None:
        self.picks.append(Pick(row, reason, score, random))
        alike = (self.pool.sketch == self.pool.sketch[row]).mean(axis=1) >= NEAR_DUPLICATE
        self.free[alike] = False
        self.free[row] = False
        site = self.pool.site[row]
        self.of_site[site] += 1
        self.batch_of_site[site] += 1
        self.have += self.pool.expected[row]
