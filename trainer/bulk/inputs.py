"""The input files of a run: what paths, folders, patterns and URLs stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from trainer.bulk import storage
from trainer.bulk.formats import FORMATS
from trainer.bulk.shards import File, Source
from trainer.errors import InputError

_PATTERN = re.compile(r"[*?\[]")
_STATE = "state.json"  # of a data set of Hugging Face, beside its Arrow files
_Found = dict[str, storage.Stat]  # by relative name


def find(inputs: Sequence[str], out: str = "") -> list[Source]:
    """Return the files of paths, folders, patterns and URLs in order, each with its kind.

    A folder stands for the files in it, at any depth, whose names end in one of FORMATS, but for those that begin with `.` or
    `_` and those in folders so called. A pattern (`crawl-*.warc.gz`, `**` for any folders) stands for what it matches; names
    count from the folder before its first wildcard.

    Args:
        inputs: absolute. out: output folder; what folders and patterns find in it is no input.

    Raises:
        InputError: there is nothing there, its name has no known ending, or it is given twice.
    """
    sources: list[Source] = []
    given: set[str] = set()
    for place in inputs:
        for source in _sources(place, out):
            if source.file.place in given:
                raise InputError("is given twice", where=source.file.place)
            given.add(source.file.place)
            sources.append(source)
    return sources


def _sources(place: str, out: str) -> list[Source]:
    _check(place)
    found, base = _files(place)
    one = base != place and not _is_pattern(place)
    sources = [
        Source(File(storage.join(base, name), *at), _inside(name), kind)
        for name, at in found.items()
        if (kind := _kind(name)) and (one or not storage.within(storage.join(base, name), out))
    ]
    if sources:
        return sources
    if _is_pattern(place):
        raise InputError(f"matches no files ending in {', '.join(FORMATS)}", where=place, hint="Is it in quotes?")
    if base != place:
        raise InputError(f"cannot tell the format; names end in {', '.join(FORMATS)}", where=place)
    raise InputError(f"no files ending in {', '.join(FORMATS)}", where=place)


def _files(place: str) -> tuple[_Found, str]:
    """Return files by name, and the folder that the names are relative to."""
    if _is_pattern(place):
        parts = re.split(r"(?<=/)", place)
        base = "".join(parts[: next(i for i, part in enumerate(parts) if _PATTERN.search(part))]) or "."
        found: _Found = {}
        for name in storage.matching(place, base):
            if storage.is_folder(storage.join(base, name)):
                within = _of_data_sets(storage.join(base, name), storage.walk(storage.join(base, name)))
                found |= {f"{name}/{more}": at for more, at in within.items()}
            elif _kind(name):
                found[name] = storage.stat(storage.join(base, name))
        return found, base
    if storage.is_folder(place):
        return _of_data_sets(place, storage.walk(place)), place
    base, _, name = place.rpartition("/")
    return {name: storage.stat(place)}, base or "/"


def _of_data_sets(folder: str, found: _Found) -> _Found:
    """Leave out what lies in the folders of data sets without belonging to them: what `datasets` has cached there.

    Raises:
        InputError: a file of a data set is missing.
    """
    for state in [name for name in found if name.rpartition("/")[2] == _STATE]:
        home = state.removesuffix(_STATE)
        parts = _data_files(storage.join(folder, state))
        for name in parts:
            if home + name not in found:
                raise InputError(f"has no {name}, which {_STATE} names", where=storage.join(folder, home).rstrip("/"))
        others = {name for name in found if name.startswith(home) and name.endswith(".arrow") and "/" not in name[len(home) :]}
        if parts:
            found = {name: at for name, at in found.items() if name not in others or name.removeprefix(home) in parts}
    return found


def _data_files(state: str) -> list[str]:
    try:
        return [str(item["filename"]) for item in json.loads(storage.read_bytes(state))["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError):  # a file of another program
        return []


def _check(place: str) -> None:
    if place.rpartition("/")[2] == "-":
        raise InputError("standard input cannot be cut into shards", hint="Filter it with trainer filter - , or give a file.")
    if storage.is_url(place) and "@" in place.partition("://")[2].partition("/")[0] and place.startswith("http"):
        raise InputError("a URL with a password would be stored with the run", hint="Fetch the file before.")


def _is_pattern(place: str) -> bool:
    return bool(_PATTERN.search(place)) and not storage.is_web(place) and not storage.exists(place)


def _kind(name: str) -> str | None:
    return max((kind for kind in FORMATS if name.lower().endswith(kind)), key=len, default=None)


def _inside(name: str) -> str:
    """Return a name that stays in the output folder, whatever an object store calls its files."""
    return "/".join(part or "_" for part in name.split("/"))
