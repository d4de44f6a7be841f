"""The articles that the front page of a site links to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import scrapy
from scrapy.http import Request, Response

from news.items import Article

PARAGRAPHS = "//main//*[self::h1 or self::p or self::li or self::figcaption]"


class ArticlesSpider(scrapy.Spider):
    """Run it as `scrapy crawl articles -a start=http://127.0.0.1:8000/ -O articles.jsonl`."""

    name = "articles"

    def __init__(self, start: str = "http://127.0.0.1:8000/", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start_urls = start.split(",")

    def parse(self, response: Response) -> Iterator[Request]:
        """Follow the links of the front page."""
        yield from response.follow_all(css="main a", callback=self.parse_article)

    def parse_article(self, response: Response) -> Iterator[Article]:
        """Take every paragraph of the article's part of the page; which of them are news is the filter's business."""
        texts = (" ".join(node.xpath("string()").get("").split()) for node in response.xpath(PARAGRAPHS))
        yield Article(response.url, response.css("title::text").get(""), "\n".join(filter(None, texts)))
