"""trafilatura: its extraction, then ours, its metadata kept; needs trafilatura 2 (the extra `trafilatura`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trafilatura import bare_extraction

from trainer.errors import InputError
from trainer.integrations import clean
from trainer.model import Classifier

_TREES = ("body", "commentsbody", "raw_text", "text")  # of a document; `text` is what the record has filtered


def extract(html: object, model: Classifier | Path | str | None = None, **kwargs: Any) -> dict[str, Any] | None:
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
    if "output_format" in kwargs:
        raise InputError("output_format does not apply: what comes back is a record", hint="Leave it out.")
    document = bare_extraction(html, **{"with_metadata": True, **kwargs})
    if document is None:
        return None
    found = {name: value for name, value in document.as_dict().items() if value is not None and name not in _TREES}
    return clean(document.text or "", model, **found)
