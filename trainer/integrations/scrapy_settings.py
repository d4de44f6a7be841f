"""The settings of the Scrapy pipeline.

TRAINER_MODEL = "models/mine"          # a model folder; without it the model that comes with the package
TRAINER_FIELD = "text"                 # the item's field with the text, or the list of paragraphs; gets what is kept
TRAINER_REMOVED_FIELD = "removed"      # gets what was removed, see `FilterResult.to_record`; without it nothing does
TRAINER_SITE_FIELD = "url"             # a URL or the name of a site, for the memory and for the counter of each site
TRAINER_DROP_BELOW = 200               # drop items of which fewer characters are kept; without it none is dropped
TRAINER_ALLOW_EMPTY = False            # as in `Classifier.filter`; without them the model's own
TRAINER_MAX_REMOVED_SHARE = 0.95
TRAINER_MEMORY = "sites.sqlite"        # remembers what each site repeats, see `SiteMemory`; without it nothing is remembered
TRAINER_REPEATED_SHARE = 0.1           # share of a site's articles from which a paragraph is repeated
TRAINER_QUEUE = "to-label"             # folder for articles of a site whose layout has changed (flag drift)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scrapy.settings import BaseSettings

from trainer.errors import ConfigError
from trainer.integrations import load_once
from trainer.memory import SiteMemory
from trainer.queue_folder import QueueFolder

_OPTIONS = "MODEL FIELD REMOVED_FIELD SITE_FIELD DROP_BELOW ALLOW_EMPTY MAX_REMOVED_SHARE MEMORY REPEATED_SHARE QUEUE".split()
NAMES = tuple(f"TRAINER_{name}" for name in _OPTIONS)


def read(settings: BaseSettings) -> dict[str, Any]:
    """Return the arguments of `ParagraphFilterPipeline` but for `stats`: the model is loaded, the memory open.

    Raises:
        ConfigError: an unknown setting that begins with TRAINER_, or a queue without a memory. InputError: a share out of
        range, or a file or folder that cannot be used. ArtifactError: no such model.
    """
    for name in settings:
        if str(name).startswith("TRAINER_") and name not in NAMES:
            raise ConfigError(f"unknown setting {name}", hint=f"There are {', '.join(NAMES)}.")
    share, allow_empty = settings.get("TRAINER_MAX_REMOVED_SHARE"), settings.get("TRAINER_ALLOW_EMPTY")
    memory, queue = settings.get("TRAINER_MEMORY"), settings.get("TRAINER_QUEUE")
    if queue and not memory:
        raise ConfigError("TRAINER_QUEUE needs a site memory", hint='Add TRAINER_MEMORY = "sites.sqlite".')
    return {
        "classifier": load_once(settings.get("TRAINER_MODEL")),
        "field": settings.get("TRAINER_FIELD") or "text",
        "removed_field": settings.get("TRAINER_REMOVED_FIELD") or None,
        "site_field": settings.get("TRAINER_SITE_FIELD") or "url",
        "drop_below": settings.getint("TRAINER_DROP_BELOW"),
        "max_removed_share": None if share is None else settings.getfloat("TRAINER_MAX_REMOVED_SHARE"),
        "allow_empty": None if allow_empty is None else settings.getbool("TRAINER_ALLOW_EMPTY"),
        "queue": QueueFolder(Path(queue)) if queue else None,
        "memory": SiteMemory(memory, repeated=settings.getfloat("TRAINER_REPEATED_SHARE", 0.1)) if memory else None,
    }
