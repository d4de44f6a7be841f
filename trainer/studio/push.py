"""Articles to Label Studio: each is a task once, with regions made beforehand by the newest model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from trainer.errors import InputError
from trainer.model import Classifier
from trainer.result import Prediction, predictions
from trainer.schema import LabelSet
from trainer.studio import interface
from trainer.studio.articles import Article
from trainer.studio.client import Client, Note, UnansweredError, tasks_filter
from trainer.studio.project import check_seeds, find_or_create

BATCH_TASKS, BATCH_CHARS = 200, 2_000_000  # of one request
ATTEMPTS = 4  # in a row that brought nothing further

Tick = Callable[[str, int, int], None]


class Predictor(NamedTuple):
    """What makes the regions: a model, or, with None, the seed: the first label that is kept."""

    labels: LabelSet
    model: Classifier | None

    @property
    def version(self) -> str:
        """The model version that Label Studio shows."""
        return f"{interface.OURS}{self.model.name}@{self.model.digest[:12]}" if self.model else interface.SEED

    def __call__(
        self, texts: Sequence[Sequence[str]], given: Sequence[Sequence[str | None]], verdicts: Sequence[str | None]
    ) -> Iterator[dict[str, Any]]:
        """Yield a prediction for each article, see `interface.prediction`."""
        seed = self.labels.names[self.labels.kept[0]]
        columns = self.model.predict_proba(texts).T if self.model else None
        begin = 0
        for paragraphs, labels, verdict in zip(texts, given, verdicts, strict=True):
            predicted: list[Prediction] | None = None
            if self.model and columns is not None:
                predicted = predictions(columns[:, begin : begin + len(paragraphs)], self.model.labels.names)
                begin += len(paragraphs)
            yield interface.prediction(paragraphs, labels, predicted, seed, self.version, verdict)


class _Stored(NamedTuple):
    """A task on the server."""

    id: int
    article: str
    digest: str
    touched: bool  # has annotations


def push(
    client: Client,
    title: str,
    articles: Sequence[Article],
    predictor: Predictor,
    *,
    guidelines: str = "",
    renew_guidelines: bool = False,
    tick: Tick = lambda *_: None,
    note: Note = lambda _: None,
) -> dict[str, Any]:
    """Bring a project up to date: a task for each article, and predictions of this model on all tasks of ours.

    A task that is there stays as it is. Label Studio shows the predictions of one model version a project, so those of
    the tasks pushed before are made anew by this model, and its older ones go; other people's stay. Where the server
    fails in the middle, it looks again what is there and goes on, so nothing is pushed twice.

    Args:
        title: the project's; it is created where missing. guidelines: address or text for a new project, see
            `interface.instruction`; with renew_guidelines for one that is there, too.
        tick: told what is done of how much. note: told of what the user should know.

    Returns:
        Counts, JSON-ready.

    Raises:
        InputError: a prediction does not fit. ServerError: the server refuses, is away for long, or the project's label
            set or interface does not fit.
    """
    project = find_or_create(client, title, predictor.labels, guidelines, renew=renew_guidelines)
    if predictor.model is None:
        check_seeds(client, project["id"])
    work = _Work(client, project["id"], project["label_config"], predictor, tick)
    failures, before, done = 0, 0, False
    while not done:
        try:
            done = work.do(articles)
        except UnansweredError as error:
            failures, before = failures + 1 if work.sent == before else 1, work.sent
            if failures >= ATTEMPTS:
                raise
            note(f"{error.cause}; looking what was done before going on")
    if not work.shown:
        note(f"the project does not show our predictions: choose {predictor.version} in its settings, under Annotation")
    return {
        "project": title,
        "url": f"{client.url}/projects/{project['id']}/data",
        "articles": len(articles),
        "new": sum(article.key not in work.known for article in articles),
        "changed": [a.data["id"] for a in articles if work.known.get(a.key, a.data["digest"]) != a.data["digest"]],
        "model_version": predictor.version,
        "shown": work.shown,
        "predictions_replaced": work.replaced,
        "doubles_deleted": work.deleted,
    }


class _Work:
    """One push; `do` may be called again after a failure and goes on from what the server has."""

    def __init__(self, client: Client, project: int, xml: str, predictor: Predictor, tick: Tick) -> None:
        self._client, self._project, self._xml, self._predict, self._tick = client, project, xml, predictor, tick
        self.known: dict[str, str] = {}  # digest of each key that was there at first
        self.sent = self.replaced = self.deleted = 0
        self.shown = False
        self._looked = False

    def do(self, articles: Sequence[Article]) -> bool:
        """Do what is missing; return whether nothing came from elsewhere meanwhile, as the rest of a stopped push may."""
        stored, there = self._stored()
        if not self._looked:
            self.known = {key: tasks[0].digest for key, tasks in stored.items()}
            self._looked = True
        self._check_ids(stored, articles)
        deleted = self._delete_doubles(stored)
        new = [article for article in articles if article.key not in stored]
        done = len(articles) - len(new)
        for batch in _batches(new):
            self._import(batch)
            done += len(batch)
            self._tick("articles", done, len(articles))
        ours = sum(map(len, stored.values())) - deleted + len(new)
        return self._replace_predictions(ours) <= there - deleted + len(new)

    def _stored(self) -> tuple[dict[str, list[_Stored]], int]:
        """Return the project's tasks of ours by key, and the number of all."""
        stored: dict[str, list[_Stored]] = {}
        seen = 0
        for page, left in self._client.tasks(self._project):
            for task in page:
                data = task["data"]
                if interface.texts_of(data) is not None:
                    touched = task["total_annotations"] + task["cancelled_annotations"] > 0
                    stored.setdefault(data["key"], []).append(_Stored(task["id"], data["id"], str(data.get("digest")), touched))
            seen += len(page)
            self._tick("looking what is there", seen, seen + left - len(page))
        return stored, seen

    def _check_ids(self, stored: Mapping[str, Sequence[_Stored]], articles: Sequence[Article]) -> None:
        """Refuse an id under two keys: a label file holds each id once."""
        keys = {tasks[0].article: key for key, tasks in stored.items()}
        for article in articles:
            if keys.get(article.data["id"], article.key) != article.key:
                cause = f"the project has an article {article.data['id']!r} of another site"
                raise InputError(cause, where=article.where, hint="Give the articles different ids.")

    def _delete_doubles(self, stored: Mapping[str, Sequence[_Stored]]) -> int:
        """Delete tasks that stand twice, as two pushes at the same time leave them; never one that somebody worked on.

        Returns:
            How many.
        """
        doubled = [sorted(tasks, key=lambda task: not task.touched) for tasks in stored.values() if len(tasks) > 1]
        surplus = [task.id for _, *others in doubled for task in others if not task.touched and not self._drafted(task.id)]
        if surplus:
            self._client.delete_tasks(self._project, surplus)
            self.deleted += len(surplus)
        return len(surplus)

    def _drafted(self, task: int) -> bool:
        """Return whether somebody has begun to label a task."""
        found = self._client.tasks(self._project, tasks_filter("id", "equal", task, "Number"), whole=True)
        return any(item["draft_exists"] for page, _ in found for item in page)

    def _import(self, batch: Sequence[Article]) -> None:
        made = self._predictions(
            [article.texts for article in batch],
            [article.given for article in batch],
            [interface.given_verdict(article.data) for article in batch],
        )
        tasks = [{"data": article.data, "predictions": [prediction]} for article, prediction in zip(batch, made, strict=True)]
        self._client.import_tasks(self._project, tasks)
        self.sent += len(tasks)

    def _predictions(
        self, texts: Sequence[Sequence[str]], given: Sequence[Sequence[str | None]], verdicts: Sequence[str | None]
    ) -> list[dict[str, Any]]:
        made = list(self._predict(texts, given, verdicts))
        for prediction in made:
            interface.check_prediction(self._xml, prediction)
        return made

    def _replace_predictions(self, tasks: int) -> int:
        """Let all tasks have predictions of this version, show it, and then delete the older ones of ours.

        Args:
            tasks: how many there are of ours.

        Returns:
            The number of all tasks in the project.
        """
        versions = self._client.model_versions(self._project)
        if versions.get(self._predict.version, 0) < tasks:
            self._add_predictions()
        project = self._client.project(self._project)
        chosen = project["model_version"] or ""
        if tasks and chosen != self._predict.version and (not chosen or interface.is_ours(chosen)):
            self._client.update_project(self._project, model_version=self._predict.version)
            chosen = self._predict.version
        self.shown = bool(project["show_collab_predictions"]) and (chosen == self._predict.version or not tasks)
        for version in versions:
            if interface.is_ours(version) and version != self._predict.version:
                self._client.delete_predictions(self._project, version)
        return int(project["task_number"])

    def _add_predictions(self) -> None:
        lacking = tasks_filter("predictions_model_versions", "not_contains", [self._predict.version], "List")
        seen = 0
        for page, left in self._client.tasks(self._project, lacking):
            ours = [(task["id"], texts, task["data"]) for task in page if (texts := interface.texts_of(task["data"])) is not None]
            given = [interface.given_labels(data, self._predict.labels) for _, _, data in ours]
            verdicts = [interface.given_verdict(data) for _, _, data in ours]
            made = self._predictions([texts for _, texts, _ in ours], given, verdicts)
            if made:
                added = [{"task": task, **prediction} for (task, _, _), prediction in zip(ours, made, strict=True)]
                self._client.import_predictions(self._project, added)
            self.sent += len(made)
            self.replaced += len(made)
            seen += len(page)
            self._tick("predictions", seen, seen + left - len(page))


def _batches(articles: Sequence[Article]) -> Iterator[list[Article]]:
    """Cut into what one request carries."""
    batch: list[Article] = []
    chars = 0
    for article in articles:
        size = sum(map(len, article.texts))
        if batch and (len(batch) == BATCH_TASKS or chars + size > BATCH_CHARS):
            yield batch
            batch, chars = [], 0
        batch.append(article)
        chars += size
    if batch:
        yield batch
