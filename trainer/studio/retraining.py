"""Retraining in the background: after so many submitted articles, labels are pulled, a model is trained, and it serves."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trainer import artifact
from trainer.errors import TrainerError
from trainer.schema import LabelSet
from trainer.studio.client import TOKEN_VARIABLE
from trainer.studio.project import check_model
from trainer.studio.push import Predictor

PULLED, LOG = "labels.jsonl", "retraining.log"
_STOP_SECONDS = 10.0
logger = logging.getLogger(__name__)


class Retraining:
    """Counts submitted articles, and trains in processes of their own, so that serving never waits.

    One training runs at a time; what is submitted meanwhile counts for the next. A training that fails changes nothing but
    `status`. Safe to call from several threads.

    Args:
        project: Label Studio project to pull from. after: submitted articles that start a training.
        folder: where pulled labels, models (`NAME-1`, `NAME-2` …) and the log go.
        name: of the models. labels: the label set. pull, train: arguments of `trainer labels pull` and `trainer train`,
            without --project and --out; the pulled labels are added to those of `train`.
    """

    def __init__(
        self,
        project: str,
        after: int,
        folder: Path,
        name: str,
        labels: LabelSet,
        *,
        pull: Sequence[str] = (),
        train: Sequence[str] = (),
    ) -> None:
        self.project, self.after, self.folder, self.name, self.labels = project, after, folder, name, labels
        self.pull, self.train = list(pull), list(train)
        self.on_model: Callable[[Predictor], None] = lambda _: None
        self._lock = threading.Lock()
        self._seen: set[int] = set()
        self._waiting = self._trained = 0
        self._state, self._reason = "idle", ""
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def status(self) -> dict[str, Any]:
        """Return how it stands, JSON-ready: `state` is idle, running or failed."""
        with self._lock:
            return {
                "state": self._state,
                "submitted": self._waiting,
                "after": self.after,
                "trained": self._trained,
                **({"reason": self._reason} if self._reason else {}),
            }

    def submitted(self, annotation: object) -> None:
        """Count an annotation, once however often Label Studio tells of it; train where there are enough."""
        with self._lock:
            if not isinstance(annotation, int) or annotation in self._seen:
                return
            self._seen.add(annotation)
            self._waiting += 1
            enough = self._waiting >= self.after
        if enough:
            self.start()

    def start(self) -> None:
        """Train now, unless a training runs."""
        with self._lock:
            if self._closed or self._state == "running":
                return
            self._state, self._reason, self._waiting = "running", "", 0
            self._thread = threading.Thread(target=self._run, name="retraining", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop a training that runs; there is no further one."""
        with self._lock:
            self._closed = True
            process, thread = self._process, self._thread
        if process:
            process.terminate()
        if thread:
            thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        logger.info("retraining on the labels of %s", self.project)
        try:
            predictor = self._retrained()
        except (TrainerError, OSError) as error:
            logger.error("retraining failed, the model stays: %s", error)
            with self._lock:
                self._state, self._reason = "failed", str(error)
            return
        self.on_model(predictor)
        with self._lock:
            self._state = "idle"
            self._trained += 1
            again = self._waiting >= self.after
        if again:
            self.start()

    def _retrained(self) -> Predictor:
        """Pull, train, load; the model that serves is replaced by a loaded one only."""
        self.folder.mkdir(parents=True, exist_ok=True)
        pulled, out = self.folder / PULLED, self._free_folder()
        self._command("labels", "pull", "--project", self.project, "--out", str(pulled), *self.pull)
        self._command("train", str(pulled), *self.train, "--out", str(out), token=False)
        model = artifact.load(out)
        check_model(model, self.labels)
        return Predictor(self.labels, model)

    def _free_folder(self) -> Path:
        number = 1
        while (folder := self.folder / f"{self.name}-{number}").exists():
            number += 1
        return folder

    def _command(self, *arguments: str, token: bool = True) -> None:
        """Run a command of the toolkit; its output goes to the log.

        Raises:
            TrainerError: it failed; with its last line.
        """
        environ = {key: value for key, value in os.environ.items() if token or key != TOKEN_VARIABLE}
        log = self.folder / LOG
        with log.open("ab") as out:
            begin = out.tell()
            with self._lock:
                if self._closed:
                    raise TrainerError("stopped")
                self._process = subprocess.Popen(  # noqa: S603 - this toolkit's own command
                    [sys.executable, "-m", "trainer", *arguments],
                    stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=environ, start_new_session=True,
                )  # fmt: skip
            code = self._process.wait()
        if code:
            said = log.read_bytes()[begin:].decode("utf-8", "replace").strip().rpartition("\n")[2]
            reason = said.removeprefix("trainer: ") or f"it ended with code {code}"
            raise TrainerError(f"trainer {' '.join(arguments[:2])} failed: {reason}", where=str(log))
