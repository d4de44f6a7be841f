"""The input files of a run: what paths, folders, patterns and URLs stand for."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

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
    sources = [
        Source(File(storage.join(base, name), *at), _inside(name), kind)
        for name, at in found.items()
        if (kind := _kind(name)) and (storage.join(base, name) == place or not _lies_in(storage.join(base, name), out))
    ]
    if sources:
        return sources
    if base == out and found:
        raise InputError("is the output folder too", where=place, hint="Choose another --out.")
    if _is_pattern(place):
        raise InputError(f"matches no files ending in {', '.join(FORMATS)}", where=place)
    if base != place:
        raise InputError(f"cannot tell the format; names end in {', '.join(FORMATS)}", where=place)
    raise InputError(f"no files ending in {', '.join(FORMATS)}", where=place)


def _files(place: str) -> tuple[_Found, str]:
    """Return files by name, and the folder that the names are relative to."""
    if _is_pattern(place):
        parts = re.split(r"(?<=/)", place)
        base = "".join(parts[: next(i for i, part in enumerate(parts) if _PATTERN.search(part))]) or "."
        found: _Found = {}
        for name in _matching(place, base):
            if storage.is_folder(storage.join(base, name)):
                within = _of_data_sets(storage.join(base, name), _walk(storage.join(base, name)))
                found |= {f"{name}/{more}": at for more, at in within.items()}
            elif _kind(name):
                found[name] = storage.stat(storage.join(base, name))
        return found, base
    if storage.is_folder(place):
        return _of_data_sets(place, _walk(place)), place
    base, _, name = place.rpartition("/")
    return {name: storage.stat(place)}, base or "/"


def _walk(folder: str) -> _Found:
    """Return the files at any depth by relative name, in order; nothing that begins with `.` or `_`, as is the habit."""
    if storage.is_url(folder):
        return {name: found for name, found in storage.listing(folder).items() if not _is_hidden(name)}
    names: list[str] = []
    seen: set[str] = set()
    for at, folders, files in os.walk(folder, followlinks=True):
        if os.path.realpath(at) in seen:  # a link that leads in a circle, or to what another one leads to
            folders.clear()
            continue
        seen.add(os.path.realpath(at))
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        names += [Path(at, name).relative_to(folder).as_posix() for name in files if not _is_hidden(name)]
    return {name: storage.stat(storage.join(folder, name)) for name in sorted(names)}


def _is_hidden(name: str) -> bool:
    """Return whether a part of a relative name begins with `.` or `_`."""
    return any(part.startswith((".", "_")) for part in name.split("/"))


def _matching(pattern: str, base: str) -> list[str]:
    """Return what a pattern stands for, hidden things aside: names relative to the folder that its wildcards begin in."""
    if storage.is_url(pattern):
        with storage.remote_errors(pattern):
            fs, path = storage.remote(pattern)
            begin = len(fs._strip_protocol(base).rstrip("/")) + 1
            found = [str(name)[begin:] for name in fs.glob(path)]
    else:
        found = [Path(name).relative_to(base).as_posix() for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207 (`Path.glob` takes no absolute pattern)
    return sorted(name for name in found if name not in ("", ".") and not _is_hidden(name))


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
    if storage.is_web(place) and ("?" in place or "@" in place.partition("://")[2].partition("/")[0]):
        raise InputError("a URL with a password or a query would be stored with the run", hint="Fetch the file before.")


def _lies_in(place: str, folder: str) -> bool:
    return bool(folder) and place.startswith((f"{folder}/", f"{folder}\\"))


def _is_pattern(place: str) -> bool:
    return bool(_PATTERN.search(place)) and not storage.is_web(place) and not storage.exists(place)


def _kind(name: str) -> str | None:
    return max((kind for kind in FORMATS if name.lower().endswith(kind)), key=len, default=None)


def _inside(name: str) -> str:
    """Return a name that stays in the output folder, whatever an object store calls its files."""
    return "/".join(part or "_" for part in name.split("/"))
