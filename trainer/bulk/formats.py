"""The input formats, by the ending of a file's name.

A format is a module with two functions:

    spans(file: File, size: int) -> list[Span]                         how to cut a file into parts of about `size` bytes
    read(shard: Shard, options: Options) -> Iterator[Read]             the records of a shard, in order

and, where it needs more than the extra `bulk` brings,

    check(kind: str, options: Options) -> None                         raises TrainerError where that is not installed

and, where records come as rows of tables, with the schema of these:

    schema(shard: Shard) -> pyarrow.Schema

`read` raises ShardError, OSError, EOFError or what its library raises where a shard cannot be read; what was read before
then does not count. Where parts of a file have lines, `End` comes last. It never holds more than a few records, none of
them larger than `options.max_record` bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from trainer.bulk.options import Options
    from trainer.bulk.shards import File, Read, Shard, Span


class Format(NamedTuple):
    """Where a format is read, the ending of what is written by default, and what shards of many files are called."""

    module: str
    writes: str
    many: str = ""


FORMATS: dict[str, Format] = {
    ".jsonl": Format("trainer.bulk.json_lines", ".jsonl"),
    ".jsonl.gz": Format("trainer.bulk.json_lines", ".jsonl.gz"),
    ".jsonl.zst": Format("trainer.bulk.json_lines", ".jsonl.zst"),
    ".parquet": Format("trainer.bulk.parquet", ".parquet"),
    ".arrow": Format("trainer.bulk.arrow", ".parquet"),
    ".txt": Format("trainer.bulk.texts", ".jsonl", many="texts"),
    ".html": Format("trainer.bulk.texts", ".jsonl", many="pages"),
    ".htm": Format("trainer.bulk.texts", ".jsonl", many="pages"),
    **{f".warc{packing}": Format("trainer.bulk.warc", f".jsonl{packing}") for packing in ("", ".gz", ".zst")},
    **{
        f"{name}{packing}": Format("trainer.bulk.warc", f".jsonl{packing}")
        for name in (".wet", ".warc.wet")
        for packing in ("", ".gz")
    },
}


def spans(kind: str, file: File, size: int) -> list[Span]:
    """Return the parts of a file, at least one."""
    found: list[Span] = import_module(FORMATS[kind].module).spans(file, size)
    return found


def read(shard: Shard, options: Options) -> Iterator[Read]:
    """Yield the records of a shard."""
    found: Iterator[Read] = import_module(FORMATS[shard.kind].module).read(shard, options)
    return found


def check(kinds: Iterable[str], options: Options) -> None:
    """Refuse kinds of input that cannot be read here.

    Raises:
        TrainerError: what they need is not installed.
    """
    for kind in kinds:
        module = import_module(FORMATS[kind].module)
        if hasattr(module, "check"):
            module.check(kind, options)


def schema(shard: Shard) -> Any:
    """Return the schema of the tables that a shard's records come from; None where they come from none."""
    module = import_module(FORMATS[shard.kind].module)
    return module.schema(shard) if hasattr(module, "schema") else None
