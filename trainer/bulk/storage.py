"""Files by path or URL: local ones with the standard library, others with fsspec (s3://, gs://, memory:// …).

Whoever opens an input or an output of a bulk run does it here. Credentials and endpoints of object stores come from the
environment and from fsspec's own configuration.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from trainer.errors import InputError, OutputError

_BUFFER = 1 << 20
_STAMPS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated", "created")


class Stat(NamedTuple):
    """Size in bytes, and what changes when the file does: time of change or entity tag."""

    size: int
    stamp: str


def is_url(place: str) -> bool:
    """Return whether fsspec is to open it."""
    return "://" in place


def absolute(place: str | Path) -> str:
    """Return a path that other processes understand too, or the URL without a slash at its end."""
    return str(place).rstrip("/") if is_url(str(place)) else str(Path(place).absolute())


def join(folder: str, *parts: str) -> str:
    """Return what lies in a folder."""
    return "/".join([folder.rstrip("/"), *parts]) if is_url(folder) else str(Path(folder, *parts))


def stat(place: str) -> Stat:
    """Return size and stamp.

    Raises:
        InputError: there is no such file.
    """
    try:
        if is_url(place):
            fs, path = _remote(place)
            return _remote_stat(fs.info(path))
        found = Path(place).stat()
    except OSError as error:
        raise _unreadable(place, error) from None
    return Stat(found.st_size, str(found.st_mtime_ns))


def is_folder(place: str) -> bool:
    """Return whether it is a folder; on an object store, whether anything lies under it."""
    if is_url(place):
        fs, path = _remote(place)
        return bool(fs.isdir(path))
    return Path(place).is_dir()


def exists(place: str) -> bool:
    """Return whether there is a file or folder."""
    if is_url(place):
        fs, path = _remote(place)
        return bool(fs.exists(path))
    return Path(place).exists()


def walk(folder: str) -> dict[str, Stat]:
    """Return the files at any depth by relative name, in order; nothing that begins with `.` or `_`, as is the habit."""
    return {
        name: found for name, found in listing(folder).items() if not any(part.startswith((".", "_")) for part in name.split("/"))
    }


def listing(folder: str) -> dict[str, Stat]:
    """Return all files at any depth by relative name, in order; none where there is no folder."""
    if is_url(folder):
        fs, path = _remote(folder)
        fs.invalidate_cache()
        found = fs.find(path, detail=True) if fs.exists(path) else {}
        begin = len(path.rstrip("/")) + 1
        return {name[begin:]: _remote_stat(found[name]) for name in sorted(found)}
    names = sorted(Path(at, name) for at, _, names in os.walk(folder) for name in names)
    return {path.relative_to(folder).as_posix(): stat(str(path)) for path in names}


def open_input(place: str) -> BinaryIO:
    """Open for reading, with seek.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    if is_url(place):
        fs, path = _remote(place)
        file = fs.open(path, "rb")
    else:
        file = Path(place).open("rb", buffering=0)  # noqa: SIM115 (closed by the caller)
    return cast("BinaryIO", io.BufferedReader(_Input(file), _BUFFER))


def watch(told: Callable[[int], None]) -> None:
    """Let a function be told of all bytes that this process reads of inputs from now on, as they are read."""
    _Input.told = staticmethod(told)


def read_bytes(place: str) -> bytes:
    """Return what a small file holds.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    with open_input(place) as file:
        return file.read()


@contextmanager
def whole(place: str, scratch: str | None = None) -> Iterator[BinaryIO]:
    """Give a file to write; on a clean exit it appears under its name, otherwise nothing does.

    Args:
        scratch: folder of the same file system to write in before; without it the one of the file. For URLs the file is
            written to this machine's temporary folder and then uploaded.

    Raises:
        OutputError: it cannot be written, wherever that shows.
    """
    home = None if is_url(place) else Path(scratch or Path(place).parent)
    temporary: Path | None = None
    try:
        with _output_errors(place):
            if home:
                home.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=home, prefix=".trainer-", suffix=".part")
            temporary = Path(name)
        file = os.fdopen(handle, "wb")
        try:
            yield cast("BinaryIO", _Output(file, place))
            with _output_errors(place):
                file.flush()
                os.fsync(file.fileno())
        finally:
            with _output_errors(place):
                file.close()
        with _output_errors(place):
            _publish(temporary, place)
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


def spool() -> tuple[BinaryIO, BinaryIO]:
    """Return a file of no name to write to, and the same to read from and to close."""
    where = tempfile.gettempdir()
    with _output_errors(where):
        file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 (closed by the caller)
    return cast("BinaryIO", _Output(file, where)), file


def write_bytes(place: str, data: bytes, scratch: str | None = None) -> None:
    """Write a small file whole; errors as in `whole`."""
    with whole(place, scratch) as file:
        file.write(data)


def remove(place: str) -> None:
    """Remove a file if it is there."""
    with _output_errors(place):
        if is_url(place):
            fs, path = _remote(place)
            if fs.exists(path):
                fs.rm_file(path)
        else:
            Path(place).unlink(missing_ok=True)


def remove_folder(place: str) -> None:
    """Remove a folder with all that is in it, if it is there."""
    with _output_errors(place):
        if is_url(place):
            fs, path = _remote(place)
            if fs.exists(path):
                fs.rm(path, recursive=True)
        elif Path(place).exists():
            shutil.rmtree(place)


def _publish(temporary: Path, place: str) -> None:
    if is_url(place):
        fs, path = _remote(place)
        fs.makedirs(fs._parent(path), exist_ok=True)
        if "file" in _protocols(fs) or not _puts_whole(fs):
            fs.put_file(str(temporary), f"{path}.part")
            fs.mv(f"{path}.part", path)
        else:
            fs.put_file(str(temporary), path)
    else:
        temporary.chmod(0o644)
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(place)


def _puts_whole(fs: Any) -> bool:
    """Return whether a file appears only when its upload is complete, as object stores have it."""
    return not _protocols(fs).isdisjoint({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "oss", "memory"})


def _protocols(fs: Any) -> set[str]:
    return {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)


def _remote(place: str) -> tuple[Any, str]:
    """Return fsspec's file system of a URL and the path in it.

    Raises:
        InputError: fsspec, or what it needs for this kind of URL, is not installed.
    """
    import fsspec.core

    try:
        fs, path = fsspec.core.url_to_fs(place)
    except (ImportError, ValueError) as error:
        hint = "Install what fsspec needs for it, e.g. s3fs."
        raise InputError(f"cannot be opened ({error})", where=place, hint=hint) from None
    return fs, str(path)


def _remote_stat(info: dict[str, Any]) -> Stat:
    return Stat(int(info.get("size") or 0), str(next((info[key] for key in _STAMPS if info.get(key)), "")))


def _unreadable(place: str, error: OSError) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError("no such file", where=place)
    return InputError(f"cannot be read ({error.strerror or error})", where=place)


@contextmanager
def _output_errors(place: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise output_error(place, error) from None


def output_error(place: str, error: OSError) -> OutputError:
    """Return the error of a file that cannot be written."""
    hint = "Make room, or mend what is wrong there; then the same command goes on from what is done."
    return OutputError(f"cannot be written ({error.strerror or error})", where=place, hint=hint)


class _Input(io.RawIOBase):
    """A file being read."""

    told: Callable[[int], None] = staticmethod(lambda _: None)

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self.told(len(data))
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Output(io.RawIOBase):
    """A file being written; what goes wrong is told apart from what goes wrong in reading."""

    def __init__(self, file: BinaryIO, place: str) -> None:
        super().__init__()
        self._file, self._place = file, place

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def write(self, data: Any) -> int:
        with _output_errors(self._place):
            return self._file.write(data)

    def flush(self) -> None:
        with _output_errors(self._place):
            self._file.flush()
