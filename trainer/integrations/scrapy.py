"""Scrapy: an item pipeline that removes what is not news from scraped articles; needs Scrapy 2.15 (the extra `scrapy`).

ITEM_PIPELINES = {"trainer.integrations.scrapy.ParagraphFilterPipeline": 300}
TRAINER_REMOVED_FIELD = "removed"

All settings: `trainer.integrations.scrapy_settings`.
"""

from __future__ import annotations

import logging
from typing import Any, Self
from urllib.parse import urlsplit

from itemadapter import ItemAdapter
from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem
from scrapy.statscollectors import StatsCollector
from scrapy.utils.asyncio import run_in_thread

from trainer.errors import ConfigError
from trainer.integrations import scrapy_settings
from trainer.memory import SiteMemory
from trainer.model import Classifier
from trainer.queue_folder import QueueFolder, review
from trainer.result import FilterResult

_logger = logging.getLogger(__name__)


class ParagraphFilterPipeline:
    """Filters the article in each item: dicts, Scrapy's items, dataclasses, attrs and pydantic objects.

    The model is loaded once a process, before the first request, and works in a thread, so neither the reactor nor asyncio's
    loop waits for it. An item is dropped only where `TRAINER_DROP_BELOW` says so. One that cannot be filtered (no such field,
    None, bytes, frozen, no place for what is removed …) goes on as it came, and is counted and, the first of a kind, logged.

    A crawl has a site memory of its own, and what it has seen is in the file when the spider is closed; crawls may share a file.
    An item without a site is filtered without the memory.

    Counters: `trainer/articles`, `trainer/removed/<label>` (paragraphs), `trainer/repeated` (those of them that the site
    repeats), `trainer/flag/<flag>`, `trainer/removed_share/<site>` (of the characters), `trainer/queued`, `trainer/dropped`,
    `trainer/untouched/<why>` (the type of what was found, or of the error).
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
        memory: SiteMemory | None = None,
        queue: QueueFolder | None = None,
        **options: Any,
    ) -> None:
        self.classifier, self.stats, self.memory, self.queue = classifier, stats, memory, queue
        self.field, self.removed_field, self.site_field, self.drop_below = field, removed_field, site_field, drop_below
        self.options = options
        self._chars: dict[str, tuple[int, int]] = {}  # removed and all, by site
        classifier.filter("", **options)  # so that a wrong option stops the crawl before its first request

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Read the settings, load the model and open the memory.

        Raises:
            ConfigError: an unknown setting that begins with TRAINER_, or a queue without a memory. InputError: a share out of
            range, or a file or folder that cannot be used. ArtifactError: no such model.
        """
        if crawler.stats is None:
            raise ConfigError("the crawler has no stats collector", hint="Let Scrapy make the pipeline: ITEM_PIPELINES.")
        return cls(stats=crawler.stats, **scrapy_settings.read(crawler.settings))

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
            result = await run_in_thread(self._filter, given, site, adapter)
            self._write(adapter, given, result)
        except Exception as error:
            return self._untouched(item, type(error).__name__, str(error))
        self._count(site or "unknown", result)
        if len(result.text) < self.drop_below:
            self.stats.inc_value("trainer/dropped")
            raise DropItem(f"{len(result.text)} characters kept, fewer than TRAINER_DROP_BELOW = {self.drop_below}")
        return item

    async def close_spider(self) -> None:
        """Write what the memory has seen since its last batch; Scrapy logs it if that cannot be done."""
        if self.memory:
            await run_in_thread(self.memory.close)

    def _filter(self, given: str | list[str], site: str | None, adapter: ItemAdapter) -> FilterResult:
        """Filter in a thread, with the memory where there is one; put an article of a changed layout aside."""
        result = self.classifier.filter(given, site=site, memory=self.memory if site else None, **self.options)
        if self.queue and site and "drift" in result.flags:
            content = "text" if isinstance(given, str) else "paragraphs"
            self.queue.add(site, {**adapter.asdict(), content: given}, review(result))
        return result

    def _write(self, adapter: ItemAdapter, given: str | list[str], result: FilterResult) -> None:
        """Set the fields, both or none: nothing goes that could not be put where it was to be kept."""
        adapter[self.field] = result.text if isinstance(given, str) else [paragraph.text for paragraph in result.kept]
        if self.removed_field:
            try:
                adapter[self.removed_field] = result.to_record()["removed"]
            except Exception:
                adapter[self.field] = given
                raise

    def _site(self, adapter: ItemAdapter) -> str | None:
        value = adapter.get(self.site_field)
        if not isinstance(value, str) or not value.strip():
            return None
        return (urlsplit(value).hostname or value).removeprefix("www.")

    def _count(self, site: str, result: FilterResult) -> None:
        self.stats.inc_value("trainer/articles")
        for label, count in result.by_label.items():
            self.stats.inc_value(f"trainer/removed/{label}", count)
        if repeated := sum(result.repeated or ()):
            self.stats.inc_value("trainer/repeated", repeated)
        for flag in result.flags:
            self.stats.inc_value(f"trainer/flag/{flag}")
        if self.queue and self.queue.added:
            self.stats.set_value("trainer/queued", self.queue.added)
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
