"""The SQLite file of a site memory: what is in it, and how batches are added to it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trainer.drift import Drift
from trainer.errors import InputError

if TYPE_CHECKING:
    import sqlite3

FORMAT = 2
WINDOW = 400  # articles of a site after which its counts are halved
MAX_SITE_PARAGRAPHS = 50_000
_ROOM = 0.9  # what is left of the paragraphs where there were too many
_APPLICATION = 0x50544D31  # tells our files from other SQLite files
_WAIT = 60.0  # seconds for other processes' batches
_MOST_VARIABLES = 500
_SCHEMA = (
    "CREATE TABLE site (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, articles INTEGER NOT NULL DEFAULT 0, "
    "paragraphs INTEGER NOT NULL DEFAULT 0, touched INTEGER NOT NULL DEFAULT 0, drift BLOB NOT NULL DEFAULT x'')",
    "CREATE TABLE paragraph (site INTEGER NOT NULL, fingerprint INTEGER NOT NULL, df INTEGER NOT NULL, "
    "origin INTEGER NOT NULL, PRIMARY KEY (site, fingerprint)) WITHOUT ROWID",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {FORMAT}",
)
_leaked: list[object] = []  # connections of a parent process: closing them here would harm its locks


class Known(NamedTuple):
    """A paragraph: the number of articles that had it, and the one that had it first."""

    df: int
    origin: int


class Batch:
    """What was seen of one site since the last write: articles, paragraphs, and of each article what `Drift.update` takes."""

    def __init__(self, drift: Drift) -> None:
        self.articles = 0
        self.paragraphs: dict[int, Known] = {}
        self.tracked: list[tuple[float, int]] = []
        self.drift = drift

    def add(self, fingerprint: int, df: int, origin: int) -> None:
        """Count a paragraph `df` times more."""
        before = self.paragraphs.get(fingerprint)
        self.paragraphs[fingerprint] = Known(before.df + df, before.origin) if before else Known(df, origin)


class SiteStatistics(NamedTuple):
    """What is stored of a site; `removed_share` is the usual share of paragraphs that go, `None` where too few were filtered."""

    site: str
    articles: int
    paragraphs: int
    removed_share: float | None


class MemoryFile:
    """One connection for each process; not to be used by two threads at a time.

    Raises:
        InputError: the file is not a site memory, or cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: sqlite3.Connection | None = None
        self._pid = os.getpid()
        with self._connection():
            pass

    def known(self, site: str, fingerprints: Sequence[int]) -> tuple[int, dict[int, Known]]:
        """Return the site's number of articles, and those of its paragraphs that are known."""
        with self._connection() as db:
            row = db.execute("SELECT id, articles FROM site WHERE name = ?", (site,)).fetchone()
            found: dict[int, Known] = {}
            for begin in range(0, len(fingerprints) if row else 0, _MOST_VARIABLES):
                part = fingerprints[begin : begin + _MOST_VARIABLES]
                marks = ",".join("?" * len(part))
                query = f"SELECT fingerprint, df, origin FROM paragraph WHERE site = ? AND fingerprint IN ({marks})"  # noqa: S608
                found.update((number, Known(df, origin)) for number, df, origin in db.execute(query, (row[0], *part)))
        return (row[1] if row else 0), found

    def drift(self, site: str) -> Drift:
        """Return the watch of a site."""
        with self._connection() as db:
            row = db.execute("SELECT drift FROM site WHERE name = ?", (site,)).fetchone()
        return Drift.from_bytes(row[0] if row else b"")

    def sites(self) -> list[SiteStatistics]:
        """Return all sites, most articles first."""
        with self._connection() as db:
            rows = db.execute("SELECT name, articles, paragraphs, drift FROM site ORDER BY articles DESC, name").fetchall()
        return [SiteStatistics(name, articles, count, Drift.from_bytes(data).usual) for name, articles, count, data in rows]

    def write(self, batches: Mapping[str, Batch], max_paragraphs: int) -> None:
        """Add batches to what is there, all or nothing; then make room."""
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                for site, batch in batches.items():
                    if batch.articles or batch.paragraphs or batch.tracked:
                        _add(db, site, batch)
                _make_room(db, max_paragraphs)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Let go of the file; it is opened again when it is used again."""
        if self._open is not None and self._pid == os.getpid():
            self._open.close()
            self._open = None

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        import sqlite3  # here, so that a scraper without a memory does not load it

        if self._pid != os.getpid():
            _leaked.append(self._open)
            self._open, self._pid = None, os.getpid()
        try:
            if self._open is None:
                self._open = self._connect()
            yield self._open
        except (sqlite3.Error, OSError) as error:
            hint = "Another file, a disk of this machine with room on it, or fewer processes at a time may help."
            raise InputError(f"cannot be used as a site memory ({error})", where=str(self.path), hint=hint) from None

    def _connect(self) -> sqlite3.Connection:
        import sqlite3

        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        try:
            db.execute("BEGIN IMMEDIATE")
            if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _SCHEMA:
                    db.execute(statement)
            db.execute("COMMIT")
            application, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
            if application != _APPLICATION:
                raise InputError("is another SQLite file, not a site memory", where=str(self.path), hint="Give another name.")
            if version != FORMAT:
                hint = "Give another name, or use the paragraph-trainer that wrote it."
                raise InputError(f"is of format {version}, this version reads {FORMAT}", where=str(self.path), hint=hint)
            _use_log(db)
        except BaseException:
            db.close()
            raise
        return db


def _use_log(db: sqlite3.Connection) -> None:
    """Write ahead: readers never wait, and a killed process leaves whole batches. SQLite does not wait for the switch itself."""
    import sqlite3

    deadline = time.monotonic() + _WAIT
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA journal_size_limit = 4194304")


def _add(db: sqlite3.Connection, name: str, batch: Batch) -> None:
    db.execute("INSERT INTO site (name) VALUES (?) ON CONFLICT (name) DO NOTHING", (name,))
    site, articles, data = db.execute("SELECT id, articles, drift FROM site WHERE name = ?", (name,)).fetchone()
    db.executemany(
        "INSERT INTO paragraph VALUES (?, ?, ?, ?) ON CONFLICT (site, fingerprint) DO UPDATE SET df = df + excluded.df",
        [(site, number, *known) for number, known in sorted(batch.paragraphs.items())],
    )
    drift = Drift.from_bytes(data)  # other processes may have added to it
    for share, paragraphs in batch.tracked:
        drift.update(share, paragraphs)
    articles += batch.articles
    while articles >= WINDOW:
        articles //= 2
        db.execute("UPDATE paragraph SET df = df / 2 WHERE site = ?", (site,))
        db.execute("DELETE FROM paragraph WHERE site = ? AND df = 0", (site,))
    db.execute(
        "UPDATE site SET articles = ?, touched = ?, drift = ? WHERE id = ?", (articles, time.time_ns(), drift.to_bytes(), site)
    )
    least_df = 0
    while _drop(db, site, least_df) > MAX_SITE_PARAGRAPHS:
        least_df = 2 * least_df or 1


def _drop(db: sqlite3.Connection, site: int, least_df: int) -> int:
    """Drop the paragraphs of a site that are no more frequent than `least_df`; store and return how many are left."""
    if least_df:
        db.execute("DELETE FROM paragraph WHERE site = ? AND df <= ?", (site, least_df))
    left = int(db.execute("SELECT count(*) FROM paragraph WHERE site = ?", (site,)).fetchone()[0])
    db.execute("UPDATE site SET paragraphs = ? WHERE id = ?", (left, site))
    return left


def _make_room(db: sqlite3.Connection, most: int) -> None:
    """Where there is more than `most`, drop the rarest paragraphs, of the sites not written to for longest first.

    A site counts as one paragraph more; one of which none is left goes too.
    """
    total = int(db.execute("SELECT coalesce(sum(paragraphs + 1), 0) FROM site").fetchone()[0])
    goal = int(_ROOM * most) if total > most else total
    least_df = 1
    while total > goal:
        for site, count in db.execute("SELECT id, paragraphs FROM site ORDER BY touched").fetchall():
            left = _drop(db, site, least_df)
            if not left:
                db.execute("DELETE FROM site WHERE id = ?", (site,))
            total -= count - left + (not left)
            if total <= goal:
                break
        least_df *= 2
