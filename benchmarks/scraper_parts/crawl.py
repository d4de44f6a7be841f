"""A process that crawls the pages of a local server, with or without the pipeline, and says how long that took.

Reads {"urls", "pipeline", "model"} as JSON; writes items, stats, seconds of the crawl by the clock and of processor time,
milliseconds by the clock that each item spent in the pipeline, seconds of processor time to import and load it, and the process's
peak memory in MB. One request at a time, so that what an item waits for is its own.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import scrapy
from scrapy.crawler import CrawlerProcess

found: dict[str, Any] = {"items": {}, "milliseconds": {}, "load": 0.0}


class Pages(scrapy.Spider):
    name = "pages"

    def __init__(self, urls: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start_urls = urls

    def parse(self, response: Any) -> Any:
        texts = (" ".join(node.xpath("string()").get("").split()) for node in response.xpath("//h1 | //p"))
        yield {"url": response.url, "text": "\n".join(filter(None, texts))}


def timed_pipeline() -> Any:
    """Import the pipeline; return it with a clock."""
    from trainer.integrations.scrapy import ParagraphFilterPipeline

    class Timed(ParagraphFilterPipeline):
        @classmethod
        def from_crawler(cls, crawler: Any) -> Any:
            begin = time.process_time()
            made = super().from_crawler(crawler)
            found["load"] += time.process_time() - begin
            return made

        async def process_item(self, item: Any) -> Any:
            begin = time.perf_counter()
            try:
                return await super().process_item(item)
            finally:
                found["milliseconds"][item["url"]] = (time.perf_counter() - begin) * 1000

    return Timed


def main() -> None:
    job = json.load(sys.stdin)
    settings: dict[str, Any] = {
        "CONCURRENT_REQUESTS": 1,
        "LOG_LEVEL": "WARNING",
        "TELNETCONSOLE_ENABLED": False,
        "TRAINER_REMOVED_FIELD": "removed",
        "TRAINER_MODEL": job["model"],
    }
    if job["pipeline"]:
        begin = time.process_time()
        settings["ITEM_PIPELINES"] = {timed_pipeline(): 300}
        found["load"] += time.process_time() - begin
    process = CrawlerProcess(settings)
    crawler = process.create_crawler(Pages)
    times: list[tuple[float, float]] = []
    for signal in (scrapy.signals.spider_opened, scrapy.signals.spider_closed):
        crawler.signals.connect(lambda: times.append((time.perf_counter(), time.process_time())), signal, weak=False)
    crawler.signals.connect(lambda item: found["items"].update({item["url"]: item}), scrapy.signals.item_scraped, weak=False)
    process.crawl(crawler, urls=job["urls"])
    process.start()
    stats = crawler.stats.get_stats() if crawler.stats else {}
    found["stats"] = {key: value for key, value in stats.items() if key.startswith("trainer/")}
    begin, end = times
    found["seconds"], found["processor"] = end[0] - begin[0], end[1] - begin[1]
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    found["memory"] = int(peak.split()[1]) / 1024
    print(json.dumps(found))


if __name__ == "__main__":
    main()
