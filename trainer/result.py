"""What became of an article: its paragraphs' labels, what stays, what goes and why."""

from __future__ import annotations

from functools import cached_property
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.paragraph import Paragraph
from trainer.text import Matrix


class Prediction(NamedTuple):
    """The likeliest label of a paragraph, its probability, and those of all labels in the model's order."""

    label: str
    probability: float
    probabilities: tuple[float, ...]


def predictions(probability: Matrix, labels: tuple[str, ...]) -> list[Prediction]:
    """Return a prediction for each column of probabilities [classes, n]."""
    best = probability.argmax(axis=0).tolist()
    rows = zip(*probability.tolist(), strict=True)
    return [Prediction(labels[k], row[k], row) for k, row in zip(best, rows, strict=True)]


class Removed(NamedTuple):
    """A removed paragraph: its number in the article, its offsets in the given text, its label and how sure it is.

    `reason` is there where a site memory was used: `repeated` for what the site repeats, whatever its label, else `model`.
    """

    index: int  # type: ignore[assignment] # a field of the record contract; the method of tuples is not used
    start: int
    end: int
    text: str
    label: str
    probability: float
    reason: str | None = None


class FilterResult:
    """What became of one article.

    Attributes:
        paragraphs: all paragraphs in order. keep: one `bool` each. flags: the safety valves that acted: `headline` (a first
        paragraph was spared), `max_removed_share` (the least sure removals were taken back), `empty` (everything would have
        gone, so nothing went); with a site memory also `unseen` (a removal was taken back since the site has never shown the
        paragraph elsewhere) and `drift` (the site's removal share has changed, see `drift.Drift`). site: as given. model,
        model_digest: what judged it. repeated: with a site memory, whether the site repeats it, one `bool` each.

    Args:
        texts, sizes: what the properties of these names return, where it is known already.
    """

    def __init__(
        self,
        paragraphs: tuple[Paragraph, ...],
        probability: Matrix,
        keep: list[bool],
        flags: tuple[str, ...],
        *,
        labels: tuple[str, ...],
        site: str | None,
        model: str,
        model_digest: str,
        repeated: list[bool] | None = None,
        texts: list[str] | None = None,
        sizes: NDArray[np.intp] | None = None,
    ) -> None:
        self.paragraphs, self.keep, self.flags, self.repeated = paragraphs, keep, flags, repeated
        self.site, self.model, self.model_digest = site, model, model_digest
        self._probability, self._labels = probability, labels
        if texts is not None:
            self.texts = texts
        if sizes is not None:
            self.sizes = sizes

    @cached_property
    def texts(self) -> list[str]:
        """The text of each paragraph."""
        return [text for text, _, _ in self.paragraphs]

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        """Characters of each paragraph."""
        return np.fromiter(map(len, self.texts), np.intp, len(self.texts))

    @cached_property
    def predictions(self) -> list[Prediction]:
        """The prediction of each paragraph."""
        return predictions(self._probability, self._labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the model's order."""
        return self._labels

    @property
    def probability(self) -> Matrix:
        """Probabilities [labels, paragraphs]."""
        return self._probability

    @cached_property
    def likeliest(self) -> list[str]:
        """The likeliest label of each paragraph: the labels of `predictions` in much less time."""
        labels = self._labels
        return [labels[k] for k in self._probability.argmax(axis=0).tolist()]

    @cached_property
    def text(self) -> str:
        """The kept paragraphs joined by one newline."""
        return "\n".join(compress(self.texts, self.keep))

    @cached_property
    def kept(self) -> list[Paragraph]:
        """The paragraphs that stay."""
        return list(compress(self.paragraphs, self.keep))

    @cached_property
    def removed(self) -> list[Removed]:
        """The paragraphs that go."""
        repeated = self.repeated
        if repeated is None:
            return [Removed(*gone) for gone in self._removals]
        return [Removed(*gone, "repeated" if repeated[gone[0]] else "model") for gone in self._removals]

    @cached_property
    def _removals(self) -> list[tuple[int, int, int, str, str, float]]:
        """The fields of `removed` but the reason, as plain tuples, which are made several times faster."""
        gone = [index for index, keep in enumerate(self.keep) if not keep]
        probability = self._probability[:, gone].max(axis=0).tolist()
        labels, paragraphs = self.likeliest, self.paragraphs
        out = []
        for index, sure in zip(gone, probability, strict=True):
            text, start, end = paragraphs[index]
            out.append((index, start, end, text, labels[index], sure))
        return out

    @property
    def by_label(self) -> dict[str, int]:
        """Number of removed paragraphs of each label."""
        counts: dict[str, int] = {}
        for _, _, _, _, label, _ in self._removals:
            counts[label] = counts.get(label, 0) + 1
        return counts

    @property
    def removed_share(self) -> float:
        """Share of the paragraphs' characters that go, 0 to 1."""
        total = sum(map(len, self.texts))
        return sum([len(text) for _, _, _, text, _, _ in self._removals]) / total if total else 0.0

    def to_record(self, record: dict[str, Any] | None = None, *, paragraphs: bool = False) -> dict[str, Any]:
        """Return the output record: the fields of `record`, with `text`, `removed` and `filter` set.

        Args:
            record: the input record, not changed; its other fields pass through.
            paragraphs: also list all paragraphs with their labels.
        """
        out = {key: value for key, value in (record or {}).items() if key != "paragraphs"}
        out["text"] = self.text
        out["removed"] = [
            {"index": index, "start": start, "end": end, "text": text, "label": label, "probability": round(probability, 6)}
            for index, start, end, text, label, probability in self._removals
        ]
        if self.repeated is not None:
            for item, removed in zip(out["removed"], self.removed, strict=True):
                item["reason"] = removed.reason
        if paragraphs:
            out["paragraphs"] = [
                {"index": i, "text": p.text, "label": q.label, "probability": round(q.probability, 6), "keep": keep}
                for i, (p, q, keep) in enumerate(zip(self.paragraphs, self.predictions, self.keep, strict=True))
            ]
        out["filter"] = {
            "model": self.model,
            "model_digest": self.model_digest,
            "kept": len(self.kept),
            "removed": len(out["removed"]),
            "removed_share": round(self.removed_share, 6),
            "flags": list(self.flags),
        }
        return out
