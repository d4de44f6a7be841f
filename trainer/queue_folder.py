"""A folder where articles wait to be labelled: one file of records a site, never overwritten, never without end."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path

from trainer.errors import InputError
from trainer.records import Record, file_name
from trainer.result import FilterResult

MOST = 200  # articles of a site that wait at a time


class QueueFolder:
    """Appends records to `<site>.jsonl` in a folder until MOST wait there; `trainer labels push` takes these files.

    Attributes:
        added, full: records written, and records left out since MOST of their site were waiting.

    Threads may share one.

    Raises:
        InputError: the folder cannot be made, or a file not be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.added = self.full = 0
        self._waiting: dict[Path, int] = {}
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"cannot be made ({error.strerror})", where=str(folder), hint="Choose another folder for the queue."
            ) from None

    def add(self, site: str, record: Record, review: str) -> None:
        """Append a record with its site and what to look at (`review`), unless its file is full."""
        path = self.folder / f"{file_name(site, Counter()).removesuffix('.txt')}.jsonl"
        line = json.dumps({**record, "site": site, "review": review}, default=str).encode() + b"\n"
        try:
            with self._lock:
                if path not in self._waiting:
                    self._waiting[path] = path.read_bytes().count(b"\n") if path.exists() else 0
                if self._waiting[path] >= MOST:
                    self.full += 1
                    return
                with path.open("ab", buffering=0) as file:  # one write: a line is there whole or not at all
                    file.write(line)
                self._waiting[path] += 1
                self.added += 1
        except OSError as error:
            raise InputError(f"cannot be written ({error.strerror})", where=str(path)) from None

    def line(self) -> str:
        """Return a summary."""
        full = f"; {self.full:,} left out, since {MOST} of their site wait there" if self.full else ""
        return f"{self.added:,} article{'s' * (self.added != 1)} to label in {self.folder}{full}"


def review(result: FilterResult) -> str:
    """Return what to look at in an article of a site that has changed."""
    return f"drift: {len(result.removed)} of {len(result.paragraphs)} paragraphs went"
