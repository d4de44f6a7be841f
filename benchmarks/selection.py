"""How many articles must be labelled for a given quality, when `trainer labels next` picks them, and when chance does.

    python benchmarks/selection.py [--corpus FILE] [--start written|nothing] [--strategies mixed,random,uncertainty]

Annotated pages are not part of the repository; where they are absent, it says so. Each seed holds other sites out (one fold of
five, no site and no story on both sides) and plays the labelling of the rest: judge the unlabelled pages with the model so far,
pick a batch, learn the labels of all pages so far, test on the held-out sites, and so on.

--start written (default): the model begins with the 238 written articles of labels/authored.jsonl, as anybody can who has the
repository, and goes on learning from them; --start nothing: with ten pages drawn at random. The model is the product's with
settings that train in seconds, so macro-F1 is lower than in benchmarks/quality.py. `mixed` includes the share that it draws at
random. Text, JSON and a plot go to --out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed

from trainer.config import Config, load_config
from trainer.dataset import Dataset, load_labels
from trainer.estimator import ArticleClassifier, encode
from trainer.evaluation import split_folds
from trainer.grouping import join_near_duplicates
from trainer.pool import Pool, sketch_of, sums
from trainer.selection import STRATEGIES, Strategy, choose

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus" / "pages.jsonl"
WRITTEN = ROOT / "labels" / "authored.jsonl"
OUT = ROOT / "benchmarks" / "out" / "selection"
SIZES = (0, 20, 40, 60, 80, 100, 130, 160, 200, 240)
FIRST = 10  # pages that --start nothing begins with
RANDOM_SHARE = {"mixed": 0.2, "uncertainty": 0.0, "rare": 0.0, "diverse": 0.0, "random": 1.0}
SEED_RESAMPLES = 2000
# Training in seconds; rare labels count more than by default, since there are few of them in so little data.
QUICK = (
    "inner_folds=2",
    "features.word_bits=14",
    "features.pair_bits=14",
    "features.char_bits=14",
    "text.min_kind=0",
    "text.class_weight=balanced",
    "context.width=16",
    "context.head=16",
    "context.dilations=[1, 2]",
    "context.views=0",
    "context.epochs=25",
    "context.batch=1024",
    "context.balance=0.5",
    "evaluation.folds=5",
)


class Material(NamedTuple):
    """Pages, what every model learns from besides (`start`), group and sketch of each page, and the pages each seed holds out."""

    config: Config
    pages: Dataset
    start: Dataset
    group: np.ndarray
    sketches: np.ndarray
    held: list[np.ndarray]


class Step(NamedTuple):
    """After a batch: labelled pages, their paragraphs, those of each label, and F1 of each label on the held-out sites."""

    pages: int
    paragraphs: int
    labelled: dict[str, int]
    f1: dict[str, float]


class QuickClassifier(ArticleClassifier):
    """Without the second stages that are fitted for out-of-fold probabilities: nothing looks at thresholds here."""

    def _fit_sequence(self, samples: Callable[[], Any], outputs: int, seed: int) -> Any:
        splits, epochs = (seed - self.seed) // 1000 - 1, self.epochs
        self.epochs = epochs if splits == self.folds else 0
        try:
            return super()._fit_sequence(samples, outputs, seed)
        finally:
            self.epochs = epochs


def main() -> int:
    arguments = _arguments()
    if not arguments.corpus.exists():
        print(f"selection: no annotated pages at {arguments.corpus.name}; nothing to measure")
        return 0
    began = time.monotonic()
    material = load(arguments.corpus, arguments.start, arguments.split, arguments.limit)
    sizes = [size + FIRST * (arguments.start == "nothing") for size in SIZES if size <= arguments.most]
    jobs = [(strategy, seed) for seed in range(min(arguments.seeds, len(material.held))) for strategy in arguments.strategies]
    work = (delayed(simulate)(material, strategy, seed, sizes) for strategy, seed in jobs)
    runs: dict[str, list[list[Step]]] = {strategy: [] for strategy in arguments.strategies}
    for (strategy, seed), run in zip(jobs, Parallel(n_jobs=arguments.jobs, return_as="generator")(work), strict=True):
        runs[strategy].append(run)
        print(f"{strategy}, seed {seed}: macro-F1 {macro(run[-1]):.3f} on {run[-1].pages} pages", file=sys.stderr, flush=True)
    text = table(runs, material, arguments.start, time.monotonic() - began)
    print(text)
    arguments.out.mkdir(parents=True, exist_ok=True)
    name = f"selection-{arguments.start}"
    (arguments.out / f"{name}.txt").write_text(text + "\n", "utf-8")
    whole = {strategy: [[step._asdict() for step in run] for run in its] for strategy, its in runs.items()}
    (arguments.out / f"{name}.json").write_text(json.dumps({"start": arguments.start, "runs": whole}, indent=1) + "\n", "utf-8")
    plot(runs, arguments.start, arguments.out / f"{name}.png")
    return 0


def load(corpus: Path, start: str, split: int, limit: int | None = None) -> Material:
    """Read the pages and split them; `limit`: at most so many, for quick runs."""
    config = load_config(None, [*QUICK, f"seed={split}"])
    pages = load_labels([corpus], config.label_set)
    if limit:
        pages = pages.select(np.sort(np.random.default_rng(0).permutation(len(pages.articles))[:limit]))
    written = load_labels([WRITTEN], config.label_set) if start == "written" else Dataset(())
    whole = Dataset(pages.articles + written.articles)
    group = join_near_duplicates(whole, config).group[: len(pages.articles)]
    sketches = np.array([sketch_of(texts).hashvalues for texts in pages.texts])
    return Material(config, pages, written, group, sketches, split_folds(pages, config, group))


def simulate(material: Material, strategy: Strategy, seed: int, sizes: Sequence[int]) -> list[Step]:
    """Label batch after batch; `sizes`: labelled pages after each."""
    pages, held = material.pages, material.held[seed]
    left = np.random.default_rng(seed).permutation(np.setdiff1d(np.arange(len(pages.articles)), held))
    labelled, left = left[: sizes[0]], np.sort(left[sizes[0] :])
    model = fit(material, labelled)
    steps = [measure(material, model, labelled, held)]
    for number, size in enumerate(sizes[1:], 1):
        picks = choose(
            pool(material, model if strategy != "random" else None, left),
            size - labelled.size,
            strategy,
            labelled_sites=Counter(pages.sites[labelled].tolist()),
            random_share=RANDOM_SHARE[strategy],
            seed=1000 * seed + number,
        )
        rows = np.array([pick.row for pick in picks])
        labelled, left = np.append(labelled, left[rows]), np.delete(left, rows)
        model = fit(material, labelled)
        steps.append(measure(material, model, labelled, held))
    return steps


def fit(material: Material, labelled: np.ndarray) -> ArticleClassifier:
    """Train on labelled pages and what there is besides."""
    dataset = Dataset(material.start.articles + material.pages.select(labelled).articles)
    group = np.unique(dataset.sites, return_inverse=True)[1]
    model = QuickClassifier(**material.config.estimator_params())
    return model.fit(dataset.texts, dataset.labels, group, dataset.weights, dataset.kinds)


def pool(material: Material, model: ArticleClassifier | None, rows: np.ndarray) -> Pool:
    """Return what `trainer labels next` knows of some pages; without a model, nothing of their labels."""
    names = material.config.label_set.names
    pages = material.pages.select(rows)
    sizes = np.array([len(texts) for texts in pages.texts])
    flat = np.full((int(sizes.sum()), len(names)), 1 / len(names))
    summed = sums(model.predict_proba(pages.texts) if model else flat, sizes)
    sites, site = np.unique(pages.sites, return_inverse=True)
    return Pool(np.arange(len(rows)), site, tuple(sites.tolist()), *summed, sizes, material.sketches[rows], names, {})


def measure(material: Material, model: ArticleClassifier, labelled: np.ndarray, held: np.ndarray) -> Step:
    """Count what is labelled, and test the model on the held-out pages."""
    pages, names = material.pages.select(held), material.config.label_set.names
    truth, found = encode(pages.labels, list(names)), model.predict_proba(pages.texts).argmax(axis=1)
    confusion = np.bincount(truth * len(names) + found, minlength=len(names) ** 2).reshape(len(names), -1)
    f1 = 2 * confusion.diagonal() / np.maximum(confusion.sum(axis=0) + confusion.sum(axis=1), 1)
    counts = material.pages.select(labelled).counts()
    of_label = {name: counts[name] for name in names}
    return Step(labelled.size, sum(counts.values()), of_label, dict(zip(names, f1.tolist(), strict=True)))


def macro(step: Step) -> float:
    return float(np.mean(list(step.f1.values())))


def curve(runs: Sequence[Sequence[Step]]) -> np.ndarray:
    """Return the macro-F1 of each seed at each size, [seeds, sizes]."""
    return np.array([[macro(step) for step in run] for run in runs])


def needed(sizes: np.ndarray, quality: np.ndarray, level: float) -> float:
    """Return how many pages reach a level, on a mean curve that is not let fall; NaN where it never does."""
    rising = np.maximum.accumulate(quality)
    if level > rising[-1]:
        return float("nan")
    at = int(np.argmax(rising >= level))
    if at == 0:
        return float(sizes[0])
    share = (level - rising[at - 1]) / (rising[at] - rising[at - 1])
    return float(sizes[at - 1] + share * (sizes[at] - sizes[at - 1]))


def ratios(sizes: np.ndarray, by_chance: np.ndarray, picked: np.ndarray, at: int) -> tuple[float, float, float]:
    """Return pages needed by a strategy for what chance reaches with sizes[at], as a share of them, with a 95 % interval.

    The interval is a percentile bootstrap over the seeds; where the level is not reached, it counts as the last size.
    """
    rng = np.random.default_rng(0)
    draws = [np.arange(len(picked)), *rng.integers(0, len(picked), (SEED_RESAMPLES, len(picked)))]
    levels = [np.maximum.accumulate(by_chance[draw].mean(axis=0))[at] for draw in draws]
    need = np.array([needed(sizes, picked[draw].mean(axis=0), level) for draw, level in zip(draws, levels, strict=True)])
    share = np.nan_to_num(need, nan=float(sizes[-1])) / sizes[at]
    low, high = np.quantile(share[1:], [0.025, 0.975])
    return need[0] / float(sizes[at]), float(low), float(high)


def table(runs: dict[str, list[list[Step]]], material: Material, start: str, seconds: float) -> str:
    """Return the figures as text."""
    first = next(iter(runs.values()))
    sizes, seeds = np.array([step.pages for step in first[0]]), len(first)
    begin = f"{len(material.start.articles)} written articles" if start == "written" else f"{FIRST} pages drawn at random"
    of_what = f"{len(material.pages.articles)} pages of {np.unique(material.pages.sites).size} sites"
    lines = [
        f"{of_what}; begins with {begin}; mean of {seeds} seeds ± standard error; {seconds / 60:.0f} minutes",
        "",
        "macro-F1 on sites held out, by labelled pages",
        "pages        " + "".join(f"{size:>14}" for size in sizes),
    ]
    for strategy, its in runs.items():
        values = curve(its)
        error = values.std(axis=0, ddof=1) / np.sqrt(seeds) if seeds > 1 else np.zeros(len(sizes))
        cells = [f"{mean:.3f} ± {own:.3f}" for mean, own in zip(values.mean(axis=0), error, strict=True)]
        lines.append(f"{strategy:<13}" + "".join(f"{cell:>14}" for cell in cells))
    for name in material.config.label_set.names:
        lines += ["", f"F1 of {name} (labelled paragraphs)"]
        for strategy, its in runs.items():
            f1 = np.mean([[step.f1[name] for step in run] for run in its], axis=0)
            count = np.mean([[step.labelled[name] for step in run] for run in its], axis=0)
            cells = [f"{value:.3f} ({number:,.0f})" for value, number in zip(f1, count, strict=True)]
            lines.append(f"{strategy:<13}" + "".join(f"{cell:>14}" for cell in cells))
    if "random" in runs:
        lines += ["", "pages needed for what chance reaches with so many, as a share (95 % interval over seeds)"]
        at = [number for number, size in enumerate(sizes) if size >= 2 * (sizes[1] - sizes[0])]
        lines.append("pages        " + "".join(f"{sizes[number]:>20}" for number in at))
        for strategy in (name for name in runs if name != "random"):
            found = [ratios(sizes, curve(runs["random"]), curve(runs[strategy]), number) for number in at]
            cells = [f"{value:.2f} ({low:.2f}–{high:.2f})" for value, low, high in found]
            lines.append(f"{strategy:<13}" + "".join(f"{cell:>20}" for cell in cells))
    return "\n".join(lines)


def plot(runs: dict[str, list[list[Step]]], start: str, file: Path) -> None:
    """Draw macro-F1 against labelled pages and against labelled paragraphs."""
    from matplotlib.figure import Figure  # without pyplot: no window, no state

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    of_pages, of_paragraphs = figure.subplots(1, 2, sharey=True)
    for strategy, its in runs.items():
        values = curve(its)
        mean, error = values.mean(axis=0), values.std(axis=0) / max(1, len(its) - 1) ** 0.5
        along = {
            of_pages: [step.pages for step in its[0]],
            of_paragraphs: np.mean([[step.paragraphs for step in run] for run in its], axis=0),
        }
        for axes, places in along.items():
            axes.plot(places, mean, marker="o", markersize=3, label=strategy)
            axes.fill_between(places, mean - error, mean + error, alpha=0.15)
            axes.grid(alpha=0.3)
    begin = "the written articles" if start == "written" else f"{FIRST} pages"
    of_pages.set(
        xlabel="labelled pages", ylabel="macro-F1 on sites held out", title=f"what to label next, beginning with {begin}"
    )
    of_paragraphs.set(xlabel="labelled paragraphs", title="the same, by paragraphs")
    of_pages.legend(fontsize=8)
    figure.savefig(file, dpi=120)


def _strategies(text: str) -> list[Strategy]:
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in STRATEGIES]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown strategy {unknown[0]}; known are {', '.join(STRATEGIES)}")
    return [strategy for strategy in STRATEGIES if strategy in names]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="annotated pages, as label files")
    parser.add_argument("--start", choices=("written", "nothing"), default="written", help="what the first model has learnt")
    parser.add_argument("--strategies", type=_strategies, default=_strategies("mixed,uncertainty,random"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--split", type=int, default=0, help="seed of the split into folds and of the training")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="stop at so many labelled pages; for quick runs")
    parser.add_argument("--limit", type=int, help="so many pages; for quick runs")
    parser.add_argument("--jobs", type=int, default=-1, help="processes, -1 for one a core")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for text, JSON and plot")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
