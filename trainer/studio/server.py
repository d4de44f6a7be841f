"""A Label Studio of one's own on this machine: started in the background, found again, stopped."""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import socket
import sqlite3
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psutil

from trainer.errors import InputError

HOST = "127.0.0.1"
PORT = 8080
STATE, LOG = "server.json", "server.log"  # in the data folder
DATABASE = "label_studio.sqlite3"
RUN = "TRAINER_STUDIO_RUN"  # marks the process of one start in its environment: a recycled process number has another
START_SECONDS, STOP_SECONDS, ANSWER_SECONDS = 600.0, 20.0, 5.0
LEGACY_TOKEN = re.compile(r"[0-9a-f]{40}")
KEYMAP = {
    "region:cycle": {"key": "j", "description": "Next paragraph"},
    "annotation:submit": {"key": "shift+enter", "description": "Submit"},
}
# Nothing leaves the machine, and nobody signs up unasked. Label Studio reads each setting with this prefix first, so that
# a DEBUG meant for another program does not reach it, and a setting given by its full name wins.
PREFIX = "LABEL_STUDIO_"
SETTINGS = {
    "DEBUG": "false",
    "LOG_LEVEL": "WARNING",
    "LATEST_VERSION_CHECK": "false",
    "COLLECT_ANALYTICS": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "DISABLE_SIGNUP_WITHOUT_LINK": "true",
    "EDITOR_KEYMAP": json.dumps(KEYMAP),
}
ACCOUNT_SETTINGS = ("USERNAME", "PASSWORD", "USER_TOKEN")


@dataclass(frozen=True)
class Account:
    """The account that a first start makes; `token` is 40 hexadecimal digits, or empty for none."""

    username: str
    password: str = field(repr=False)
    token: str = field(default="", repr=False)


class Server(NamedTuple):
    """A server that was started on a data folder."""

    pid: int
    port: int
    run: str
    started: str

    @property
    def url(self) -> str:
        """Return where it answers."""
        return f"http://{HOST}:{self.port}"


def start(
    executable: Path,
    data: Path,
    port: int = PORT,
    *,
    account: Account | None = None,
    seconds: float = START_SECONDS,
    environ: Mapping[str, str] | None = None,
) -> Server:
    """Start Label Studio in the background on a loopback port and wait until it answers.

    An exception while waiting, KeyboardInterrupt included, stops what was started.

    Raises:
        InputError: the port is busy, or Label Studio cannot be run, ends early or does not answer within `seconds`.
    """
    data = data.resolve()
    check_port(port)
    run = secrets.token_hex(8)
    log = data / LOG
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        log.touch(mode=0o600)
        size = log.stat().st_size
        with log.open("ab") as out:
            process = subprocess.Popen(  # noqa: S603 - the user's own Label Studio
                [str(executable), "start", "--no-browser", "--internal-host", HOST, "--port", str(port)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=data, start_new_session=True,
                env={**environment(data, account, os.environ if environ is None else environ), RUN: run},
            )  # fmt: skip
    except OSError as error:
        raise InputError(f"cannot be run ({error.strerror})", where=str(error.filename or executable)) from None
    server = Server(process.pid, port, run, datetime.now(UTC).isoformat(timespec="seconds"))
    try:
        _remember(data, server)
        _wait(process, server, seconds, log, size)
    except BaseException:
        _end(psutil.Process(process.pid) if process.poll() is None else None, STOP_SECONDS)
        process.wait()
        if find(data) in (server, None):
            (data / STATE).unlink(missing_ok=True)
        raise
    process.returncode = 0  # it is to outlive this process: without this, Popen would warn of that
    return server


def stop(data: Path, *, seconds: float = STOP_SECONDS) -> Server | None:
    """Stop the server of a data folder, by force after some seconds; return it, None where none was running.

    Raises:
        InputError: what was noted of the server cannot be read.
    """
    server = find(data)
    process = None if server is None else _process(server)
    _end(process, seconds)
    (data / STATE).unlink(missing_ok=True)
    return server if process else None


def status(data: Path) -> tuple[str, Server | None]:
    """Return `up`, `unhealthy` (it runs and does not answer) or `down`, and the server where one runs.

    Raises:
        InputError: what was noted of the server cannot be read.
    """
    server = find(data)
    process = None if server is None else _process(server)
    if server is None or process is None:
        return "down", None
    return "up" if answers(server.port) and _listens(process, server.port) else "unhealthy", server


def find(data: Path) -> Server | None:
    """Return the server that was last started on a data folder, running or not.

    Raises:
        InputError: what was noted of it cannot be read.
    """
    path = data / STATE
    try:
        note = json.loads(path.read_text("utf-8"))
        return Server(abs(int(note["pid"])), int(note["port"]), str(note["run"]), str(note["started"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError):
        hint = "If no Label Studio runs on this folder, remove the file."
        raise InputError("is not a note of a started server", where=str(path), hint=hint) from None


def accounts(data: Path, environ: Mapping[str, str]) -> list[str] | None:
    """Return the user names of the accounts, the first one first; None where they cannot be told: in a database elsewhere."""
    if setting("DATABASE_NAME", environ) or (setting("DJANGO_DB", environ) or "sqlite") != "sqlite":
        return None if (data / ".env").exists() else []  # Label Studio writes .env when it first starts
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{(data / DATABASE).resolve().as_uri()}?mode=ro", uri=True)) as rows:
        return [str(name) for (name,) in rows.execute("SELECT email FROM htx_user ORDER BY id")]
    return []


def setting(name: str, environ: Mapping[str, str]) -> str | None:
    """Return a setting of Label Studio from the environment, by its full name or its short one."""
    return environ.get(PREFIX + name, environ.get(name))


def environment(data: Path, account: Account | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that Label Studio is started in: the given one, private by default, with the account's settings."""
    names = {prefix + name for prefix in (PREFIX, "HEARTEX_", "") for name in ACCOUNT_SETTINGS} | {f"{PREFIX}API_KEY"}
    kept = {name: value for name, value in environ.items() if name not in names}
    chosen = {PREFIX + name: value for name, value in SETTINGS.items()} | kept | {f"{PREFIX}BASE_DATA_DIR": str(data)}
    if account:
        chosen |= {f"{PREFIX}USERNAME": account.username, f"{PREFIX}PASSWORD": account.password}
        if account.token:
            chosen |= {f"{PREFIX}USER_TOKEN": account.token, f"{PREFIX}ENABLE_LEGACY_API_TOKEN": "true"}
    return chosen


def check_port(port: int) -> None:
    """Raise InputError where a port of this machine is taken; Label Studio would silently move to another."""
    with socket.socket() as probe:
        probe.settimeout(ANSWER_SECONDS)
        if probe.connect_ex((HOST, port)) == 0:
            raise InputError("is taken by another program", where=f"port {port}", hint="Choose a free one with --port.")


def answers(port: int) -> bool:
    """Return whether a Label Studio says on a port of this machine that it is up."""
    with suppress(OSError, http.client.HTTPException, ValueError):
        connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
        with closing(connection):
            connection.request("GET", "/health")
            found = json.loads(connection.getresponse().read(1000))
            return isinstance(found, dict) and found.get("status") == "UP"
    return False


def judge_token(port: int, token: str) -> str:
    """Return whether the server takes a token: `accepted`, `refused`, `none` (empty), `unknown` (not a legacy one)."""
    if not LEGACY_TOKEN.fullmatch(token):
        return "unknown" if token else "none"
    with closing(http.client.HTTPConnection(HOST, port, timeout=START_SECONDS)) as connection:
        connection.request("GET", "/api/current-user/whoami", headers={"Authorization": f"Token {token}"})
        return "accepted" if connection.getresponse().status == 200 else "refused"


def _remember(data: Path, server: Server) -> None:
    """Note the server for later commands; refuse where one runs already, started by another command at the same time."""
    path = data / STATE
    noted = find(data)
    if noted and not _process(noted):
        path.unlink(missing_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            json.dump(server._asdict(), file)
    except FileExistsError:
        hint = "See: trainer studio status"
        raise InputError("another command has started Label Studio on this folder", where=str(data), hint=hint) from None


def _wait(process: subprocess.Popen[bytes], server: Server, seconds: float, log: Path, size: int) -> None:
    deadline = time.monotonic() + seconds
    while not answers(server.port):
        code = process.poll()
        if code is not None:
            cause = f"Label Studio ended with code {code} before it answered; its last words: {_last_line(log, size)}"
            raise InputError(cause, hint=f"Its log: {log}")
        if time.monotonic() > deadline:
            cause = f"Label Studio did not answer within {seconds:.0f} s, and was stopped"
            raise InputError(cause, where=server.url, hint=f"Its log: {log}. Give it longer with --wait.")
        time.sleep(0.2)
    if not _listens(psutil.Process(process.pid), server.port):
        raise InputError("another program answers there", where=server.url, hint="Choose a free port with --port.")


def _last_line(log: Path, size: int) -> str:
    with log.open("rb") as file:
        file.seek(size)
        lines = file.read().decode("utf-8", "replace").split("\n")
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "none")


def _process(server: Server) -> psutil.Process | None:
    """Return the process of a server while it runs: never another one that has got its number since."""
    with suppress(psutil.Error):
        process = psutil.Process(server.pid)
        if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(RUN) == server.run:
            return process
    return None


def _listens(process: psutil.Process, port: int) -> bool:
    with suppress(psutil.Error):
        for part in (process, *process.children(recursive=True)):
            if any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in part.net_connections("tcp")):
                return True
    return False


def _end(process: psutil.Process | None, seconds: float) -> None:
    """Ask a process and its children to end; kill those that have not after some seconds."""
    with suppress(psutil.NoSuchProcess):
        parts = [process, *process.children(recursive=True)] if process else []
        for ask in ("terminate", "kill"):
            for part in parts:
                with suppress(psutil.NoSuchProcess):
                    getattr(part, ask)()
            _, parts = psutil.wait_procs(parts, timeout=seconds)
