"""The model's weakest points, in words with their figures: what a newcomer should read first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from trainer.evaluation import Report
from trainer.report_page.material import Material

_FEW = 30  # items, or characters times ten, below which a share says little
_GAP = 0.1  # of predicted and observed probability
_WORSE = 2  # times the overall error rate, from which a group stands out


class Weakness(NamedTuple):
    """One weak point: how much of what it is about goes wrong (0 to 1), in a few words and with figures.

    `section` is where the page shows it, `show` which items to open, see `errors.js`; None where there are none to show.
    """

    share: float
    title: str
    text: str
    section: str
    show: dict[str, Any] | None = None


def weaknesses(report: Report, material: Material, page: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the weak points: a broken limit, then what concerns all sites, then groups and sites; by the share that goes wrong.

    Args:
        page: the page's `calibration`, `confusion`, `sites`, `groups`, as made by the other modules.
    """
    everywhere = [
        *_label(report, material),
        *_confusion(material, page["confusion"]),
        *_left(report, material),
        *_calibration(page["calibration"], material),
    ]
    somewhere = [*_groups(material, page["groups"]), *_sites(material, page["sites"], page["concentration"])]
    found = [*_loss(report, material), *(w for part in (everywhere, somewhere) for w in sorted(part, key=lambda w: -w.share))]
    return [weakness._asdict() for weakness in found]


def _loss(report: Report, material: Material) -> Iterator[Weakness]:
    lost, low, high = report.overall.get("news_lost_per_1000", (math.nan,) * 3)
    if material.limit is None or math.isnan(lost) or lost <= 1000 * material.limit:
        return
    limit = 1000 * material.limit
    certain = "even the lower end of the range is above it" if low > limit else "the range reaches below it, so it may be chance"
    text = (
        f"At the chosen thresholds {lost:.1f} of 1,000 {material.kept} characters are lost ({low:.1f}–{high:.1f}); "
        f"the limit is {limit:g}; {certain}."
    )
    yield Weakness(lost / 1000, f"Loses more {material.kept} than it may", text, "removal", {"lost": True})


def _label(report: Report, material: Material) -> Iterator[Weakness]:
    f1 = [figure[0] for figure in report.per_label["f1"]]
    known = [k for k in range(len(f1)) if report.support[k] and not math.isnan(f1[k])]
    if not known:
        return
    k = min(known, key=lambda k: f1[k])
    name, (value, low, high) = report.labels[k], report.per_label["f1"][k]
    missed, false = 1 - report.per_label["recall"][k][0], 1 - report.per_label["precision"][k][0]
    wrong = "" if math.isnan(false) else f", and {_percent(false)} of what it calls {name} is something else"
    text = (
        f"F1 {value:.2f} ({low:.2f}–{high:.2f}): it misses {_percent(missed)} of {report.support[k]:,} {material.unit}s{wrong}."
    )
    title = f"{name} is the label it knows least"
    yield Weakness(1 - value, title, text, "labels", {"truth": k, "wrong": True})


def _confusion(material: Material, confusion: dict[str, Any]) -> Iterator[Weakness]:
    chars, items, names = confusion["chars"], confusion["items"], material.labels.names
    cells = [(chars[i][j], i, j) for i in range(len(names)) for j in range(len(names)) if i != j]
    errors = sum(count for count, _, _ in cells)
    count, i, j = max(cells)
    if not errors:
        return
    text = (
        f"{items[i][j]:,} {material.unit}s with {count:,} characters: {_percent(count / errors)} of all misjudged characters, "
        f"{_percent(count / sum(chars[i]))} of the characters of {names[i]}."
    )
    yield Weakness(
        count / errors, f"Costliest confusion: {names[i]} taken for {names[j]}", text, "confusion", {"truth": i, "label": j}
    )


def _left(report: Report, material: Material) -> Iterator[Weakness]:
    gone, low, high = report.overall.get("junk_removed", (math.nan,) * 3)
    if math.isnan(gone) or gone > 1 - _GAP:
        return
    text = f"At the chosen thresholds {_percent(1 - gone)} ({_between(1 - high, 1 - low)}) of its characters stay in."
    yield Weakness(1 - gone, f"Leaves much {material.rest} in", text, "removal")


def _sites(material: Material, rows: Sequence[dict[str, Any]], spread: dict[str, Any]) -> Iterator[Weakness]:
    rate = spread["errors"] / max(material.scored.truth.size, 1)
    worst = [row for row in rows if row["items"] >= _FEW and row["errors"] >= _WORSE * rate * row["items"]]
    if not worst:
        return
    row, share = worst[0], worst[0]["errors"] / worst[0]["items"]
    text = (
        f"{row['errors']:,} of {row['items']:,} {material.unit}s are wrong ({_percent(share)}; overall {_percent(rate)}); "
        f"half of all errors are on {spread['half']:,} of {spread['sites']:,} sites."
    )
    yield Weakness(share, f"Worst site: {row['name']}", text, "sites", {"site": row["name"], "wrong": True})


def _calibration(curves: Sequence[dict[str, Any]], material: Material) -> Iterator[Weakness]:
    """The largest gap that is no chance: the observed share's interval leaves the prediction out."""
    off = []
    for curve in curves:
        for part in curve["bins"]:
            observed, low, high = part["observed"]
            gap = abs(part["predicted"] - observed)
            if part["items"] >= _FEW and gap >= _GAP and not low <= part["predicted"] <= high:
                off.append((gap, curve["name"], part))
    if not off:
        return
    gap, name, part = max(off, key=lambda found: found[0])
    observed, low, high = part["observed"]
    way = "too sure" if part["predicted"] > observed else "not sure enough"
    said = _between(part["from"], part["to"])
    text = (
        f"Of the {part['items']:,} {material.unit}s that it says are {name} with {said} "
        f"(mean {_percent(part['predicted'])}), {_percent(observed)} ({_between(low, high)}) are."
    )
    yield Weakness(gap, f"Is {way} of {name}", text, "calibration")


def _groups(material: Material, grouped: Sequence[dict[str, Any]]) -> Iterator[Weakness]:
    rate = float(material.wrong.mean()) if material.wrong.size else 0.0
    rows = [
        (row["errors"] / row["items"], group["by"], row)
        for group in grouped
        for row in group["rows"]
        if row["items"] >= _FEW and row["name"] not in material.labels.index  # a kind that is a label is spoken of already
    ]
    if not rows:
        return
    share, by, row = max(rows, key=lambda found: found[0])
    if share < _WORSE * rate or not row["errors"]:
        return
    text = f"{row['errors']:,} of {row['items']:,} {material.unit}s are wrong ({_percent(share)}; overall {_percent(rate)})"
    if row["commonest"]:
        i, j, times = row["commonest"]
        text += f", most often {material.labels.names[i]} taken for {material.labels.names[j]} ({times:,})"
    yield Weakness(share, f"Weakest {by}: {row['name']}", f"{text}.", "groups", {"group": by, "name": row["name"], "wrong": True})


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%" if share < 0.1 else f"{100 * share:.0f}\u00a0%"


def _between(low: float, high: float) -> str:
    return f"{_percent(low)[:-2]}–{_percent(high)}"
