"""What decides the output's bytes besides the inputs and the model."""

from __future__ import annotations

from typing import NamedTuple

from trainer.bulk.shards import SHARD_BYTES
from trainer.paragraph import Wrap

MAX_RECORD = 8 << 20  # bytes
MAX_PARAGRAPHS = 20_000  # of an article; each takes 5 to 10 kB of memory while it is judged


class Options(NamedTuple):
    """Options of a run; another run into the same folder needs the same ones.

    Attributes:
        to: ending of the outputs, a key of `writers.WRITERS`; None for what the input's format says.
        removed: removed paragraphs go to files of their own, and are not in the records.
        wrap, allow_empty, max_removed_share: see `Classifier.filter`.
        max_record: bytes of a record; a larger one is a bad record, and so is one of more than MAX_PARAGRAPHS.
        shard_bytes: of input, where a file can be cut.
    """

    to: str | None = None
    removed: bool = False
    wrap: Wrap = "auto"
    allow_empty: bool | None = None
    max_removed_share: float | None = None
    max_record: int = MAX_RECORD
    shard_bytes: int = SHARD_BYTES
