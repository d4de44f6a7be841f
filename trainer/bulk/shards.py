"""What a run is to do: input files found, and cut into shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from trainer.bulk import storage
from trainer.errors import InputError

SHARD_BYTES = 64 << 20  # of input, where a file can be cut


class File(NamedTuple):
    """An input file as it was when the run was planned: path or URL, bytes, and what changes when it changes."""

    place: str
    size: int
    stamp: str


class Source(NamedTuple):
    """An input file, the name its output is made from (relative, with suffix), and its kind: a key of `formats.FORMATS`."""

    file: File
    name: str
    kind: str


class Span(NamedTuple):
    """A part of a file: from `start` to `end` in bytes, row groups, or whatever the kind counts; and its weight in bytes."""

    start: int
    end: int
    weight: int


class Shard(NamedTuple):
    """What one job reads and what its output is called.

    Attributes:
        number: its place in the run, from 0. kind: a key of `formats.FORMATS`. files: one, or many small ones.
        start, end: see `Span`; of the only file. weight: bytes of input. name: of the output, relative, without suffix.
        part, parts: which part of the file this is, from 0, and how many there are.
    """

    number: int
    kind: str
    files: tuple[File, ...]
    start: int
    end: int
    weight: int
    name: str
    part: int = 0
    parts: int = 1

    @property
    def file(self) -> File:
        """The file, or the first of the files."""
        return self.files[0]


class Entry(NamedTuple):
    """A record as it was read: of which file, which line (row, record) from 1; `host` is its site where it names none.

    `byte` is where it begins, in files that are cut at any byte; `line` is then counted from where the part begins.
    """

    file: str
    line: int
    record: Mapping[str, Any]
    host: str | None = None
    byte: int | None = None


class BadRecord(NamedTuple):
    """A record that cannot be used, and why."""

    file: str
    line: int | None
    reason: str
    byte: int | None = None


class End(NamedTuple):
    """The last that is read of a part of a file: how many lines it has, blank ones included."""

    lines: int


class ShardError(InputError):
    """A shard that cannot be read: damaged, cut short, or changed since the run was planned."""


def find(inputs: Sequence[str], kinds: Mapping[str, Any]) -> list[Source]:
    """Return the files of paths, folders and URLs in order, each with its kind.

    Args:
        inputs: absolute; a folder stands for the files in it, at any depth, that end in one of `kinds`, but none that begins
            with `.` or `_`.

    Raises:
        InputError: there is nothing there, or its name has no known ending.
    """
    sources = []
    for place in inputs:
        if storage.is_folder(place):
            found = storage.walk(place)
            within = [
                Source(File(storage.join(place, name), *at), name, kind)
                for name, at in found.items()
                if (kind := _kind(name, kinds))
            ]
            if not within:
                raise InputError(f"no files ending in {', '.join(kinds)}", where=place)
            sources += within
        else:
            name = place.rpartition("/")[2]
            at, kind = storage.stat(place), _kind(name, kinds)
            if kind is None:
                raise InputError(f"cannot tell the format; names end in {', '.join(kinds)}", where=place)
            sources.append(Source(File(place, *at), name, kind))
    for place, times in Counter(source.file.place for source in sources).items():
        if times > 1:
            raise InputError("is given twice", where=place)
    return sources


def cut(sources: Sequence[Source], size: int) -> list[Shard]:
    """Return the shards of files in order: none much larger than `size` bytes where its kind can be cut."""
    from trainer.bulk import formats

    shards: list[Shard] = []
    taken: set[str] = set()
    for run in _runs(sources, size):
        first = run[0]
        files = tuple(source.file for source in run)
        whole = Span(0, first.file.size, sum(file.size for file in files))
        spans = [whole] if len(run) > 1 else formats.spans(first.kind, first.file, size)
        stem = first.name[: -len(first.kind)]
        names = [f"{stem}-{part:05}" if len(spans) > 1 else stem for part in range(len(spans))]
        names = _free(names, taken)
        for part, (span, name) in enumerate(zip(spans, names, strict=True)):
            shards.append(Shard(len(shards), first.kind, files, *span, name, part, len(spans)))
    return shards


def _runs(sources: Sequence[Source], size: int) -> Iterator[list[Source]]:
    """Put neighbours of a kind of which a shard takes many together, up to `size` bytes; all others stay alone."""
    from trainer.bulk.formats import FORMATS

    run: list[Source] = []
    weight = 0
    for source in sources:
        weight += source.file.size
        if run and not (FORMATS[source.kind].many and source.kind == run[0].kind and weight <= size):
            yield run
            run, weight = [], source.file.size
        run.append(source)
    if run:
        yield run


def _kind(name: str, kinds: Mapping[str, Any]) -> str | None:
    return max((kind for kind in kinds if name.lower().endswith(kind)), key=len, default=None)


def _free(names: list[str], taken: set[str]) -> list[str]:
    """Return the names, numbered anew as a whole where one of them is taken; on some disks case makes no difference."""
    chosen, number = names, 1
    while any(name.casefold() in taken for name in chosen):
        number += 1
        chosen = [f"{name}~{number}" for name in names]
    taken.update(name.casefold() for name in chosen)
    return chosen
