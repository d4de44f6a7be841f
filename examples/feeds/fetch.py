"""Save the pages that a feed links to and that were not saved before.

    python fetch.py FEED NEW DONE

New pages go to the folder NEW; a page that is in NEW or DONE already is not fetched again. A page's name is a hash of its
address; `links.tsv` beside NEW has the address of each. Needs lxml.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

from lxml import etree

PAUSE = 1.0  # seconds between two pages
LINKS = "//item/link/text() | //*[local-name()='entry']/*[local-name()='link'][not(@rel) or @rel='alternate']/@href"


def get(url: str) -> bytes:
    """Return what an address gives; only http and https are asked."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"not a web address: {url}")
    with urlopen(Request(url, headers={"User-Agent": "feed-reader/1.0"}), timeout=30) as response:  # noqa: S310 (checked above)
        return bytes(response.read(10_000_001))


def main(feed: str, new: Path, done: Path) -> int:
    """Fetch what is new; return 1 if a page could not be had, which the next run tries again."""
    new.mkdir(parents=True, exist_ok=True)
    done.mkdir(parents=True, exist_ok=True)
    tree = etree.fromstring(get(feed), etree.XMLParser(resolve_entities=False, no_network=True))
    failed = 0
    for link in dict.fromkeys(str(link).strip() for link in tree.xpath(LINKS)):
        name = f"{hashlib.sha256(link.encode()).hexdigest()[:16]}.html"
        if (new / name).exists() or (done / name).exists():
            continue
        try:
            page = get(link)
        except (OSError, ValueError) as error:
            print(f"{link}: {error}", file=sys.stderr)
            failed += 1
            continue
        part = new / f"{name}.part"
        part.write_bytes(page)
        with (new.parent / "links.tsv").open("a", encoding="utf-8") as links:
            links.write(f"{name.removesuffix('.html')}\t{link}\n")
        part.rename(new / name)
        time.sleep(PAUSE)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
