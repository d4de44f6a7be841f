"""Parquet, cut between row groups; columns that nothing looks at keep their types and values.

See `tables`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from trainer.bulk import storage
from trainer.bulk.options import Options
from trainer.bulk.shards import Entry, File, Read, Shard, Span, runs_of, unchanged
from trainer.bulk.tables import check_columns, rows

_BATCH_ROWS, _BATCH_BYTES = 1000, 4 << 20  # that are decoded at once, whichever is less
_ALL = -1  # row groups, of a file that tells its number of them only when it is read


def spans(file: File, size: int) -> list[Span]:
    """Return runs of row groups of about `size` bytes; the whole file where its footer cannot be read.

    Raises:
        InputError: it has neither a column `text` nor `paragraphs`.
    """
    try:
        with storage.open_input(file.place) as raw:
            metadata = pq.read_metadata(raw)
            names = metadata.schema.to_arrow_schema().names
            groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
            weights = [sum(group.column(i).total_compressed_size for i in range(group.num_columns)) for group in groups]
    except (pa.ArrowException, OSError):  # reading it tells what is wrong
        return [Span(0, _ALL, file.size)]
    check_columns(names, file.place)
    return runs_of(weights, size)


def read(shard: Shard, _: Options) -> Iterator[Read]:
    """Yield the rows of the shard's row groups; lines are rows of the file.

    Raises:
        ShardError: the file has changed since the run was planned. pyarrow.ArrowException, OSError: it is damaged.
    """
    file = shard.file
    unchanged(file)
    with (
        storage.open_input(file.place) as raw,
        pq.ParquetFile(raw, buffer_size=1 << 20, pre_buffer=False, page_checksum_verification=True) as parquet,
    ):
        end = parquet.num_row_groups if shard.end == _ALL else shard.end
        groups = [parquet.metadata.row_group(number) for number in range(end)]
        line = sum(group.num_rows for group in groups[: shard.start])
        for number, group in enumerate(groups[shard.start :], shard.start):
            count = max(1, group.num_rows * _BATCH_BYTES // max(group.total_byte_size, 1))
            for batch in parquet.iter_batches(min(count, _BATCH_ROWS), row_groups=[number], use_threads=False):
                for row in rows(batch):
                    line += 1
                    yield Entry(file.place, line, row)


def schema(shard: Shard) -> pa.Schema:
    """Return the columns with their types."""
    with storage.open_input(shard.file.place) as raw:
        return pq.read_schema(raw)
