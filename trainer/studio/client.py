"""A running Label Studio: its address and token, and what the toolkit asks of it."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from trainer.errors import InputError, ServerError

if TYPE_CHECKING:
    import httpx
    from label_studio_sdk.core.api_error import ApiError

DEFAULT_URL = "http://127.0.0.1:8080"
URL_VARIABLE, TOKEN_VARIABLE = "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"
PATIENCE = 180.0  # seconds a server that has answered before may be away; a restart takes most of a minute
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 300.0
PAGE = 250  # tasks; of some 30 paragraphs each they make an answer of a few megabytes
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_ONCE: Any = {"max_retries": 0}  # tenacity retries here; the SDK would send an import twice
_DETAIL_CHARS = 200
_GET_TOKEN = f"Copy one from Label Studio, Account & Settings, into {TOKEN_VARIABLE} or a file for --token-file."

Task = dict[str, Any]
Note = Callable[[str], None]


class UnansweredError(ServerError):
    """No answer, or a failure that may pass: whether the request was carried out is not known."""


class Client:
    """A Label Studio that answers to a token; a context manager, which closes the connection.

    Reading is tried again for `patience` seconds where the server does not answer. Writing is not: what it raises then,
    `UnansweredError`, asks to look first what was done.

    Args:
        url: its address. token: a personal access token or a legacy one; never shown. note: told, in a line, of waiting.

    Raises:
        InputError: an address or token that cannot be one. Methods raise ServerError.
    """

    def __init__(self, url: str, token: str, *, note: Note = lambda _: None, patience: float = 0.0) -> None:
        import httpx
        import label_studio_sdk

        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            hint = f"Give --url or {URL_VARIABLE} an address like {DEFAULT_URL}."
            raise InputError("is not the address of a server", where=_without_account(url), hint=hint)
        if not re.fullmatch(r"[!-~]+", token):
            raise InputError("the token is empty or holds characters that no token has", hint=_GET_TOKEN)
        self.url = _without_account(url).rstrip("/")
        self._note, self._patience, self._answered = note, patience, False
        self._token = token
        try:
            self._transport = httpx.Client(
                timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
                follow_redirects=False,  # a redirected import would become a GET
                trust_env=not _is_loopback(parts.hostname),  # no proxy leads to this machine
            )
            address = url.rstrip("/") + "/"
            sdk: Any = label_studio_sdk.LabelStudio
            self._sdk = sdk(base_url=address, api_key=token, timeout=ANSWER_SECONDS, httpx_client=self._transport)
        except Exception as error:
            self._fail(error)

    def __enter__(self) -> Client:
        """Return the client."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the connection."""
        self._transport.close()

    # ── projects

    def projects(self, title: str) -> list[dict[str, Any]]:
        """Return the projects of exactly this title, as the server describes them."""
        found = self._get("api/projects/", title=title, include="id,title", page_size=1000)["results"]
        return [self.project(project["id"]) for project in found if project["title"] == title]

    def project(self, number: int) -> dict[str, Any]:
        """Return a project by its number."""
        return dict(self._get(f"api/projects/{number}/"))

    def create_project(self, **fields: Any) -> None:
        """Create a project; title, label_config and so on."""
        self._write(lambda: self._sdk.projects.create(**fields, request_options=_ONCE))

    def update_project(self, project: int, **fields: Any) -> None:
        """Change fields of a project."""
        self._write(lambda: self._sdk.projects.update(project, **fields, request_options=_ONCE))

    def model_versions(self, project: int) -> dict[str, int]:
        """Return how many predictions each model version has."""
        return {str(name): int(count) for name, count in self._get(f"api/projects/{project}/model-versions/").items() if count}

    def annotators(self) -> dict[int, str]:
        """Return the e-mail address, else the user name, of each user by number."""
        users = self._read(lambda: list(self._sdk.users.list(request_options=_ONCE)))
        return {user.id: user.email or user.username for user in users}

    # ── tasks

    def tasks(self, project: int, *filters: dict[str, Any], whole: bool = False) -> Iterator[tuple[list[Task], int]]:
        """Yield pages of tasks and how many there are from each page on, by rising number.

        Each page starts behind the last number of the page before, so that tasks that come, go or change meanwhile
        neither hide others nor show them twice.

        Args:
            filters: as the data manager takes them, see `tasks_filter`. whole: with annotations and predictions.
        """
        last = 0
        while True:
            items = [tasks_filter("id", "greater", last, "Number"), *filters]
            query = {"filters": {"conjunction": "and", "items": items}, "ordering": ["tasks:id"]}
            page = self._get(
                "api/tasks/",
                project=project,
                page=1,
                page_size=PAGE,
                fields="all" if whole else "task_only",
                resolve_uri=False,
                query=json.dumps(query),
            )
            if not page["tasks"]:
                return
            yield list({task["id"]: task for task in page["tasks"]}.values()), page["total"]
            last = page["tasks"][-1]["id"]

    def import_tasks(self, project: int, tasks: Sequence[Task]) -> None:
        """Add tasks with their predictions, all or none of them."""
        self._write(lambda: self._sdk.projects.import_tasks(project, request=tasks, request_options=_ONCE))

    def delete_tasks(self, project: int, tasks: Sequence[int]) -> None:
        """Delete tasks by number."""
        selected: Any = {"all": False, "included": list(tasks)}
        self._send("POST", "api/dm/actions/", {"selectedItems": selected}, id="delete_tasks", project=project)

    def import_predictions(self, project: int, predictions: Sequence[dict[str, Any]]) -> None:
        """Add predictions to tasks that are there; each names its task."""
        self._write(lambda: self._sdk.projects.import_predictions(project, request=predictions, request_options=_ONCE))

    def delete_predictions(self, project: int, version: str) -> None:
        """Delete all predictions of a model version."""
        self._send("DELETE", f"api/projects/{project}/model-versions/", {"model_version": version})

    # ── requests

    def _get(self, path: str, **params: Any) -> Any:
        """Read without the SDK's models, which take as long again as the server does for a page of tasks."""
        return self._read(lambda: self._request("GET", path, params=params))

    def _send(self, method: str, path: str, body: dict[str, Any], **params: Any) -> None:
        self._write(lambda: self._request(method, path, params=params, json=body))

    def _request(self, method: str, path: str, **content: Any) -> Any:
        from label_studio_sdk.core.api_error import ApiError

        transport = self._sdk._client_wrapper.httpx_client  # the SDK's own: it keeps the access token fresh
        answer = transport.request(path, method=method, request_options=_ONCE, **content)
        good = 200 <= answer.status_code < 300
        try:
            found = answer.json() if answer.content else None
        except ValueError:
            good, found = False, answer.text
        if not good:
            raise ApiError(status_code=answer.status_code, headers=dict(answer.headers), body=found)
        return found

    def _read(self, ask: Callable[[], Any]) -> Any:
        patience = self._patience if self._answered else 0.0

        def say(state: RetryCallState) -> None:
            if state.attempt_number == 1:
                self._note(f"{self.url} does not answer; trying again for up to {patience:.0f} s")

        retrying = Retrying(
            retry=retry_if_exception_type(UnansweredError),
            stop=stop_after_delay(patience),
            wait=wait_exponential(multiplier=0.5, max=5),
            before_sleep=say,
            reraise=True,
        )
        try:
            return retrying(self._write, ask)
        except UnansweredError as error:
            raise ServerError(error.cause, where=error.where, hint=error.hint) from None

    def _write(self, ask: Callable[[], Any]) -> Any:
        try:
            found = ask()
        except Exception as error:
            self._fail(error)
        self._answered = True
        return found

    def _fail(self, error: Exception) -> NoReturn:
        import httpx
        from label_studio_sdk.core.api_error import ApiError

        if isinstance(error, ApiError):
            raise self._refused(error) from None
        if isinstance(error, httpx.HTTPError | json.JSONDecodeError):
            raise self._unanswered(error) from None
        raise error

    def _refused(self, error: ApiError) -> ServerError:
        status = error.status_code or 0
        said = self._shown(_detail(error.body))
        if status in _TRANSIENT:
            return UnansweredError(
                f"Label Studio failed with status {status}{said}", where=self.url, hint="See the server's log."
            )
        if status in {401, 403}:
            return ServerError(f"the token is refused{said}", where=self.url, hint=_GET_TOKEN)
        if 300 <= status < 400:
            target = (error.headers or {}).get("location", "another address")
            hint = f"Give --url or {URL_VARIABLE} the address it points to."
            return ServerError(f"redirects to {_without_account(target)}", where=self.url, hint=hint)
        if status == 404 or 200 <= status < 300:
            hint = f"Check --url or {URL_VARIABLE}; it may be another program."
            return ServerError(f"does not answer as Label Studio does (status {status}{said})", where=self.url, hint=hint)
        return ServerError(f"Label Studio refused with status {status}{said}", where=self.url)

    def _unanswered(self, error: httpx.HTTPError | json.JSONDecodeError) -> ServerError:
        reason = self._shown(f" ({str(error) or type(error).__name__})")
        hint = f"Start one: trainer studio up; or give --url or {URL_VARIABLE} the address of yours."
        return UnansweredError(f"no Label Studio answers{reason}", where=self.url, hint=hint)

    def _shown(self, text: str) -> str:
        return text.replace(self._token, "***")[:_DETAIL_CHARS]


def tasks_filter(column: str, operator: str, value: object, kind: str) -> dict[str, Any]:
    """Return a filter for `Client.tasks`."""
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def connect(url: str | None = None, token_file: Path | None = None, *, note: Note = lambda _: None) -> Client:
    """Return the Label Studio that the options or else the environment name.

    Raises:
        InputError: no token, a token file that cannot be read, or an address that is none.
    """
    if token_file is not None:
        try:
            token = token_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not a text"
            raise InputError(f"the token cannot be read ({reason})", where=str(token_file), hint=_GET_TOKEN) from None
    else:
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise InputError("no token for Label Studio", where=str(token_file or ""), hint=_GET_TOKEN)
    return Client(url or os.environ.get(URL_VARIABLE) or DEFAULT_URL, token, note=note, patience=PATIENCE)


def _without_account(url: str) -> str:
    """Return an address without the name and password it may hold."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else url


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _detail(body: Any) -> str:
    """Return what an error's body says, in brackets; nothing of a page for browsers."""
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            body = "" if "<html" in body[:500].lower() else body
    if isinstance(body, dict):
        body = body.get("validation_errors") or body.get("detail") or body
    text = " ".join((body if isinstance(body, str) else json.dumps(body, default=str)).split()) if body else ""
    return f": {text}" if text else ""
