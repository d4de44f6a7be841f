"""Make labels/public-pages.standoff.jsonl of the stand-off annotation that lies beside the checkout.

    python benchmarks/standoff.py [--annotation FILE] [--out FILE]

Reading refuses any field but those of a stand-off file, so no text can slip in.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from trainer.errors import InputError
from trainer.files import write_whole
from trainer.standoff import load_standoff

ROOT = Path(__file__).resolve().parent.parent
ANNOTATION = ROOT.parent / "shared" / "annotations" / "standoff.jsonl"
STANDOFF = ROOT / "labels" / "public-pages.standoff.jsonl"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotation", type=Path, default=ANNOTATION)
    parser.add_argument("--out", type=Path, default=STANDOFF)
    arguments = parser.parse_args()
    try:
        pages = load_standoff(arguments.annotation)
        with write_whole(arguments.out) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            for page in pages:
                blocks = " ".join(digest + letter for digest, letter in page.blocks)
                file.write(json.dumps({**page._asdict(), "blocks": blocks}) + "\n")
    except InputError as error:
        print(f"standoff: {error}", file=sys.stderr)
        return 2
    size = arguments.out.stat().st_size
    print(f"{len(pages):,} pages, {sum(len(page.blocks) for page in pages):,} paragraphs, {size:,} bytes: {arguments.out.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
