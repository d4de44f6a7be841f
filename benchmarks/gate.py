"""Quality gate: site-grouped cross-validation on annotated public pages must not fall below models/floors.json.

    python benchmarks/gate.py [--corpus FILE] [--update]

The pages are not part of the repository; where they are absent, the gate says so and passes. `--update` writes the figures
just measured, less a margin, as the new floors; it never lowers one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from rich.console import Console

from trainer.config import load_config
from trainer.dataset import load_labels
from trainer.evaluation import cross_validate
from trainer.report import show

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus" / "pages.jsonl"
FLOORS = ROOT / "models" / "floors.json"
MARGIN = 0.005  # machines and library versions differ a little


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    if not arguments.corpus.exists():
        print(f"gate: no annotated pages at {arguments.corpus.name}; nothing to measure, passed")
        return 0
    floors = json.loads(FLOORS.read_text())
    config = load_config(ROOT / floors["config"])
    files = [arguments.corpus, ROOT / "labels"] if floors["with_labels"] else [arguments.corpus]
    dataset = load_labels(files, config.label_set, config.by_kind)
    begin = time.monotonic()
    report = cross_validate(dataset, config)
    show(report, Console(width=140, highlight=False))
    print(f"gate: evaluated in {time.monotonic() - begin:.0f} s")
    measured = {name: report.overall[name][0] for name in floors["floors"]}
    if arguments.update:
        floors["digest"] = dataset.digest
        floors["floors"] = {name: max(floors["floors"][name], round(value - MARGIN, 3)) for name, value in measured.items()}
        FLOORS.write_text(json.dumps(floors, indent=1) + "\n")
    if floors["digest"] != dataset.digest:
        print("gate: note: the data differ from those the floors were set on")
    below = [name for name, floor in floors["floors"].items() if measured[name] < floor]
    for name, floor in floors["floors"].items():
        print(f"gate: {name} {measured[name]:.3f}, floor {floor:.3f}{'  BELOW' if name in below else ''}")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
