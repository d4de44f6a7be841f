"""What a site memory changes in the policy's decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.memory import PROSE, SiteMemory
from trainer.policy import Candidates, Index
from trainer.schema import LabelSet
from trainer.text import Matrix

WELL_KNOWN = 20  # articles of a site, from which not having been seen says something
SURE = 3.0  # times the odds of its label's threshold: beyond it a removal stands, seen or not
REPEATED = "navigation"  # label of most of what recurs


class Recalled(NamedTuple):
    """What the memory said of a run of articles.

    Attributes:
        repeated: [n] removed since the site repeats it. unseen: numbers of the articles where a removal was taken back.
        counted: [articles] whether the article was new to the memory.
    """

    repeated: NDArray[np.bool_]
    unseen: set[int]
    counted: list[bool]

    def add_flags(
        self,
        flags: dict[int, tuple[str, ...]],
        memory: SiteMemory,
        sites: Sequence[str | None],
        remove: NDArray[np.bool_],
        sizes: Index,
    ) -> None:
        """Add `unseen` and `drift` to the articles' flags; the memory takes of each counted one how many of its paragraphs went.

        Args:
            flags: {number of an article: its flags}, changed. remove, sizes: as in `policy.apply_valves`, after it.
        """
        begin = 0
        for number, (site, size) in enumerate(zip(sites, sizes.tolist(), strict=True)):
            more: tuple[str, ...] = ("unseen",) if number in self.unseen else ()
            gone = int(np.count_nonzero(remove[begin : begin + size]))
            if self.counted[number] and size and memory.track(site or "", gone, int(size)):
                more += ("drift",)
            begin += size
            if more:
                flags[number] = flags.get(number, ()) + more


def recall(
    memory: SiteMemory,
    sites: Sequence[str | None],
    articles: Sequence[Sequence[str]],
    chosen: Candidates,
    kept: Sequence[int],
    thresholds: Sequence[float],
) -> Recalled:
    """Look articles up and count them, one after the other; change `chosen.reached` in place.

    What the site repeats goes: what stands in `memory.repeated` of its articles or more, whatever the model says, and what stands
    in MIN_DF of them if its likeliest label is residue. A removal is taken back where the model is not sure of it (odds below
    SURE times those of the threshold), the paragraph is PROSE characters or longer, and a WELL_KNOWN site has never shown it
    elsewhere.

    Args:
        sites: one for each article. chosen: of the paragraphs of all articles. kept, thresholds: as in `policy.candidates`.
    """
    label, residue, remove = chosen
    is_kept = np.zeros(len(thresholds), np.bool_)
    is_kept[list(kept)] = True
    story = is_kept[label]
    is_sure = _odds(residue) >= SURE * _odds(np.asarray(thresholds)[label])
    recalled = Recalled(np.zeros_like(remove), set(), [])
    begin = 0
    for number, (site, texts) in enumerate(zip(sites, articles, strict=True)):
        part = slice(begin, begin + len(texts))
        seen = memory.observe(site or "", texts, story[part].tolist())
        recalled.repeated[part] = (seen.share >= memory.repeated) | (seen.share > 0) & ~story[part]
        if seen.articles >= WELL_KNOWN:
            spared = remove[part] & ~is_sure[part] & ~seen.elsewhere & [len(text) >= PROSE for text in texts]
            remove[part] &= ~spared
            recalled.unseen.update([number] if spared.any() else [])
        recalled.counted.append(not seen.copy)
        begin = part.stop
    remove |= recalled.repeated
    return recalled


def prelabel(memory: SiteMemory, site: str, paragraphs: Sequence[str], labels: LabelSet) -> list[str | None]:
    """Return labels to begin with where nothing is labelled yet: what a memory that knows the site can say, else `None`.

    What the site repeats gets the residue label REPEATED, or the label set's first one where it has none of that name; what is
    of PROSE length and was never seen elsewhere on a WELL_KNOWN site gets the first label that is kept. Does not count the
    article; it may have been counted before.
    """
    seen = memory.look(site, paragraphs)
    repeated = seen.share >= memory.repeated
    residue = REPEATED if REPEATED in labels.index else labels.names[labels.residue[0]]
    news = labels.names[labels.kept[0]] if seen.articles >= WELL_KNOWN else None
    return [
        residue if is_repeated else news if len(text) >= PROSE and not elsewhere else None
        for text, is_repeated, elsewhere in zip(paragraphs, repeated.tolist(), seen.elsewhere.tolist(), strict=True)
    ]


def _odds(probability: Matrix) -> Matrix:
    with np.errstate(divide="ignore"):
        return probability / np.maximum(1 - probability, 0)
