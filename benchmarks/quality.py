"""How good the model is, against peers, without its parts and on less data: every figure out of fold, with 95 % intervals.

    python benchmarks/quality.py [--corpus FILE] [--only full,peers,ablations,curve]

Annotated pages are not part of the repository; where they are absent, it says so. No site, and no story under two site
names, is on both sides of a split; thresholds and settings of peers are chosen inside training folds. Intervals are
percentile bootstraps over sites, the same draws for every row. Tables go to standard output and, with JSON and plots, to
--out. Finished fits are kept there too, so an interrupted run goes on where it was. It takes about an hour on two cores;
--limit, --folds and --config are for trying it out, and the output says that it is not the real thing.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quality_parts import contest, plan, sections, showing
from quality_parts import material as of_material
from quality_parts.figures import Sheet
from quality_parts.jobs import Job, run
from quality_parts.results import Results

from trainer.config import Config, load_config
from trainer.evaluation import resample_sites

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus" / "pages.jsonl"
OUT = ROOT / "benchmarks" / "out" / "quality"
DRAWS = 12


def main() -> int:
    arguments = _arguments()
    if not arguments.corpus.exists():
        print(f"quality: no annotated pages at {arguments.corpus.name}; nothing to measure")
        return 0

    def settings(more: tuple[str, ...]) -> Config:
        folds = (f"evaluation.folds={arguments.folds}",) if arguments.folds else ()
        return load_config(arguments.config, [*arguments.set, *folds, *more])

    config = settings(())
    labels = None if arguments.no_labels else ROOT / "labels"
    material = of_material.load(arguments.corpus, labels, config, arguments.limit)
    bench = Bench(arguments, settings, material)
    bench.fit()
    with bench.attempt("tables"):
        bench.write()
    for failure in bench.results.failures:
        print(f"quality: FAILED: {failure}", file=sys.stderr)
    return 1 if bench.results.failures else 0


class Bench:
    """One run: the fits that the chosen parts need, then the sheets and plots made of them."""

    def __init__(self, arguments: argparse.Namespace, settings: plan.Settings, material: of_material.Material) -> None:
        self.arguments, self.settings, self.material = arguments, settings, material
        self.config = config = settings(())
        draws = {
            name: resample_sites(int(collection.site.max()) + 1, config)
            for name, collection in (("pages", material.pages), ("written", material.written))
            if collection.article.size
        }
        self.results = Results(config, material, draws, {}, {})
        self.sheets: dict[str, Sheet] = {}
        self.curves: dict[str, Any] = {}
        self.peer_notes: dict[str, str] = {}
        self.fitted: dict[str, list[Job]] = {}
        parts = arguments.only
        self.full = plan.full(material, settings) if "full" in parts else []
        self.reference = plan.reference(material, settings) if {"ablations", "curve"} & set(parts) else []
        self.ablations = plan.ablations(material, settings) if "ablations" in parts else {}
        self.curve = plan.curve(material, settings) if "curve" in parts else {}

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Let the rest go on if this part fails."""
        try:
            yield
        except Exception as error:
            if not isinstance(error, RuntimeError):
                traceback.print_exc()
            self.results.failures.append(f"{what}: {error}")

    def fit(self) -> None:
        """Run all fits: first the peers' searches, then everything."""
        jobs = [*self.full, *self.reference]
        jobs += [job for variant in (*self.ablations.values(), *self.curve.values()) for job in variant]
        if "peers" in self.arguments.only:
            searches = {name: plan.tuning(name, self.settings, self.arguments.draws) for name in plan.peers()}
            self._run([job for search in searches.values() for job in search])
            for name, search in searches.items():
                self._choose(name, search)
            if "fastText" not in searches:
                self.peer_notes["fastText"] = "not installed (pip install fasttext-wheel), so it is left out"
        self._run([*jobs, *(job for variant in self.fitted.values() for job in variant)])

    def write(self) -> None:
        """Make the sheets and write everything."""
        out = self.arguments.out
        self._product()
        self._peers()
        self._parts()
        self.arguments.out.mkdir(parents=True, exist_ok=True)
        showing.write_text(list(self.sheets.values()), [self._about(), *self._failures()], out / "quality.txt")
        about = {
            "about": self._about(),
            "pages": self.material.pages.dataset.summary(),
            "written": self.material.written.dataset.summary(),
            "config": self.config.model_dump(mode="json"),
            "failures": self.results.failures,
        }
        showing.write_json(about, self.sheets, self.curves, out / "quality.json")
        print(f"quality: written to {out}")

    def _run(self, jobs: list[Job]) -> None:
        cache = self.arguments.out.parent / "cache"
        outcomes, failed = run(jobs, self.material, cache, self.arguments.jobs)
        self.results.outcomes.update(outcomes)
        self.results.failed.update(failed)

    def _choose(self, peer: str, search: list[Job]) -> None:
        """Take the settings with the best macro-F1 on the inner split."""
        scores = {job.id: self.results.outcomes[job.id].score for job in search if job.id in self.results.outcomes}
        if not scores:
            self.peer_notes[peer] = "every fit of its search failed"
            self.results.failures.append(f"{peer}: {self.peer_notes[peer]}")
            return
        best = max((job for job in search if job.id in scores), key=lambda job: scores[job.id])
        self.fitted[peer] = plan.fitted_peer(peer, self.material, self.settings, best.settings)
        chosen = ", ".join(f"{key} {value}" for key, value in best.settings.items())
        self.peer_notes[peer] = (
            f"best of {len(scores)} settings drawn at random from {plan.SEARCH[peer]}, by macro-F1 on an inner split by site of "
            f"the first training side ({min(scores.values()):.3f} to {max(scores.values()):.3f}): {chosen}"
        )

    def _product(self) -> None:
        if not self.full:
            return
        for section in (sections.full_page, sections.residue_views, sections.short_articles):
            with self.attempt(section.__name__):
                self.sheets.update(section(self.results, self.full))
        with self.attempt("calibration"):
            sheets, points = sections.calibration(self.results, self.full)
            self.sheets.update(sheets)
            self.curves["reliability"] = points
            errors = {row.name: float(row.figures["ece"][0]) for row in sheets["calibration"].rows}
            self._plot(lambda file: showing.plot_reliability(points, errors, file), "reliability.png")
        with self.attempt("removal curves"):
            curves = sections.removal_curves(self.results, self.full)
            self.curves["removal"] = {name: [lost.tolist(), junk.tolist()] for name, (lost, junk) in curves.items()}
            self._plot(lambda file: showing.plot_removal(curves, file), "removal.png")

    def _peers(self) -> None:
        if "peers" not in self.arguments.only:
            return
        with self.attempt("peers"):
            sheets = contest.peer_sheets(self.results, self.full or None, self.fitted, self.peer_notes)
            self.sheets.update(sheets)
            keys = {"char_f1": "news characters", "macro_f1": "macro-F1, four labels"}
            self._plot(lambda file: showing.plot_bars(sheets["peers"].rows, keys, file), "peers.png")

    def _parts(self) -> None:
        how = "with " + ", ".join(plan.CHEAP) + " to save time"
        if self.ablations:
            with self.attempt("ablations"):
                self.sheets.update(sections.ablation_sheet(self.results, self.reference, self.ablations, how))
        if self.curve:
            with self.attempt("learning curve"):
                sheets = sections.curve_sheet(self.results, self.curve, how)
                self.sheets.update(sheets)
                keys = {"macro_f1": "macro-F1", "char_f1": "news characters"}
                keys |= {f"{name}.f1": name for name in self.config.label_set.names}
                self._plot(lambda file: showing.plot_learning(sheets["learning curve"].rows, keys, file), "learning.png")

    def _plot(self, draw: Callable[[Path], None], name: str) -> None:
        with self.attempt(f"plot {name}"):
            self.arguments.out.mkdir(parents=True, exist_ok=True)
            draw(self.arguments.out / name)

    def _about(self) -> str:
        data = self.material.pages.dataset.summary()
        written = self.material.written.dataset.summary()
        given = self.arguments
        quick = given.limit or given.folds or given.config or given.set or given.draws < DRAWS
        return (
            f"{'QUICK RUN, NOT THE REAL FIGURES: ' if quick else ''}{data['articles']:,} pages of {data['sites']:,} sites, "
            f"{data['paragraphs']:,} paragraphs; {written['articles']:,} written articles; {self.material.folds} folds by site, "
            "everything out of fold; value (95 % bootstrap interval over sites)"
        )

    def _failures(self) -> list[str]:
        return [f"FAILED: {failure}" for failure in self.results.failures]


def _parts(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    unknown = [part for part in parts if part not in plan.PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown part {unknown[0]}; known are {', '.join(plan.PARTS)}")
    return parts


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="annotated pages, as label files with kept_by")
    parser.add_argument("--only", type=_parts, default=list(plan.PARTS), help="parts to run: " + ",".join(plan.PARTS))
    parser.add_argument("--no-labels", action="store_true", help="pages alone, without the written articles of labels/")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for text, JSON and plots")
    parser.add_argument("--jobs", type=int, default=-1, help="processes, -1 for one a core")
    parser.add_argument("--draws", type=int, default=DRAWS, help="settings tried for each peer")
    parser.add_argument("--config", type=Path, help="settings of the product; for quick runs")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting; for quick runs")
    parser.add_argument("--folds", type=int, help="for quick runs")
    parser.add_argument("--limit", type=int, help="so many pages, and written articles, drawn by site; for quick runs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
