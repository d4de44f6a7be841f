"""Real crawls: a server of written pages on loopback, and Scrapy in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from small import ROOT

EXAMPLE = ROOT / "examples" / "scrapy"
PAGES = sorted(path.name for path in (EXAMPLE / "site").glob("*.html") if path.stem != "index")
MENU = "Home\nShare this article\nSubscribe\nRead more"  # an article of residue alone
TIMES = ("elapsed_time_seconds", "start_time", "finish_time", "memusage/", "per_minute")


class Server(NamedTuple):
    """A running server: its port, and the paths it was asked for so far."""

    port: int
    asked: list[str]

    def url(self, path: str = "", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{path}"


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve a folder on a free port of the loopback device."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, *_: object) -> None:
            asked.append(self.path)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield Server(server.server_address[1], asked)
        finally:
            server.shutdown()
            thread.join()


def run(*command: object, cwd: Path | None = None, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command with this checkout's package."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*map(str, command)], input=given, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


class Crawl(NamedTuple):
    """What became of a crawl: items with the spider's name for each, reasons of drops, stats, what the worker noted, the log."""

    items: dict[str, dict[str, Any]]
    dropped: dict[str, str]
    stats: dict[str, Any]
    noted: dict[str, Any]
    log: str
    code: int

    def of(self, prefix: str) -> dict[str, Any]:
        """Return the stats below a prefix, without it."""
        return {key.removeprefix(prefix): value for key, value in self.stats.items() if key.startswith(prefix)}


def crawl(**job: Any) -> Crawl:
    """Crawl as `crawl_worker.py` describes."""
    done = run(sys.executable, Path(__file__).parent / "crawl_worker.py", given=json.dumps(job))
    found = json.loads(done.stdout) if done.stdout else {"items": {}, "dropped": {}, "stats": {}, "noted": {}}
    stats = {key: value for key, value in found["stats"].items() if not any(part in key for part in TIMES)}
    return Crawl(found["items"], found["dropped"], stats, found["noted"], done.stderr, done.returncode)
