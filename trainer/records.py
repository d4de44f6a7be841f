"""Articles as records: read from texts, web pages, JSON lines and Parquet, and written as records or texts."""

from __future__ import annotations

import codecs
import datetime
import gzip
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast
from urllib.parse import urlsplit

from trainer.errors import InputError
from trainer.files import STDIO, open_bytes, read_byte_lines, write_whole
from trainer.pages import blocks

Record = dict[str, Any]
PAGES = (".html", ".htm")
SUFFIXES = (".txt", *PAGES, ".jsonl", ".jsonl.gz", ".parquet")
_UNSAFE = re.compile(r"[^\w.-]+")
_BLANK = codecs.BOM_UTF8 + b" \t\r\n"
_PAGE = re.compile(rb"<(!doctype\s+)?html\b", re.IGNORECASE)
_NAME_BYTES = 150


class Item(NamedTuple):
    """A record and where it stands: file, or file:line; `host` is the site of a record that names none."""

    where: str
    record: Record
    host: str | None = None

    @property
    def article(self) -> str | list[str]:
        """What `Classifier.filter` takes: the record's paragraphs where it has them, else its text."""
        paragraphs = self.record.get("paragraphs")
        if paragraphs is not None:
            return [part["text"] if isinstance(part, dict) else part for part in paragraphs]
        return str(self.record["text"])

    @property
    def site(self) -> str | None:
        """The record's site, else the host of its URL without `www.`, else `host`."""
        site = self.record.get("site")
        if isinstance(site, str) and site.strip():
            return site.strip()
        return host_of(str(self.record.get("url") or "")) or self.host


def host_of(url: str) -> str:
    """Return the host of a URL without `www.`; "" where it has none."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:  # of a URL with a bad bracket
        return ""


def read(paths: Iterable[Path], on_bad: Callable[[InputError], None] | None = None) -> Iterator[Item]:
    """Yield the records of files, folders and standard input (`-`), in order.

    A `.txt` file is one article, its id the file's name without suffix; so is a web page (PAGES), its visible blocks being
    the paragraphs; `.jsonl`, `.jsonl.gz` and `.parquet` hold records. Standard input holds records if it begins with `{`,
    a web page if it begins with `<html` or `<!doctype html`, else one article.

    Args:
        paths: a folder stands for the files in it that end in one of SUFFIXES. on_bad: called with what is wrong with a
            record, which is then passed over; without it the error is raised.

    Raises:
        InputError: with file and line.
    """
    for path in _files(paths):
        for made in _file_items(path):
            try:
                if isinstance(made, InputError):
                    raise made
                check(made)
            except InputError as error:
                if on_bad is None:
                    raise error from None
                on_bad(error)
            else:
                yield made


def placed(items: Iterable[Item], site: str | None, on_bad: Callable[[InputError], None] | None = None) -> Iterator[Item]:
    """Yield records that have a site; one that has none gets the one given, and is bad where none is given (see `read`)."""
    for item in items:
        if item.site or site:
            yield item._replace(host=item.site or site)
        else:
            error = InputError("has neither site nor url, which --memory needs", where=item.where, hint="Add --site NAME.")
            if on_bad is None:
                raise error
            on_bad(error)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path != STDIO and path.is_dir():
            found = sorted(file for file in path.iterdir() if file.name.endswith(SUFFIXES) and file.is_file())
            if not found:
                raise InputError(f"no files ending in {', '.join(SUFFIXES)}", where=str(path))
            yield from found
        elif path != STDIO and not path.name.endswith(SUFFIXES):
            raise InputError(
                f"cannot tell the format; names end in {', '.join(SUFFIXES)}", where=str(path), hint="Use - for standard input."
            )
        elif path != STDIO and not path.is_file():
            raise InputError("no such file", where=str(path))
        else:
            yield path


def _file_items(path: Path) -> Iterator[Item | InputError]:
    if path == STDIO:
        yield from _stdin_items()
    elif path.name.endswith(".txt"):
        with open_bytes(path) as file:
            yield _text_item(file.read(), str(path), path.stem)
    elif path.name.endswith(PAGES):
        with open_bytes(path) as file:
            yield _page_item(file.read(), str(path), path.stem)
    elif path.name.endswith(".parquet"):
        yield from _parquet_items(path)
    else:
        yield from (_json_item(line, f"{path}:{number}") for number, line in read_byte_lines(path))


def _stdin_items() -> Iterator[Item | InputError]:
    stream = sys.stdin.buffer
    head: list[bytes] = []
    for line in stream:
        head.append(line)
        if line.strip(_BLANK):
            break
    if head and head[-1].lstrip(_BLANK).startswith(b"{"):
        head[0] = head[0].removeprefix(codecs.BOM_UTF8)
        lines = enumerate(chain(head, stream), 1)
        yield from (_json_item(line, f"-:{number}") for number, line in lines if line.strip())
    else:
        data = b"".join(head) + stream.read()
        item = _page_item if _PAGE.match(data.lstrip(_BLANK)) else _text_item
        yield item(data, "-", "stdin")


def _page_item(data: bytes, where: str, name: str) -> Item | InputError:
    try:
        return Item(where, {"id": name, "paragraphs": blocks(data)})
    except InputError as error:
        return InputError(error.cause, where=where, hint=error.hint)


def _text_item(data: bytes, where: str, name: str) -> Item | InputError:
    try:
        return Item(where, {"id": name, "text": data.decode("utf-8-sig")})
    except UnicodeDecodeError as error:
        return InputError(f"is not UTF-8 (byte {error.start})", where=where, hint="Convert it, e.g. with iconv -t utf-8.")


def _json_item(line: bytes, where: str) -> Item | InputError:
    try:
        return Item(where, json.loads(line.decode("utf-8")))
    except UnicodeDecodeError as error:
        return InputError(f"is not UTF-8 (byte {error.start} of the line)", where=where)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        return InputError(f"bad JSON ({reason})", where=where)


def _parquet_items(path: Path) -> Iterator[Item | InputError]:
    import pyarrow
    import pyarrow.parquet

    try:
        number = 0
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            for record in batch.to_pylist():
                number += 1
                yield Item(f"{path}: row {number}", record)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"is not a Parquet file ({str(error)[:80]})", where=str(path)) from None


def check(item: Item) -> None:
    """Refuse a record without a text or a list of texts.

    Raises:
        InputError: what it lacks.
    """

    def refuse(cause: str) -> InputError:
        return InputError(
            cause,
            where=item.where,
            hint='A record is {"id", "text"} or {"id", "paragraphs": [...]}; --skip-bad passes over bad ones.',
        )

    record = item.record
    if not isinstance(record, Mapping):
        raise refuse(f"expected an object, got {type(record).__name__}")
    paragraphs = record.get("paragraphs")
    if paragraphs is not None:
        texts = (
            [part.get("text") if isinstance(part, dict) else part for part in paragraphs]
            if isinstance(paragraphs, list)
            else [None]
        )
        if not all(isinstance(text, str) for text in texts):
            raise refuse("field 'paragraphs' is not a list of texts")
    elif not isinstance(record.get("text"), str):
        raise refuse("field 'text' is not a text" if "text" in record else "missing field 'text'")


Write = Callable[[Record], None]


@contextmanager
def writer(out: Path, *, force: bool = False) -> Iterator[Write]:
    """Give a function that writes one record; the form follows the name: `-` and .jsonl, .jsonl.gz, .parquet, or a folder.

    What was there stays as it is until everything is written.

    Raises:
        InputError: `out` is there and `force` is not given, or it cannot be written.
    """
    check_output(out, force=force)
    if out == STDIO:
        yield lambda record: _write_line(sys.stdout.buffer, record)
    elif out.name.endswith((".jsonl", ".jsonl.gz")):
        with write_whole(out) as temporary, _line_file(temporary, packed=out.suffix == ".gz") as file:
            yield lambda record: _write_line(file, record)
    elif out.suffix == ".parquet":
        records: list[Record] = []
        yield records.append
        _write_parquet(out, records)
    else:
        with _text_folder(out) as write:
            yield write


def check_output(out: Path, *, force: bool) -> None:
    """Refuse an output that is there already, or a name no format ends in."""
    if out == STDIO:
        return
    if out.suffix and not out.is_dir() and not out.name.endswith((".jsonl", ".jsonl.gz", ".parquet")):
        raise InputError("names end in .jsonl, .jsonl.gz or .parquet, or have no suffix for a folder of texts", where=str(out))
    if (out.exists() or out.is_symlink()) and not force and not (out.is_dir() and not any(out.iterdir())):
        raise InputError("is there already", where=str(out), hint="Give --force to replace it, or choose another --out.")
    if out.is_file() and not out.name.endswith((".jsonl", ".jsonl.gz", ".parquet")):
        raise InputError("is a file, not a folder", where=str(out), hint="Choose another --out.")


@contextmanager
def _line_file(path: Path, *, packed: bool) -> Iterator[BinaryIO]:
    with path.open("wb") as raw:
        if packed:  # no name and no time in the header: the same records give the same bytes
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
                yield cast("BinaryIO", stream)
        else:
            yield raw


def _write_line(file: BinaryIO, record: Record) -> None:
    try:
        line = json.dumps(record, ensure_ascii=False, default=plain).encode()
    except UnicodeEncodeError:  # lone surrogates can only be written escaped
        line = json.dumps(record, default=plain).encode()
    file.write(line + b"\n")


def plain(value: object) -> str:
    """Return a Parquet value that JSON has no form for as a text."""
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _write_parquet(out: Path, records: list[Record]) -> None:
    import pyarrow
    import pyarrow.parquet

    fields = list(dict.fromkeys(key for record in records for key in record))
    try:
        table = pyarrow.table({key: [record.get(key) for record in records] for key in fields})
        with write_whole(out) as temporary:
            pyarrow.parquet.write_table(table, temporary)
    except (pyarrow.ArrowException, UnicodeEncodeError) as error:
        raise InputError(
            f"a field does not fit a Parquet column ({str(error)[:80]})", where=str(out), hint="Use .jsonl."
        ) from None


@contextmanager
def _text_folder(out: Path) -> Iterator[Write]:
    """Collect texts beside `out` and move them in at the end; names come from ids and never leave the folder."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
            used: Counter[str] = Counter()

            def write(record: Record) -> None:
                (Path(temporary) / file_name(str(record.get("id", "article")), used)).write_bytes(
                    (record["text"] + "\n" if record["text"] else "").encode("utf-8", "surrogatepass")
                )

            yield write
            out.mkdir(exist_ok=True)
            for file in sorted(Path(temporary).iterdir()):
                file.replace(out / file.name)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", where=str(out)) from None


def file_name(name: str, used: Counter[str]) -> str:
    """Return a file name for an id: letters, digits, dots and dashes only, never hidden, never taken twice."""
    stem = _UNSAFE.sub("_", name).strip("._").encode()[:_NAME_BYTES].decode("utf-8", "ignore") or "article"
    unique = stem
    while used[unique.casefold()]:
        used[stem.casefold()] += 1
        unique = f"{stem}-{used[stem.casefold()]}"
    used[unique.casefold()] += 1
    return f"{unique}.txt"
