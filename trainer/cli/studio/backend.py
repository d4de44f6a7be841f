"""`trainer studio backend`."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.cli.options import ConfigFile, Model, TokenFile, Url, say

if TYPE_CHECKING:
    from fastapi import FastAPI

NAME = "backend"
HOST, PORT = "127.0.0.1", 9090
FOLDER = Path(".studio/backend")


def command(
    model: Model = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = HOST,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = PORT,
    retrain_after: Annotated[
        int | None,
        typer.Option(
            "--retrain-after", min=1, help="Retrain in the background when so many articles were submitted.", metavar="N"
        ),
    ] = None,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Project to learn from, with --retrain-after.", metavar="NAME")
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            "--labels",
            help="Train from scratch, on these label files too, instead of adapting --model to the project's labels.",
        ),
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Where retrained models and the log go.")] = FOLDER,
    config: ConfigFile = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Serve a model to Label Studio, which asks it for labels when a task is opened.

    Add it in the project's settings under Model. Label Studio refuses backends on its own machine unless it is told otherwise,
    which weakens its protection, and it sends its backends an access token: read docs/backend.md first. trainer labels push
    labels articles beforehand without any of this.

    With --retrain-after it pulls the labels of --project (the token comes from LABEL_STUDIO_API_KEY), trains, and serves the
    new model without a pause. A training that fails leaves the old one; /health says why.

    Example: trainer studio backend --model models/mine --project news --retrain-after 20
    """
    backend(
        model,
        host=host,
        port=port,
        retrain_after=retrain_after,
        project=project,
        labels=labels or (),
        folder=folder,
        config=config,
        url=url,
        token_file=token_file,
    )


def backend(
    model: Path | None = None,
    *,
    host: str = HOST,
    port: int = PORT,
    retrain_after: int | None = None,
    project: str | None = None,
    labels: Sequence[Path] = (),
    folder: Path = FOLDER,
    config: Path | None = None,
    url: str | None = None,
    token_file: Path | None = None,
) -> None:
    """Serve until interrupted; see `command`."""
    import uvicorn

    from trainer.studio.backend import is_loopback

    app = application(
        model,
        host=host,
        retrain_after=retrain_after,
        project=project,
        labels=labels,
        folder=folder,
        config=config,
        url=url,
        token_file=token_file,
    )
    with _listen(host, port) as listening:
        if not is_loopback(host):
            say(f"note: whoever reaches {host}:{port} can ask for labels and start trainings")
        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
        logging.getLogger("trainer").setLevel(logging.INFO)
        say(f"serving at http://{f'[{host}]' if ':' in host else host}:{port}; Ctrl-C stops it")
        uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        from trainer.errors import InputError

        hint = "Choose another --port or --host."
        raise InputError(f"cannot be listened on ({error.strerror or error})", where=f"{host}:{port}", hint=hint) from None


def application(
    model: Path | None = None,
    *,
    host: str = HOST,
    retrain_after: int | None = None,
    project: str | None = None,
    labels: Sequence[Path] = (),
    folder: Path = FOLDER,
    config: Path | None = None,
    url: str | None = None,
    token_file: Path | None = None,
) -> FastAPI:
    """Return the application that `backend` serves; arguments as in `command`."""
    from trainer import artifact
    from trainer.config import load_config
    from trainer.errors import InputError
    from trainer.studio import client
    from trainer.studio.backend import Backend, create_app
    from trainer.studio.project import check_model
    from trainer.studio.push import Predictor
    from trainer.studio.retraining import Retraining

    if (retrain_after is None) != (project is None) or (labels and project is None):
        raise InputError("--retrain-after and --project go together", hint="See trainer studio backend --help.")
    settings = load_config(config)
    source = artifact.find(model)
    classifier = artifact.load(source)
    check_model(classifier, settings.label_set)
    retraining = None
    if retrain_after is not None and project is not None:
        with client.connect(url, token_file, note=say) as server:
            server.projects(project)  # the token is refused now, and not when people have worked
        pull = [*_option("--config", config), *_option("--url", url), *_option("--token-file", token_file)]
        train = [str(path) for path in labels] or ["--base", str(source)]
        train += _option("--config", config)
        retraining = Retraining(project, retrain_after, folder, classifier.name, settings.label_set, pull=pull, train=train)
    say(f"model {classifier.name}, {classifier.digest[:12]}")
    return create_app(Backend(Predictor(settings.label_set, classifier), retraining), host)


def _option(name: str, value: Path | str | None) -> list[str]:
    return [] if value is None else [name, str(value)]
