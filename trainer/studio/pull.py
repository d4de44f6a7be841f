"""Labels from Label Studio: what each person said of each paragraph."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from trainer.errors import InputError, ServerError
from trainer.schema import LabelSet
from trainer.studio import interface
from trainer.studio.client import Client, Task, tasks_filter

Tick = Callable[[str, int, int], None]
UNKNOWN_SITE = "unknown"


class Said(NamedTuple):
    """The label that a person gave to a paragraph, and when, ISO 8601."""

    annotator: str
    label: str
    updated: str


@dataclass
class Pulled:
    """An article as people labelled it.

    Attributes:
        whole: its paragraphs are those that were pushed, in all its tasks. heard: for each paragraph and person, when they
            gave which label. verdicts: for each person, what they say of the whole article, see `verdicts`, and when.
    """

    id: str
    site: str
    source: str
    texts: tuple[str, ...]
    whole: bool
    heard: list[dict[str, dict[str, str]]]
    verdicts: dict[str, Said] = field(default_factory=dict)

    def said(self, index: int) -> list[Said]:
        """Return what was said of a paragraph, the latest last; people who gave it several labels are left out."""
        clear = [Said(who, *next(iter(labels.items()))) for who, labels in self.heard[index].items() if len(labels) == 1]
        return sorted(clear, key=lambda said: (said.updated, said.annotator))

    def unclear(self, index: int) -> bool:
        """Return whether somebody gave a paragraph several labels."""
        return any(len(labels) > 1 for labels in self.heard[index].values())


@dataclass
class Harvest:
    """All labelled articles of a project by id, and what was left out: counts of annotations, regions by label, tasks."""

    articles: dict[str, Pulled] = field(default_factory=dict)
    annotations: int = 0
    cancelled: int = 0
    unknown_labels: Counter[str] = field(default_factory=Counter)
    foreign_tasks: int = 0


def pull(client: Client, title: str, labels: LabelSet, *, anonymous: bool = False, tick: Tick = lambda *_: None) -> Harvest:
    """Read all submitted annotations of a project; `anonymous` names people by their number on the server.

    Raises:
        ServerError: there is no such project, or the server refuses or is away for long.
    """
    found = client.projects(title)
    if len(found) != 1:
        hint = "Rename one of them in Label Studio." if found else f"Create it: trainer labels push ARTICLES --project {title!r}"
        raise ServerError(f"{len(found) or 'no'} projects are called {title!r}", where=client.url, hint=hint)
    annotators = None if anonymous else client.annotators()
    return collect(_annotated(client, found[0]["id"], tick), labels, annotators)


def _annotated(client: Client, project: int, tick: Tick) -> Iterator[Task]:
    seen = 0
    for page, left in client.tasks(project, tasks_filter("annotators", "empty", "False", "List"), whole=True):
        yield from page
        seen += len(page)
        tick("tasks", seen, max(seen + left - len(page), seen))


def read_export(path: Path, labels: LabelSet, *, anonymous: bool = False) -> Harvest:
    """Read Label Studio's JSON export; `anonymous` as in `pull`.

    Raises:
        InputError: the file cannot be read or is not such an export.
    """
    hint = "Export the project as JSON (not JSON-MIN) in Label Studio."
    try:
        tasks = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path), hint=hint) from None
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg}, line {error.lineno}" if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise InputError(f"bad JSON ({reason})", where=str(path), hint=hint) from None
    if not isinstance(tasks, list) or not all(isinstance(t, dict) and isinstance(t.get("annotations"), list) for t in tasks):
        raise InputError("is not a JSON export: expected a list of tasks with annotations", where=str(path), hint=hint)
    try:
        return collect(tasks, labels, None if anonymous else {})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"is not a JSON export ({type(error).__name__}: {error})", where=str(path), hint=hint) from None


def collect(tasks: Iterable[Task], labels: LabelSet, annotators: Mapping[int, str] | None) -> Harvest:
    """Put together what people submitted; drafts and skipped tasks count for nothing.

    Args:
        annotators: names by the number of the user; None to name nobody but by number.

    Raises:
        InputError: two articles have the same id.
    """
    harvest = Harvest()
    keys: dict[str, str] = {}
    for task in tasks:
        data = task["data"] if isinstance(task.get("data"), dict) else {}
        texts = interface.texts_of(data)
        submitted = [annotation for annotation in task["annotations"] if not annotation.get("was_cancelled")]
        if texts is None:
            harvest.foreign_tasks += 1
            continue
        harvest.cancelled += len(task["annotations"]) - len(submitted)
        harvest.annotations += len(submitted)
        if not submitted:
            continue
        if keys.setdefault(data["id"], data["key"]) != data["key"]:
            raise InputError(f"two articles of the project have the id {data['id']!r}", hint="Delete the task of one of them.")
        article = harvest.articles.setdefault(data["id"], _article(data, texts))
        if list(article.texts) != texts:  # another task of the same article, edited on the server
            article.whole = False
            continue
        for annotation in submitted:
            _listen(article, annotation, _name(annotation.get("completed_by"), annotators), labels, harvest.unknown_labels)
    return harvest


def _article(data: Mapping[str, Any], texts: list[str]) -> Pulled:
    site, source = str(data.get("site") or UNKNOWN_SITE), str(data.get("source") or "")
    whole = data.get("digest") == interface.digest(texts)
    return Pulled(data["id"], site, source, tuple(texts), whole, [{} for _ in texts])


def _listen(article: Pulled, annotation: Mapping[str, Any], who: str, labels: LabelSet, unknown: Counter[str]) -> None:
    """Note the labels of an annotation."""
    when = str(annotation.get("updated_at") or annotation.get("created_at") or "")
    verdict = interface.verdict(annotation["result"])
    if verdict and when >= article.verdicts.get(who, Said(who, verdict, "")).updated:
        article.verdicts[who] = Said(who, verdict, when)
    for region in interface.regions(annotation["result"]):
        for label in region.labels:
            if label not in labels.index:
                unknown[label] += 1
                continue
            for heard in article.heard[region.first : region.last + 1]:
                given = heard.setdefault(who, {})
                given[label] = max(when, given.get(label, ""))


def _name(user: object, annotators: Mapping[int, str] | None) -> str:
    """Return the e-mail address of who annotated; an export of the open edition knows the user's number only."""
    known: Mapping[str, Any] = user if isinstance(user, dict) else {"id": user}
    number: Any = known.get("id")
    name = "" if annotators is None else known.get("email") or known.get("username") or annotators.get(number)
    return str(name or (f"user {number}" if isinstance(number, int) else "unknown"))
