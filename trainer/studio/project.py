"""The project that articles are pushed to: found or created, its labels brought up to date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from trainer.errors import ConfigError, InputError, ServerError
from trainer.model import Classifier
from trainer.schema import LabelSet
from trainer.studio import interface
from trainer.studio.client import Client, UnansweredError

TITLE_CHARS = (3, 50)  # what Label Studio allows


def check_model(model: Classifier, labels: LabelSet) -> None:
    """Raise ConfigError where a model would give a label that the label set has not."""
    unknown = [name for name in model.labels.names if name not in labels.index]
    if unknown:
        cause = f"the model {model.name} gives labels that the label set has not: {', '.join(unknown)}"
        raise ConfigError(cause, hint="Name the configuration it was trained with (--config), or another --model.")


def find_or_create(client: Client, title: str, labels: LabelSet, guidelines: str, *, renew: bool) -> dict[str, Any]:
    """Return the project of this title, with these labels; create it where missing.

    Args:
        guidelines: address or text for a new project, see `interface.instruction`; with `renew` for one that is there, too.

    Raises:
        InputError: Label Studio allows no such title. ServerError: the project's label set or interface does not fit, or
            several projects have the title.
    """
    if not TITLE_CHARS[0] <= len(title) <= TITLE_CHARS[1]:
        raise InputError(f"a project's name has {TITLE_CHARS[0]} to {TITLE_CHARS[1]} characters", where=title[:80])
    instruction = {"expert_instruction": interface.instruction(labels, guidelines), "show_instruction": True}
    found = client.projects(title)
    if not found:
        failed = None
        try:
            client.create_project(title=title, label_config=interface.config(labels), **instruction)
        except UnansweredError as error:  # it may have been created all the same
            failed = error
        found = client.projects(title)
        if failed and not found:
            raise failed
    if len(found) != 1:
        hint = "Rename one of them in Label Studio, or choose another --project."
        raise ServerError(f"{len(found)} projects are called {title!r}", where=client.url, hint=hint)
    project = found[0]
    wanted = _config(client, project, labels)
    changes: dict[str, Any] = {} if wanted == project["label_config"] else {"label_config": wanted}
    if renew and project["expert_instruction"] != instruction["expert_instruction"]:
        changes |= instruction
    if changes:
        client.update_project(project["id"], **changes)
    return {**project, **changes}


def _config(client: Client, project: Mapping[str, Any], labels: LabelSet) -> str:
    """Return the project's configuration with these labels; the same where it has them.

    Raises:
        ServerError: annotations use labels that would go. Label Studio itself would let some of them go.
    """
    xml = str(project["label_config"])
    if interface.is_blank(xml):
        return interface.config(labels)
    shown = interface.shown_labels(xml)
    if shown == interface.wanted_labels(labels) and interface.asks_quality(xml):
        return xml
    going = [label for label in shown if label not in labels.index]
    used = Counter(_labels_used(client, project["id"])) if going else Counter()
    orphaned = [f"{label} ({used[label]:,} annotation{'s' * (used[label] != 1)})" for label in going if used[label]]
    if orphaned:
        cause = f"the label set lacks labels that annotations of the project use: {', '.join(orphaned)}"
        raise ServerError(cause, hint="Name the --config with these labels, or choose another --project.")
    return interface.with_labels(xml, labels)


def _labels_used(client: Client, project: int) -> Iterator[str]:
    """Yield the labels of each annotation."""
    for page, _ in client.tasks(project, whole=True):
        for annotation in (annotation for task in page for annotation in task["annotations"]):
            yield from {label for region in interface.regions(annotation["result"]) for label in region.labels}


def check_seeds(client: Client, project: int) -> None:
    """Refuse to seed where a model has predicted: Label Studio would show the one or the other.

    Raises:
        ServerError: a model has.
    """
    made = [version for version in client.model_versions(project) if interface.is_ours(version) and version != interface.SEED]
    if made:
        cause = f"the project has regions made by a model ({made[0]}); without a model, its articles would lose them"
        raise ServerError(cause, hint="Push articles that are to be labelled blind to a project of their own.")
