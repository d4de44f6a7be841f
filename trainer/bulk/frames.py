"""Where the records of a WARC file begin and end; after a damaged one, reading goes on with the next.

The libraries that read WARC files take a file that is cut short for a whole one, and end at the first record whose length is
wrong, so records are told apart here; what is in them is FastWARC's to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_LINE = 1 << 16
_HEADERS = 1 << 16  # bytes of a record's headers
_CHUNK = 1 << 20
_VERSION = re.compile(rb"WARC/[01]\.\d+\s*$")
_CUT = frozenset(version[:size] for version in (b"WARC/1.0\r", b"WARC/1.1\r") for size in range(1, 10))
_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*(\d{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_NEXT = re.compile(rb"\r?\n\r?\nWARC/[01]\.\d+\r?\n")


class Frame(NamedTuple):
    """A record: its headers with the blank line, its block or what is read of that, and how many bytes the block has."""

    headers: bytes
    block: bytes
    length: int


def frames(file: BinaryIO, most: int) -> Iterator[Frame | str]:
    """Yield the records of an unpacked file in order; for a damaged one, what is wrong with it.

    Args:
        most: bytes of a block that are read; the rest is passed over.

    Raises:
        EOFError: the file ends within a record.
    """
    stream = _Stream(file)
    line = stream.next_line()
    while line:
        if line in _CUT:
            raise EOFError("it ends within a record")
        if not _VERSION.match(line):
            yield "is no WARC record"
            line = stream.next_version()
            continue
        headers = stream.headers(line)
        length = _LENGTH.search(headers) if headers.endswith(b"\n") else None
        if length is None:
            yield "has no valid Content-Length" if headers.endswith(b"\n") else f"has headers of more than {_HEADERS:,} bytes"
            line = stream.next_version()
            continue
        frame = Frame(headers, stream.read(min(int(length.group(1)), most)), int(length.group(1)))
        stream.skip(frame.length - len(frame.block))
        line = stream.readline()
        if line.strip():
            yield "does not end where its Content-Length says"
            stream.push(frame.block + line)
            line = stream.next_version()
        else:
            yield frame
            line = stream.next_line()


class _Stream:
    """A file of which bytes that were read can be read again."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._again = b""

    def push(self, data: bytes) -> None:
        self._again = data + self._again

    def read(self, size: int) -> bytes:
        """Return so many bytes.

        Raises:
            EOFError: there are less.
        """
        found, self._again = self._again[:size], self._again[size:]
        if len(found) < size:
            found += self._file.read(size - len(found))
        if len(found) < size:
            raise EOFError("it ends within a record")
        return found

    def skip(self, size: int) -> None:
        while size:
            size -= len(self.read(min(size, _CHUNK)))

    def readline(self) -> bytes:
        """Return a line, or the start of one that is long; nothing at the end of the file."""
        end = self._again.find(b"\n", 0, _LINE) + 1 or (_LINE if len(self._again) >= _LINE else 0)
        if end:
            line, self._again = self._again[:end], self._again[end:]
            return line
        line, self._again = self._again, b""
        return line + self._file.readline(_LINE - len(line))

    def next_line(self) -> bytes:
        """Return the next line that is not blank."""
        while (line := self.readline()) and not line.strip():
            pass
        return line

    def next_version(self) -> bytes:
        """Return the next line that a record begins with."""
        if found := _NEXT.search(self._again):
            self._again = self._again[found.start() :]
        while (line := self.readline()) and not _VERSION.match(line):
            pass
        return line

    def headers(self, line: bytes) -> bytes:
        """Return the headers that begin with a line, with the blank line at their end; cut off where they are too long.

        Raises:
            EOFError: the file ends before they do.
        """
        found = [line]
        size = len(line)
        while line.strip():
            line = self.readline()
            if len(line) < _LINE and not line.endswith(b"\n"):
                raise EOFError("it ends within the headers of a record")
            size += len(line)
            if size > _HEADERS:
                return b"".join(found).rstrip()
            found.append(line)
        return b"".join(found)
