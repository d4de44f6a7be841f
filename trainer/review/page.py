"""One HTML file with a sample of articles and what the model removes of them; it needs no network, and no text in it can run."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from trainer.artifact import DEFAULT
from trainer.errors import InputError
from trainer.files import STDIO, write_whole
from trainer.model import Classifier
from trainer.records import Item
from trainer.result import FilterResult
from trainer.review import colours
from trainer.review.sample import reservoir

SUFFIXES = (".html", ".htm")
UNKNOWN_SITE = "unknown"  # of articles that name none; a label file needs one
SCRIPTS = ("state.js", "view.js", "filters.js", "main.js")
_DIGITS = 4  # of a probability
_IN_SCRIPT = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})  # whatever a text holds, it cannot end the element


class Review(NamedTuple):
    """What a page shows: of how many articles which number was drawn, their paragraphs, and how many of these go."""

    articles: int
    total: int
    paragraphs: int
    removed: int


def write_review(
    items: Iterable[Item],
    classifier: Classifier,
    out: Path,
    *,
    number: int,
    seed: int = 0,
    force: bool = False,
    **options: Any,
) -> Review:
    """Write a page with `number` articles drawn at random; of fewer it shows all.

    The items are read once, and no more than `number` of them held. The same items, model, number and seed give the same bytes.

    Args:
        out: the file, ending in one of SUFFIXES, or `-` for standard output. options: those of `Classifier.filter_many`.

    Raises:
        InputError: there are no articles, `number` is below 1, or `out` is there without `force` or cannot be written.
    """
    check_page(out, force=force)
    if number < 1:
        raise InputError(f"the sample is of {number} articles", hint="Give a number from 1.")
    chosen, total = reservoir(items, number, seed)
    if not chosen:
        raise InputError("there are no articles to draw from", hint="Look at the input; nothing was written.")
    results = list(classifier.filter_many((item.article for item in chosen), sites=[item.site for item in chosen], **options))
    data = _data(chosen, results, classifier, total=total, seed=seed)
    _write(out, page(data, [label.colour for label in classifier.labels]))
    paragraphs = sum(len(result.paragraphs) for result in results)
    return Review(len(chosen), total, paragraphs, paragraphs - sum(len(result.kept) for result in results))


def check_page(out: Path, *, force: bool) -> None:
    """Refuse a page that is there already, or a name that no browser would open."""
    if out == STDIO:
        return
    if out.suffix not in SUFFIXES or out.is_dir():
        raise InputError(
            "is not the name of a page", where=str(out), hint="Give a file ending in .html, or - for standard output."
        )
    if (out.exists() or out.is_symlink()) and not force:
        raise InputError("is there already", where=str(out), hint="Give --force to replace it, or another name.")


def page(data: Mapping[str, Any], label_colours: Sequence[str]) -> str:
    """Return the page of what `_data` returns; the policy in its head lets no script and no style run but those put in here."""
    block = json.dumps(data, separators=(",", ":")).translate(_IN_SCRIPT)  # ASCII, lone surrogates and all
    style = "\n" + colours.rules(label_colours) + _part("page.css")
    script = "\n" + "\n".join(map(_part, SCRIPTS))
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    digest = hashlib.sha256(block.encode("ascii")).hexdigest()
    filled = {"policy": policy, "style": style, "digest": digest, "script": script, "data": block}
    text = _part("page.html")
    for name, part in filled.items():
        text = text.replace(f"<!--{name}-->", part)  # the block comes last and holds no `<`
    return text


def _data(
    items: Sequence[Item], results: Sequence[FilterResult], classifier: Classifier, *, total: int, seed: int
) -> dict[str, Any]:
    """Return what the page shows; a paragraph is text, number of its label, probability, and 1 where it stays."""
    used: Counter[str] = Counter()
    articles = [
        {
            **_about(item, [paragraph.text for paragraph in result.paragraphs], used),
            "flags": result.flags,
            "paragraphs": [
                [paragraph.text, classifier.labels.index[said.label], round(said.probability, _DIGITS), int(keep)]
                for paragraph, said, keep in zip(result.paragraphs, result.predictions, result.keep, strict=True)
            ],
        }
        for item, result in zip(items, results, strict=True)
    ]
    return {
        "model": classifier.name,
        "model_digest": classifier.digest,
        "base": DEFAULT if classifier.name == DEFAULT else "MODEL",  # to name in a command
        "labels": [{"name": label.name, "kept": label.kept} for label in classifier.labels],
        "total": total,
        "seed": seed,
        "articles": articles,
    }


def _about(item: Item, texts: Sequence[str], used: Counter[str]) -> dict[str, str]:
    """Return what a label file says of an article besides its paragraphs; ids are given once."""
    record = item.record
    name = _text(record.get("id")) or hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]
    used[name] += 1
    while used[name] > 1:
        name = f"{name}-{used[name]}"
        used[name] += 1
    url = _text(record.get("url"))
    source = _text(record.get("source")) or url or item.where
    about = {"id": name, "site": item.site or UNKNOWN_SITE, "source": source}
    return {**about, "url": url, "title": _text(record.get("title")), "where": item.where}


def _text(value: object) -> str:
    """Return a field as text; numbers are written out, what is neither counts as missing."""
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    """Return how a content security policy names an element's content."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _write(out: Path, text: str) -> None:
    if out == STDIO:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return
    with write_whole(out) as temporary:
        temporary.write_text(text, "utf-8", newline="\n")
