"""From probabilities to keep or remove: thresholds bounded by the news they cost, and safety valves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.text import Matrix

Index = NDArray[np.intp]
NEVER = 2.0  # a threshold no probability reaches
LOWEST = 0.5  # what is likelier news than not is never removed


class Policy(NamedTuple):
    """When a paragraph goes.

    Attributes:
        thresholds: per label, in column order: a paragraph whose likeliest label is this one is removed if it is residue,
            of whatever label, with this probability or a higher one; NEVER for labels that are kept.
        headline: the first so many paragraphs are protected …
        headline_threshold: … below this probability of being residue.
        max_removed_share: of an article's characters; beyond it the least sure removals are taken back.
        allow_empty: whether an article may be removed whole, whatever max_removed_share is.
    """

    thresholds: tuple[float, ...]
    headline: int = 3
    headline_threshold: float = 0.9
    max_removed_share: float = 0.95
    allow_empty: bool = False


class Candidates(NamedTuple):
    """Likeliest label, probability of being residue, and whether that reaches the label's threshold; each [n]."""

    label: Index
    residue: Matrix
    reached: NDArray[np.bool_]


def candidates(probability: Matrix, kept: Sequence[int], thresholds: Sequence[float]) -> Candidates:
    """Say which paragraphs the thresholds remove.

    Args:
        probability: [classes, n]. kept: columns of the labels to keep. thresholds: [classes].
    """
    label = probability.argmax(axis=0)
    residue = 1 - reduce(np.add, [probability[k] for k in kept])
    return Candidates(label, residue, residue >= np.asarray(thresholds)[label])


def apply_valves(
    remove: NDArray[np.bool_], residue: Matrix, chars: Index, sizes: Index, policy: Policy
) -> dict[int, tuple[str, ...]]:
    """Take removals back, in place, where a safety valve says so; return the flags of the articles where one did.

    Flags are `headline`, `max_removed_share` and `empty`.

    Args:
        remove: [N] what the thresholds say of the paragraphs of all articles in order; changed. residue: [N] probability of
            being residue. chars: [N] length. sizes: [articles] number of paragraphs.
        policy: the valves' settings.
    """
    begin = np.cumsum(sizes) - sizes
    place = np.arange(remove.size) - np.repeat(begin, sizes)
    unsure = remove & (place < policy.headline) & (residue < policy.headline_threshold)
    remove &= ~unsure
    gone, total = (np.append(0, np.cumsum(x))[np.stack([begin, begin + sizes])] for x in (chars * remove, chars))
    lost, whole = gone[1] - gone[0], total[1] - total[0]
    over = (lost > 0) & ((lost > policy.max_removed_share * whole) | (lost == whole))
    headline = np.unique(np.searchsorted(begin + sizes, np.flatnonzero(unsure), side="right"))
    flags: dict[int, tuple[str, ...]] = {int(number): ("headline",) for number in headline}
    for number in np.flatnonzero(over).tolist():
        part = slice(begin[number], begin[number] + sizes[number])
        flag = _limit(remove[part], residue[part], chars[part], policy)
        flags[number] = flags.get(number, ()) + flag
    return {number: found for number, found in flags.items() if found}


def _limit(remove: NDArray[np.bool_], residue: Matrix, chars: Index, policy: Policy) -> tuple[str, ...]:
    """Keep one article from going whole, or beyond the share of its characters that may go; changes `remove`."""
    if remove[chars > 0].all():
        if policy.allow_empty:
            return ()
        remove[:] = False
        return ("empty",)
    for at in sorted(np.flatnonzero(remove), key=lambda i: (residue[i], i)):
        remove[at] = False
        if chars[remove].sum() <= policy.max_removed_share * chars.sum():
            break
    return ("max_removed_share",)


def choose_thresholds(
    probability: Matrix, truth: Index, chars: Index, kept: Sequence[int], max_news_loss: float
) -> tuple[float, ...]:
    """Choose thresholds that remove the most residue for at most `max_news_loss` of the characters to be kept.

    The labels share the budget: with a price on each lost character, every label is cut where residue removed less the
    price of news lost is greatest, and the price is lowered until the budget is met (Lagrangian relaxation; Everett,
    1963, Operations Research 11(3)). Residue of a label counts by the inverse root of how much there is, so that rare labels
    do not stay in for the sake of the commonest.

    Args:
        probability: [classes, n], out of fold. truth: [n] column of the true label. chars: [n] length.
        kept: columns of the labels to keep. max_news_loss: share of their characters that may go, 0 to 1.
    """
    is_kept = np.isin(truth, kept)
    budget = max_news_loss * chars[is_kept].sum()
    label, residue, _ = candidates(probability, kept, [NEVER] * len(probability))
    curves = {
        k: _curve(residue[label == k], chars[label == k], is_kept[label == k]) for k in range(len(probability)) if k not in kept
    }

    def cut(price: float) -> dict[int, tuple[float, float]]:
        """Return for each label the threshold and the news lost at a price."""
        out = {}
        for k, (level, worth, lost) in curves.items():
            gain = np.append(0.0, worth - price * lost)
            at = int(gain.size - 1 - gain[::-1].argmax())
            out[k] = (float(level[at - 1]), float(lost[at - 1])) if at else (NEVER, 0.0)
        return out

    cheap, dear = 0.0, 2.0 + float(chars.sum())
    chosen = cut(dear)
    for _ in range(80):
        price = (cheap + dear) / 2
        tried = cut(price)
        if sum(lost for _, lost in tried.values()) <= budget:
            chosen, dear = tried, price
        else:
            cheap = price
    return tuple(chosen[k][0] if k in chosen else NEVER for k in range(len(probability)))


def _curve(residue: Matrix, chars: Index, is_kept: NDArray[np.bool_]) -> tuple[Matrix, Matrix, Matrix]:
    """Return the possible thresholds, highest first, what the residue that goes at each is worth, and the news characters."""
    order = np.argsort(-residue, kind="stable")
    order = order[residue[order] >= LOWEST]
    level, size, news = residue[order], chars[order], is_kept[order]
    last = np.append(level[1:] != level[:-1], True)[: level.size]  # equal probabilities go together
    junk, lost = (np.cumsum(part)[last].astype(float) for part in (size * ~news, size * news))
    return level[last], junk / np.sqrt(max(junk[-1:].sum(), 1.0)), lost
