"""What a site repeats: in how many of its articles each paragraph stood, kept in one small SQLite file."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.errors import InputError
from trainer.fingerprints import fingerprints
from trainer.memory_file import Batch, Known, MemoryFile, SiteStatistics

MIN_ARTICLES, MIN_DF = 5, 3  # below either, nothing counts as repeated
PROSE = 80  # characters from which a paragraph may be a story's
COPY = 0.5  # of the characters of an article's story, seen together in one earlier article
BATCH_PARAGRAPHS = 20_000  # a batch is written at so many paragraphs too, however few articles they are


class Seen(NamedTuple):
    """What was known of an article's paragraphs before it was counted.

    Attributes:
        df: [n] number of the site's articles that had the paragraph. articles: number of the site's articles. elsewhere: [n]
        whether the paragraph stood in an article that this one is not a copy of. copy: whether this one is a copy.
    """

    df: NDArray[np.int64]
    articles: int
    elsewhere: NDArray[np.bool_]
    copy: bool

    @property
    def share(self) -> NDArray[np.float64]:
        """Document frequency share of each paragraph, 0 to 1; 0 below MIN_ARTICLES articles or in fewer than MIN_DF of them."""
        known = (self.df >= MIN_DF) & (self.articles >= MIN_ARTICLES)
        return np.where(known, np.minimum(self.df / max(self.articles, 1), 1.0), 0.0)


class SiteMemory:
    """Document frequencies of normalised paragraphs, for each site; see `Classifier.filter`.

    Works on any text before anything is labelled: what recurs across a site's articles is residue, what was seen once may be
    news. Numbers and English dates do not tell paragraphs apart (`fingerprints.normalise`). An article counts once: where at
    least COPY of its story's characters stood together in one earlier article of the site, it is a copy (fetched again,
    syndicated twice, updated) and does not count; what stood in MIN_DF articles is no part of a story. A page is recognised by
    its story, so one that is nearly all residue may be taken for a copy of another: what it repeats is then learnt later or
    not at all.

    What is seen is kept in a batch and written in one transaction: every `batch` articles, at `flush`, and at `close`. Several
    processes of one machine may write to one file (SQLite's write-ahead log); they add up, and each sees the others' batches
    once these are written. A crash loses the unwritten batch and nothing else; so does a batch that cannot be written, which is
    said once. Threads may share a memory; so may a process and its forks, each with a batch of its own.

    Memory and disk are bounded. Once a site has `memory_file.WINDOW` articles, its counts are halved, rounded down: what was
    seen once is forgotten, and a new layout is learnt within tens of articles. Beyond `max_paragraphs`, or MAX_SITE_PARAGRAPHS
    of one site, the rarest go first, those of the sites not written to for longest before others. A distinct paragraph takes
    less than 64 bytes on disk, besides a log of 4 MB while the file is open; in memory there are the batch and SQLite's cache
    (2 MB).

    Args:
        path: the file; made where it is absent. repeated: document frequency share from which a paragraph is residue, above 0
            to 1. max_paragraphs: distinct paragraphs of all sites. batch: articles.

    Raises:
        InputError: the file is not a site memory or cannot be used, or an argument is out of range.
    """

    def __init__(self, path: str | Path, *, repeated: float = 0.1, max_paragraphs: int = 1_000_000, batch: int = 100) -> None:
        if not 0 < repeated <= 1:
            raise InputError(f"repeated is {repeated}", hint="Give a share above 0, up to 1.")
        if max_paragraphs < 1 or batch < 1:
            raise InputError(f"max_paragraphs is {max_paragraphs}, batch is {batch}", hint="Give numbers from 1.")
        self.repeated, self.max_paragraphs, self.batch = repeated, max_paragraphs, batch
        self._file = MemoryFile(Path(path))
        self._start_anew()

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def observe(self, site: str, paragraphs: Sequence[str], story: Sequence[bool] | None = None) -> Seen:
        """Count an article, unless it is a copy; return what was known before.

        Args:
            site: the host it came from. paragraphs: in reading order. story: which of them are the story, for telling copies;
                without it those of PROSE characters or more are (all, where none is).

        Raises:
            InputError: the site has no name, or the file cannot be used.
        """
        with self._using(site):
            numbers = fingerprints(paragraphs)
            articles, known = self._known(site, numbers)
            weights = _story_weights(paragraphs, numbers, story)
            origin = _copied(weights, known)
            batch = self._batch(site)
            if origin is None:
                batch.articles += 1
                distinct = {number for number in numbers if number is not None}
                identity = _identity(distinct)
                for number in distinct:
                    batch.add(number, 1, identity)
            else:  # what is new in an updated story belongs to it, for telling the next update
                for number in weights.keys() - known.keys():
                    batch.add(number, 1, origin)
            if self._is_full():
                self._flush()
        return _seen(numbers, articles, known, origin)

    def look(self, site: str, paragraphs: Sequence[str], story: Sequence[bool] | None = None) -> Seen:
        """Return what is known of an article without counting it; arguments and errors as in `observe`."""
        with self._using(site):
            numbers = fingerprints(paragraphs)
            articles, known = self._known(site, numbers)
        return _seen(numbers, articles, known, _copied(_story_weights(paragraphs, numbers, story), known))

    def share(self, site: str, paragraphs: Sequence[str]) -> NDArray[np.float64]:
        """Return the document frequency share of each paragraph, [n], see `Seen.share`; errors as in `observe`."""
        return self.look(site, paragraphs).share

    def track(self, site: str, removed: int, paragraphs: int) -> bool:
        """Take how many of an article's paragraphs went; return whether to flag it, see `drift.Drift`."""
        share = removed / max(paragraphs, 1)
        with self._using(site):
            batch = self._batch(site)
            batch.tracked.append((share, paragraphs))
            flagged = batch.drift.update(share, paragraphs)
            if self._is_full():
                self._flush()
        return flagged

    def sites(self) -> list[SiteStatistics]:
        """Return the sites with what is stored of them, most articles first; writes the batch before."""
        self.flush()
        with self._lock:
            return self._file.sites()

    def flush(self) -> None:
        """Write the batch, in one transaction."""
        with self._using("any"):
            self._flush()

    def close(self) -> None:
        """Write the batch and let go of the file; it is opened again if the memory is used again."""
        self.flush()
        with self._lock:
            self._file.close()

    def __enter__(self) -> SiteMemory:
        """Return the memory itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it, whatever happened."""
        self.close()

    @contextmanager
    def _using(self, site: str) -> Iterator[None]:
        if not isinstance(site, str) or not site.strip():
            raise InputError("a site memory needs the site of each article", hint='Give site="host.example".')
        if self._pid != os.getpid():
            self._start_anew()
        with self._lock:
            yield

    def _start_anew(self) -> None:
        """Begin with nothing seen: at first, and in a fork, whose parent writes what it has seen itself."""
        self._lock, self._pid = threading.Lock(), os.getpid()
        self._batches: dict[str, Batch] = {}

    def _batch(self, site: str) -> Batch:
        if site not in self._batches:
            self._batches[site] = Batch(self._file.drift(site))
        return self._batches[site]

    def _known(self, site: str, numbers: Sequence[int | None]) -> tuple[int, dict[int, Known]]:
        """Return the site's number of articles, and those of the paragraphs that are known; written and unwritten."""
        wanted = {number for number in numbers if number is not None}
        articles, known = self._file.known(site, list(wanted))
        if batch := self._batches.get(site):
            articles += batch.articles
            for number in wanted & batch.paragraphs.keys():
                more = batch.paragraphs[number]
                before = known.get(number)
                known[number] = Known(before.df + more.df, before.origin) if before else more
        return articles, known

    def _is_full(self) -> bool:
        batches = self._batches.values()
        counted = max(len(batches), sum(batch.articles for batch in batches), sum(len(batch.tracked) for batch in batches))
        return counted >= self.batch or sum(len(batch.paragraphs) for batch in batches) >= BATCH_PARAGRAPHS

    def _flush(self) -> None:
        batches, self._batches = self._batches, {}
        if batches:
            self._file.write(batches, self.max_paragraphs)


def _identity(fingerprints: set[int]) -> int:
    """Return a number for an article, in 32 bits: it depends on its paragraphs alone, so processes need not agree on it."""
    return hash(frozenset(fingerprints)) % (1 << 32) - (1 << 31)


def _story_weights(paragraphs: Sequence[str], numbers: Sequence[int | None], story: Sequence[bool] | None) -> dict[int, int]:
    """Return {fingerprint: characters} of the story's paragraphs; of all, where there is no story."""
    lengths = [len(text) for text in paragraphs]
    chosen = [length >= PROSE for length in lengths] if story is None else story
    everything = {number: length for number, length in zip(numbers, lengths, strict=True) if number is not None}
    of_story = {number for number, yes in zip(numbers, chosen, strict=True) if yes}
    return {number: length for number, length in everything.items() if number in of_story} or everything


def _copied(weights: dict[int, int], known: dict[int, Known]) -> int | None:
    """Return the article that a story was seen in before, if it was; what the site repeats tells nothing."""
    shared: dict[int, int] = {}
    total = 0
    for number, weight in weights.items():
        df, origin = known.get(number, (0, None))
        total += weight if df < MIN_DF else 0
        if 0 < df < MIN_DF and origin is not None:
            shared[origin] = shared.get(origin, 0) + weight
    best = max(shared, key=lambda origin: shared[origin], default=None)
    return best if best is not None and shared[best] >= COPY * total else None


def _seen(numbers: Sequence[int | None], articles: int, known: dict[int, Known], origin: int | None) -> Seen:
    found = [known.get(number) if number is not None else None for number in numbers]
    df = np.array([item.df if item else 0 for item in found], np.int64)
    elsewhere = [item is not None and (item.df > 1 or item.origin != origin) for item in found]
    return Seen(df, articles, np.array(elsewhere, np.bool_), origin is not None)
