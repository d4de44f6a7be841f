"""The engine of many machines: Ray core tasks, one a shard."""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from trainer import __version__, artifact
from trainer.bulk.local import cores, why_lost
from trainer.bulk.work import Fault, Job, ShardReport, attempt
from trainer.errors import InputError
from trainer.files import write_whole

_AHEAD = 2  # tasks given to Ray for each core, so that none waits for the next
_LOOK_SECONDS = 1.0  # how often the cluster is asked for its size, which may change
_CONNECT_SECONDS = 10.0
_STORE_BYTES = 80 << 20  # of a Ray of one's own: reports are all that goes through it
_AUTH = "RAY_AUTH_MODE"  # with an address Ray looks for a token only where this says so
_SETTINGS = {  # of a Ray of one's own: it sends nothing anywhere, and says nothing of accelerators
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class Shipped(NamedTuple):
    """What every worker needs to know: the version that drives the run, and a model that lies on the driver's disk alone."""

    version: str
    model: bytes | None


class RayEngine:
    """Runs jobs as Ray tasks of one core each.

    Ray does a task again whose process or machine was lost, up to the job's `attempts` in all. On machines of a cluster the
    toolkit must be installed in the same version; the model is sent to them.

    Args:
        workers: tasks at once; without it as many as there are cores. address: of a running cluster, as `ray.init` takes it
            ("auto" for the one of this machine); without it a Ray of one's own is started, and stopped at the end.

    Raises:
        InputError: there is no cluster at the address. ModuleNotFoundError: Ray is not installed.
    """

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        import ray

        self._ray: Any = ray
        self.workers, self.address = workers, address

    def run(self, jobs: Iterator[Job]) -> Generator[ShardReport | Fault]:
        """Do the jobs, see `work.Engine`."""
        ray = self._ray
        running: dict[Any, Job] = {}
        self._start()
        try:
            task = ray.remote(num_cpus=1, retry_exceptions=False)(work)
            shipped: Any = None
            while True:
                most = _AHEAD * self._size()
                while len(running) < most and (job := next(jobs, None)):
                    shipped = shipped or ray.put(self._shipped(job))
                    running[task.options(max_retries=job.attempts - 1).remote(job, shipped)] = job
                if not running:
                    return
                done, _ = ray.wait(list(running), timeout=_LOOK_SECONDS)
                for reference in done:
                    yield self._answer(reference, running.pop(reference))
        finally:
            ray.shutdown()  # a cluster ends the tasks of a run that is gone

    def _start(self) -> None:
        handler = signal.getsignal(signal.SIGTERM)
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
        if self.address:
            _check_answers(self.address)
            options["address"] = self.address
        else:
            for name, value in _SETTINGS.items():
                os.environ.setdefault(name, value)
            options |= {"address": "local", "num_cpus": self.workers or cores(), "num_gpus": 0, "include_dashboard": False}
            options |= {"object_store_memory": _STORE_BYTES, "_node_ip_address": "127.0.0.1"}
        try:
            self._ray.init(**options)
        except (ConnectionError, RuntimeError, ValueError, ImportError) as error:
            raise _unanswered(self.address or "", " ".join(str(error).split())[:200]) from None
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray has set its own, which ends the process at once

    def _size(self) -> int:
        """Return how many tasks can be at work."""
        found = int(self._ray.cluster_resources().get("CPU", 0)) or 1
        return min(self.workers, found) if self.workers else found

    def _shipped(self, job: Job) -> Shipped:
        if not self.address or job.model is None:
            return Shipped(__version__, None)
        return Shipped(__version__, (Path(job.model) / artifact.WEIGHTS).read_bytes())

    def _answer(self, reference: Any, job: Job) -> ShardReport | Fault:
        errors = self._ray.exceptions
        try:
            answer: ShardReport | Fault = self._ray.get(reference)
        except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError):
            return Fault(job.shard.number, why_lost(job))
        except errors.RayError as error:
            reason = " ".join(str(error).split())[-200:]
            hint = f"Install paragraph-trainer {__version__} on every machine of the cluster"
            return Fault(job.shard.number, f"{job.shard.file.place}: Ray cannot run the task ({reason}). {hint}", stop=True)
        return answer


def _check_answers(address: str) -> None:
    """Refuse HOST:PORT where nothing listens: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if "/" not in host and port.isdecimal():
        try:
            socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise _unanswered(address, getattr(error, "strerror", None) or str(error)) from None


def _unanswered(address: str, reason: str) -> InputError:
    hint = "Start one: ray start --head; or leave --address out for a Ray on this machine alone."
    if os.environ.get(_AUTH) is None:
        hint += f" If it asks for a token, set {_AUTH}=token."
    return InputError(f"no Ray cluster answers ({reason})", where=address, hint=hint)


def work(job: Job, shipped: Shipped) -> ShardReport | Fault:
    """Do a job on whatever machine this is."""
    if shipped.version != __version__:
        reason = f"a machine of the cluster has paragraph-trainer {__version__}, this one {shipped.version}"
        return Fault(job.shard.number, reason, stop=True)
    if shipped.model and job.model:
        job = job._replace(model=str(_unpacked(shipped.model, job)))
    return attempt(job)


def _unpacked(model: bytes, job: Job) -> Path:
    """Put a model into the temporary folder of this machine, under its own name; whoever loads it checks its digest."""
    folder = Path(tempfile.gettempdir()) / f"trainer-{job.digest[:16]}" / Path(job.model or "").name
    path = folder / artifact.WEIGHTS
    if not path.exists():
        with write_whole(path) as temporary:
            temporary.write_bytes(model)
    return folder
