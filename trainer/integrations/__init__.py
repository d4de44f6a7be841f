"""The classifier in scrapers: `clean` after any extractor, and modules named after what they work with.

Nothing here is imported by the runtime, and a module imports nothing of training.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from trainer import artifact
from trainer.model import Classifier

load_once = cache(artifact.load)  # a model is loaded once a process, however many spiders and calls ask for it


def clean(article: object, model: Classifier | Path | str | None = None, **fields: Any) -> dict[str, Any]:
    """Remove what is not news from what an extractor found; return a record as `trainer filter` writes it.

        clean(newspaper.article(url))
        clean(extract_plain_text(html, main_content=True), url=url)     # resiliparse

    Args:
        article: a text, a list of paragraphs, or an object with either as `text`.
        model: a loaded model or the folder of one (loaded once a process); without it the model that comes with the package.
        fields: what else the record is to have: id, url, title …

    Returns:
        The fields, `text` (what is kept), `removed` and `filter`, see `FilterResult.to_record`.

    Raises:
        InputError: there is no text in `article`. ArtifactError: no such model.
    """
    return loaded(model).filter(article).to_record(fields)


def loaded(model: Classifier | Path | str | None) -> Classifier:
    """Return the model: as it is, or from its folder, which is read once a process."""
    return model if isinstance(model, Classifier) else load_once(model)
