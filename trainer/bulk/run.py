"""A bulk run from beginning to end, under any engine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from trainer import artifact
from trainer.bulk import manifest, shards, stats, storage
from trainer.bulk.formats import FORMATS
from trainer.bulk.options import Options
from trainer.bulk.work import Engine, Fault, Job, ShardReport, too_many_errors
from trainer.errors import InputError

MAX_ERRORS, RETRIES = 1000, 2
_SECONDS = 0.5  # between looks at how far it is
Tick = Callable[[int, int], None]


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
        shards: of the run. before: how many of them were done already. missing: why others are not done. errors: bad records.
        stats: what was written to _stats.json.
    """

    shards: int
    before: int
    missing: list[Fault]
    errors: int
    stats: dict[str, Any]

    @property
    def left(self) -> int:
        """How many shards are not done."""
        return int(self.stats["shards"]["missing"])


def bulk(
    inputs: Sequence[str | Path],
    out: str | Path,
    model: str | Path | None = None,
    options: Options = Options(),  # noqa: B008 (immutable)
    *,
    engine: Engine,
    max_errors: int = MAX_ERRORS,
    retries: int = RETRIES,
    restart: bool = False,
    tick: Tick = lambda *_: None,
) -> Outcome:
    """Filter all records of all inputs into a folder, or go on with what was begun there.

    Args:
        inputs: files, folders, URLs. out: folder or URL. model: folder; without it the model that comes with the package.
        options: what decides the output. engine: what does the work. max_errors: the run stops at more bad records.
        retries: how often a shard that fails is tried again. restart: remove what another run has put there.
        tick: told how many bytes of input are done of how many.

    Raises:
        InputError: an input is missing or of no known kind; the folder holds something else, another run with other inputs,
            options or model, or a run that is at work. OutputError: the folder cannot be written. ArtifactError: no such
            model.
    """
    began = time.monotonic()
    target, places = storage.absolute(out), [storage.absolute(place) for place in inputs]
    folder = None if model is None else str(artifact.find(model).absolute())
    classifier = artifact.load(model)
    sources = shards.find(places, FORMATS)
    _check_apart(target, sources)
    manifest.check_free(target)
    with manifest.locked(target):
        manifest.clean(target)
        settings = manifest.settings_of(classifier.digest, options)
        plan = manifest.open_run(target, settings, sources, lambda: shards.cut(sources, options.shard_bytes), restart=restart)
        run = _Run(plan, max_errors, tick)
        jobs = (Job(shard, target, folder, classifier.digest, options, max_errors, retries + 1) for shard in plan.left())
        before = len(plan.done)
        try:
            with _watched(engine, run):
                run.follow(engine.run(jobs))
        finally:
            manifest.clean(target)
        manifest.number_lines(plan)
        found = run.stats(before, time.monotonic() - began)
        storage.write_bytes(storage.join(target, manifest.STATS), json.dumps(found, indent=1, ensure_ascii=False).encode())
    return Outcome(len(plan.shards), before, run.missing, run.errors, found)


class _Run:
    """What is known of a run while it goes on."""

    def __init__(self, plan: manifest.Manifest, max_errors: int, tick: Tick) -> None:
        self._plan, self._max_errors, self._tick = plan, max_errors, tick
        self.missing: list[Fault] = []
        self.errors = sum(report["errors"] for report in plan.done.values())
        self._weight = sum(shard.weight for shard in plan.shards)
        self._before = self._answered = sum(plan.shards[number].weight for number in plan.done)

    def follow(self, answers: Generator[ShardReport | Fault]) -> None:
        """Take answers until there are no more, or one that stops the run."""
        self.show(0)
        with closing(answers):
            while not self._has_stopped() and (answer := next(answers, None)):
                self._answered += self._plan.shards[answer.number].weight
                if isinstance(answer, Fault):
                    self.missing.append(answer)
                else:
                    self._plan.add(answer._asdict())
                    self.errors += answer.errors
                self.show(0)

    def show(self, read: int) -> None:
        """Tell how far it is; `read` are the bytes that an engine knows to be read."""
        self._tick(min(max(self._answered, self._before + read), self._weight), self._weight)

    def _has_stopped(self) -> bool:
        if self.errors > self._max_errors:
            self.missing.append(too_many_errors(self._max_errors))
        return any(fault.stop for fault in self.missing[-1:])

    def stats(self, before: int, seconds: float) -> dict[str, Any]:
        """Return what goes into _stats.json."""
        plan = self._plan
        reports = [plan.done[number] for number in sorted(plan.done)]
        found = stats.summary(plan.tally)
        worked = sum(report["seconds"] for report in reports)
        done = sum(plan.shards[report["number"]].weight for report in reports)
        written = sum(sum(report["outputs"].values()) for report in reports)
        return {
            "shards": {"all": len(plan.shards), "done": len(plan.done), "before": before, "missing": len(plan.left())},
            "missing": [fault.reason for fault in self.missing],
            "errors": self.errors,
            **found,
            "bytes": {"read": done, "written": written},
            "throughput": {
                "seconds": round(seconds, 3),
                "seconds_of_work": round(worked, 3),
                "articles_per_second_of_work": round(found["articles"] / worked, 1) if worked else 0.0,
                "characters_per_second_of_work": round(found["characters"] / worked) if worked else 0,
            },
        }


@contextmanager
def _watched(engine: Engine, run: _Run) -> Iterator[None]:
    """Show meanwhile how far an engine is that knows it within shards too."""
    if not hasattr(engine, "read"):
        yield
        return
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_SECONDS):
            run.show(engine.read)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _check_apart(out: str, sources: Sequence[shards.Source]) -> None:
    for source in sources:
        if source.file.place.startswith((f"{out}/", f"{out}\\")):
            raise InputError("is within the output folder", where=source.file.place, hint="Choose another --out.")
