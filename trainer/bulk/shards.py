"""What a run is to do: input files found, and cut into shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from trainer.bulk import storage
from trainer.errors import InputError

SHARD_BYTES = 64 << 20  # of input, where a file can be cut
MOST_FILES = 500  # small ones in a shard


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
        names: of each of many files, unique in the run, relative, without suffix.
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
    names: tuple[str, ...] = ()

    @property
    def file(self) -> File:
        """The file, or the first of the files."""
        return self.files[0]


class Entry(NamedTuple):
    """A record as it was read: of which file, which line (row, record) from 1; `host` is its site where it names none.

    `byte` is where it begins, in files that are cut at any byte; `line` is then counted from where the part begins.
    """

    file: str
    line: int | None
    record: Mapping[str, Any]
    host: str | None = None
    byte: int | None = None


class BadRecord(NamedTuple):
    """A record that cannot be used, and why."""

    file: str
    line: int | None
    reason: str
    byte: int | None = None


class Skipped(NamedTuple):
    """A record that is no article, and why; it is counted."""

    reason: str


class End(NamedTuple):
    """The last that is read of a part of a file: how many lines it has, blank ones included."""

    lines: int


Read = Entry | BadRecord | Skipped | End


class ShardError(InputError):
    """A shard that cannot be read: damaged, cut short, or changed since the run was planned."""


def unchanged(file: File) -> str:
    """Return the place of a file that is as it was when the run was planned.

    Raises:
        ShardError: it is not.
    """
    if File(file.place, *storage.stat(file.place)) != file:
        raise ShardError("has changed since the run was planned", where=file.place, hint="Begin anew with --restart.")
    return file.place


def cut(sources: Sequence[Source], size: int) -> list[Shard]:
    """Return the shards of files in order: none much larger than `size` bytes where its kind can be cut."""
    from trainer.bulk import formats

    shards: list[Shard] = []
    taken: set[str] = set()
    for source in sources:
        if not formats.FORMATS[source.kind].many:
            spans = formats.spans(source.kind, source.file, size)
            stem = _stem(source)
            names = _free([f"{stem}-{part:05}" if len(spans) > 1 else stem for part in range(len(spans))], taken)
            for part, (span, name) in enumerate(zip(spans, names, strict=True)):
                shards.append(Shard(len(shards), source.kind, (source.file,), *span, name, part, len(spans)))
    for many in dict.fromkeys(form.many for form in formats.FORMATS.values() if form.many):
        runs = _runs([source for source in sources if formats.FORMATS[source.kind].many == many], size)
        for number, run in enumerate(runs):
            files = tuple(source.file for source in run)
            weight = sum(file.size for file in files)
            name = _free([f"{many}-{number:05}"], taken)[0]
            names = [_free([_stem(source)], taken)[0] for source in run]
            shards.append(Shard(len(shards), run[0].kind, files, 0, weight, weight, name, names=tuple(names)))
    return shards


def _runs(sources: Sequence[Source], size: int) -> Iterator[list[Source]]:
    """Put neighbours together, up to `size` bytes and MOST_FILES."""
    run: list[Source] = []
    weight = 0
    for source in sources:
        weight += source.file.size
        if run and (weight > size or len(run) == MOST_FILES):
            yield run
            run, weight = [], source.file.size
        run.append(source)
    if run:
        yield run


def runs_of(weights: Sequence[int], size: int) -> list[Span]:
    """Return runs of a file's parts that weigh up to `size` bytes together; a heavier part is alone."""
    found: list[Span] = []
    start = weight = 0
    for number, more in enumerate(weights):
        if weight and weight + more > size:
            found.append(Span(start, number, weight))
            start, weight = number, 0
        weight += more
    return [*found, Span(start, len(weights), weight)]


def _stem(source: Source) -> str:
    return source.name[: -len(source.kind)]


def _free(names: list[str], taken: set[str]) -> list[str]:
    """Return the names, numbered anew as a whole where one of them is taken; on some disks case makes no difference."""
    chosen, number = names, 1
    while any(name.casefold() in taken for name in chosen):
        number += 1
        chosen = [f"{name}~{number}" for name in names]
    taken.update(name.casefold() for name in chosen)
    return chosen
