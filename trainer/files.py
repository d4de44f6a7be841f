"""Reading text line by line and writing files whole or not at all."""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from trainer.errors import InputError

STDIO = Path("-")
STANDOFF_SUFFIXES = (".standoff.jsonl", ".standoff.jsonl.gz")  # names of label files without texts; see standoff.py


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line) for the lines of a UTF-8 file that are not blank; `-` is standard input.

    Raises:
        InputError: with file and line, where the file cannot be read or is not UTF-8.
    """
    for number, line in read_byte_lines(path):
        try:
            yield number, line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"is not UTF-8 (byte {error.start} of the line)", where=f"{path}:{number}") from None


def read_json_lines(path: Path, *, hint: str) -> Iterator[tuple[str, Any]]:
    """Yield (file:line, value) for the lines of a file of JSON lines that are not blank.

    Raises:
        InputError: with file and line, and the hint where a line is not JSON.
    """
    for number, line in read_lines(path):
        where = f"{path}:{number}"
        try:
            yield where, json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
            raise InputError(f"bad JSON ({reason})", where=where, hint=hint) from None


def read_byte_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, bytes) for the lines that are not blank; a byte order mark at the start is dropped."""
    number = 0
    try:
        with open_bytes(path) as file:
            for number, line in enumerate(file, 1):
                line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        where = f"{path}:{number + 1}" if number else str(path)
        raise InputError(f"cannot be read ({getattr(error, 'strerror', None) or error})", where=where) from None


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open for reading; `-` is standard input, `.gz` is unpacked."""
    if path == STDIO:
        yield sys.stdin.buffer
    elif path.suffix == ".gz":
        with gzip.open(path) as packed:
            yield cast("BinaryIO", packed)
    else:
        with path.open("rb") as file:
            yield file


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on a clean exit it takes the name, otherwise it goes.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", where=str(path)) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", where=str(path)) from None
    finally:
        temporary.unlink(missing_ok=True)
