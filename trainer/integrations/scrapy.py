"""Scrapy: an item pipeline that removes what is not news from scraped articles; needs Scrapy 2.15 (the extra `scrapy`).

ITEM_PIPELINES = {"trainer.integrations.scrapy.ParagraphFilterPipeline": 300}
TRAINER_MODEL = "models/mine"          # a model folder; without it the model that comes with the package
TRAINER_FIELD = "text"                 # the item's field with the text, or the list of paragraphs; gets what is kept
TRAINER_REMOVED_FIELD = "removed"      # gets what was removed, see `FilterResult.to_record`; without it nothing does
TRAINER_SITE_FIELD = "url"             # a URL or the name of a site, for the counter of each site
TRAINER_DROP_BELOW = 200               # drop items of which fewer characters are kept; without it none is dropped
TRAINER_ALLOW_EMPTY = False            # as in `Classifier.filter`; without them the model's own
TRAINER_MAX_REMOVED_SHARE = 0.95
"""

from __future__ import annotations

import logging
from typing import Any, Self
from urllib.parse import urlsplit

from itemadapter import ItemAdapter
from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem
from scrapy.settings import BaseSettings
from scrapy.statscollectors import StatsCollector
from scrapy.utils.asyncio import run_in_thread

from trainer.errors import ConfigError
from trainer.integrations import load_once
from trainer.model import Classifier
from trainer.result import FilterResult

_OPTIONS = ("MODEL", "FIELD", "REMOVED_FIELD", "SITE_FIELD", "DROP_BELOW", "ALLOW_EMPTY", "MAX_REMOVED_SHARE")
SETTINGS = tuple(f"TRAINER_{name}" for name in _OPTIONS)
_logger = logging.getLogger(__name__)


class ParagraphFilterPipeline:
    """Filters the article in each item: dicts, Scrapy's items, dataclasses, attrs and pydantic objects.

    The model is loaded once a process, before the first request, and works in a thread, so neither the reactor nor asyncio's
    loop waits for it. An item is dropped only where `TRAINER_DROP_BELOW` says so. One that cannot be filtered (no such field,
    None, bytes, frozen, no place for what is removed …) goes on as it came, and is counted and, the first of a kind, logged.

    Counters: `trainer/articles`, `trainer/removed/<label>` (paragraphs), `trainer/flag/<flag>`, `trainer/removed_share/<site>`
    (of the characters), `trainer/dropped`, `trainer/untouched/<why>` (the type of what was found, or of the error).
    """

    def __init__(
        self,
        classifier: Classifier,
        stats: StatsCollector,
        *,
        field: str = "text",
        removed_field: str | None = None,
        site_field: str = "url",
        drop_below: int = 0,
        **options: Any,
    ) -> None:
        self.classifier, self.stats = classifier, stats
        self.field, self.removed_field, self.site_field, self.drop_below = field, removed_field, site_field, drop_below
        self.options = options
        self._chars: dict[str, tuple[int, int]] = {}  # removed and all, by site
        classifier.filter("", **options)  # so that a wrong option stops the crawl before its first request

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Read the settings and load the model.

        Raises:
            ConfigError: an unknown setting that begins with TRAINER_. InputError: a share out of range. ArtifactError: no such
            model.
        """
        settings = crawler.settings
        _refuse_unknown(settings)
        if crawler.stats is None:
            raise ConfigError("the crawler has no stats collector", hint="Let Scrapy make the pipeline: ITEM_PIPELINES.")
        share, allow_empty = settings.get("TRAINER_MAX_REMOVED_SHARE"), settings.get("TRAINER_ALLOW_EMPTY")
        return cls(
            load_once(settings.get("TRAINER_MODEL")),
            crawler.stats,
            field=settings.get("TRAINER_FIELD") or "text",
            removed_field=settings.get("TRAINER_REMOVED_FIELD") or None,
            site_field=settings.get("TRAINER_SITE_FIELD") or "url",
            drop_below=settings.getint("TRAINER_DROP_BELOW"),
            max_removed_share=None if share is None else settings.getfloat("TRAINER_MAX_REMOVED_SHARE"),
            allow_empty=None if allow_empty is None else settings.getbool("TRAINER_ALLOW_EMPTY"),
        )

    async def process_item(self, item: Any) -> Any:
        """Filter the item's article; the item comes back.

        Raises:
            DropItem: fewer characters are kept than `TRAINER_DROP_BELOW`.
        """
        try:
            adapter = ItemAdapter(item)
            given = adapter.get(self.field)
            if not isinstance(given, str | list):
                return self._untouched(item, type(given).__name__, f"field {self.field!r} holds no text")
            site = self._site(adapter)
            result = await run_in_thread(self.classifier.filter, given, site=site, **self.options)
            self._write(adapter, given, result)
        except Exception as error:
            return self._untouched(item, type(error).__name__, str(error))
        self._count(site, result)
        if len(result.text) < self.drop_below:
            self.stats.inc_value("trainer/dropped")
            raise DropItem(f"{len(result.text)} characters kept, fewer than TRAINER_DROP_BELOW = {self.drop_below}")
        return item

    def _write(self, adapter: ItemAdapter, given: str | list[str], result: FilterResult) -> None:
        """Set the fields, both or none: nothing goes that could not be put where it was to be kept."""
        adapter[self.field] = result.text if isinstance(given, str) else [paragraph.text for paragraph in result.kept]
        if self.removed_field:
            try:
                adapter[self.removed_field] = result.to_record()["removed"]
            except Exception:
                adapter[self.field] = given
                raise

    def _site(self, adapter: ItemAdapter) -> str:
        value = adapter.get(self.site_field)
        return (urlsplit(value).hostname or value) if value and isinstance(value, str) else "unknown"

    def _count(self, site: str, result: FilterResult) -> None:
        self.stats.inc_value("trainer/articles")
        for label, count in result.by_label.items():
            self.stats.inc_value(f"trainer/removed/{label}", count)
        for flag in result.flags:
            self.stats.inc_value(f"trainer/flag/{flag}")
        removed, chars = self._chars.get(site, (0, 0))
        removed += sum(len(gone.text) for gone in result.removed)
        chars += sum(len(paragraph.text) for paragraph in result.paragraphs)
        self._chars[site] = removed, chars
        self.stats.set_value(f"trainer/removed_share/{site}", round(removed / chars, 4) if chars else 0.0)

    def _untouched(self, item: Any, why: str, what: str) -> Any:
        counter = f"trainer/untouched/{why}"
        self.stats.inc_value(counter)
        if self.stats.get_value(counter) == 1:
            _logger.warning("%s left as it is: %s (the next ones are counted in %s)", type(item).__name__, what, counter)
        return item


def _refuse_unknown(settings: BaseSettings) -> None:
    for name in settings:
        if str(name).startswith("TRAINER_") and name not in SETTINGS:
            raise ConfigError(f"unknown setting {name}", hint=f"There are {', '.join(SETTINGS)}.")
