"""How fast `trainer bulk` is, what bounds it, and what others need for the same articles: one machine, one run.

    python benchmarks/bulk.py [--articles N] [--peer-articles N] [--corpus FILE] [--model FOLDER] [--rounds N]

The articles are generated from labels/ (see bulk_parts/articles.py). Where annotated pages are there, they are filtered, whole
and as extractors left them. Every contestant reads and writes JSON lines and calculates in one thread a process. Start-up, its
time for a single article, is taken off. MB are of text in UTF-8. "A core" is by processor time, which other programs disturb less
than the clock; the clock tells what a second worker brings. Slow peers get fewer articles.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import joblib
import peers
from bulk_parts import articles, repeats
from bulk_parts.measure import Run, measure

import trainer

DRIVE = Path(__file__).parent / "bulk_parts" / "drive.py"
VIEWS = (("real pages, whole", None), ("after resiliparse", "resiliparse"), ("after trafilatura", "trafilatura"))
TIMES = 5  # real pages are filtered so often over, since they are few
SLOW = 20  # times fewer articles for datatrove's filters


class Material(NamedTuple):
    """A file of articles, and how much text is in it."""

    path: Path
    articles: int
    paragraphs: int
    megabytes: float

    @classmethod
    def of(cls, path: Path) -> Material:
        texts = [json.loads(line)["text"] for line in path.open(encoding="utf-8")]
        paragraphs = sum(len(text.split("\n")) for text in texts)
        return cls(path, len(texts), paragraphs, sum(len(text.encode()) for text in texts) / 1e6)

    @property
    def paragraph(self) -> float:
        """Mean bytes of a paragraph."""
        return 1e6 * self.megabytes / self.paragraphs


class Row(NamedTuple):
    """What one contestant took for its articles, and for a single one."""

    name: str
    material: Material
    run: Run
    start: Run

    @property
    def wall(self) -> float:
        return self.run.wall - self.start.wall

    @property
    def cpu(self) -> float:
        return self.run.cpu - self.start.cpu

    @property
    def a_core(self) -> float:
        """MB of text in a second of processor time."""
        return self.material.megabytes / self.cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=100_000)
    parser.add_argument("--peer-articles", type=int, default=20_000, help="of fastText, scikit-learn and ours in one process")
    parser.add_argument("--rounds", type=int, default=2, help="the best of so many runs counts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, default=articles.CORPUS, help="annotated pages, as label files")
    parser.add_argument("--model", type=Path, default=peers.ROOT / "models" / "news-en")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), arguments.model, arguments.rounds)
        few = min(arguments.articles, arguments.peer_articles)
        large, small, slow = (bench.material(count, arguments.seed) for count in (arguments.articles, few, max(1, few // SLOW)))
        bench.show(bench.rows(large, small, slow), large)
        bench.show_shares(small)
        records = articles.generate(min(few, 5000), arguments.seed)
        bench.show_repeats("generated, sites mixed", [record["text"].split("\n") for record in records])
        if not arguments.corpus.exists():
            print(f"no annotated pages at {arguments.corpus.name}: real pages are left out")
            return
        for name, view in VIEWS:
            pages = articles.real(arguments.corpus, view)
            material = bench.real(pages, view)
            row = bench.row(f"ours, one process, {name}", material, bench.drive("ours"))
            print(f"{name}: {material.paragraph:.0f} bytes a paragraph, {row.a_core:.1f} MB/s a core")
            bench.show_repeats(name, pages)


class Bench:
    """The runs of one benchmark, in one temporary folder."""

    def __init__(self, folder: Path, model: Path, rounds: int) -> None:
        self.folder, self.model, self.rounds = folder, model, rounds
        self._runs = 0
        dataset = peers.load_articles()
        self.fasttext, self.sklearn = folder / "fasttext.bin", folder / "sklearn.joblib"
        peers.train_fasttext(dataset, wordNgrams=2).save_model(str(self.fasttext))
        joblib.dump(peers.train_sklearn(dataset), self.sklearn)

    def material(self, count: int, seed: int) -> Material:
        """Return a file of generated articles, the same each time."""
        path = self.folder / f"{count}" / "articles.jsonl"
        if not path.exists():
            path.parent.mkdir()
            articles.write(path, count, seed)
        return Material.of(path)

    def real(self, pages: Sequence[Sequence[str]], view: str | None) -> Material:
        """Return a file of real pages, several times over, which goes with the temporary folder."""
        path = self.folder / f"{view}" / "articles.jsonl"
        path.parent.mkdir()
        lines = [json.dumps({"id": str(number), "text": "\n".join(page)}) for number, page in enumerate(pages)]
        path.write_text("\n".join(lines * TIMES), "utf-8")
        return Material.of(path)

    def drive(self, contestant: str) -> list[str]:
        model = {"fasttext": self.fasttext, "scikit-learn": self.sklearn}.get(contestant, self.model)
        return [sys.executable, str(DRIVE), contestant, "IN", "OUT", str(model), str(self.model)]

    def bulk(self, workers: int, *more: str) -> list[str]:
        shards = ["--shard-size", "8000000"]  # enough of them to keep both workers busy to the end
        command = [sys.executable, "-m", "trainer", "bulk", "IN", "--out", "OUT", "--model", str(self.model), *shards]
        return [*command, "--workers", str(workers), *more]

    def rows(self, large: Material, small: Material, slow: Material) -> list[Row]:
        """Run all contestants that are installed."""
        rows = [
            self.row("ours, 1 worker", large, self.bulk(1)),
            self.row("ours, 2 workers", large, self.bulk(2)),
        ]
        if importlib.util.find_spec("ray") and importlib.util.find_spec("trainer.bulk.ray_engine"):
            rows.append(self.row("ours, Ray, 2 workers", large, self.bulk(2, "--engine", "ray")))
        rows.append(self.row("ours, one process", small, self.drive("ours")))
        rows.append(self.row("fastText, one process", small, self.drive("fasttext")))
        rows.append(self.row("scikit-learn, joblib", small, self.drive("scikit-learn")))
        if importlib.util.find_spec("datatrove") and importlib.util.find_spec("spacy"):
            rows.append(self.row("datatrove", slow, self.drive("datatrove")))
        else:
            print("datatrove's filters: datatrove and spacy are not installed, left out")
        return rows

    def row(self, name: str, material: Material, command: list[str]) -> Row:
        """Run a command for the material and for one article, each some times, and keep the best."""
        one = self.material(1, 0)
        runs = [(self._run(command, material.path), self._run(command, one.path)) for _ in range(self.rounds)]
        best = [Run(*(min(values) for values in zip(*taken, strict=True))) for taken in zip(*runs, strict=True)]
        found = Row(name, material, best[0]._replace(peak=max(run.peak for run, _ in runs)), best[1])
        print(f"{name}: {found.a_core:.2f} MB/s a core", file=sys.stderr)
        return found

    def show(self, rows: Sequence[Row], material: Material) -> None:
        of = {row.name: row for row in rows}
        fasttext, datatrove = of["fastText, one process"], of.get("datatrove")
        title = (
            f"{material.articles:,} articles of {material.paragraphs / material.articles:.0f} paragraphs, "
            f"{material.megabytes:.0f} MB of text, {material.paragraph:.0f} bytes a paragraph; {peers.machine()}, "
            f"load {os.getloadavg()[0]:.1f}"
        )
        table = peers.table(
            title, "what", "articles", "start, s", "run, s", "MB/s", "MB/s/core", "art./s/core", "× fastText",
            "× C4+Gopher", "peak MB",
        )  # fmt: skip
        for row in rows:
            table.add_row(
                row.name, f"{row.material.articles:,}", f"{row.start.wall:.1f}", f"{row.wall:.1f}",
                f"{row.material.megabytes / row.wall:.1f}", f"{row.a_core:.1f}", f"{row.material.articles / row.cpu:,.0f}",
                f"{row.a_core / fasttext.a_core:.2f}", f"{row.a_core / datatrove.a_core:.1f}" if datatrove else "–",
                f"{row.run.peak:.0f}",
            )  # fmt: skip
        peers.console().print(table)
        one, two = of["ours, 1 worker"], of["ours, 2 workers"]
        print(
            f"2 workers give {one.wall / two.wall:.2f} × of 1 by the clock; "
            f"by processor time, on an idle machine, {2 * two.a_core / one.a_core:.2f} ×"
        )
        if ray := of.get("ours, Ray, 2 workers"):
            print(f"Ray takes {ray.wall / two.wall:.2f} × the time of the local engine")

    def show_shares(self, material: Material) -> None:
        """Print where the processor time goes."""
        for name in ("ours", "fasttext"):
            said = self._output([*self.drive(name), "--profile"], material.path)
            shares = ", ".join(f"{stage} {share:.0%}" for stage, share in json.loads(said.splitlines()[-1]).items())
            print(f"{name}: {shares}")

    def show_repeats(self, name: str, pages: Sequence[Sequence[str]]) -> None:
        """Print what a cache of first-stage scores could bring."""
        model = trainer.load(self.model)
        for capacity in (10_000, 100_000):
            found = repeats.measure(model, pages, capacity)
            print(
                f"{name}: a cache of {capacity:,} paragraphs has {found.paragraphs:.0%} of the paragraphs and "
                f"{found.characters:.0%} of their characters; the filter would save {found.gain:+.1%} at most"
            )

    def _run(self, command: Sequence[str], source: Path) -> Run:
        return measure(self._filled(command, source), self._environment())

    def _output(self, command: Sequence[str], source: Path) -> str:
        filled = self._filled(command, source)
        return subprocess.run(filled, env=self._environment(), check=True, capture_output=True, text=True).stdout

    def _filled(self, command: Sequence[str], source: Path) -> list[str]:
        self._runs += 1
        places = {"IN": str(source), "OUT": str(self.folder / f"out{self._runs}")}
        return [places.get(word, word) for word in command]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(peers.ROOT)}


if __name__ == "__main__":
    main()
