"""`trainer studio up`."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainer.cli.options import STDERR, say
from trainer.cli.studio.options import DEFAULT_DATA, DEFAULT_VENV, AsJson, Data, report

if TYPE_CHECKING:
    from trainer.studio.server import Account

NAME = "up"


def command(
    data: Data = DEFAULT_DATA,
    port: Annotated[int, typer.Option("--port", "-p", help="Port on 127.0.0.1.", min=1, max=65535)] = 8080,
    username: Annotated[
        str | None,
        typer.Option(
            "--username",
            help="E-mail address to sign in with, for a new account.",
            show_default="LABEL_STUDIO_USERNAME or you@localhost",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file", help="File with the token of a new account.", show_default="LABEL_STUDIO_API_KEY", metavar="FILE"
        ),
    ] = None,
    venv: Annotated[
        Path, typer.Option("--venv", help="Virtual environment with Label Studio, apart from the toolkit's own.", metavar="DIR")
    ] = DEFAULT_VENV,
    executable: Annotated[
        str | None, typer.Option("--executable", help="The label-studio command to run instead.", metavar="FILE")
    ] = None,
    install: Annotated[bool, typer.Option("--install", help="Install Label Studio in --venv first if it is not there.")] = False,
    wait: Annotated[float, typer.Option("--wait", help="Seconds it may take to start.", min=1)] = 600.0,
    as_json: AsJson = False,
) -> None:
    """Start a Label Studio in the background, for this machine alone, and say how to sign in.

    It runs until `trainer studio down`. The first start makes an account: its password is taken from LABEL_STUDIO_PASSWORD or
    asked for; if LABEL_STUDIO_API_KEY holds 40 hexadecimal digits, that is its token, and the other commands work at once.
    Its database is an SQLite file in --data; for PostgreSQL, Label Studio's own variables count (DJANGO_DB=default,
    POSTGRE_HOST, POSTGRE_PORT, POSTGRE_NAME, POSTGRE_USER, POSTGRE_PASSWORD).

    Example: trainer studio up --install

    Example: export LABEL_STUDIO_API_KEY=$(python -c "import secrets; print(secrets.token_hex(20))"); trainer studio up
    """
    found = up(
        data, port, username=username, token_file=token_file, venv=venv, executable=executable, install=install, wait=wait
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        _show(found)


def up(
    data: Path = DEFAULT_DATA,
    port: int = 8080,
    *,
    username: str | None = None,
    token_file: Path | None = None,
    venv: Path = DEFAULT_VENV,
    executable: str | None = None,
    install: bool = False,
    wait: float = 600.0,
) -> dict[str, Any]:
    """Start Label Studio unless it runs already, and return where it is, JSON-ready; the token is not part of that."""
    from trainer.errors import InputError
    from trainer.studio import server

    state, running = server.status(data)
    if state == "unhealthy" and running:
        hint = f"Stop it: trainer studio down --data {data}"
        raise InputError(f"Label Studio runs (process {running.pid}) and does not answer", where=running.url, hint=hint)
    if running and username and username.lower() not in (server.accounts(data, os.environ) or [username.lower()]):
        hint = f"Stop it first: trainer studio down --data {data}"
        raise InputError("an account is made when Label Studio starts, and it runs already", where=username, hint=hint)
    token = _token(token_file)
    new, made = running is None, None
    if running is None:
        program = _program(venv, executable, install)
        server.check_port(port)
        made = _account(data, username, token)  # whatever is asked for is asked before the long wait
        if not program.exists():
            _install(venv)
        with _waiting("starting Label Studio, at the first time a minute or two"):
            running = server.start(program, data, port, account=made, seconds=wait)
    accounts = server.accounts(data, os.environ)
    return {
        **report("up", data, running),
        "new": new,
        "account": made.username if made else next(iter(accounts or ()), None),
        "accounts": accounts,
        "token": server.judge_token(running.port, token),
    }


def _program(venv: Path, executable: str | None, install: bool) -> Path:
    """Return the label-studio command, which may be missing where it is to be installed."""
    from trainer.errors import InputError
    from trainer.studio import install as installation

    if executable is not None:
        found = shutil.which(executable)
        if found is None:
            raise InputError(
                "is not a command that can be run", where=executable, hint="Give --executable a label-studio command."
            )
        return Path(found).absolute()
    program = installation.executable_of(venv).absolute()
    if not program.exists() and not install:
        what = f"Label Studio {installation.version()} ({installation.WHAT_IT_TAKES})"
        hint = f"To install {what} there: trainer studio up --install --venv {venv}. Or name one with --executable."
        raise InputError("Label Studio is not installed there", where=str(venv), hint=hint)
    return program


def _install(venv: Path) -> None:
    from trainer.studio import install as installation

    say(f"Label Studio {installation.version()} goes into {venv}: {installation.WHAT_IT_TAKES}.")
    with _waiting("installing Label Studio"):
        installation.install(venv)


def _token(token_file: Path | None) -> str:
    if token_file is None:
        return os.environ.get("LABEL_STUDIO_API_KEY", "").strip()
    from trainer.errors import InputError

    try:
        return token_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({getattr(error, 'strerror', None) or error})", where=str(token_file)) from None


def _account(data: Path, username: str | None, token: str) -> Account | None:
    """Return the account that this start is to make, None where it is there already; ask for what is not given."""
    from trainer.errors import InputError
    from trainer.studio import server

    known = server.accounts(data, os.environ)
    password = os.environ.get("LABEL_STUDIO_PASSWORD", "")
    asked_for, username = username is not None, username or os.environ.get("LABEL_STUDIO_USERNAME", "")
    if username.lower() in (known or ()) or (not username and known):
        return None
    if known is None and not asked_for and not (username and password):
        return None
    username = username or f"{getpass.getuser()}@localhost"
    if not password:
        if not sys.stdin.isatty():
            raise InputError("the new account needs a password", where=username, hint="Set LABEL_STUDIO_PASSWORD.")
        say(f"A new account, {username}, on your own Label Studio.")
        password = typer.prompt("Choose a password", hide_input=True, confirmation_prompt=True, err=True)
    return server.Account(username.lower(), password, token if server.LEGACY_TOKEN.fullmatch(token) else "")


@contextmanager
def _waiting(message: str) -> Iterator[None]:
    """Say what takes its time, with a clock on a terminal."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    if not STDERR.is_terminal:
        say(message)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=STDERR, transient=True, disable=not STDERR.is_terminal) as bar:
        bar.add_task(message, total=None)
        yield


def _show(found: dict[str, Any]) -> None:
    from trainer.schema import NEWS_LABELS

    personal = f"create a personal access token at {found['url']}/user/account and export it as LABEL_STUDIO_API_KEY"
    tokens = {
        "accepted": "accepted; trainer labels push can go on",
        "refused": f"refused: it becomes an account's token only when the account is made. Instead, {personal}",
        "unknown": "a personal access token, it seems; trainer labels push will tell whether it is good",
        "none": personal,
    }
    typer.echo(f"{'up' if found['new'] else 'already up'}: {found['url']} (process {found['pid']})")
    typer.echo(f"sign in: {found['account'] or 'your account'}, with the password it was made with")
    typer.echo(f"token: {tokens[found['token']]}")
    keys = ", ".join(f"{label.hotkey} {label.name}" for label in NEWS_LABELS)
    typer.echo(f"keys: j next paragraph, {keys} for the selected one, Shift+Enter submit")
    where = "" if Path(found["data"]) == DEFAULT_DATA else f" --data {found['data']}"
    typer.echo(f"log: {found['log']}; stop it with: trainer studio down{where}")
