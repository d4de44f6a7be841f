"""What became of the articles, counted: of a shard, and of a run as the sum of its shards."""

from __future__ import annotations

from collections import Counter
from typing import Any

from trainer.result import FilterResult

SHARD_SITES, RUN_SITES, HELD_SITES = 500, 1000, 100_000  # by name in a shard's counts, in a run's, and while adding up
OTHER = "(other)"  # all further sites, and articles of none
_FATES = ("kept", "removed")


class Tally:
    """Articles, paragraphs and characters, kept and removed by label, of all sites and of each.

    Sites with the most characters are counted by name, the others together as OTHER. Where a shard has more than SHARD_SITES,
    the counts of a site that is seldom may so be too low.
    """

    def __init__(self, most: int = HELD_SITES) -> None:
        self.most = most
        self.flags: Counter[str] = Counter()
        self.sites: dict[str, _Counts] = {}

    def add(self, site: str | None, result: FilterResult) -> None:
        """Count an article."""
        counts = self._of(site or OTHER)
        counts["articles"] += 1
        kept, removed = (counts[fate] for fate in _FATES)
        for (text, _, _), label, keep in zip(result.paragraphs, result.likeliest, result.keep, strict=True):
            cells = kept if keep else removed
            if label not in cells:
                cells[label] = [0, 0]
            cell = cells[label]
            cell[0] += 1
            cell[1] += len(text)
        self.flags.update(result.flags)
        self._fold(2 * self.most)

    def merge(self, other: dict[str, Any]) -> None:
        """Add what `to_dict` gave."""
        self.flags.update(other["flags"])
        for site, more in other["sites"].items():
            _add(self._of(site), more)
        self._fold(2 * self.most)

    def to_dict(self) -> dict[str, Any]:
        """Return flags, and counts by site, most characters first, JSON-ready."""
        self._fold(self.most)
        ordered = sorted(self.sites, key=lambda site: (-_characters(self.sites[site]), site))
        return {"flags": dict(sorted(self.flags.items())), "sites": {site: self.sites[site] for site in ordered}}

    def total(self) -> dict[str, Any]:
        """Return the counts of all sites together, JSON-ready."""
        total = _counts()
        for counts in self.sites.values():
            _add(total, counts)
        cells = {fate: total[fate].values() for fate in _FATES}
        return {
            "articles": total["articles"],
            "paragraphs": sum(cell[0] for fate in _FATES for cell in cells[fate]),
            "characters": sum(cell[1] for fate in _FATES for cell in cells[fate]),
            **{fate: _labels(total[fate]) for fate in _FATES},
        }

    def _of(self, site: str) -> _Counts:
        if site not in self.sites:
            self.sites[site] = _counts()
        return self.sites[site]

    def _fold(self, most: int) -> None:
        """Count all but the largest sites together, once there are more than `most`."""
        if len(self.sites) <= most:
            return
        named = [site for site in self.sites if site != OTHER]
        named.sort(key=lambda site: (-_characters(self.sites[site]), site))
        for site in named[self.most :]:
            _add(self._of(OTHER), self.sites.pop(site))


def summary(run: Tally) -> dict[str, Any]:
    """Return what the counts of shards add up to, JSON-ready: totals, flags, and the RUN_SITES largest sites."""
    total = run.total()
    run.most = RUN_SITES
    found = run.to_dict()
    sites = {
        site: {"articles": counts["articles"], **{fate: _labels(counts[fate]) for fate in _FATES}}
        for site, counts in found["sites"].items()
    }
    return {**total, "flags": found["flags"], "sites": sites}


_Counts = dict[str, Any]  # {"articles": n, "kept": {label: [paragraphs, characters]}, "removed": the same}


def _counts() -> _Counts:
    return {"articles": 0, "kept": {}, "removed": {}}


def _add(counts: _Counts, more: _Counts) -> None:
    counts["articles"] += more["articles"]
    for fate in _FATES:
        for label, (paragraphs, characters) in more[fate].items():
            cell = counts[fate].setdefault(label, [0, 0])
            cell[0] += paragraphs
            cell[1] += characters


def _characters(counts: _Counts) -> int:
    return sum(int(cell[1]) for fate in _FATES for cell in counts[fate].values())


def _labels(cells: dict[str, list[int]]) -> dict[str, dict[str, int]]:
    return {
        label: {"paragraphs": paragraphs, "characters": characters} for label, (paragraphs, characters) in sorted(cells.items())
    }
