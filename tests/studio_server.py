"""A real Label Studio for the tests: started on a copy of a data folder in which the first, slow start is already done."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import pytest
from small import ROOT

from trainer.studio import server
from trainer.studio.server import Account

PLACE = ROOT / ".studio"
EXECUTABLE = PLACE / "venv" / "bin" / "label-studio"
TEMPLATE = PLACE / "template"
ACCOUNT = Account("tests@example.com", "a-password-of-the-tests", "00112233445566778899aabbccddeeff00112233")
REQUIRED = os.environ.get("TRAINER_REQUIRE_STUDIO") == "1" or os.environ.get("CI", "").lower() == "true"


class Studio:
    """A server on a data folder of its own; `settings` are environment variables for it."""

    username, password, token = ACCOUNT.username, ACCOUNT.password, ACCOUNT.token

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://{server.HOST}:{self.port}"
        self.environ = {**os.environ, **settings}

    def start(self) -> None:
        """Start it, at the same address every time."""
        server.start(EXECUTABLE, self.data, self.port, account=ACCOUNT, environ=self.environ)

    def stop(self) -> None:
        """Stop it; its data stay."""
        server.stop(self.data)

    def ask(self, method: str, path: str, **content: Any) -> Any:
        """Return what its programming interface answers, as the account of the tests."""
        import httpx

        headers = {"Authorization": f"Token {self.token}"}
        return httpx.request(method, f"{self.url}{path}", headers=headers, timeout=120, **content).raise_for_status().json()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((server.HOST, 0))
        return int(probe.getsockname()[1])


def missing(what: str, remedy: str) -> NoReturn:
    """Skip the test for want of something; fail it where the tests are asked to be complete."""
    reason = f"{what} is not installed: {remedy}"
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


def copy_of_template(data: Path) -> Path:
    """Return a data folder with the account of the tests and no projects; skip or fail the test without Label Studio."""
    if not EXECUTABLE.exists():
        missing("Label Studio", "make .studio/venv/ready")
    if not TEMPLATE.exists():
        prepare()
    return Path(shutil.copytree(TEMPLATE, data))


def prepare() -> None:
    """Make the template: start on an empty folder, which takes most of a minute, and stop."""
    with tempfile.TemporaryDirectory(dir=PLACE, prefix="template.") as place:
        new = Studio(Path(place) / "data")
        try:
            new.start()
        finally:
            new.stop()
        (new.data / server.LOG).unlink()
        shutil.rmtree(TEMPLATE, ignore_errors=True)
        new.data.rename(TEMPLATE)


if __name__ == "__main__":
    prepare()
