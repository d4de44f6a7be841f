"""The label set: which labels exist, which of them are kept, and how they look in Label Studio and terminals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from trainer.errors import ConfigError

MAX_LABELS = 64
MAX_KINDS, MAX_KIND_CHARS = 64, 200  # what a model may tell apart, and the characters of a name
UNLABELLED = -1  # stands for the column of a label where there is none


class Label(NamedTuple):
    """One label of the set."""

    name: str
    kept: bool = False
    colour: str = "#888888"
    hotkey: str = ""


class LabelSet:
    """An ordered set of labels; at least one is kept and at least one is residue.

    The order is the order of the columns of every probability matrix.

    Raises:
        ConfigError: fewer than two labels, a repeated or empty name, or nothing to keep or to remove.
    """

    def __init__(self, labels: list[Label] | tuple[Label, ...]) -> None:
        self.labels = tuple(labels)
        self.names = tuple(label.name for label in self.labels)
        self.index = {name: i for i, name in enumerate(self.names)}
        if not 2 <= len(self.labels) <= MAX_LABELS:
            raise ConfigError(f"a label set needs 2 to {MAX_LABELS} labels, got {len(self.labels)}")
        if len(self.index) != len(self.labels) or not all(self.names):
            raise ConfigError(f"label names must be distinct and not empty, got {list(self.names)}")
        self.kept = tuple(i for i, label in enumerate(self.labels) if label.kept)
        self.residue = tuple(i for i, label in enumerate(self.labels) if not label.kept)
        if not self.kept or not self.residue:
            raise ConfigError("a label set needs a label with kept = true and one with kept = false")

    def __iter__(self) -> Iterator[Label]:
        """Iterate over the labels in column order."""
        return iter(self.labels)

    def __len__(self) -> int:
        """Return the number of labels."""
        return len(self.labels)

    def __eq__(self, other: object) -> bool:
        """Compare by content."""
        return isinstance(other, LabelSet) and self.labels == other.labels

    def __hash__(self) -> int:
        """Hash by content."""
        return hash(self.labels)

    def __repr__(self) -> str:
        """Show the names."""
        return f"LabelSet({', '.join(self.names)})"


NEWS_LABELS = LabelSet(
    [
        Label("news", kept=True, colour="#43a047", hotkey="1"),
        Label("fundraising", colour="#e53935", hotkey="2"),
        Label("navigation", colour="#1e88e5", hotkey="3"),
        Label("caption", colour="#fb8c00", hotkey="4"),
    ]
)
