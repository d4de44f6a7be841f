"""From process start to the first filtered article: our runtime against the same model as a scikit-learn joblib pipeline.

    python benchmarks/cold_start.py [--rounds N]

Each round starts a fresh Python for each contestant; the table has the median and the best, and the time of an empty Python.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import peers

import trainer
from trainer.pipeline import to_pipeline

EMPTY = "pass"
OURS = "import sys, trainer; trainer.load(sys.argv[1]).filter(open(sys.argv[3], encoding='utf-8').read())"
JOBLIB = (
    "import sys, joblib; p = joblib.load(sys.argv[2]); "
    "p.predict_proba([[l for l in open(sys.argv[3], encoding='utf-8').read().splitlines() if l.strip()]])"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    article = next(iter(sorted((peers.ROOT / "seeds").glob("*.txt"))))
    with tempfile.TemporaryDirectory() as folder:
        model = peers.train_model(Path(folder) / "model")
        pipeline = Path(folder) / "model.joblib"
        joblib.dump(to_pipeline(trainer.load(model)), pipeline)
        contestants = {"an empty Python": EMPTY, "ours: trainer.load, filter": OURS, "joblib.load, predict_proba": JOBLIB}
        times: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(rounds):
            for name, code in contestants.items():
                begin = time.perf_counter()
                subprocess.run([sys.executable, "-c", code, str(model), str(pipeline), str(article)], check=True)
                times[name].append(time.perf_counter() - begin)
    ours = statistics.median(times["ours: trainer.load, filter"])
    table = peers.table(
        f"process start to first filtered article, {rounds} rounds; {peers.machine()}", "what", "median", "best", "× ours"
    )
    for name, seconds in times.items():
        median = statistics.median(seconds)
        table.add_row(name, f"{median * 1000:.0f} ms", f"{min(seconds) * 1000:.0f} ms", f"{median / ours:.1f}")
    peers.console().print(table)


if __name__ == "__main__":
    main()
