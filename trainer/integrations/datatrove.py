"""datatrove: a filter block that removes what is not news from each document; needs datatrove (the extra `datatrove`).

LocalPipelineExecutor(pipeline=[JsonlReader("crawl/"), ParagraphFilter(), JsonlWriter("clean/")], tasks=100, workers=8).run()
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.pipeline.writers.disk_base import DiskWriter

from trainer.integrations import load_once
from trainer.result import FilterResult


class ParagraphFilter(BaseFilter):  # type: ignore[misc] # it has no types
    """Keeps the paragraphs of each document's text that are news; what it thinks of every paragraph goes into the metadata.

    `metadata["paragraph_scores"]` has label, probability and keep of each paragraph, in order; `metadata["removed"]` the
    removed ones with their texts; `metadata["filter"]` model, counts and the safety valves that acted (see
    `FilterResult.to_record`). A document is dropped only where `drop_below` says so, with the reason `too_little_news`.

    Statistics: `paragraphs`, `paragraphs_removed`, `removed_<label>`, `flag_<flag>`, besides those of every filter.

    The model is loaded once a process, when the first document comes, so the block can be sent to any worker.

    Args:
        model: a model folder that every worker can read; without it the model that comes with the package.
        drop_below: drop documents of which fewer characters are kept; 0 drops none.
        options: of `Classifier.filter`: wrap, allow_empty, max_removed_share.
        exclusion_writer, batch_size: as in all filters of datatrove.
    """

    name = "📰 Paragraphs"

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        drop_below: int = 0,
        options: Mapping[str, Any] | None = None,
        exclusion_writer: DiskWriter | None = None,
        batch_size: int = 64,
    ) -> None:
        super().__init__(exclusion_writer, batch_size)
        self.model, self.drop_below, self.options = model, drop_below, dict(options or {})

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """Filter one document; return whether it goes on."""
        return self.filter_batch([doc])[0]

    def filter_batch(self, batch: list[Document]) -> list[bool | tuple[bool, str]]:
        """Filter documents; return for each whether it goes on.

        Raises:
            ArtifactError: no such model. InputError: an option is out of range.
        """
        results = load_once(self.model).filter_many([doc.text for doc in batch], **self.options)
        return [self._take(doc, result) for doc, result in zip(batch, results, strict=True)]

    def _take(self, doc: Document, result: FilterResult) -> bool | tuple[bool, str]:
        doc.text = result.text
        record = result.to_record()
        doc.metadata["removed"], doc.metadata["filter"] = record["removed"], record["filter"]
        doc.metadata["paragraph_scores"] = [
            {"label": said.label, "probability": round(said.probability, 6), "keep": keep}
            for said, keep in zip(result.predictions, result.keep, strict=True)
        ]
        self.stat_update("paragraphs", value=len(result.paragraphs))
        self.stat_update("paragraphs_removed", value=len(result.removed))
        for label, count in result.by_label.items():
            self.stat_update(f"removed_{label}", value=count)
        for flag in result.flags:
            self.stat_update(f"flag_{flag}")
        return True if len(result.text) >= self.drop_below else (False, "too_little_news")
