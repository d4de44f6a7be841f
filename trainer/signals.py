"""What can be measured of a filtered article: a flat record of named signals, each with its source.

The published heuristics keep their authors' definitions, on the kept paragraphs as the document and each as a line:

- Gopher: Rae et al., 2021, arXiv 2112.11446, appendix A.1.1 and table A1;
- C4: Raffel et al., 2020, JMLR 21(140), section 2.2, and the code published with it;
- FineWeb: Penedo et al., 2024, arXiv 2406.17557, section 3.5, and the code published with it (datatrove).

Their thresholds are in `heuristics`. Time is linear in the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from trainer.character_signals import class_counts, of_characters
from trainer.line_signals import of_lines
from trainer.repetition import DUPLICATE, TOP, repetition
from trainer.result import FilterResult
from trainer.scan import Flags, Index, Scan, scan, sums
from trainer.text import Matrix
from trainer.word_signals import endings, meanings, of_sentences, of_words, title_overlap

SIGNALS = {
    "characters": "characters kept",
    "paragraphs": "paragraphs kept",
    "removed_share": "share of the article's characters that the filter removed",
    "longest_run": "share of the kept characters in the longest stretch of kept paragraphs without a removed one between them",
    "paragraph_characters": "characters of a kept paragraph, mean",
    "words": "words kept; Gopher keeps 50 to 100,000",
    "word_length": "characters of a word, mean; Gopher keeps 3 to 10",
    "hashes": "number signs a word; Gopher keeps up to 0.1",
    "ellipses": "ellipses a word; Gopher keeps up to 0.1",
    "bullet_lines": "share of lines that begin with a bullet; Gopher keeps up to 0.9",
    "ellipsis_lines": "share of lines that end in an ellipsis; Gopher keeps up to 0.3",
    "alphabetic_words": "share of words with a letter; Gopher keeps from 0.8 on",
    "gopher_stop_words": "how many of the, be, to, of, and, that, have, with occur; Gopher keeps from 2 on",
    "duplicate_lines": "share of lines that stood in the article before; Gopher keeps up to 0.3",
    "duplicate_line_characters": "share of characters in such lines; Gopher keeps up to 0.2, FineWeb less than 0.1",
    "top_2_gram": "share of characters in the most frequent pair of words; Gopher keeps up to 0.2",
    "top_3_gram": "the same of three words; Gopher keeps up to 0.18",
    "top_4_gram": "the same of four words; Gopher keeps up to 0.16",
    "duplicate_5_grams": "share of characters in five words that stood in the article before; Gopher keeps up to 0.15",
    "duplicate_6_grams": "the same of six words; Gopher keeps up to 0.14",
    "duplicate_7_grams": "the same of seven words; Gopher keeps up to 0.13",
    "duplicate_8_grams": "the same of eight words; Gopher keeps up to 0.12",
    "duplicate_9_grams": "the same of nine words; Gopher keeps up to 0.11",
    "duplicate_10_grams": "the same of ten words; Gopher keeps up to 0.1",
    "c4_lines": "share of lines that C4 keeps: five words or more, none of over 1,000 characters, a full stop, question mark, "
    "exclamation mark or closing quote at the end and no ellipsis, no JavaScript, no phrase of a policy notice",
    "c4_sentences": "sentences in those lines; C4 keeps from 3 on",
    "lorem_ipsum": "1 where placeholder text occurs; C4 drops it",
    "curly_brackets": "curly brackets; C4 drops what has one",
    "punctuated_lines": "share of lines that end in punctuation; FineWeb keeps more than 0.12",
    "short_lines": "share of lines of up to 30 characters; FineWeb keeps less than 0.67",
    "line_breaks": "line breaks a word; FineWeb's code keeps up to 0.3",
    "ends_in_full_stop": "1 where the last kept paragraph ends in a full stop, question mark, exclamation mark or closing quote",
    "ends_in_ellipsis": "1 where it ends in an ellipsis",
    "reading_prompt": "1 where it or one of the two paragraphs behind it asks to read on, subscribe or log in",
    "glued_words": "words glued together (NewsWorldUkraine, war.The), a word",
    "glued_digits": "digits glued to capital letters (foreign29:07Is), a word",
    "upper_case": "share of letters in upper case",
    "title_case": "share of words that begin in upper case",
    "digits": "share of digits in the characters that are not white space",
    "commas": "commas, colons and semicolons a word",
    "brackets": "brackets a word",
    "symbols": "other symbols (slashes, equals signs …) a word",
    "debris": "signs of a wrong encoding (Ã©, â€™, the replacement character), a word",
    "questions": "share of sentences that end in a question or exclamation mark",
    "sentence_words": "words of a sentence, mean",
    "sentence_spread": "words of a sentence, standard deviation",
    "longest_sentence": "words of the longest sentence",
    "stop_words": "share of words that are English stop words",
    "reader": "share of words that address the reader: you, your",
    "author": "share of words that speak of the author: I, my, we, our",
    "quotes": "quotation marks a word",
    "quote_balance": "1 where every quotation mark has its counterpart, falling to 0",
    "title_overlap": "share of the longer words of the first kept paragraph that occur in the others; 0 where there are none",
}  # fmt: skip
NAMES = tuple(SIGNALS)
CHUNK_CHARS = 1 << 20  # of articles measured at once: enough to spread the cost of a call, at some tens of megabytes

_PROMPTS = ("continue read", "read the ", "keep reading", "subscribe", "log in", "sign in", "full story", "full article")
_PROMPT_CHARS = 120  # of each of the paragraphs looked at


def measure(results: Iterable[FilterResult]) -> Matrix:
    """Measure filtered articles: [articles, signals] in the order of NAMES. Each is measured by itself."""
    parts = [_measure(run) for run in runs(results, CHUNK_CHARS)]
    return np.concatenate(parts) if parts else np.zeros((0, len(NAMES)))


def runs(results: Iterable[FilterResult], chars: int) -> Iterator[list[FilterResult]]:
    """Yield filtered articles in runs of about so many characters."""
    run: list[FilterResult] = []
    size = 0
    for result in results:
        run.append(result)
        size += result.paragraphs[-1].end + 64 if result.paragraphs else 64
        if size >= chars:
            yield run
            run, size = [], 0
    if run:
        yield run


def _measure(results: Sequence[FilterResult]) -> Matrix:
    lines = list(chain.from_iterable([result.texts for result in results]))
    sizes = np.concatenate([result.sizes for result in results])
    keep = np.frombuffer(b"".join([bytes(result.keep) for result in results]), np.bool_)
    offsets = np.cumsum([0, *[len(result.keep) for result in results]])
    stays = np.flatnonzero(keep)
    text = scan(list(map(lines.__getitem__, stays.tolist())), sizes[stays], stays.searchsorted(offsets))
    count, meaning, ends = class_counts(text), meanings(text), endings(text)
    visible = sums(text.end - text.start, text.article_word)  # bytes that are not white space
    parts = [
        _extent(sizes, keep, offsets, text),
        of_words(text, count, meaning, visible),
        of_lines(text, meaning, *ends),
        dict(zip((*(f"top_{n}_gram" for n in TOP), *(f"duplicate_{n}_grams" for n in DUPLICATE)), repetition(text), strict=True)),
        {"reading_prompt": _prompts(lines, stays, offsets)},
        of_characters(text, count, visible),
        of_sentences(text, *ends),
        {"title_overlap": title_overlap(text)},
    ]
    found = {name: values for part in parts for name, values in part.items()}
    out = np.empty((len(results), len(NAMES)))
    for column, name in enumerate(NAMES):
        out[:, column] = found[name]
    return out


def _extent(sizes: Index, keep: Flags, offsets: Index, text: Scan) -> dict[str, NDArray[np.generic]]:
    """Measure how much of each article stays, and in how long a stretch, from its paragraphs' sizes."""
    stays = sizes * keep
    kept = sums(stays, offsets)
    border = np.ones(keep.size, np.bool_)
    border[1:] = keep[1:] != keep[:-1]
    border[offsets[:-1][offsets[:-1] < keep.size]] = True
    first = np.flatnonzero(border)
    longest = np.zeros(kept.size, np.int64)
    if first.size:
        article = offsets.searchsorted(first, side="right") - 1
        np.maximum.at(longest, article, np.add.reduceat(stays, first))
    paragraphs = np.diff(text.article_line)
    return {
        "characters": kept,
        "paragraphs": paragraphs,
        "removed_share": 1 - kept / np.maximum(sums(sizes, offsets), 1) * (np.diff(offsets) > 0),
        "longest_run": longest / np.maximum(kept, 1),
        "paragraph_characters": kept / np.maximum(paragraphs, 1),
    }


def _prompts(lines: Sequence[str], stays: Index, offsets: Index) -> Flags:
    """Return whether each article's last kept paragraph or one of the two behind it asks to read on, subscribe or log in."""
    before = stays.searchsorted(offsets)
    full = np.flatnonzero(before[1:] > before[:-1])
    found = np.zeros(offsets.size - 1, np.bool_)
    for number, last, end in zip(full.tolist(), stays[before[full + 1] - 1].tolist(), offsets[full + 1].tolist(), strict=True):
        near = [lines[last][-_PROMPT_CHARS:], *[line[:_PROMPT_CHARS] for line in lines[last + 1 : min(last + 3, end)]]]
        said = "\n".join(near).lower()
        for phrase in _PROMPTS:
            if phrase in said:
                found[number] = True
                break
    return found
