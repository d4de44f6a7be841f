"""A shard's articles as a folder of plain texts, named like the files they come from, or by their ids."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from trainer.bulk import storage
from trainer.bulk.shards import Shard
from trainer.bulk.writers import Write
from trainer.records import file_name

SUFFIX = ".txt"


def places(shard: Shard) -> list[str]:
    """Return what may be written of a shard, relative to the output folder: files, or the folder (with a slash) of them."""
    return [f"{name}{SUFFIX}" for name in shard.names] or [f"{shard.name}.texts/"]


@contextmanager
def output(out: str, scratch: str | None, shard: Shard, sizes: dict[str, int]) -> Iterator[Write]:
    """Give a function that writes a record's text; the files appear at the end, each whole.

    Args:
        sizes: takes the bytes of each file by its name.

    Raises:
        OutputError: a file cannot be written.
    """
    spool, lines = storage.spool()
    used: Counter[str] = Counter()
    folder = "" if shard.names else places(shard)[0]

    def write(record: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        name = str(record.get("id", "article"))
        spool.write(json.dumps([f"{name}{SUFFIX}" if shard.names else folder + file_name(name, used), changes["text"]]).encode())
        spool.write(b"\n")

    with lines:
        yield write
        spool.flush()
        lines.seek(0)
        for name, text in map(json.loads, lines):
            data = f"{text}\n".encode("utf-8", "surrogatepass") if text else b""
            storage.write_bytes(storage.join(out, *name.split("/")), data, scratch)
            sizes[name] = len(data)
