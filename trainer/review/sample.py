"""A random sample of articles nobody knows the number of."""

from __future__ import annotations

import random
from collections.abc import Iterable
from operator import itemgetter
from typing import TypeVar

T = TypeVar("T")


def reservoir(items: Iterable[T], number: int, seed: int) -> tuple[list[T], int]:
    """Return `number` of the items, in their order, and how many there were; each has the same chance.

    Reads once and holds no more than `number` items (algorithm R; Vitter, 1985, ACM Transactions on Mathematical Software
    11(1)). The same items, number and seed give the same sample. Of fewer items all are returned.
    """
    rng = random.Random(seed)
    chosen: list[tuple[int, T]] = []
    total = 0
    for place, item in enumerate(items):
        total = place + 1
        if place < number:
            chosen.append((place, item))
        elif (at := rng.randrange(total)) < number:
            chosen[at] = (place, item)
    chosen.sort(key=itemgetter(0))
    return [item for _, item in chosen], total
