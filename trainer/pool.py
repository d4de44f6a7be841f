"""A pool of articles to choose from: read once, and of each article only what the choice needs is kept, not its text."""

from __future__ import annotations

import json
import re
import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray

from trainer import records
from trainer.dataset import label_files
from trainer.errors import InputError
from trainer.files import STDIO
from trainer.model import BATCH_CHARS, Classifier
from trainer.paragraph import Article
from trainer.records import Item, Record, host_of
from trainer.text import Matrix

PERMUTATIONS = 64  # of a sketch: the share of common paragraphs is known to about 0.06
NEAR_DUPLICATE = 0.7  # of all the different paragraphs of two articles, the share that both have
_DIGITS = re.compile(r"\d+")
_TINY = 1e-12

Index = NDArray[np.intp]
Read = Callable[[], Iterator[Item]]


class Pool(NamedTuple):
    """What is known of n articles.

    `place` [n]: number in reading order, from 0 on. `site` [n]: number in `sites`; an article of no known site has one of
    its own. `sites`: names, "" where unknown. `expected` [n, labels]: sum of each label's probabilities over the paragraphs;
    `squares`: of their squares. `entropy` [n]: sum over the paragraphs, in nats. `paragraphs` [n]: how many. `sketch`
    [n, PERMUTATIONS]: MinHash of the set of paragraphs. `labels`: names of the columns. `left_out`: reason → articles that are
    not in the pool. `whole`: whether the labels are verdicts on whole articles, each counting as one paragraph.
    """

    place: Index
    site: Index
    sites: tuple[str, ...]
    expected: Matrix
    squares: Matrix
    entropy: NDArray[np.float64]
    paragraphs: Index
    sketch: NDArray[np.uint32]
    labels: tuple[str, ...]
    left_out: dict[str, int]
    whole: bool = False


class Known(NamedTuple):
    """What is labelled already or on its way.

    `ids`: of the articles. `sites`: articles of each site. `labels`: paragraphs of each label. `sketches`: of the texts, and
    `index`, in which near ones are looked up.
    """

    ids: frozenset[str]
    sites: Counter[str]
    labels: Counter[str]
    sketches: list[MinHash]
    index: MinHashLSH

    def has_near(self, sketch: MinHash) -> bool:
        """Tell whether a known article is a near-duplicate."""
        return any(sketch.jaccard(self.sketches[key]) >= NEAR_DUPLICATE for key in self.index.query(sketch))


def read_known(paths: Iterable[Path]) -> Known:
    """Read label files, folders of them, or records without labels, such as a batch that is still being labelled.

    Raises:
        InputError: with file and line.
    """
    ids: set[str] = set()
    sites, labels = Counter[str](), Counter[str]()
    sketches: list[MinHash] = []
    index = MinHashLSH(threshold=NEAR_DUPLICATE, num_perm=PERMUTATIONS)
    for item in records.read(label_files(paths)):
        if "id" in item.record:
            ids.add(str(item.record["id"]))
        sites[site_of(item.record)] += 1
        parts = item.record.get("paragraphs") or []
        labels.update(part["label"] for part in parts if isinstance(part, dict) and isinstance(part.get("label"), str))
        index.insert(len(sketches), sketch := sketch_of(texts_of(item)))
        sketches.append(sketch)
    return Known(frozenset(ids), sites, labels, sketches, index)


def read_pool(items: Iterable[Item], model: Classifier, known: Known) -> Pool:
    """Judge every article once; those without paragraphs, and those that are known by id or text, are left out."""
    numbers: dict[str, int] = {}
    sites: list[str] = []
    left_out: Counter[str] = Counter()
    place, site, paragraphs = array("q"), array("q"), array("q")
    expected, squares, entropy, sketches = array("d"), array("d"), array("d"), array("I")

    def texts() -> Iterator[tuple[str, ...]]:
        for number, item in enumerate(items):
            own = texts_of(item)
            sketch = sketch_of(own)
            reason = _reason_against(item.record, own, sketch, known)
            if reason:
                left_out[reason] += 1
                continue
            name = site_of(item.record)
            if not name or name not in numbers:
                numbers[name] = len(sites)
                sites.append(name)
            place.append(number)
            site.append(numbers[name])
            paragraphs.append(len(own))
            sketches.extend(sketch.hashvalues.tolist())
            yield own

    for run in _runs(texts()):
        found = sums(model.predict_proba(run), np.array([len(article) for article in run]))
        for kept, values in zip((expected, squares, entropy), found, strict=True):
            kept.extend(values.ravel().tolist())
    return Pool(
        np.array(place, np.intp),
        np.array(site, np.intp),
        tuple(sites),
        np.array(expected).reshape(-1, len(model.labels)),
        np.array(squares).reshape(-1, len(model.labels)),
        np.array(entropy),
        np.array(paragraphs, np.intp),
        np.array(sketches, np.uint32).reshape(-1, PERMUTATIONS),
        model.labels.names,
        dict(left_out),
    )


def sums(probability: Matrix, sizes: Index) -> tuple[Matrix, Matrix, NDArray[np.float64]]:
    """Add up, for each article, its paragraphs' probabilities, their squares, and the entropies.

    Args:
        probability: [paragraphs of all articles, labels]. sizes: [articles] paragraphs of each, at least one.

    Returns:
        `expected`, `squares` and `entropy` of a pool.
    """
    entropy = -(probability * np.log(probability + _TINY)).sum(axis=1)
    begin = np.cumsum([0, *sizes[:-1]])
    expected, squares = (np.add.reduceat(values, begin, axis=0) for values in (probability, probability**2))
    return expected, squares, np.add.reduceat(entropy, begin)


def _reason_against(record: Record, texts: Sequence[str], sketch: MinHash, known: Known) -> str:
    if not texts:
        return "without text"
    if "id" in record and str(record["id"]) in known.ids:
        return "labelled already (id)"
    return "labelled already (text)" if known.has_near(sketch) else ""


def _runs(articles: Iterable[tuple[str, ...]]) -> Iterator[list[tuple[str, ...]]]:
    run: list[tuple[str, ...]] = []
    size = 0
    for article in articles:
        run.append(article)
        size += sum(map(len, article))
        if size >= BATCH_CHARS:
            yield run
            run, size = [], 0
    if run:
        yield run


def texts_of(item: Item) -> tuple[str, ...]:
    """Return the paragraphs of a record as `Classifier.filter` sees them."""
    given = item.article
    article = Article.from_text(given) if isinstance(given, str) else Article.from_paragraphs(given)
    return tuple(paragraph.text for paragraph in article.paragraphs)


def site_of(record: Record) -> str:
    """Return a record's site, else the host of its URL without "www."; "" where there is neither."""
    if isinstance(record.get("site"), str) and record["site"]:
        return str(record["site"])
    return host_of(str(record.get("url") or ""))


def sketch_of(texts: Iterable[str]) -> MinHash:
    """Return a sketch of the set of paragraphs (MinHash; Broder, 1997); case, white space and numbers do not count."""
    sketch = MinHash(num_perm=PERMUTATIONS, seed=1)
    plain = {_DIGITS.sub("0", " ".join(text.casefold().split())) for text in texts}
    sketch.update_batch([text.encode("utf-8", "surrogatepass") for text in sorted(plain)])
    return sketch


@contextmanager
def reader(paths: Sequence[Path], on_bad: Callable[[InputError], None] | None = None) -> Iterator[Read]:
    """Give a function that reads the records from the start each time it is called; bad ones are told of the first time.

    What comes from standard input can be read once only, so it is kept in a temporary file.
    """
    if STDIO in paths:
        with tempfile.TemporaryFile() as kept:
            for item in records.read(paths, on_bad):
                kept.write(json.dumps(item, default=str).encode() + b"\n")
            yield lambda: _kept_items(kept)
        return
    told: list[InputError] = []

    def tell_once(error: InputError) -> None:
        if on_bad and str(error) not in map(str, told):
            on_bad(error)
            told.append(error)

    yield lambda: records.read(paths, tell_once if on_bad else None)


def _kept_items(file: IO[bytes]) -> Iterator[Item]:
    file.seek(0)
    yield from (Item(*json.loads(line)) for line in file)
