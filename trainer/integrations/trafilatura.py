"""trafilatura: its extraction, then ours, its metadata kept; needs trafilatura 2 (the extra `trafilatura`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from trafilatura import bare_extraction

from trainer.errors import InputError
from trainer.integrations import loaded
from trainer.model import Classifier

Record = dict[str, Any]
_TREES = ("body", "commentsbody", "raw_text", "text")  # of a document; `text` is what the record has filtered


def extract(html: object, model: Classifier | Path | str | None = None, **kwargs: Any) -> Record | None:
    """Extract an article and remove what is not news from it.

    Args:
        html: what `trafilatura.bare_extraction` takes: a page as text or bytes, or a parsed tree.
        model: as in `integrations.clean`.
        kwargs: passed on to `trafilatura.bare_extraction` (`url`, `favor_recall`, `include_tables` …). Metadata are asked for
            unless `with_metadata=False` says otherwise, which is quicker.

    Returns:
        A record: the metadata that trafilatura found (`title`, `author`, `date`, `url`, `comments` …), `text`, `removed` and
        `filter`, see `FilterResult.to_record`. None where trafilatura finds no article.

    Raises:
        InputError: `output_format` is given. ArtifactError: no such model.
    """
    return next(extract_many([(html, {})], model, **kwargs))


def article(html: object, **kwargs: Any) -> Record | None:
    """Return what trafilatura finds, not filtered: its metadata and `text`; None where it finds no article."""
    document = bare_extraction(html, **{"with_metadata": True, **kwargs})
    if not document:
        return None
    found = document.as_dict()
    fields = {name: value for name, value in found.items() if value is not None and name not in _TREES}
    return {**fields, "text": found.get("text") or ""}


def extract_many(pages: Iterable[object], model: Classifier | Path | str | None = None, **kwargs: Any) -> Iterator[Record | None]:
    """Extract many pages; yields for each, in order, what `extract` returns, but filters many articles at once: far quicker.

    Reads ahead as `Classifier.filter_many` does. Arguments and errors as in `extract`.

    Args:
        pages: each as `extract` takes it, or a pair of that and arguments of its own, such as `{"url": …}`.
    """
    if "output_format" in kwargs:
        raise InputError("output_format does not apply: what comes back is a record", hint="Leave it out.")
    waiting: deque[Record | None] = deque()

    def texts() -> Iterator[str]:
        for page in pages:
            html, own = page if isinstance(page, tuple) else (page, {})
            found = article(html, **{**kwargs, **own})
            text = found.pop("text") if found else ""
            waiting.append(found)
            yield text

    for result in loaded(model).filter_many(texts()):
        fields = waiting.popleft()
        yield None if fields is None else result.to_record(fields)
