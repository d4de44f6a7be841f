"""Where the model goes wrong: by site, by group, and the items themselves among their neighbours."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.report_page.material import Index, Material
from trainer.text import Matrix

_SITES, _GROUPS = 40, 12  # rows of the tables
_PER_CELL, _PER_ROW = 100, 15  # items kept of a cell of the confusion matrix, and of a row of the tables
_RIGHT = 20  # of a cell of right ones
_PER_ARTICLE = 3
_NEIGHBOURS = 2  # on each side
_NEIGHBOUR = 240  # characters shown of a neighbour
_BUDGET = 2_500_000  # bytes of texts


def sites(material: Material) -> list[dict[str, Any]]:
    """Return the sites with the most errors beyond what the overall error rate makes of their size, at most _SITES."""
    scored, count = material.scored, len(material.sites)
    lost = np.bincount(scored.site, scored.chars * (material.stays & scored.removed), count)
    left = np.bincount(scored.site, scored.chars * (~material.stays & ~scored.removed), count)
    news = np.bincount(scored.site, scored.chars * material.stays, count)
    junk = np.bincount(scored.site, scored.chars * ~material.stays, count)
    rows = _rows(material, scored.site, material.sites)
    for s, row in rows.items():
        row |= {"lost": int(lost[s]), "kept": int(news[s]), "left": int(left[s]), "rest": int(junk[s])}
    return sorted((row for row in rows.values() if row["errors"]), key=lambda row: -row["excess"])[:_SITES]


def concentration(material: Material) -> dict[str, Any]:
    """Say how many sites hold half of the errors."""
    errors = np.sort(np.bincount(material.scored.site[material.wrong], minlength=len(material.sites)))[::-1]
    half = int(np.searchsorted(np.cumsum(errors), errors.sum() / 2) + 1) if errors.sum() else 0
    return {"sites": len(material.sites), "half": half, "errors": int(errors.sum())}


def groups(material: Material) -> list[dict[str, Any]]:
    """Return for each grouping its groups, at most _GROUPS, those with the most errors beyond their size first."""
    out = []
    for by, names in material.groups.items():
        known, which = np.unique(names, return_inverse=True)
        if known.size < 2:
            continue
        rows = _rows(material, which, [str(name) for name in known])
        chosen = sorted((row for row in rows.values() if row["name"]), key=lambda row: -row["excess"])
        out.append({"by": by, "rows": chosen[:_GROUPS], "all": len(chosen)})
    return out


def _rows(material: Material, which: Index, names: Sequence[str]) -> dict[int, dict[str, Any]]:
    """Return for each group its items, errors, characters of these, errors beyond the overall rate, and commonest confusion."""
    scored, wrong, classes = material.scored, material.wrong, len(material.labels)
    items, errors = np.bincount(which, minlength=len(names)), np.bincount(which[wrong], minlength=len(names))
    chars = np.bincount(which[wrong], scored.chars[wrong], len(names))
    pairs: dict[int, Counter[int]] = {}
    for group, pair in zip(which[wrong].tolist(), (scored.truth * classes + scored.label)[wrong].tolist(), strict=True):
        pairs.setdefault(group, Counter())[pair] += 1
    rate = errors.sum() / max(items.sum(), 1)
    out = {}
    for g, name in enumerate(names):
        (pair, times), *_ = pairs[g].most_common(1) if g in pairs else [(0, 0)]
        out[g] = {
            "name": name,
            "items": int(items[g]),
            "errors": int(errors[g]),
            "chars": int(chars[g]),
            "excess": round(float(errors[g] - rate * items[g]), 1),
            "commonest": [*divmod(pair, classes), times] if times else None,
        }
    return out


def confusion_chars(material: Material) -> list[list[int]]:
    """Return the confusion matrix in characters, [true][predicted]."""
    scored, classes = material.scored, len(material.labels)
    cell = scored.truth * classes + scored.label
    return np.bincount(cell, scored.chars, classes**2).reshape(classes, classes).astype(int).tolist()


def examples(material: Material, site_rows: Sequence[dict[str, Any]], grouped: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the items that the page can show, with their neighbours; each text once.

    Errors come first, the surest ones of each cell, site and group in turn, until _BUDGET is used up.

    `items`: those to show, as places in `texts`. `groups`: by grouping → index into `group_names`, of each item. `texts`: columns
    "text", "truth", "label" (-1: not judged), "lost" (1: of a class that is kept, but removed at the chosen thresholds),
    "article", "number", "probability" (per mille, of each class). `articles`: columns "id", "site", "size".
    """
    chosen = _within_budget(material, _candidates(material, site_rows, grouped))
    judged = np.full(len(material.texts), -1)
    judged[material.place] = np.arange(material.place.size)
    places = sorted({place for i in chosen for place in _around(material, material.place[i])})
    sizes = np.bincount(material.article, minlength=len(material.articles))
    begin = np.cumsum(sizes) - sizes
    numbers = {int(number): at for at, number in enumerate(sorted({material.article[place] for place in places}))}
    shown = set(material.place[chosen].tolist())
    at = {place: i for i, place in enumerate(places)}
    scored = material.scored
    truth, label = np.append(scored.truth, -1), np.append(scored.label, -1)
    lost = np.append(material.stays & scored.removed, False).astype(int)
    permille = np.round(1000 * scored.probability).astype(int)
    site_of = dict(zip(material.article[material.place].tolist(), scored.site.tolist(), strict=True))
    names = {by: sorted(set(values)) for by, values in material.groups.items()}
    return {
        "items": [at[int(place)] for place in material.place[chosen]],
        "groups": {by: [names[by].index(values[i]) for i in chosen] for by, values in material.groups.items()},
        "group_names": names,
        "texts": {
            "text": [_cut(material.texts[place], material.shown if place in shown else _NEIGHBOUR) for place in places],
            "truth": truth[judged[places]].tolist(),
            "label": label[judged[places]].tolist(),
            "lost": lost[judged[places]].tolist(),
            "article": [numbers[int(material.article[place])] for place in places],
            "number": [int(place - begin[material.article[place]]) for place in places],
            "probability": [permille[:, judged[place]].tolist() if judged[place] >= 0 else None for place in places],
        },
        "articles": {
            "id": [material.articles[number] for number in numbers],
            "site": [material.sites[site_of[number]] if number in site_of else "" for number in numbers],
            "size": [int(sizes[number]) for number in numbers],
        },
    }


def _candidates(material: Material, site_rows: Sequence[dict[str, Any]], grouped: Sequence[dict[str, Any]]) -> Iterable[int]:
    """Yield judged items, most telling first."""
    scored, wrong, classes = material.scored, material.wrong, len(material.labels)
    sure = scored.probability.max(axis=0) if scored.truth.size else np.zeros(0)
    cell, site = scored.truth * classes + scored.label, np.array(material.sites)[scored.site]
    lists = [_first(material, cell == c, -sure, _PER_CELL) for c in np.unique(cell[wrong])]
    lists.append(_first(material, material.stays & scored.removed, -scored.chars, _PER_CELL))
    lists += [_first(material, wrong & (site == row["name"]), -sure, _PER_ROW) for row in site_rows]
    for group in grouped:
        names = np.array(material.groups[group["by"]])
        lists += [_first(material, wrong & (names == row["name"]), -sure, _PER_ROW) for row in group["rows"]]
    lists += [_first(material, (scored.truth == k) & ~wrong, sure, _RIGHT) for k in range(classes)]
    seen = set()
    for rank in zip_longest(*lists):
        for i in rank:
            if i is not None and i not in seen:
                seen.add(i)
                yield i


def _first(material: Material, mask: NDArray[np.bool_], order: Matrix | Index, most: int) -> list[int]:
    """Return the first of some judged items, a few of each article before further ones of it."""
    rows = np.flatnonzero(mask)
    rows = rows[np.argsort(order[rows], kind="stable")]
    seen: Counter[int] = Counter()
    turns = []
    for article in material.article[material.place[rows]].tolist():
        turns.append(seen[article] // _PER_ARTICLE)
        seen[article] += 1
    return rows[np.argsort(turns, kind="stable")][:most].tolist()  # type: ignore[no-any-return]


def _around(material: Material, place: int) -> range:
    """Return the places of an item and its neighbours in the same article."""
    article = material.article
    first, last = max(0, place - _NEIGHBOURS), min(len(material.texts) - 1, place + _NEIGHBOURS)
    while article[first] != article[place]:
        first += 1
    while article[last] != article[place]:
        last -= 1
    return range(int(first), int(last) + 1)


def _within_budget(material: Material, candidates: Iterable[int]) -> list[int]:
    """Return as many of the items as have room, counting each text as long as it may be."""
    size: dict[int, int] = {}
    total, chosen = 0, []
    for i in candidates:
        place, before = int(material.place[i]), total
        for other in _around(material, place):
            now = 5 * len(material.labels) + _bytes(_cut(material.texts[other], material.shown if other == place else _NEIGHBOUR))
            total += max(0, now - size.get(other, 0))
            size[other] = max(now, size.get(other, 0))
        if total > _BUDGET:
            total = before
            break
        chosen.append(i)
    return chosen


def _bytes(text: str) -> int:
    """Return the bytes a text takes in the page, with what is kept about it."""
    return len(json.dumps(text, ensure_ascii=False).replace("<", "\\u003c").encode("utf-8", "replace")) + 60


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
