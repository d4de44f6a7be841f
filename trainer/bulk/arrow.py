"""Arrow files, as the folders of Hugging Face's `save_to_disk` hold them: streams, or files with a footer.

Local files are cut between record batches; columns that nothing looks at keep their types and values, see `tables`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from trainer.bulk import storage
from trainer.bulk.options import Options
from trainer.bulk.shards import Entry, File, Read, Shard, Span, runs_of, unchanged
from trainer.bulk.tables import check_columns, rows

_MAGIC = b"ARROW1"  # of the form with a footer
_END = b"\xff\xff\xff\xff\0\0\0\0"  # of a stream
_ROWS = 256  # that are decoded at once
_ALL = -1  # batches, of a file that is not looked through before


def spans(file: File, size: int) -> list[Span]:
    """Return runs of record batches of about `size` bytes; the whole file where it lies elsewhere, or cannot be read.

    Raises:
        InputError: it has neither a column `text` nor `paragraphs`.
    """
    whole = [Span(0, _ALL, file.size)]
    try:
        with _opened(file.place) as (schema, batches):
            check_columns(schema.names, file.place)
            if storage.is_url(file.place) or file.size <= size:
                return whole
            weights = [batch.nbytes for batch in batches]
    except (pa.ArrowException, OSError):  # reading it tells what is wrong
        return whole
    return runs_of(weights, size)


def read(shard: Shard, _: Options) -> Iterator[Read]:
    """Yield the rows of the shard's record batches; lines are rows of the file.

    Raises:
        ShardError: the file has changed since the run was planned. pyarrow.ArrowException, OSError: it is damaged.
    """
    place = unchanged(shard.file)
    line = 0
    with _opened(place) as (_, batches):
        for number, batch in enumerate(batches):
            if number == shard.end:
                break
            if number < shard.start:
                line += batch.num_rows
                continue
            for start in range(0, batch.num_rows, _ROWS):
                for row in rows(batch.slice(start, _ROWS)):
                    line += 1
                    yield Entry(place, line, row)


def schema(shard: Shard) -> pa.Schema:
    """Return the columns with their types."""
    with _opened(shard.file.place) as (found, _):
        return found


@contextmanager
def _opened(place: str) -> Iterator[tuple[pa.Schema, Iterator[Any]]]:
    """Give the schema and the record batches; of a local file, without reading what is passed over."""
    with storage.open_input(place) if storage.is_url(place) else pa.memory_map(place) as file:
        footer = file.read(len(_MAGIC)) == _MAGIC
        file.seek(-len(_END), io.SEEK_END)
        if not footer and file.read(len(_END)) != _END:  # pyarrow takes what is there for all
            raise pa.ArrowInvalid("the end of the stream is missing")
        file.seek(0)
        if footer:
            reader = pa.ipc.open_file(file)
            yield reader.schema, (reader.get_batch(number) for number in range(reader.num_record_batches))
        else:
            with pa.ipc.open_stream(file) as stream:
                yield stream.schema, iter(stream)
