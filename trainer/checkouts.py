"""Files of public repositories at a commit, read with git from local clones; nothing is fetched."""

from __future__ import annotations

import gzip
import io
import os
import re
import subprocess
import zlib
from pathlib import Path

from trainer.errors import InputError, TrainerError

MAX_FILE = 10_000_000  # bytes, unpacked
NO_CLONE = "there is no clone"
NO_COMMIT = "the clone lacks the commit"
NO_FILE = "the clone lacks the file at that commit"
TIMEOUT = 60.0  # seconds that git may take for a file
_MAX_PATH = 1000
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/(?!\.{1,2}$)[A-Za-z0-9._][A-Za-z0-9._-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def flaw(repo: str, commit: str, path: str) -> str:
    """Return what is wrong with the three names, in words, or nothing; only names without flaw may be given to `read`."""
    if not _REPOSITORY.fullmatch(repo):
        return f"repository {repo[:60]!r} is not owner/name"
    if not _COMMIT.fullmatch(commit):
        return f"commit {commit[:60]!r} is not a full hash of 40 or 64 hexadecimal digits"
    strange = not path.isprintable() or "\\" in path or path.startswith("-") or len(path) > _MAX_PATH
    if strange or any(part in ("", ".", "..") for part in path.split("/")):
        return f"path {path[:60]!r} is not the path of a file within a repository"
    return ""


def find(checkouts: Path, repo: str) -> Path | None:
    """Return the clone of `owner/name`, bare or not: owner/name, owner__name or name in `checkouts`, the first that is there.

    Each may end in `.git`.
    """
    owner, name = repo.split("/")
    for place in (f"{owner}/{name}", f"{owner}__{name}", name):
        for folder in (checkouts / place, checkouts / f"{place}.git"):
            if (folder / ".git").exists() or (folder / "HEAD").is_file():
                return folder
    return None


def read(checkouts: Path, repo: str, commit: str, path: str) -> bytes:
    """Return the file `path` at `commit` of a clone in `checkouts`, as committed; `.gz` is unpacked.

    Raises:
        InputError: there is no clone, it does not hold the file, or the file is larger than `MAX_FILE` or cannot be unpacked.
        TrainerError: git is not installed.
    """
    clone = find(checkouts, repo)
    if clone is None:
        raise InputError(NO_CLONE)
    _git(clone, "cat-file", "-e", f"{commit}^{{commit}}", otherwise=NO_COMMIT)
    file = f"{commit}:{path}"
    if int(_git(clone, "cat-file", "-s", file, otherwise=NO_FILE)) > MAX_FILE:
        raise InputError(f"the file has more than {MAX_FILE:,} bytes")
    data = _git(clone, "cat-file", "blob", file, otherwise=NO_FILE)  # git show would take a folder too
    return _unpacked(data) if path.endswith(".gz") else data


def _git(clone: Path, *arguments: str, otherwise: str) -> bytes:
    """Return what git prints; where it fails, `otherwise` is the error's text."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    set_here = {
        "GIT_CEILING_DIRECTORIES": str(clone.resolve().parent),  # never another repository around the clone
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",  # the same for a git that does not know the line above
    }
    try:
        done = subprocess.run(  # noqa: S603 (a list, no shell; `flaw` has passed the names)
            ["git", "-C", str(clone), *arguments],  # noqa: S607
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            env=inherited | set_here,
            check=False,
        )
    except FileNotFoundError:
        raise TrainerError("git is not installed", hint="Install git; the clones are read with it.") from None
    except subprocess.TimeoutExpired:
        raise InputError(f"git took more than {TIMEOUT:.0f} seconds") from None
    if b"dubious ownership" in done.stderr:
        raise InputError("git refuses a clone that belongs to another user")
    if done.returncode:
        raise InputError(otherwise)
    return done.stdout


def _unpacked(data: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as file:
            found = file.read(MAX_FILE + 1)
    except (OSError, EOFError, zlib.error):
        raise InputError("the file cannot be unpacked") from None
    if len(found) > MAX_FILE:
        raise InputError(f"the file has more than {MAX_FILE:,} bytes unpacked")
    return found
