"""The engine of one machine: processes of its own, each with the model loaded once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Generator, Iterator, MutableSequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import wait as wait_for

from trainer.bulk import storage
from trainer.bulk.work import Fault, Job, ShardReport, attempt

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # there are as many processes as cores
_SLOTS = 4096  # for counts of processes, by their number; where two share one, the progress shown is a little low
_AHEAD = 2  # jobs given to each process, so that none waits for the next


class LocalEngine:
    """Runs jobs in processes.

    Where one is lost, the jobs that were under way are done again, one at a time: the next loss then has one cause, and a job
    that loses its process each time is given up without the others.

    Args:
        workers: processes; without it one a core.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cores()
        self._context = multiprocessing.get_context("spawn")
        self._read: MutableSequence[int] = self._context.RawArray(
            "q", _SLOTS
        )  # without a lock, which a killed process would keep

    @property
    def read(self) -> int:
        """Return how many bytes of inputs were read so far."""
        return sum(self._read)

    def run(self, jobs: Iterator[Job]) -> Generator[ShardReport | Fault]:
        """Do the jobs, see `work.Engine`."""
        pool = self._pool()
        running: dict[Future[ShardReport | Fault], Job] = {}
        suspects: deque[Job] = deque()
        losses: Counter[int] = Counter()
        try:
            while True:
                lost = self._fill(pool, running, suspects, jobs)
                if not running and not lost:
                    return
                wait(running, return_when=FIRST_COMPLETED)
                alone = len(running) == 1
                for future in [future for future in running if future.done()]:
                    job = running.pop(future)
                    if not isinstance(future.exception(), BrokenProcessPool):
                        yield future.result()
                        continue
                    lost = True
                    losses[job.shard.number] += alone
                    if losses[job.shard.number] >= job.attempts:
                        yield Fault(job.shard.number, _lost(job))
                    else:
                        suspects.append(job)
                if lost:
                    wait(running)  # the pool ends them all
                    _stop(pool)
                    pool = self._pool()
        finally:
            _stop(pool)

    def _fill(
        self,
        pool: ProcessPoolExecutor,
        running: dict[Future[ShardReport | Fault], Job],
        suspects: deque[Job],
        jobs: Iterator[Job],
    ) -> bool:
        """Give the processes work; return whether one was lost meanwhile."""
        most = 1 if suspects else self.workers * _AHEAD
        while len(running) < most:
            job = suspects.popleft() if suspects else next(jobs, None)
            if job is None:
                break
            try:
                with _spawning():
                    running[pool.submit(attempt, job)] = job
            except BrokenProcessPool:
                suspects.appendleft(job)
                return True
        return False

    def _pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.workers, self._context, initializer=_begin, initargs=(self._read,))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _lost(job: Job) -> str:
    place = job.shard.file.place
    return f"{place}: its process was lost {job.attempts} times (out of memory, or killed)"


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the processes at once; what they were writing never appears."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


@contextmanager
def _spawning() -> Iterator[None]:
    """Start processes that know nothing of Ctrl-C from their first moment on, and that calculate in one thread."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
    try:
        for name in _ONE_THREAD:
            os.environ.setdefault(name, "1")
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _begin(read: MutableSequence[int]) -> None:
    """Set up a process: the one that started it decides when it ends, and it does not outlive that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    storage.watch(partial(_add, read, os.getpid() % _SLOTS))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _add(read: MutableSequence[int], slot: int, count: int) -> None:
    read[slot] += count


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        wait_for([parent.sentinel])
        os._exit(1)
