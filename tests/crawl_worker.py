"""One process that crawls: reads a job as JSON, runs Scrapy, writes what became of the items as JSON.

The job: `urls` to fetch; `yields`, names of ITEMS, one item of each for every page; `settings`; `mode`, which event loop;
`crawls`, how many spiders run in this process; `slow`, seconds that each filter call is made to take.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import attrs
import pydantic
import scrapy
from crawls import MENU
from itemadapter import ItemAdapter
from scrapy.crawler import AsyncCrawlerProcess, CrawlerProcess
from scrapy.utils.asyncio import create_looping_call

from trainer.integrations.scrapy import ParagraphFilterPipeline

MODES: dict[str, dict[str, Any]] = {
    "asyncio": {},
    "select": {"TWISTED_REACTOR": "twisted.internet.selectreactor.SelectReactor"},
    "no reactor": {"TWISTED_REACTOR_ENABLED": False},
}


class ScrapyItem(scrapy.Item):
    kind, url, text, removed = scrapy.Field(), scrapy.Field(), scrapy.Field(), scrapy.Field()


@dataclass
class DataclassItem:
    kind: str
    url: str
    text: str
    removed: list[Any] | None = None


@attrs.define
class AttrsItem:
    kind: str
    url: str
    text: str
    removed: list[Any] | None = None


class PydanticItem(pydantic.BaseModel):
    kind: str
    url: str
    text: str
    removed: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class FrozenItem:
    kind: str
    url: str
    text: str
    removed: list[Any] | None = None


class StrictItem(pydantic.BaseModel, validate_assignment=True):
    kind: str
    url: str
    text: str
    removed: list[str] | None = None  # not what the pipeline puts there


@dataclass
class BareItem:
    kind: str
    url: str
    text: str


ITEMS: dict[str, Any] = {
    "dict": dict,
    "item": ScrapyItem,
    "dataclass": DataclassItem,
    "attrs": AttrsItem,
    "pydantic": PydanticItem,
    "paragraphs": lambda text, **rest: {**rest, "text": text.split("\n")},
    "no field": lambda text, **rest: {**rest, "body": text},
    "none": lambda text, **rest: {**rest, "text": None},
    "bytes": lambda text, **rest: {**rest, "text": text.encode()},
    "number": lambda text, **rest: {**rest, "text": 3},
    "holes": lambda text, **rest: {**rest, "text": [text, None]},
    "frozen": FrozenItem,
    "strict": StrictItem,
    "bare": BareItem,
    "bad url": lambda text, url, **rest: {**rest, "url": f"http://[{url}", "text": text},
    "no url": lambda text, url, **rest: {**rest, "text": text},
    "empty": lambda text, **rest: {**rest, "text": ""},
    "menu": lambda text, **rest: {**rest, "text": MENU},
}


class JobSpider(scrapy.Spider):
    name = "job"

    def __init__(self, urls: list[str], yields: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start_urls, self.yields = urls, yields

    def parse(self, response: scrapy.http.Response) -> Any:
        nodes = response.xpath("//main//*[self::h1 or self::p or self::li or self::figcaption]")
        text = "\n".join(" ".join(node.xpath("string()").get("").split()) for node in nodes)
        for kind in self.yields:
            yield ITEMS[kind](kind=kind, url=response.url, text=text)


class Slow:
    """A classifier that takes its time; notes the threads that it is called in."""

    def __init__(self, classifier: Any, seconds: float) -> None:
        self.classifier, self.seconds, self.threads = classifier, seconds, set[str]()

    def filter(self, *arguments: Any, **options: Any) -> Any:
        time.sleep(self.seconds)
        self.threads.add("main" if threading.current_thread() is threading.main_thread() else "other")
        return self.classifier.filter(*arguments, **options)


noted: dict[str, Any] = {"classifiers": [], "threads": [], "beats": 0}
items: dict[str, Any] = {}
dropped: dict[str, str] = {}
slow = 0.0


class NotingPipeline(ParagraphFilterPipeline):
    """The pipeline, watched."""

    @classmethod
    def from_crawler(cls, crawler: Any) -> Any:
        made = super().from_crawler(crawler)
        noted["classifiers"].append(id(made.classifier))
        if slow:
            made.classifier = Slow(made.classifier, slow)  # type: ignore[assignment]
        return made

    def open_spider(self) -> None:
        self.beat = create_looping_call(self._tick)
        self.beat.start(0.01)

    def _tick(self) -> None:
        noted["beats"] += 1

    async def close_spider(self) -> None:
        await super().close_spider()
        self.beat.stop()
        noted["threads"] = sorted(getattr(self.classifier, "threads", ()))


def key(item: Any) -> str:
    adapter = ItemAdapter(item)
    return f"{adapter['kind']} {adapter.get('url', '')}".strip()


def on_item(item: Any) -> None:
    items[key(item)] = ItemAdapter(item).asdict()


def on_drop(item: Any, exception: Exception) -> None:
    dropped[key(item)] = str(exception)


def main() -> int:
    global slow
    job = json.load(sys.stdin)
    slow = job.get("slow", 0.0)
    mode = job.get("mode", "asyncio")
    settings = {
        "ITEM_PIPELINES": {NotingPipeline: 300},
        "TELNETCONSOLE_ENABLED": False,
        "LOG_LEVEL": "INFO",
        **MODES[mode],
        **job.get("settings", {}),
    }
    process = (AsyncCrawlerProcess if mode == "no reactor" else CrawlerProcess)(settings)
    crawlers = [process.create_crawler(JobSpider) for _ in range(job.get("crawls", 1))]
    for crawler in crawlers:
        crawler.signals.connect(on_item, scrapy.signals.item_scraped)
        crawler.signals.connect(on_drop, scrapy.signals.item_dropped)
        process.crawl(crawler, urls=job["urls"], yields=job["yields"])
    process.start()
    stats = crawlers[-1].stats.get_stats() if crawlers[-1].stats else {}
    found = {"items": items, "dropped": dropped, "stats": stats, "noted": noted}
    print(json.dumps(found, default=lambda value: value.decode() if isinstance(value, bytes) else str(value)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
