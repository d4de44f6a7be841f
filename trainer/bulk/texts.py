"""Folders of plain texts and web pages: many small files make a shard; an id is the path in the folder, without suffix."""

from __future__ import annotations

from collections.abc import Iterator

from trainer.bulk import extractors, storage
from trainer.bulk.extractors import EXTRACTORS
from trainer.bulk.options import Options
from trainer.bulk.shards import BadRecord, Entry, File, Read, Shard, Skipped, Span
from trainer.errors import InputError


def check(kind: str, options: Options) -> None:
    """Refuse web pages without what reads them; see `extractors.check`."""
    if kind != ".txt":
        extractors.check(options.extractor)


def spans(file: File, _: int) -> list[Span]:
    """Return the whole file."""
    return [Span(0, file.size, file.size)]


def read(shard: Shard, options: Options) -> Iterator[Read]:
    """Yield the texts of the shard's files; a file that cannot be read is a bad record."""
    pages = shard.kind != ".txt"
    extract = EXTRACTORS[options.extractor]
    for file, name in zip(shard.files, shard.names, strict=True):
        try:
            data = _content(file.place, options.max_record)
            fields = extract(data, "") if pages else {"text": _text(data)}
        except InputError as error:
            yield BadRecord(file.place, None, error.cause)
        else:
            yield Entry(file.place, None, {"id": name, **fields}) if fields else Skipped("no text")


def _content(place: str, most: int) -> bytes:
    try:
        with storage.open_input(place) as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})") from None
    if len(data) > most:
        raise InputError(f"is longer than {most:,} bytes (--max-record)")
    return data


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 (byte {error.start})") from None
