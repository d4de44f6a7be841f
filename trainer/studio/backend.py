"""A machine-learning backend for Label Studio: labels tasks as they are opened, and learns from what people submit.

It answers the calls that Label Studio makes of a backend: health, setup, versions, predict, webhook.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Body, FastAPI, HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from trainer.errors import ServerError
from trainer.studio import interface
from trainer.studio.push import Predictor
from trainer.studio.retraining import Retraining

NAME = "paragraph-trainer"
LOOPBACK_NAMES = ["localhost", "127.0.0.1"]
_SUBMITTED = {"ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED"}

Payload = Annotated[dict[str, Any], Body()]
logger = logging.getLogger(__name__)


class Backend:
    """What serves: `predictor` may be replaced at any time; a request works with the one it began with."""

    def __init__(self, predictor: Predictor, retraining: Retraining | None = None) -> None:
        self.predictor = predictor
        self.retraining = retraining
        if retraining:
            retraining.on_model = self.swap

    def swap(self, predictor: Predictor) -> None:
        """Serve another model from now on."""
        self.predictor = predictor
        logger.info("serving %s", predictor.version)

    def health(self) -> dict[str, Any]:
        """Return that it is up, the model version and how retraining stands."""
        training = {"training": self.retraining.status()} if self.retraining else {}
        return {"status": "UP", "model_class": NAME, "model_version": self.predictor.version, **training}

    def predict(self, tasks: Sequence[Mapping[str, Any]], xml: str) -> list[Any]:
        """Return a prediction for each task, in order; an empty list for a task that trainer labels push did not make.

        Raises:
            ServerError: the project's interface does not fit.
        """
        predictor = self.predictor
        check_interface(xml, predictor)
        found: list[Any] = [[] for _ in tasks]
        data = [task["data"] if isinstance(task.get("data"), dict) else {} for task in tasks]
        ours = [(place, texts) for place, item in enumerate(data) if (texts := interface.texts_of(item)) is not None]
        given = [interface.given_labels(data[place], predictor.labels) for place, _ in ours]
        verdicts = [interface.given_verdict(data[place]) for place, _ in ours]
        for (place, _), made in zip(ours, predictor([texts for _, texts in ours], given, verdicts), strict=True):
            found[place] = made
        return found

    def hear(self, payload: Mapping[str, Any]) -> None:
        """Take note of what happened in a project."""
        project = payload.get("project")
        if self.retraining is None or not isinstance(project, dict) or project.get("title") != self.retraining.project:
            return
        action = payload.get("action")
        if action == "START_TRAINING":
            self.retraining.start()
        elif action in _SUBMITTED:
            found = payload.get("annotation") or payload.get("annotations") or []
            annotations = found if isinstance(found, list) else [found]
            for annotation in annotations:
                if isinstance(annotation, dict) and not annotation.get("was_cancelled"):
                    self.retraining.submitted(annotation.get("id"))


def check_interface(xml: str, predictor: Predictor) -> None:
    """Refuse a project whose interface is not ours or lacks labels that the model gives.

    Raises:
        ServerError: see above.
    """
    shown = interface.shown_labels(xml)
    missing = [name for name in predictor.labels.names if name not in shown]
    if missing:
        cause = f"the project has no label {', '.join(missing)}, which the model gives"
        raise ServerError(cause, hint="Push articles with this model first: trainer labels push.")


def create_app(backend: Backend, host: str = "127.0.0.1") -> FastAPI:
    """Return the application; on a loopback address it answers only to names of this machine, so that no web page reaches it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if backend.retraining:
            backend.retraining.close()

    app = FastAPI(title=NAME, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    if is_loopback(host):
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK_NAMES, host])

    @app.get("/")
    @app.get("/health")
    def health() -> dict[str, Any]:
        return backend.health()

    @app.post("/setup")
    def setup(payload: Payload) -> dict[str, Any]:
        # The payload holds an access token in clear: it is neither looked at nor kept.
        predictor = backend.predictor
        _checked(str(payload.get("schema") or ""), predictor)
        return {"model_version": predictor.version}

    @app.get("/versions")
    def versions() -> dict[str, Any]:
        return {"versions": [backend.predictor.version]}

    @app.post("/predict")
    def predict(payload: Payload) -> dict[str, Any]:
        tasks = payload.get("tasks")
        if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
            raise HTTPException(400, "tasks is not a list of tasks")
        try:
            return {"results": backend.predict(tasks, str(payload.get("label_config") or ""))}
        except ServerError as error:
            raise HTTPException(400, str(error)) from None

    @app.post("/webhook")
    def webhook(payload: Payload) -> dict[str, Any]:
        backend.hear(payload)
        return {"status": "ok"}

    return app


def is_loopback(host: str) -> bool:
    """Return whether an address is reached from this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(xml: str, predictor: Predictor) -> None:
    try:
        check_interface(xml, predictor)
    except ServerError as error:
        logger.warning("refused a project: %s", error)
        raise HTTPException(400, str(error)) from None
