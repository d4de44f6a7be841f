"""What the gate does with its floors, apart from measuring: read, compare, raise; lower with a recorded reason alone.

models/floors.json is an object:

    config, settings      what is measured, see gate.py: a configuration, and overrides "key=value"
    digest                of the data that the floors were set on
    floors                name of a figure -> the least it may be; names are free, higher is better
    regressions           [{"date", "reason", "figures": {name: [old, new]}}]; new is null for a floor that was dropped
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.errors import InputError

# Another processor rounds otherwise, and from there on training takes another course: figures that rest on few paragraphs, or on
# one threshold, differ more; that of all news characters less.
MARGIN = 0.01
MARGINS = {
    "news_char_f1": 0.006,
    "macro_f1": 0.03,
    "written_macro_f1": 0.02,
    "junk_after_trafilatura": 0.06,
    "junk_full_page": 0.04,
}
File = dict[str, Any]
Drops = dict[str, list[float | None]]  # name -> [old, new or None]


def read(path: Path) -> File:
    """Read a floors file; see `parse`."""
    try:
        return parse(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8"
        raise InputError(
            f"cannot read the floors ({reason})", where=str(path), hint="Restore it from an earlier commit."
        ) from None


def parse(text: str, where: str) -> File:
    """Check the text of a floors file.

    Raises:
        InputError: with the first thing that is wrong.
    """

    def refuse(cause: str) -> InputError:
        return InputError(cause, where=where, hint="See benchmarks/floors.py for what belongs there.")

    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise refuse("is not JSON") from None
    kinds = {"config": str, "settings": list, "digest": str, "floors": dict}
    if not isinstance(found, dict) or not all(isinstance(found.get(key), kind) for key, kind in kinds.items()):
        raise refuse(f"is not an object with {', '.join(kinds)}")
    for name, floor in found["floors"].items():
        if not _is_number(floor):
            raise refuse(f"the floor of {name} is not a number")
    regressions = found.setdefault("regressions", [])
    if not isinstance(regressions, list) or not all(map(_is_regression, regressions)):
        raise refuse("regressions is not a list of objects with date, reason and figures {name: [old, new]}")
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_regression(entry: Any) -> bool:
    if not isinstance(entry, dict) or entry.keys() != {"date", "reason", "figures"} or not isinstance(entry["figures"], dict):
        return False
    if not isinstance(entry["date"], str) or not isinstance(entry["reason"], str) or not entry["reason"].strip():
        return False
    pairs = [pair for pair in entry["figures"].values() if isinstance(pair, list) and len(pair) == 2]
    return len(pairs) == len(entry["figures"]) and all(_is_number(a) and (b is None or _is_number(b)) for a, b in pairs)


def below(floors: Mapping[str, float], measured: Mapping[str, float]) -> list[str]:
    """Name the figures that are below their floor, or were not measured."""
    return [name for name, floor in floors.items() if not measured.get(name, math.nan) >= floor]


def lowered(old: Mapping[str, float], new: Mapping[str, float]) -> Drops:
    """Return the floors that a change lowers or drops."""
    return {name: [floor, new.get(name)] for name, floor in old.items() if not new.get(name, math.nan) >= floor}


def propose(current: File, measured: Mapping[str, float], digest: str) -> File:
    """Return the file with each floor at the measured figure less the margin; what was not measured has none."""
    known = {name: measured[name] for name in current["floors"] if _is_number(measured.get(name))}
    return {
        **current,
        "digest": digest,
        "floors": {name: round(value - MARGINS.get(name, MARGIN), 3) for name, value in known.items()},
    }


def record(proposed: File, drops: Drops, reason: str, date: str) -> File:
    """Return the file with an entry that says why some floors sink."""
    entry = {"date": date, "reason": reason, "figures": drops}
    return {**proposed, "regressions": [*proposed["regressions"], entry]}


def unexplained(old: File, new: File) -> list[str]:
    """Say, a line each, what sank between two versions of the file without a new entry for it, and which entries went."""
    fresh = [entry for entry in new["regressions"] if entry not in old["regressions"]]
    lines = [
        f"{name} {describe(pair)} without an entry under regressions"
        for name, pair in lowered(old["floors"], new["floors"]).items()
        if not any(_admits(entry["figures"].get(name), pair[1]) for entry in fresh)
    ]
    gone = [entry for entry in old["regressions"] if entry not in new["regressions"]]
    return [*lines, *(f"the regression of {entry['date']} ({entry['reason']}) was taken out or changed" for entry in gone)]


def _admits(pair: list[float | None] | None, floor: float | None) -> bool:
    """Tell whether a recorded pair goes down as far as the floor did."""
    return pair is not None and (pair[1] is None or (floor is not None and pair[1] <= floor))


def describe(pair: list[float | None]) -> str:
    """Put a drop into words."""
    old, new = pair
    return f"vanishes (floor {old})" if new is None else f"sinks from {old} to {new}"


def dump(file: File) -> str:
    """Return the text of a floors file."""
    return json.dumps(file, indent=1) + "\n"
