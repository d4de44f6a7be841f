"""Quality gate: the main figures of benchmarks/quality.py on annotated public pages must not fall below models/floors.json.

    python benchmarks/gate.py [--corpus FILE]                                  measure and compare
    python benchmarks/gate.py --update [--allow-regression REASON]             set the floors anew
    python benchmarks/gate.py --check-history                                  has a commit lowered one by hand?

The pages are not part of the repository; where they are absent, the gate says so and passes. `--update` writes the figures
just measured, less a margin, as the new floors; it refuses if that would lower or drop one, unless a reason is given, which is
recorded in the file. To pin a further figure of `main_figures`, add its name with a low floor and run `--update`.
Settings that save time stand in the floors file. Exit codes: 0 passed, 1 below a
floor or refused, 2 bad usage or input.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import floors

from trainer.errors import InputError, TrainerError
from trainer.files import write_whole

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus" / "pages.jsonl"
FLOORS = Path("models", "floors.json")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="label file of annotated pages, instead of the one beside the checkout")
    task = parser.add_mutually_exclusive_group()
    task.add_argument("--update", action="store_true", help="set the floors anew")
    task.add_argument("--check-history", action="store_true", help="measure nothing; look for floors lowered by hand")
    parser.add_argument("--allow-regression", metavar="REASON", help="with --update: let floors sink, and record why")
    arguments = parser.parse_args(argv)
    try:
        if arguments.allow_regression is not None and not (arguments.update and arguments.allow_regression.strip()):
            raise InputError("--allow-regression needs --update and a reason", hint='Say why: --allow-regression "REASON".')
        if arguments.check_history:
            return check_history()
        return gate(arguments.corpus, update=arguments.update, reason=arguments.allow_regression)
    except TrainerError as error:
        print(f"gate: {error}", file=sys.stderr)
        return 2


def gate(corpus: Path | None = None, *, update: bool = False, reason: str | None = None) -> int:
    """Measure, set the floors anew where asked for, compare."""
    current = floors.read(ROOT / FLOORS)
    if corpus is None and not CORPUS.exists() and not update:
        print(f"gate: no annotated pages at {CORPUS.name}; nothing to measure, passed")
        return 0
    corpus = corpus or CORPUS
    if not corpus.exists():
        raise InputError("no annotated pages, so nothing to measure", where=str(corpus), hint="Give --corpus FILE.")
    measured, digest = measure(corpus, current)
    if current["digest"] != digest:
        print("gate: note: the data differ from those the floors were set on")
    if update:
        new = updated(current, measured, digest, reason)
        if new is None:
            return 1
        with write_whole(ROOT / FLOORS) as file:
            file.write_text(floors.dump(new), "utf-8")
        current = new
    below = floors.below(current["floors"], measured)
    for name, floor in current["floors"].items():
        value = f"{measured[name]:.3f}" if name in measured else "not measured"
        print(f"gate: {name} {value}, floor {floor:.3f}{'  BELOW' if name in below else ''}")
    return 1 if below else 0


def measure(corpus: Path, current: floors.File) -> tuple[dict[str, float], str]:
    """Run benchmarks/quality.py on the product; return its main figures by name, and the digest of the pages."""
    out = ROOT / "benchmarks" / "out" / "gate"
    script = [
        sys.executable,
        str(ROOT / "benchmarks" / "quality.py"),
        "--corpus",
        str(corpus),
        "--only",
        "full",
        "--out",
        str(out),
    ]
    settings = [part for setting in current["settings"] for part in ("--set", setting)]
    begin = time.monotonic()
    done = subprocess.run([*script, "--config", str(ROOT / current["config"]), *settings], cwd=ROOT, check=False)
    if done.returncode:
        raise InputError("the benchmark failed", where="benchmarks/quality.py", hint="See what it said above.")
    print(f"gate: measured in {time.monotonic() - begin:.0f} s")
    found = json.loads((out / "quality.json").read_text("utf-8"))
    return main_figures(found["sheets"]), found["about"]["pages"]["digest"]


def main_figures(sheets: dict[str, Any]) -> dict[str, float]:
    """Take the figures that floors may be set on out of the benchmark's sheets, by name."""

    def value(sheet: str, row: str, figure: str) -> float:
        rows = {item["name"]: item["figures"] for item in sheets[sheet]["rows"]}
        return float(rows[row][figure][0])

    return {
        "macro_f1": value("full page, overall", "product", "macro_f1"),
        "news_f1": value("full page", "news", "f1"),
        "news_char_f1": value("full page, overall", "product", "char_f1"),
        "junk_full_page": value("residue curve", "full page", "junk_at 0.5 %"),
        "junk_after_trafilatura": value("residue curve", "trafilatura", "junk_at 0.5 %"),
        "written_macro_f1": value("written articles (own folds), overall", "product", "macro_f1"),
    }


def updated(current: floors.File, measured: dict[str, float], digest: str, reason: str | None) -> floors.File | None:
    """Return the file with new floors; None where one would sink and no reason is given."""
    new = floors.propose(current, measured, digest)
    drops = floors.lowered(current["floors"], new["floors"])
    for name, pair in drops.items():
        print(f"gate: {name} {floors.describe(pair)}")
    if drops and reason is None:
        print('gate: floors not changed; to let them sink, say why: --update --allow-regression "REASON"')
        return None
    if reason and not drops:
        print("gate: no floor sinks, so the reason is not recorded")
    return floors.record(new, drops, reason, date.today().isoformat()) if drops and reason else new


def check_history() -> int:
    """Compare the floors with those of earlier commits; a lowered one needs its entry."""
    current = floors.read(ROOT / FLOORS)
    earlier = earlier_floors()
    if not earlier:
        print("gate: no git history with floors to compare with, passed")
    lowered = False
    for commit, text in earlier.items():
        try:
            lines = floors.unexplained(floors.parse(text, commit), current)
        except InputError as error:
            print(f"gate: {error.where}: the floors there {error.cause}; not compared")
            continue
        for line in lines:
            print(f"gate: since {commit}, {line}")
        print(f"gate: {'a floor was' if lines else 'no floor was'} lowered without a reason since {commit}")
        lowered = lowered or bool(lines)
    if lowered:
        print('gate: floors are lowered by benchmarks/gate.py --update --allow-regression "REASON" alone')
    return 1 if lowered else 0


def earlier_floors() -> dict[str, str]:
    """Return the text of the floors file by the commit it is of.

    The commits: where this branch left origin/main, else the one before the last; and the last, for what is not committed yet.
    """
    head, base = git("rev-parse", "HEAD"), git("merge-base", "HEAD", "origin/main")
    place = "the branch point"
    if base in (None, head):
        place, base = "the commit before", git("rev-parse", "--verify", "HEAD~1")
    found = {f"{name} ({commit[:10]})": commit for name, commit in ((place, base), ("the last commit", head)) if commit}
    texts = {name: git("show", f"{commit}:./{FLOORS.as_posix()}") for name, commit in found.items()}
    return {name: text for name, text in texts.items() if text}


def git(*arguments: str) -> str | None:
    """Return what git prints; None where there is no git, no repository or no such thing in it."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
