"""The articles of a bulk run's inputs, one after the other, to draw a sample from."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from trainer.bulk import formats, shards, storage
from trainer.bulk.inputs import find
from trainer.bulk.options import Options
from trainer.errors import InputError
from trainer.records import Item, check

_NEEDED = ("id", "url", "site", "source", "title", "text", "paragraphs")  # of a record; the rest is not held


class Reader:
    """Iterates over the articles of files, folders and URLs, as a bulk run reads them.

    Attributes:
        bad: what is wrong with records that were passed over. unread: why files could not be read, or not to their end.

    Raises:
        InputError: an input is missing or of no known kind; on iteration, where more than `max_errors` records are bad.
    """

    def __init__(self, inputs: Sequence[str], options: Options, max_errors: int) -> None:
        places = [place.rstrip("/") if storage.is_url(place) else place for place in inputs]
        sources = find(places)
        formats.check(sorted({source.kind for source in sources}), options)
        self._shards = shards.cut(sources, sys.maxsize)  # whole files, so that lines count from 1
        self._options, self._max_errors = options, max_errors
        self.bad: list[InputError] = []
        self.unread: list[InputError] = []

    def __iter__(self) -> Iterator[Item]:
        """Yield articles in order."""
        for shard in self._shards:
            try:
                yield from self._read(shard)
            except _TooManyError:
                raise
            except InputError as error:
                self.unread.append(error)
            except Exception as error:  # a library's, of a damaged file: the others are read nevertheless
                reason = " ".join(str(error).split())[:200]
                self.unread.append(InputError(f"cannot be read ({type(error).__name__}: {reason})", where=shard.file.place))

    def _read(self, shard: shards.Shard) -> Iterator[Item]:
        for entry in formats.read(shard, self._options):
            if isinstance(entry, shards.End | shards.Skipped):
                continue
            where = entry.file if entry.line is None else f"{entry.file}:{entry.line}"
            try:
                if isinstance(entry, shards.BadRecord):
                    raise InputError(entry.reason, where=where)
                item = Item(where, _slim(entry.record), entry.host)
                check(item)
            except InputError as error:
                self._note(error)
            else:
                yield item

    def _note(self, error: InputError) -> None:
        self.bad.append(error)
        if len(self.bad) > self._max_errors:
            cause = f"more than {self._max_errors:,} bad records, the last one: {error.cause}"
            raise _TooManyError(cause, where=error.where, hint="Allow more with --max-errors.")


class _TooManyError(InputError):
    pass


def _slim(record: Any) -> Any:
    """Return the needed fields of a record, decoded; what is none comes back as it is."""
    if not isinstance(record, Mapping):
        return record
    found = {key: record[key] for key in _NEEDED if key in record}
    return {key: msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value for key, value in found.items()}
