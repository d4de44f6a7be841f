"""The work on one shard, the same under every engine: read, filter, write, mark as done."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache
from itertools import tee
from typing import Any, NamedTuple, Protocol

import tenacity

from trainer import artifact
from trainer.bulk import formats, manifest, storage, writers
from trainer.bulk.options import MAX_PARAGRAPHS, Options
from trainer.bulk.shards import BadRecord, End, Entry, Shard
from trainer.bulk.stats import SHARD_SITES, Tally
from trainer.errors import ArtifactError, InputError, OutputError
from trainer.model import Classifier
from trainer.paragraph import LINE_ENDS
from trainer.records import Item, check
from trainer.result import FilterResult

_WAIT = tenacity.wait_exponential(multiplier=0.5, max=10)  # seconds between attempts


class Job(NamedTuple):
    """A shard and all that is needed to do it, in any process on any machine.

    Attributes:
        out: folder or URL. model: folder, or None for the one that comes with the package. digest: the model's.
        max_errors: more bad records than this in the shard stop it. attempts: how often it is tried.
    """

    shard: Shard
    out: str
    model: str | None
    digest: str
    options: Options
    max_errors: int = 1000
    attempts: int = 3


class ShardReport(NamedTuple):
    """What came of a shard.

    Attributes:
        number: the shard's. outputs: bytes of each file written, by name relative to the output folder. tally: see
        `stats.Tally.to_dict`. errors: bad records. lines: of the shard, where the format has lines. seconds: of work.
    """

    number: int
    outputs: dict[str, int]
    tally: dict[str, Any]
    errors: int
    lines: int
    seconds: float


class Fault(NamedTuple):
    """Why a shard was not done; if `stop`, the others cannot be done either."""

    number: int
    reason: str
    stop: bool = False


class Engine(Protocol):
    """Runs jobs somewhere."""

    def run(self, jobs: Iterator[Job]) -> Generator[ShardReport | Fault]:
        """Do the jobs with `attempt`; yield one answer for each, in any order.

        Jobs are taken from the iterator as they can be used. One whose process was lost is run again, up to its `attempts`,
        then answered with a Fault. Closing the generator stops the work that is under way.
        """
        ...


class _TooManyErrors(Exception):  # noqa: N818 (a reason to stop)
    """A shard has more bad records than allowed."""


def too_many_errors(most: int, number: int = -1) -> Fault:
    """Return the fault of a run with more bad records than `most`."""
    hint = "See why in _errors; mend them, or give a higher --max-errors"
    return Fault(number, f"there are more than {most:,} bad records. {hint}", stop=True)


def attempt(job: Job) -> ShardReport | Fault:
    """Do a job, again where it fails; what engines call. Raises nothing but what ends the process."""
    try:
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(job.attempts),
            wait=_WAIT,
            retry=tenacity.retry_if_not_exception_type((OutputError, _TooManyErrors, ArtifactError)),
            reraise=True,
        )
        return retrying(filter_shard, job)
    except _TooManyErrors:
        return too_many_errors(job.max_errors, job.shard.number)
    except (OutputError, ArtifactError) as error:
        return Fault(job.shard.number, str(error), stop=True)
    except InputError as error:
        return Fault(job.shard.number, str(error))
    except Exception as error:  # a library's, of a damaged file: whatever it is, the other shards go on
        reason = " ".join(str(error).split())[:200]
        return Fault(job.shard.number, f"{job.shard.file.place}: cannot be read ({type(error).__name__}: {reason})")


def filter_shard(job: Job) -> ShardReport:
    """Filter a shard's records into its output, and mark it as done.

    Raises:
        OutputError: an output cannot be written. ArtifactError: the model is missing, or another one. ShardError, OSError …: the
            shard cannot be read.
    """
    began = time.perf_counter()
    classifier = _classifier(job.model, job.digest)
    shard, options = job.shard, job.options
    names = manifest.output_names(shard, options)
    errors = _Errors(job, names["errors"])
    tally = Tally(SHARD_SITES)
    good = _Good(formats.read(shard, options), errors, options.max_record)
    with ExitStack() as stack:
        write = {
            key: stack.enter_context(writers.output(storage.join(job.out, names[key]), manifest.scratch(job.out), of, fields))
            for key, of, fields in _parts(shard, options)
        }
        for entry, item, result in _filtered(classifier, good, options):
            changes = result.to_record()
            removed = changes.pop("removed") if options.removed else []
            try:
                write["kept"](entry.record, changes)
            except InputError as error:
                errors.add(BadRecord(entry.file, entry.line, error.cause, entry.byte))
                continue
            for gone in removed:
                write["removed"]({key: item.record.get(key) for key in ("id", "url")}, gone)
            tally.add(item.site, result)
    errors.close()
    sizes = {names[key]: storage.stat(storage.join(job.out, names[key])).size for key in write}
    report = ShardReport(shard.number, sizes, tally.to_dict(), errors.count, good.lines, time.perf_counter() - began)
    manifest.mark(job.out, report)
    return report


def _parts(shard: Shard, options: Options) -> list[tuple[str, Shard | None, Sequence[str]]]:
    """Return what is written: what is kept, and by itself what is removed if asked for; see `writers.output`."""
    if not options.removed:
        return [("kept", shard, writers.KEPT)]
    return [("kept", shard, [name for name in writers.KEPT if name != "removed"]), ("removed", None, writers.REMOVED)]


@lru_cache(maxsize=2)
def _classifier(model: str | None, digest: str) -> Classifier:
    """Return the model, loaded once a process.

    Raises:
        ArtifactError: it is missing, or not the one with this digest.
    """
    classifier = artifact.load(model)
    if classifier.digest != digest:
        raise ArtifactError("is not the model that the run began with", where=str(model or classifier.name))
    return classifier


def _filtered(
    classifier: Classifier, good: Iterable[tuple[Entry, Item]], options: Options
) -> Iterator[tuple[Entry, Item, FilterResult]]:
    """Pair each record with its result; the classifier reads some articles ahead."""
    entries, ahead = tee(good)
    articles = (item.article for _, item in ahead)
    results = classifier.filter_many(
        articles, wrap=options.wrap, allow_empty=options.allow_empty, max_removed_share=options.max_removed_share
    )
    return ((entry, item, result) for (entry, item), result in zip(entries, results, strict=True))


class _Good:
    """The records that can be filtered, in order; the others go to the errors."""

    def __init__(self, entries: Iterator[Entry | BadRecord | End], errors: _Errors, longest: int) -> None:
        self._entries, self._errors, self._longest = entries, errors, longest
        self.lines = 0

    def __iter__(self) -> Iterator[tuple[Entry, Item]]:
        """Yield entries, and each as an item."""
        for entry in self._entries:
            if isinstance(entry, End):
                self.lines = entry.lines
                continue
            if isinstance(entry, BadRecord):
                self._errors.add(entry)
                continue
            item = Item(entry.file, entry.record, entry.host)  # type: ignore[arg-type] # any mapping will do
            try:
                check(item)
                self._check_size(item)
            except InputError as error:
                self._errors.add(BadRecord(entry.file, entry.line, error.cause, entry.byte))
            else:
                yield entry, item

    def _check_size(self, item: Item) -> None:
        article = item.article
        size = len(article) if isinstance(article, str) else sum(map(len, article))
        if size > self._longest:
            raise InputError(f"has {size:,} characters, more than {self._longest:,} (--max-record)")
        if isinstance(article, list):
            paragraphs = len(article)
        else:  # counted only where there could be too many
            paragraphs = 1 + sum(map(article.count, LINE_ENDS)) if size > MAX_PARAGRAPHS else 1
        if paragraphs > MAX_PARAGRAPHS:
            raise InputError(f"has {paragraphs:,} paragraphs, more than {MAX_PARAGRAPHS:,}")


class _Errors:
    """The bad records of a shard, written when it ends or when there are too many."""

    def __init__(self, job: Job, name: str) -> None:
        self._job, self._place = job, storage.join(job.out, name)
        self._lines: list[bytes] = []
        self.count = 0

    def add(self, bad: BadRecord) -> None:
        """Take one.

        Raises:
            _TooManyErrors: there are more now than allowed.
        """
        self.count += 1
        line = {"file": bad.file, "line": bad.line, "reason": bad.reason}
        if bad.byte is not None:
            line["byte"] = bad.byte
            if self._job.shard.part:  # its first line's number is known at the end of the run, see `manifest.number_lines`
                line |= {"line": None, "line_of_part": bad.line}
        self._lines.append(writers.to_line(line))
        if self.count > self._job.max_errors:
            self.close()
            raise _TooManyErrors

    def close(self) -> None:
        """Write them, or remove what an earlier attempt wrote."""
        if self._lines:
            storage.write_bytes(self._place, b"".join(self._lines), manifest.scratch(self._job.out))
        else:
            storage.remove(self._place)
