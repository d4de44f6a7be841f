"""How much a model gains on a user's own sites from a few labelled paragraphs (`trainer train --base`), and what it forgets.

    python benchmarks/adapt.py [--corpus FILE] [--config configs/fast.toml]

Annotated pages are not part of the repository; where they are absent, it says so. Sites with two pages or more are dealt out to
folds. The base of a fold is trained on all other sites and on `labels/`, so that the fold's sites are new to it (and stories
that also stand on them). Then each site plays the user's: one of its pages is the test, the others give k labelled paragraphs,
a stretch of a page around the beginning of its story and, if k is larger than the page, of the next one; their other
paragraphs stay as unlabelled context. --rotate pages of each site are the test, one after the other. Compared are

- base: the base as it is.
- adapted: the base adapted to the k paragraphs.
- alone: trained from scratch on the k paragraphs, by the product where it can (two pages with labels), else a logistic
  regression over TF-IDF of words, word pairs and characters.
- everything: trained from scratch on the base's data and the k paragraphs of all the fold's sites at once; for the first test
  page of each site only, since it takes a training for each fold and k.
- elsewhere: base and adapted on pages of other sites that neither has seen, for the first test page of each site.

Figures are pooled over test pages, with 95 % percentile bootstrap intervals over sites; differences from the base are over the
same draws. Trained models are kept in --out, so an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainer import artifact, training
from trainer.adaptation import adapt
from trainer.baselines import TfidfLogistic
from trainer.config import Config, load_config
from trainer.dataset import Dataset, LabelledArticle, load_labels
from trainer.errors import InputError
from trainer.estimator import encode
from trainer.evaluation import Scored, interval, join_scored, measure, resample_sites
from trainer.grouping import join_near_duplicates
from trainer.model import Classifier
from trainer.network import Network
from trainer.policy import NEVER, candidates

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus" / "pages.jsonl"
OUT = ROOT / "benchmarks" / "out" / "adapt"
ELSEWHERE = 8  # pages of other sites on which each adapted model is tried
TRAINING = (
    "augmentation characters context estimator features fitting grouping network paragraph policy sequence text training"
).split()  # modules that a trained model depends on
FIGURES = {
    "macro_f1": "macro-F1",
    "news_f1": "F1 of news",
    "news_char_f1": "F1 of news chars",
    "accuracy": "accuracy",
    "news_lost_per_1000": "news lost/1000",
    "junk_removed": "junk removed",
}


class Fold(NamedTuple):
    """The held-out sites with their pages, and everything else."""

    sites: dict[str, list[LabelledArticle]]
    rest: Dataset


class Row(NamedTuple):
    """A line of a table: each figure with its interval, and its difference from the base's with one."""

    name: str
    k: int
    labelled: float
    figures: dict[str, tuple[float, float, float]]
    against_base: dict[str, tuple[float, float, float]]


def main() -> int:
    arguments = _arguments()
    if not arguments.corpus.exists():
        print(f"adapt: no annotated pages at {arguments.corpus.name}; nothing to measure")
        return 0
    config = load_config(arguments.config, arguments.set)
    bench = Bench(config, arguments)
    for number, fold in enumerate(folds(arguments.corpus, config, arguments.folds)):
        begin = time.monotonic()
        bench.run(number, fold)
        print(f"adapt: fold {number + 1}, {len(fold.sites)} sites: {time.monotonic() - begin:.0f} s", flush=True)
    bench.write()
    return 0


def folds(corpus: Path, config: Config, count: int) -> Iterator[Fold]:
    """Deal out the sites with two pages or more; what shares a story with a held-out site is in neither part."""
    pages, written = load_labels([corpus], config.label_set), load_labels([ROOT / "labels"], config.label_set)
    everything = Dataset((*pages.articles, *written.articles))
    group = join_near_duplicates(everything, config).group
    of_site = defaultdict(list)
    for article, its_group in zip(pages.articles, group, strict=False):
        of_site[article.site].append((article, its_group))
    several = {site: its for site, its in of_site.items() if len(its) > 1}
    groups = np.unique([its_group for its in several.values() for _, its_group in its])
    dealt = np.random.default_rng(config.seed).permutation(groups)
    for number in range(count):
        held = dealt[number::count]
        sites = {site: [article for article, _ in its] for site, its in several.items() if its[0][1] in held}
        yield Fold(sites, everything.select(np.flatnonzero(~np.isin(group, held))))


def with_labels(pages: Sequence[LabelledArticle], k: int, config: Config) -> list[LabelledArticle]:
    """Return the pages with only k labels: a stretch that begins k / 2 paragraphs before the story, page by page."""
    kept = {label.name for label in config.label_set if label.kept}
    out = []
    for page in pages:
        story = next((i for i, label in enumerate(page.labels) if label in kept), 0)
        first = max(0, min(story - k // 2, len(page.texts) - k))
        last = min(first + k, len(page.texts))
        labels = tuple(label if first <= i < last else None for i, label in enumerate(page.labels))
        out.append(replace(page, labels=labels))
        k -= last - first
    return out


class Bench:
    """Collects what every model makes of every test page: (name, k) to parts."""

    def __init__(self, config: Config, arguments: argparse.Namespace) -> None:
        self.config, self.arguments = config, arguments
        self.labels = config.label_set
        self.parts: dict[tuple[str, str, int], list[Scored]] = defaultdict(list)
        self.labelled: dict[int, list[int]] = defaultdict(list)
        self.seconds: list[float] = []
        self.how_alone: Counter[str] = Counter()
        self.sites = 0

    def run(self, number: int, fold: Fold) -> None:
        base = self.trained(fold.rest)
        everything = {k: self._everything(fold, k) for k in self.arguments.k} if self.arguments.everything else {}
        rng = np.random.default_rng([self.config.seed, number])
        names = sorted(fold.sites)
        for site in names:
            pages = fold.sites[site]
            others = [x for x in names if x != site]
            elsewhere = [fold.sites[x][0] for x in rng.choice(others, min(ELSEWHERE, len(others)), replace=False)]
            for turn in range(min(self.arguments.rotate, len(pages))):
                test, own = [pages[turn]], [*pages[turn + 1 :], *pages[:turn]]
                first = turn == 0
                self._add("pages", "base", 0, base, test)
                if first:
                    self._add("first", "base", 0, base, test)
                    self._add("elsewhere", "base", 0, base, elsewhere)
                for k in self.arguments.k:
                    dataset = Dataset(tuple(with_labels(own, k, self.config)))
                    self.labelled[k].append(sum(label is not None for labels in dataset.labels for label in labels))
                    begin = time.monotonic()
                    trained = adapt(base, dataset, self.config)
                    self.seconds.append(time.monotonic() - begin)
                    self._add("pages", "adapted", k, trained, test)
                    self._alone(k, dataset, test)
                    if first:
                        self._add("first", "adapted", k, trained, test)
                        self._add("elsewhere", "adapted", k, trained, elsewhere)
                        if everything:
                            self._add("first", "everything", k, everything[k], test)
            self.sites += 1

    def trained(self, dataset: Dataset) -> Classifier:
        """Train, or load what was trained before on the same data with the same settings and code."""
        code = b"".join((ROOT / "trainer" / f"{name}.py").read_bytes() for name in TRAINING)
        settings = json.dumps([self.config.estimator_params(), self.config.policy.model_dump(), training.versions()])
        digest = hashlib.sha256(code + settings.encode() + dataset.digest.encode()).hexdigest()[:16]
        folder = self.arguments.out / "models" / digest
        if not folder.exists():
            begin = time.monotonic()
            model = training.train(dataset, self.config)
            artifact.save(folder, model.network, model.labels, model.policy, model.info)
            print(f"adapt: trained on {len(dataset.articles)} articles: {time.monotonic() - begin:.0f} s", flush=True)
        return artifact.load(folder)

    def _everything(self, fold: Fold, k: int) -> Classifier:
        added = [page for pages in fold.sites.values() for page in with_labels(pages[1:], k, self.config)]
        return self.trained(Dataset((*fold.rest.articles, *added)))

    def _alone(self, k: int, dataset: Dataset, test: list[LabelledArticle]) -> None:
        """Train on the k paragraphs alone; see the module."""
        try:
            network = training.train(dataset, self.config).network
            self.how_alone["product"] += 1
            probability = network.probabilities([page.texts for page in test])
        except InputError:
            self.how_alone["TF-IDF"] += 1
            truth = encode(dataset.labels, list(self.labels.names))
            texts = [text for texts in dataset.texts for text in texts]
            known = np.flatnonzero(truth >= 0)
            peer = TfidfLogistic(len(self.labels)).fit([texts[i] for i in known], truth[known], np.ones(known.size))
            probability = peer.predict_proba([text for page in test for text in page.texts]).T
        self.parts["pages", "alone", k].append(self._scored(probability, (NEVER,) * len(self.labels), test))

    def _add(self, table: str, name: str, k: int, model: Classifier | training.Trained, test: list[LabelledArticle]) -> None:
        network: Network = model.network
        probability = network.probabilities([page.texts for page in test])
        self.parts[table, name, k].append(self._scored(probability, model.policy.thresholds, test))

    def _scored(self, probability: np.ndarray, thresholds: tuple[float, ...], test: list[LabelledArticle]) -> Scored:
        truth = encode([page.labels for page in test], list(self.labels.names))
        chars = np.array([len(text) for page in test for text in page.texts])
        label, _, reached = candidates(probability, self.labels.kept, thresholds)
        return Scored(truth, label, probability, chars, reached, np.full(truth.size, self.sites))

    def tables(self) -> dict[str, list[Row]]:
        """Make the rows of each table, the base first."""
        draws = resample_sites(self.sites, self.config)
        out: dict[str, list[Row]] = defaultdict(list)
        base: dict[str, dict[str, np.ndarray]] = {}
        for (table, name, k), parts in sorted(self.parts.items(), key=lambda item: (item[0][2], item[0][1])):
            found = measure(join_scored(parts), self.labels, draws)
            values = {**found.overall, "news_f1": found.per_label["f1"][:, self.labels.kept[0]]}
            values = {key: values[key] for key in FIGURES}
            if name == "alone":
                del values["news_lost_per_1000"], values["junk_removed"]  # it has no thresholds
            against = base.setdefault(table, values)
            differences = {key: interval(value - against[key]) for key, value in values.items()}
            labelled = float(np.mean(self.labelled[k])) if k else 0.0
            out[table].append(Row(name, k, labelled, {key: interval(value) for key, value in values.items()}, differences))
        return out

    def write(self) -> None:
        """Print the tables and write text, JSON and plot."""
        out, tables = self.arguments.out, self.tables()
        titles = {
            "pages": f"on the user's sites, {len(self.parts['pages', 'base', 0])} test pages of {self.sites} sites",
            "first": f"the same with everything trained anew, first test page of each of {self.sites} sites",
            "elsewhere": f"forgetting: on {ELSEWHERE} pages of other sites for each of {self.sites} adapted models",
        }
        lines = [self.about(), ""]
        for table, title in titles.items():
            lines += [title, "", *_lines(tables[table]), ""]
        text = "\n".join(lines)
        print(text)
        (out / "adapt.txt").write_text(text + "\n", "utf-8")
        rows = {table: [row._asdict() for row in tables[table]] for table in titles}
        about = {"about": self.about(), "config": self.config.model_dump(mode="json")}
        plain = json.dumps({**about, "tables": rows}, indent=1).replace("NaN", "null")
        (out / "adapt.json").write_text(plain + "\n", "utf-8")
        _plot(tables["pages"], out / "adapt.png")
        print(f"adapt: written to {out}")

    def about(self) -> str:
        how = ", ".join(f"{name} {count}" for name, count in sorted(self.how_alone.items()))
        context = self.config.context
        return (
            f"{self.arguments.folds} folds of {self.sites} sites; {self.config.adapt!r}; base with {context.epochs} epochs, "
            f"width {context.width}; adapting took {np.median(self.seconds):.2f} s (median); alone trained by: {how}. Value (95 "
            "% interval over sites) and difference from the base."
        )


def _lines(rows: Sequence[Row]) -> Iterator[str]:
    yield f"{'model':12}{'k':>4}{'labels':>8}  " + "".join(f"{title:>24}" for title in FIGURES.values())
    for row in rows:
        shown = [row.figures.get(key, (np.nan,) * 3) for key in FIGURES]
        cells = [f"{v:.3f} ({low:.3f}–{high:.3f})" if not np.isnan(v) else "–" for v, low, high in shown]
        yield f"{row.name:12}{row.k:4}{row.labelled:8.0f}  " + "".join(f"{cell:>24}" for cell in cells)
        if row.k:
            shown = [row.against_base.get(key, (np.nan,) * 3) for key in FIGURES]
            cells = [f"{v:+.3f} ({low:+.3f} {high:+.3f})" if not np.isnan(v) else "–" for v, low, high in shown]
            yield " " * 26 + "".join(f"{cell:>24}" for cell in cells)


def _plot(rows: Sequence[Row], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    keys = ("macro_f1", "news_f1", "news_char_f1")
    figure, axes = plt.subplots(1, len(keys), figsize=(4 * len(keys), 3.4), constrained_layout=True)
    base = rows[0]
    for axis, key in zip(axes, keys, strict=True):
        axis.axhline(base.figures[key][0], color="#888888", linestyle=":", label="base")
        for name, colour in (("adapted", "#43a047"), ("alone", "#e53935")):
            own = sorted((row for row in rows if row.name == name), key=lambda row: row.k)
            points = ([base] if name == "adapted" else []) + own
            value, low, high = np.array([row.figures[key] for row in points]).T
            axis.errorbar([row.k for row in points], value, [value - low, high - value], label=name, color=colour, capsize=3)
        axis.set_title(FIGURES[key])
        axis.set_xlabel("labelled paragraphs of the site")
    axes[0].legend()
    figure.savefig(file, dpi=120)
    plt.close(figure)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="annotated pages, as label files")
    parser.add_argument("--config", type=Path, help="settings of the bases and of the adaptation")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for text, JSON, plot and trained models")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--rotate", type=int, default=2, help="test pages of each site at most")
    parser.add_argument("--k", type=int, nargs="+", default=[20, 50, 200], help="labelled paragraphs")
    parser.add_argument("--no-everything", dest="everything", action="store_false", help="leave out training on everything")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
