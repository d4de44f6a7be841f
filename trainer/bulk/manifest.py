"""What a run is to do and what is done of it, as files in its output folder.

    _run.json         model, options, inputs and shards; written first
    _done/00000.json  report of a shard, written when its outputs are there
    _errors/NAME.jsonl  its bad records: file, line, reason
    _removed/NAME.…   removed paragraphs, if asked for
    _stats.json       totals of what is done
    _tmp/, _lock      while a run is at work

Files rather than a database, so that it works on object stores, and from many machines.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from trainer import __version__
from trainer.bulk import storage, text_files
from trainer.bulk.formats import FORMATS
from trainer.bulk.options import Options
from trainer.bulk.shards import File, Shard, Source
from trainer.bulk.stats import Tally
from trainer.errors import InputError

if TYPE_CHECKING:
    from trainer.bulk.work import ShardReport

FORMAT = 1  # of these files
RUN, STATS, LOCK = "_run.json", "_stats.json", "_lock"
DONE, ERRORS, REMOVED, _SCRATCH = "_done", "_errors", "_removed", "_tmp"
_READERS, _MARKERS = 16, 256  # threads that read markers, and how many of these are held at once


def scratch(out: str) -> str | None:
    """Return the folder that files are written in before they are whole."""
    return None if storage.is_url(out) else storage.join(out, _SCRATCH)


def output_names(shard: Shard, options: Options) -> dict[str, str]:
    """Return the files of a shard relative to the output folder: kept, errors, and removed if asked for.

    A folder of texts goes by the name of a file that is none, see `text_files`.
    """
    ending = options.to or FORMATS[shard.kind].writes
    names = {"kept": f"{shard.name}{ending}", "errors": f"{ERRORS}/{shard.name}.jsonl"}
    if options.removed:
        names["removed"] = f"{REMOVED}/{shard.name}{'.jsonl' if ending == text_files.SUFFIX else ending}"
    return names


def mark(out: str, report: ShardReport) -> None:
    """Say that a shard is done."""
    storage.write_bytes(_marker(out, report.number), json.dumps(report._asdict()).encode(), scratch(out))


@contextmanager
def locked(out: str) -> Iterator[None]:
    """Hold the output folder; the lock goes with the process. For a URL it holds among the processes of this machine.

    Raises:
        InputError: another run holds it.
    """
    import filelock

    path = Path(gettempdir(), f"trainer-{sha256(out.encode()).hexdigest()[:16]}.lock") if storage.is_url(out) else Path(out, LOCK)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path, timeout=0)
        lock.acquire()
    except filelock.Timeout:
        raise InputError("another run is at work in it", where=out, hint="Wait for it, or choose another --out.") from None
    except OSError as error:
        raise storage.output_error(out, error) from None
    try:
        yield
    finally:
        lock.release()


def check_free(out: str) -> None:
    """Refuse a folder that holds anything but a run.

    Raises:
        InputError: it does, or is a file.
    """
    if storage.exists(storage.join(out, RUN)):
        return
    if storage.exists(out) and not storage.is_folder(out):
        raise InputError("is a file, not a folder", where=out, hint="Choose another --out.")
    if any(name != LOCK and not name.startswith(f"{_SCRATCH}/") for name in storage.listing(out)):
        raise InputError("holds files, but no run of trainer bulk", where=out, hint="Choose another --out.")


class Manifest:
    """The plan of a run and its markers.

    Attributes:
        shards: all, in order. done: number of each shard that is done, with its report but for the counts. tally: these, of all
        shards together.
    """

    def __init__(self, out: str, shards: Sequence[Shard]) -> None:
        self.out, self.shards = out, shards
        self.done: dict[int, dict[str, Any]] = {}
        self.tally = Tally()

    def add(self, report: dict[str, Any]) -> None:
        """Take the report of a shard that is done."""
        self.done[report["number"]] = {key: value for key, value in report.items() if key != "tally"}
        self.tally.merge(report["tally"])

    def left(self) -> list[Shard]:
        """Return the shards that are to be done."""
        return [shard for shard in self.shards if shard.number not in self.done]


def open_run(
    out: str,
    settings: Mapping[str, Any],
    sources: Sequence[Source],
    cut: Callable[[], list[Shard]],
    *,
    restart: bool,
) -> Manifest:
    """Begin a run in a folder, or go on with the one that is there.

    Args:
        settings: what must be the same, JSON-ready. sources: the inputs. cut: makes the plan of a new run. restart: remove
            what another run made.

    Raises:
        InputError: another run is there.
    """
    there = storage.listing(out)
    plan = _read_plan(out) if RUN in there else None
    if plan and not restart:
        _check_same(out, plan, settings, sources)
        shards = [_shard(item) for item in plan["shards"]]
        manifest = Manifest(out, shards)
        for report in _done(out, there):
            manifest.add(report)
        return manifest
    shards = cut()
    if plan:
        _clear(out, plan)
    new = {"format": FORMAT, "settings": settings, "sources": sources, "shards": shards}
    storage.write_bytes(storage.join(out, RUN), json.dumps(new).encode(), scratch(out))
    return Manifest(out, shards)


def settings_of(digest: str, options: Options) -> dict[str, Any]:
    """Return what must be the same when a run goes on."""
    return {"model": digest, "version": __version__, **options._asdict()}


def options_of(settings: Mapping[str, Any]) -> Options:
    """Return the options among the settings."""
    return Options(**{key: settings[key] for key in Options._fields if key in settings})


def number_lines(manifest: Manifest) -> None:
    """Give the bad records of files that were cut their line numbers, where all parts before are done."""
    base = 0
    for shard in manifest.shards:
        base = base if shard.part else 0
        report = manifest.done.get(shard.number)
        if report is None or base < 0:
            base = -1  # unknown from here on
            continue
        place = storage.join(manifest.out, ERRORS, f"{shard.name}.jsonl")
        if base and report["errors"] and storage.exists(place):
            _number(place, base, scratch(manifest.out))
        base += report["lines"]


def _number(place: str, base: int, scratch: str | None) -> None:
    bad = [json.loads(line) for line in storage.read_bytes(place).splitlines()]
    for item in bad:
        item["line"] = base + item["line_of_part"]
    storage.write_bytes(place, b"".join(json.dumps(item, ensure_ascii=False).encode() + b"\n" for item in bad), scratch)


def clean(out: str) -> None:
    """Remove what was being written when a run was stopped."""
    if folder := scratch(out):
        storage.remove_folder(folder)


def _read_plan(out: str) -> dict[str, Any]:
    place = storage.join(out, RUN)
    try:
        plan: dict[str, Any] = json.loads(storage.read_bytes(place))
        if plan["format"] != FORMAT:
            hint = "Choose another --out."
            raise InputError(f"is of format {plan['format']}; this version writes {FORMAT}", where=place, hint=hint)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"is damaged ({type(error).__name__})", where=place, hint="Choose another --out.") from None
    return plan


def _check_same(out: str, plan: Mapping[str, Any], settings: Mapping[str, Any], sources: Sequence[Source]) -> None:
    hint = "Give --restart to begin anew, or choose another --out."
    now, before = json.loads(json.dumps(settings)), plan["settings"]
    for key in sorted(now.keys() | before.keys()):
        if now.get(key) != before.get(key):
            raise InputError(f"was begun with {key} {_shown(before.get(key))}, not {_shown(now.get(key))}", where=out, hint=hint)
    old = {source.file.place: source for source in map(_source, plan["sources"])}
    new = {source.file.place: source for source in sources}
    for place in [*new, *old]:
        if old.get(place) != new.get(place):
            what = "is a new input" if place not in old else "is no longer an input" if place not in new else "has changed"
            raise InputError(f"{place} {what} since the run was begun", where=out, hint=hint)


def _shown(value: object) -> str:
    return "unset" if value is None else str(value)[:12]


def _done(out: str, there: Mapping[str, storage.Stat]) -> Iterator[dict[str, Any]]:
    """Yield the reports of the shards whose outputs are all there with the size they had."""
    places = [storage.join(out, name) for name in there if name.startswith(f"{DONE}/") and name.endswith(".json")]
    with ThreadPoolExecutor(_READERS) as pool:
        for begin in range(0, len(places), _MARKERS):
            for data in pool.map(storage.read_bytes, places[begin : begin + _MARKERS]):
                report: dict[str, Any] = json.loads(data)
                if all(name in there and there[name].size == size for name, size in report["outputs"].items()):
                    yield report


def _clear(out: str, plan: Mapping[str, Any]) -> None:
    """Remove what runs have made, the plan last, so that a run that is stopped meanwhile does not go on from half of it."""
    options = options_of(plan["settings"])
    for shard in map(_shard, plan["shards"]):
        kept = output_names(shard, options)["kept"]
        for name in text_files.places(shard) if kept.endswith(text_files.SUFFIX) else [kept]:
            (storage.remove_folder if name.endswith("/") else storage.remove)(storage.join(out, name.rstrip("/")))
    for folder in (DONE, ERRORS, REMOVED):
        storage.remove_folder(storage.join(out, folder))
    for name in (STATS, RUN):
        storage.remove(storage.join(out, name))


def _marker(out: str, number: int) -> str:
    return storage.join(out, DONE, f"{number:06}.json")


def _source(item: Sequence[Any]) -> Source:
    return Source(File(*item[0]), *item[1:])


def _shard(item: Sequence[Any]) -> Shard:
    number, kind, files, *rest, names = item
    return Shard(number, kind, tuple(File(*file) for file in files), *rest)._replace(names=tuple(names))
