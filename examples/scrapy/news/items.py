"""What is scraped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Article:
    """An article: `text` has a paragraph a line; `removed` gets what the filter took out of it."""

    url: str
    title: str
    text: str
    removed: list[dict[str, Any]] = field(default_factory=list)
