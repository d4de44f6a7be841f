"""Label files: read, checked, and put together into what training and evaluation take."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.errors import InputError
from trainer.files import STANDOFF_SUFFIXES, read_json_lines
from trainer.schema import LabelSet
from trainer.verdicts import POOR, REASONS, VERDICTS

_MOST_WEIGHT = 100
LABEL_SUFFIXES = (".jsonl", ".jsonl.gz")


@dataclass(frozen=True, slots=True)
class LabelledArticle:
    """One article and the labels of its paragraphs (`None`: not labelled).

    `kinds` are as in the file, `where` is its file and line, `weight` how much its paragraphs count in training (not in
    evaluation). `quality` is good or poor, None where nobody judged it, `quality_reason` why it is poor, as far as that is known.
    """

    id: str
    site: str
    texts: tuple[str, ...]
    labels: tuple[str | None, ...]
    kinds: tuple[str | None, ...]
    source: str = ""
    where: str = ""
    weight: float = 1.0
    quality: str | None = None
    quality_reason: str | None = None

    @property
    def content(self) -> bytes:
        """Digest of what training on paragraphs sees of the article: site, texts, labels, kinds and weight."""
        return hashlib.sha256(json.dumps([self.site, self.texts, self.labels, self.kinds, self.weight]).encode()).digest()

    @property
    def judged_content(self) -> bytes:
        """Digest of what training on article quality sees of it: the same, and the verdict."""
        return hashlib.sha256(self.content + json.dumps([self.quality, self.quality_reason]).encode()).digest()


@dataclass(frozen=True, slots=True)
class Dataset:
    """Articles in an order that depends on their content alone, and what was noticed while reading them.

    Attributes:
        articles: sorted by site and content. digest: SHA-256 over sites, texts, labels, kinds and weights of all articles; it
            does not depend on ids, on the order, or on the files they came from. notes: one line each.
    """

    articles: tuple[LabelledArticle, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def digest(self) -> str:
        """See the class."""
        return hashlib.sha256(b"".join(article.content for article in self.articles)).hexdigest()

    @property
    def quality_digest(self) -> str:
        """The same with the verdicts on the articles; `digest` does not see those."""
        return hashlib.sha256(b"".join(article.judged_content for article in self.articles)).hexdigest()

    @property
    def texts(self) -> list[tuple[str, ...]]:
        """Paragraphs of each article: the estimator's X."""
        return [article.texts for article in self.articles]

    @property
    def labels(self) -> list[tuple[str | None, ...]]:
        """Labels of each article: the estimator's y."""
        return [article.labels for article in self.articles]

    @property
    def kinds(self) -> list[tuple[str | None, ...]]:
        """Kinds of each article's paragraphs: the estimator's kinds."""
        return [article.kinds for article in self.articles]

    @property
    def sites(self) -> NDArray[np.str_]:
        """Site of each article: the estimator's groups."""
        return np.array([article.site for article in self.articles])

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weight of each article: the estimator's sample_weight."""
        return np.array([article.weight for article in self.articles])

    def counts(self) -> Counter[str | None]:
        """Count the paragraphs of each label."""
        return Counter(label for article in self.articles for label in article.labels)

    def summary(self) -> dict[str, Any]:
        """Return the counts that model cards and reports give."""
        counts = self.counts()
        return {
            "articles": len(self.articles),
            "sites": len({article.site for article in self.articles}),
            "paragraphs": sum(counts.values()),
            "unlabelled": counts.pop(None, 0),
            "labels": dict(sorted((str(label), count) for label, count in counts.items())),
            "digest": self.digest,
        }

    def frame(self) -> pd.DataFrame:
        """Return a row per paragraph: article, site, index, text, label, kind."""
        rows = [
            (article.id, article.site, index, text, label, kind)
            for article in self.articles
            for index, (text, label, kind) in enumerate(zip(article.texts, article.labels, article.kinds, strict=True))
        ]
        return pd.DataFrame(rows, columns=["article", "site", "index", "text", "label", "kind"])

    def select(self, rows: Sequence[int] | NDArray[np.intp]) -> Dataset:
        """Return the articles of the given numbers."""
        return Dataset(tuple(self.articles[i] for i in rows))


def load_labels(
    paths: Iterable[Path | str], labels: LabelSet, by_kind: Mapping[str, str] | None = None, *, adapting: bool = False
) -> Dataset:
    """Read label files and folders of them (`*.jsonl`, `*.jsonl.gz`, but not `*.standoff.jsonl`, which hold no texts).

    Args:
        paths: files and folders. labels: the labels they may use.
        by_kind: label of each kind that decides it, see `Config.by_kind`: a labelled paragraph of such a kind gets that label,
            whatever label stands in the file.
        adapting: to adapt a model, one label of one site will do.

    Raises:
        InputError: with file and line, for bad JSON, a missing field, an unknown label, or an article id that stands twice
            with different content; or if the whole has fewer than two labels or two sites (`adapting`: nothing that is labelled).
    """
    by_id: dict[str, LabelledArticle] = {}
    files = list(label_files(paths))
    for file in files:
        for where, item in read_records(file):
            article = parse_article(item, where, labels, by_kind or {})
            known = by_id.setdefault(article.id, article)
            if known is not article and known.judged_content != article.judged_content:
                raise InputError(
                    f"article id {article.id!r} stands also at {known.where}, with other text, site, labels, kinds, weight or "
                    "quality",
                    where=where,
                    hint="Give the articles different ids, or delete the outdated one.",
                )
    articles = sorted(by_id.values(), key=lambda article: (article.site, article.content))
    dataset = Dataset(tuple(articles), tuple(_clashing_texts(articles)))
    _check_enough(dataset, [str(path) for path in files], labels, adapting=adapting)
    return dataset


def label_files(paths: Iterable[Path | str]) -> Iterator[Path]:
    """Yield the given files and the label files in the given folders; InputError if a folder has none."""
    for path in map(Path, paths):
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if _is_label_file(file))
            if not found:
                raise InputError("no label files (*.jsonl) in this folder", where=str(path), hint="See labels/GUIDELINES.md.")
            yield from found
        else:
            yield path


def _is_label_file(file: Path) -> bool:
    return file.name.endswith(LABEL_SUFFIXES) and not file.name.endswith(STANDOFF_SUFFIXES) and file.is_file()


def read_records(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield (file:line, value) for the lines of a label file."""
    return read_json_lines(file, hint="A label file holds one JSON object a line.")


def parse_article(item: Any, where: str, labels: LabelSet, by_kind: Mapping[str, str]) -> LabelledArticle:
    """Check one record of a label file; InputError with `where` if it is not an article. See `load_labels`."""

    def refuse(cause: str) -> InputError:
        return InputError(cause, where=where, hint='An article is {"id", "site", "source", "paragraphs": [{"text", "label"}]}.')

    if not isinstance(item, dict):
        raise refuse(f"expected an object, got {type(item).__name__}")
    for key in ("id", "site"):
        if not isinstance(item.get(key), str) or not item[key]:
            raise refuse(f"missing field {key!r}" if key not in item else f"field {key!r} is not a text")
    if not isinstance(item.get("paragraphs"), list):
        cause = "missing field 'paragraphs'" if "paragraphs" not in item else "field 'paragraphs' is not a list"
        raise _standoff(where) if "blocks" in item else refuse(cause)
    texts, names, kinds = [], [], []
    for index, paragraph in enumerate(item["paragraphs"]):
        if not isinstance(paragraph, dict):
            raise refuse(f"paragraph {index} is not an object")
        if not isinstance(paragraph.get("text"), str):
            raise refuse(f"paragraph {index}: missing field 'text'")
        if "label" not in paragraph:
            raise refuse(f"paragraph {index}: missing field 'label' (null where it is not labelled)")
        kind = paragraph["kind"] if isinstance(paragraph.get("kind"), str) else None
        label = _decided(paragraph["label"], kind, by_kind)
        if label is not None and (not isinstance(label, str) or label not in labels.index):
            unclaimed = f", and none claims the kind {kind[:40]!r}" if kind and by_kind else ""
            raise refuse(f"paragraph {index}: unknown label {str(label)[:40]!r}; known are {', '.join(labels.names)}{unclaimed}")
        texts.append(paragraph["text"])
        names.append(label)
        kinds.append(kind)
    weight = item.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= _MOST_WEIGHT:
        raise refuse(f"field 'weight' is not a number above 0 and up to {_MOST_WEIGHT}")
    quality, reason = _verdict(item, refuse)
    source = item.get("source")
    return LabelledArticle(
        item["id"],
        item["site"],
        tuple(texts),
        tuple(names),
        tuple(kinds),
        source if isinstance(source, str) else "",
        where,
        float(weight),
        quality,
        reason,
    )


def _verdict(item: Mapping[str, Any], refuse: Callable[[str], InputError]) -> tuple[str | None, str | None]:
    """Return what is said of the whole article, and why."""
    quality, reason = item.get("quality"), item.get("quality_reason")
    if quality not in (None, *VERDICTS):
        raise refuse(f"field 'quality' is {str(quality)[:40]!r}, not {' or '.join(VERDICTS)}")
    if reason is not None and (quality != POOR or reason not in REASONS):
        raise refuse(f"field 'quality_reason' is {str(reason)[:40]!r}; a poor article has one of {', '.join(REASONS)}")
    return quality, reason


def _decided(label: Any, kind: str | None, by_kind: Mapping[str, str]) -> Any:
    """Return the label that a kind decides, else the label in the file; what is not labelled stays so."""
    return by_kind.get(kind, label) if isinstance(label, str) and kind is not None else label


def _standoff(where: str) -> InputError:
    hint = "Rebuild the pages first: trainer labels hydrate FILE --checkouts DIR"
    return InputError("holds hashes of paragraphs, not their texts", where=where, hint=hint)


def _clashing_texts(articles: Sequence[LabelledArticle]) -> Iterator[str]:
    """Say which texts stand under different labels; short ones often rightly do, since context decides."""
    seen: dict[str, dict[str, str]] = {}
    for article in articles:
        for text, label in zip(article.texts, article.labels, strict=True):
            if label is not None:
                seen.setdefault(" ".join(text.casefold().split()), {}).setdefault(label, article.where)
    clashing = {text: places for text, places in seen.items() if len(places) > 1}
    if clashing:
        text, places = max(clashing.items(), key=lambda item: len(item[0]))
        shown = text if len(text) <= 60 else text[:60] + "…"
        stands = ", ".join(f"{label} at {where}" for label, where in places.items())
        yield f"{len(clashing)} texts stand under more than one label; the longest: {shown!r} ({stands})"


def _check_enough(dataset: Dataset, files: Sequence[str], labels: LabelSet, *, adapting: bool) -> None:
    where = ", ".join(files[:3]) + (" …" if len(files) > 3 else "")
    used = sorted(name for name, count in dataset.counts().items() if name is not None and count)
    if adapting and not used:
        raise InputError("no paragraph is labelled", where=where, hint="Label some, 50 are a start; see labels/GUIDELINES.md.")
    if adapting:
        return
    if len(used) < 2:
        raise InputError(
            f"only {len(used)} of the labels {', '.join(labels.names)} is used; training needs at least 2",
            where=where,
            hint="Label more paragraphs or name more label files.",
        )
    if len(set(dataset.sites)) < 2:
        raise InputError(
            "all articles come from one site; training and evaluation need at least 2",
            where=where,
            hint="Add label files from another site.",
        )
