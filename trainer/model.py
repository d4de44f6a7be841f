"""The object a scraper holds: labels paragraphs, filters articles, says what it removed and how sure it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import chain
from typing import Any

import numpy as np

from trainer.errors import InputError
from trainer.memory import SiteMemory
from trainer.network import Network
from trainer.paragraph import Article, Wrap
from trainer.policy import Policy, apply_valves, candidates
from trainer.recall import recall
from trainer.result import FilterResult, Prediction, predictions
from trainer.schema import LabelSet
from trainer.text import Matrix

BATCH_CHARS = 1 << 17  # of articles judged at once by filter_many
_ARTICLE_CHARS = 64  # what an article counts besides its text, so that empty ones fill a batch too


@dataclass(frozen=True, eq=False, repr=False)
class Classifier:
    """A loaded model. See `trainer.load`.

    Immutable: its attributes cannot be set, and no call writes to anything that another one reads. So any number of threads
    and tasks may share one without a lock, and get the results that a single one gets.

    Attributes:
        name: the model folder's name. digest: SHA-256 of the model, hexadecimal. labels: its label set. policy: its
        thresholds and valves. network: its stages. info: what it was trained on and with.
    """

    network: Network
    labels: LabelSet
    policy: Policy
    _: KW_ONLY
    name: str
    digest: str
    info: dict[str, Any]

    def predict_proba(self, articles: Sequence[Sequence[str]]) -> Matrix:
        """Return probabilities [paragraphs of all articles, labels]; each article is judged by itself."""
        return self.network.probabilities(articles).T

    def label(self, paragraphs: Sequence[str]) -> list[Prediction]:
        """Label the paragraphs of one article, given in reading order.

        Raises:
            InputError: `paragraphs` is one string, or an item is not a string.
        """
        if isinstance(paragraphs, str):
            raise InputError("label takes a list of paragraphs, got one string", hint="Use filter for a whole text.")
        article = self._article(paragraphs, "never")
        probability = self.network.probabilities([[paragraph.text for paragraph in article.paragraphs]])
        return predictions(probability, self.labels.names)

    def filter(
        self,
        article: object,
        *,
        field: str = "text",
        site: str | None = None,
        memory: SiteMemory | None = None,
        wrap: Wrap = "auto",
        allow_empty: bool | None = None,
        max_removed_share: float | None = None,
    ) -> FilterResult:
        """Remove the residue of one article.

        Args:
            article: its text, or its paragraphs in order, or an object that has either (a mapping, a scraped item, what an
                extractor returned …). The object is not changed.
            field: the key or the attribute of such an object.
            site: the host it came from; passed through, and needed for a memory.
            memory: what the site repeats goes, whatever the model says; what it never showed elsewhere stays where the model is
                not sure, see `recall.recall`; the valves act after it. The article is then counted. Results depend on what the
                memory has seen before.
            wrap: how to treat hard-wrapped text, see `paragraph.split`.
            allow_empty, max_removed_share: instead of the model's own setting, see `policy.Policy`.

        Raises:
            InputError: `article` is none of these (bytes, for one), or has no such field, or a memory is given and no site.
        """
        return next(
            self.filter_many(
                [article],
                field=field,
                site=site,
                memory=memory,
                wrap=wrap,
                allow_empty=allow_empty,
                max_removed_share=max_removed_share,
            )
        )

    async def afilter(self, article: object, **options: Any) -> FilterResult:
        """Do what `filter` does, with the same arguments and errors, in a thread: the event loop goes on meanwhile."""
        import asyncio  # loaded by whoever awaits; other scrapers start faster without it

        return await asyncio.to_thread(self.filter, article, **options)

    def filter_html(self, html: bytes | str, **options: Any) -> FilterResult:
        """Remove what is not news from a whole page: every visible block is judged, so no extractor is needed before.

        Needs the extra `html`. For the blocks and how bytes are decoded see `pages.blocks`; `options` are those of `filter`.

        Raises:
            InputError: not a page, or too large a one. TrainerError: lxml is not installed.
        """
        from trainer.pages import blocks

        return self.filter(blocks(html), **options)

    def filter_many(
        self,
        articles: Iterable[object],
        *,
        field: str = "text",
        site: str | None = None,
        sites: Iterable[str | None] | None = None,
        memory: SiteMemory | None = None,
        wrap: Wrap = "auto",
        allow_empty: bool | None = None,
        max_removed_share: float | None = None,
    ) -> Iterator[FilterResult]:
        """Filter many articles in batches; yields one result each, in order, the same as `filter` gives.

        Reads ahead by about BATCH_CHARS characters; articles read ahead are counted in the memory too. `sites` are those of the
        articles, one each (ValueError if not), where it is not the same for all. Other arguments and errors as in `filter`.
        """
        if isinstance(articles, str | bytes):
            raise InputError("filter_many takes many articles, got one", hint="Use filter, or put the article in a list.")
        policy = self._policy(allow_empty, max_removed_share)
        run: list[Article] = []
        hosts: list[str | None] = []
        size = 0
        placed = ((given, site) for given in articles) if sites is None else zip(articles, sites, strict=True)
        for given, host in placed:
            run.append(self._article(_content(given, field), wrap))
            hosts.append(host)
            size += len(run[-1].text) + _ARTICLE_CHARS
            if size >= BATCH_CHARS:
                yield from self._filter_run(run, policy, hosts, memory)
                run, hosts, size = [], [], 0
        yield from self._filter_run(run, policy, hosts, memory)

    def _filter_run(
        self, run: list[Article], policy: Policy, sites: list[str | None], memory: SiteMemory | None
    ) -> Iterator[FilterResult]:
        texts = [[paragraph.text for paragraph in article.paragraphs] for article in run]
        probability = self.network.probabilities(texts)
        sizes = np.fromiter(map(len, texts), np.intp, len(texts))
        chars = np.fromiter(map(len, chain.from_iterable(texts)), np.intp, probability.shape[1])
        chosen = candidates(probability, self.labels.kept, policy.thresholds)
        recalled = recall(memory, sites, texts, chosen, self.labels.kept, policy.thresholds) if memory else None
        _, residue, remove = chosen
        flags = apply_valves(remove, residue, chars, sizes, policy)
        if memory and recalled:
            recalled.add_flags(flags, memory, sites, remove, sizes)
        keep = (~remove).tolist()
        begin = 0
        for number, article in enumerate(run):
            end = begin + len(article.paragraphs)
            yield FilterResult(
                article.paragraphs,
                probability[:, begin:end],
                keep[begin:end],
                flags.get(number, ()),
                labels=self.labels.names,
                site=sites[number],
                model=self.name,
                model_digest=self.digest,
                repeated=recalled.repeated[begin:end].tolist() if recalled else None,
                texts=texts[number],
                sizes=chars[begin:end],
            )
            begin = end

    def _policy(self, allow_empty: bool | None, max_removed_share: float | None) -> Policy:
        policy = self.policy
        if allow_empty is not None:
            policy = policy._replace(allow_empty=allow_empty)
        if max_removed_share is not None:
            if not 0 <= max_removed_share <= 1:
                raise InputError(f"max_removed_share is {max_removed_share}", hint="Give a share from 0 to 1.")
            policy = policy._replace(max_removed_share=max_removed_share)
        return policy

    @staticmethod
    def _article(given: object, wrap: Wrap) -> Article:
        if isinstance(given, str):
            return Article.from_text(given, wrap)
        if isinstance(given, Sequence) and not isinstance(given, bytes | bytearray | memoryview):
            return Article.from_paragraphs(given)
        raise InputError(
            f"expected a text or a list of paragraphs, got {type(given).__name__}",
            hint="Decode bytes first, e.g. data.decode('utf-8').",
        )


def _content(given: Any, field: str) -> object:
    """Return what an object holds under `field`: its item if it has keys, else its attribute; all else comes back as it is."""
    if isinstance(given, str | bytes | bytearray | memoryview) or given is None:
        return given
    has_keys = hasattr(given, "keys")  # mappings, and rows of a database, which are sequences too
    try:
        return given[field] if has_keys else getattr(given, field)
    except (LookupError, AttributeError):
        if isinstance(given, Sequence) and not has_keys:
            return given
    raise InputError(
        f"expected a text or a list of paragraphs, got {type(given).__name__} without {field!r}",
        hint="Name the field that holds it, e.g. field='body'.",
    )
