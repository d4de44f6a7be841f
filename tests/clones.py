"""Git repositories that hold written pages, and the stand-off lines of those pages; shared by the tests of hydrating."""

from __future__ import annotations

import gzip
import os
import subprocess
from html import escape
from pathlib import Path
from typing import Any

from trainer.standoff import fingerprint

STORY = [
    ("Menu", "v"),
    ("Ferry company loses island contract", "n"),
    ("By Orla Fenn", "b"),
    ("The boat will leave at four.", "n"),
    ("The quay. Photo: T. Reyk", "c"),
    ("Menu", "v"),
    ("No owner pays for this page. You can.", "f"),
    ("Second tug sent to the wreck", "r"),
    ("Three months for £3. Cancel any time.", "p"),
    ("Orla Fenn covers ports. She lives on a boat.", "a"),
    ("© Lund Herald", "l"),
    ("gullwatcher: The old ferry never broke.", "u"),
]
REPOSITORY = "lund/pages"
IDENTITY = {f"GIT_{who}_{what}": "x@x.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(folder: Path, *arguments: object) -> str:
    """Run git in a folder without the settings of this machine's user."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **IDENTITY}
    command = ["git", "-C", str(folder), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=kept | plain).stdout.strip()


def publish(folder: Path, files: dict[str, bytes]) -> str:
    """Commit files to the repository in a folder, a new one where there is none, and return the commit."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "pages")
    return git(folder, "rev-parse", "HEAD")


def html(texts: list[str]) -> bytes:
    """Return a page of paragraphs."""
    return ("<html><body>" + "\n".join(f"<p>{escape(text)}</p>" for text in texts) + "</body></html>").encode()


def page(number: int = 0) -> bytes:
    """Return the HTML of the story; each number gives another headline."""
    return html([text for text, _ in story(number)])


def story(number: int = 0) -> list[tuple[str, str]]:
    """Return texts and kind letters of the story."""
    return [(f"{text}, again" * number or text, letter) if i == 1 else (text, letter) for i, (text, letter) in enumerate(STORY)]


def line(number: int = 0, **fields: Any) -> dict[str, Any]:
    """Return the stand-off line of the story."""
    plain = {
        "id": f"s{number}",
        "site": f"s{number % 3}.example",
        "repo": REPOSITORY,
        "commit": "0" * 40,
        "path": f"html/{number}.html",
        "blocks": " ".join(fingerprint(text) + letter for text, letter in story(number)),
    }
    return {**plain, **fields}


def packed(data: bytes) -> bytes:
    """Return data as gzip packs it."""
    return gzip.compress(data, mtime=0)
