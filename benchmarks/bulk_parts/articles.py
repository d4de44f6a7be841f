"""Articles of invented sites, put together from the paragraphs of labels/: the same file for the same seed.

Each site has a menu, a footer, newsletter calls and an appeal of its own, the same on all its pages, as on the web. Stories are
recombined sentence by sentence, so hardly one of their paragraphs comes twice.
"""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import peers

PAGES_A_SITE = 200
CORPUS = peers.ROOT.parent / "shared" / "corpus" / "pages.jsonl"
_SENTENCE = re.compile(r'(?<=[.!?”"]) (?=[A-Z“"])')


class Site(NamedTuple):
    """What is the same on all pages of a site."""

    name: str
    head: list[str]
    foot: list[str]
    calls: list[str]
    appeal: list[str]


def write(path: Path, count: int, seed: int) -> None:
    """Write articles as JSON lines."""
    with path.open("w", encoding="utf-8") as file:
        for record in generate(count, seed):
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def generate(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield records with `id`, `url`, `site` and `text`, sites mixed as a crawl mixes them."""
    rng = random.Random(seed)
    pools = _pools()
    sites = [_site(rng, pools, number) for number in range(max(1, count // PAGES_A_SITE))]
    for number in range(count):
        site = rng.choice(sites)
        text = "\n".join(_page(rng, pools, site))
        yield {"id": f"{seed}-{number}", "url": f"https://{site.name}/{number}", "site": site.name, "text": text}


def real(corpus: Path, view: str | None) -> list[list[str]]:
    """Return the paragraphs of annotated pages, whole or as an extractor left them."""
    out = []
    with corpus.open(encoding="utf-8") as file:
        for line in file:
            page = json.loads(line)
            texts = [paragraph["text"] for paragraph in page["paragraphs"]]
            out.append(texts if view is None else [texts[index] for index in page["kept_by"][view]])
    return out


def _pools() -> dict[str, list[str]]:
    """Return the labelled paragraphs of each kind, of news its sentences."""
    pools: dict[str, list[str]] = defaultdict(list)
    for path in sorted(peers.LABELS.glob("*.jsonl")):
        if ".standoff" in path.name or path.name == "public-pages.jsonl":
            continue
        with path.open(encoding="utf-8") as file:
            for line in file:
                for paragraph in json.loads(line)["paragraphs"]:
                    kind = paragraph.get("kind") or paragraph["label"]
                    if kind == "news":
                        pools[kind] += _SENTENCE.split(paragraph["text"])
                    elif kind:
                        pools[kind].append(paragraph["text"])
    return pools


def _site(rng: random.Random, pools: dict[str, list[str]], number: int) -> Site:
    head = rng.sample(pools["interface"], rng.randint(8, 24))
    foot = rng.sample(pools["interface"], rng.randint(5, 12)) + rng.sample(pools["legal"], rng.randint(1, 4))
    calls = rng.sample(pools["promo"], 3)
    return Site(f"site{number:04}.example", head, foot, calls, rng.sample(pools["fundraising"], rng.randint(1, 3)))


def _page(rng: random.Random, pools: dict[str, list[str]], site: Site) -> list[str]:
    story = [" ".join(rng.choices(pools["news"], k=rng.randint(2, 5))) for _ in range(rng.randint(8, 24))]
    story.insert(rng.randrange(1, len(story)), rng.choice(site.calls))
    story.insert(rng.randrange(1, len(story)), f"{rng.choice(pools['related'])}: {rng.choice(pools['news'])}")
    if rng.random() < 0.6:
        story.insert(1, rng.choice(pools["caption"]))
    if rng.random() < 0.3:
        story += site.appeal
    headline, byline = rng.choice(pools["news"]).rstrip("."), rng.choice(pools["byline"])
    teasers = rng.choices(pools["related"], k=rng.randint(3, 6))
    return [*site.head, headline, byline, *story, *teasers, *site.foot]
