"""The input formats, by the ending of a file's name.

A format is a module with two functions:

    spans(file: File, size: int) -> list[Span]                         how to cut a file into parts of about `size` bytes
    read(shard: Shard, options: Options) -> Iterator[Entry | BadRecord | End]   the records of a shard, in order

and, where records come as rows of tables, with the schema of these:

    schema(shard: Shard) -> pyarrow.Schema

`read` raises ShardError, OSError, EOFError or what its library raises where a shard cannot be read; what was read before
then does not count. Where parts of a file have lines, `End` comes last. It never holds more than a few records, none of
them larger than `options.max_record` bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from trainer.bulk.options import Options
    from trainer.bulk.shards import BadRecord, End, Entry, File, Shard, Span


class Format(NamedTuple):
    """Where a format is read, the ending of what is written by default, and whether a shard takes many files."""

    module: str
    writes: str
    many: bool = False


FORMATS: dict[str, Format] = {
    ".jsonl": Format("trainer.bulk.json_lines", ".jsonl"),
    ".jsonl.gz": Format("trainer.bulk.json_lines", ".jsonl.gz"),
    ".jsonl.zst": Format("trainer.bulk.json_lines", ".jsonl.zst"),
    ".parquet": Format("trainer.bulk.parquet", ".parquet"),
}


def spans(kind: str, file: File, size: int) -> list[Span]:
    """Return the parts of a file, at least one."""
    found: list[Span] = import_module(FORMATS[kind].module).spans(file, size)
    return found


def read(shard: Shard, options: Options) -> Iterator[Entry | BadRecord | End]:
    """Yield the records of a shard."""
    found: Iterator[Entry | BadRecord | End] = import_module(FORMATS[shard.kind].module).read(shard, options)
    return found


def schema(shard: Shard) -> Any:
    """Return the schema of the tables that a shard's records come from; None where they come from none."""
    module = import_module(FORMATS[shard.kind].module)
    return module.schema(shard) if hasattr(module, "schema") else None
