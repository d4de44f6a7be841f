"""The fits of a run: one job a variant and fold, in processes, each kept on disk so that an interrupted run goes on."""

from __future__ import annotations

import hashlib
import json
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from joblib import Parallel, delayed
from sklearn.metrics import f1_score

from quality_parts.ablation import ABLATIONS, Ablation, without
from quality_parts.material import SHORT_OF, WHOLE, Index, Material, merge_in_order
from quality_parts.memory import remembering
from trainer import training
from trainer.baselines import Baseline, FastText, TfidfLogistic
from trainer.config import Config
from trainer.dataset import Dataset
from trainer.estimator import encode
from trainer.evaluation import split_folds
from trainer.policy import NEVER, Policy, apply_valves, candidates
from trainer.schema import UNLABELLED

ROOT = Path(__file__).resolve().parents[2]
SHOWING = {"report.py", "card.py", "explain.py", "pipeline.py", "records.py", "errors.py", "files.py", "__main__.py"}
FITTING = ("ablation.py", "jobs.py", "material.py", "memory.py")
BASELINES = {"fastText": FastText, "TF-IDF": TfidfLogistic}


@dataclass(frozen=True)
class Job:
    """One fit of the product (`peer` empty) or of a peer on the training side of a fold, tested on the held-out side.

    `without`: name of an ablation. `share`: of the pages' sites in training. `settings`: of the peer. `tune`: fit on
    part of the training side and test on the rest of it. `views`: of the pages that are predicted. `note`: for people.
    """

    config: Config
    fold: int
    without: str = ""
    share: float = 1.0
    views: tuple[str, ...] = (WHOLE,)
    peer: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    tune: bool = False
    note: str = ""

    @property
    def name(self) -> str:
        """For people."""
        what = (self.peer or "product") + (f" ({self.note})" if self.note else "")
        if self.without:
            what += f" without {self.without}"
        if self.share < 1:
            what += f" on {self.share:.1%} of the sites"
        if self.settings:
            what += " " + " ".join(f"{key}={value}" for key, value in self.settings.items())
        return f"{what}, {'inner split' if self.tune else f'fold {self.fold + 1}'}"

    @property
    def id(self) -> str:
        """Digest of all that tells the job from others."""
        ablation = ABLATIONS[self.without] if self.without else None
        spec = {**vars(self), "config": self.config.digest, "without": ablation}
        return hashlib.sha256(json.dumps(spec).encode()).hexdigest()


class Outcome(NamedTuple):
    """Probabilities [classes, paragraphs of the held-out articles] of each "collection/view"; thresholds; a tuning's score."""

    probability: dict[str, np.ndarray]
    thresholds: tuple[float, ...]
    score: float
    seconds: float


class Predictions(NamedTuple):
    """Out-of-fold predictions of a view; arrays over its n paragraphs.

    `probability`: [classes, n]. `label`: the likeliest. `residue`: probability of being residue. `reached`: whether the
    thresholds, chosen on the training side, would remove the paragraph; `removed`: whether they and the safety valves do.
    """

    probability: np.ndarray
    label: Index
    residue: np.ndarray
    reached: np.ndarray
    removed: np.ndarray


def code_digest() -> str:
    """Digest of the code and the library versions that results depend on."""
    files = [*sorted((ROOT / "trainer").glob("*.py")), *(Path(__file__).parent / name for name in FITTING)]
    code = b"".join(path.read_bytes() for path in files if path.name not in SHOWING)
    return hashlib.sha256(code + json.dumps(training.versions()).encode()).hexdigest()


def run(jobs: Sequence[Job], material: Material, cache: Path, workers: int) -> tuple[dict[str, Outcome], dict[str, str]]:
    """Run what is not in the cache yet; return outcomes and, for jobs that failed, the reason, by the jobs' ids."""
    folder = cache / hashlib.sha256(f"{material.digest} {code_digest()}".encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    files = {job.id: folder / f"{job.id}.npz" for job in jobs}
    missing = [job for job in {job.id: job for job in jobs}.values() if not files[job.id].exists()]
    print(f"quality: {len(files)} fits, {len(files) - len(missing)} of them done before", flush=True)
    begin, failed = time.monotonic(), {}
    work = (delayed(_attempt)(job, material, files[job.id]) for job in missing)
    for number, (job, seconds, error) in enumerate(Parallel(workers, return_as="generator_unordered")(work), 1):
        spent = time.monotonic() - begin
        left = spent / number * (len(missing) - number)
        print(
            f"quality: [{number}/{len(missing)}] {job.name}: {error or f'{seconds:.0f} s'}; about {left / 60:.0f} min left",
            flush=True,
        )
        if error:
            failed[job.id] = error
    return {name: _read(file) for name, file in files.items() if name not in failed}, failed


def assemble(material: Material, config: Config, outcomes: Sequence[Outcome], which: str) -> Predictions:
    """Put the folds' predictions of "collection/view" together."""
    collection, view = of(material, which)
    fold = collection.fold[view.source]
    of_row = np.repeat(fold, view.sizes)
    kept = config.label_set.kept
    probability = np.zeros((len(config.labels), of_row.size))
    reached = np.zeros(of_row.size, bool)
    for number, outcome in enumerate(outcomes):
        held = of_row == number
        probability[:, held] = outcome.probability[which]
        if outcome.thresholds:
            reached[held] = candidates(outcome.probability[which], kept, outcome.thresholds).reached
    label, residue, _ = candidates(probability, kept, [NEVER] * len(probability))
    removed = reached.copy()
    settings = config.policy
    valves = Policy((), settings.headline, settings.headline_threshold, settings.max_removed_share, settings.allow_empty)
    apply_valves(removed, residue, collection.chars[view.rows], view.sizes, valves)
    return Predictions(probability, label, residue, reached, removed)


def of(material: Material, which: str) -> tuple[Any, Any]:
    """Return the collection and the view that "collection/view" names."""
    name, _, view = which.partition("/")
    collection = getattr(material, name)
    return collection, collection.views[view]


def training_side(job: Job, material: Material) -> tuple[Dataset, Index]:
    """Return the articles that a job may learn from, and their groups."""
    pages, written = material.pages, material.written
    from_pages = np.flatnonzero(pages.fold != job.fold)
    if job.share < 1:
        group = np.unique(pages.group[from_pages])
        drawn = np.random.default_rng(job.config.seed).permutation(group)[: max(round(job.share * group.size), 2)]
        from_pages = from_pages[np.isin(pages.group[from_pages], drawn)]
    with_written = not job.without or ABLATIONS[job.without].written
    from_written = np.flatnonzero(written.fold != job.fold) if with_written else np.zeros(0, np.intp)
    dataset = merge_in_order(pages.dataset.select(from_pages), written.dataset.select(from_written))
    return dataset, np.concatenate([pages.group[from_pages], written.group[from_written]])


def _attempt(job: Job, material: Material, file: Path) -> tuple[Job, float, str]:
    begin = time.monotonic()
    try:
        outcome = _run(job, material, file.parent)
    except Exception as error:  # the other fits go on; it is reported, and the exit code says so
        traceback.print_exc()
        return job, 0.0, f"failed: {type(error).__name__}: {error}"
    seconds = time.monotonic() - begin
    unfinished = file.with_suffix(".tmp.npz")
    arrays = {f"probability {which}": values for which, values in outcome.probability.items()}
    np.savez_compressed(unfinished, thresholds=outcome.thresholds, score=outcome.score, seconds=seconds, **arrays)
    unfinished.rename(file)
    return job, seconds, ""


def _read(file: Path) -> Outcome:
    with np.load(file) as arrays:
        probability = {name.partition(" ")[2]: arrays[name] for name in arrays if name.startswith("probability ")}
        return Outcome(probability, tuple(arrays["thresholds"].tolist()), float(arrays["score"]), float(arrays["seconds"]))


def _run(job: Job, material: Material, folder: Path) -> Outcome:
    dataset, group = training_side(job, material)
    if job.tune:
        return Outcome({}, (), _tune(job, dataset, group), 0.0)
    asked = [f"pages/{view}" for view in job.views] + ([f"written/{WHOLE}"] if material.written.article.size else [])
    held = {}
    for which in asked:
        collection, view = of(material, which)
        held[which] = view.dataset.select(np.flatnonzero(collection.fold[view.source] == job.fold))
    if job.peer:
        peer = _fit_peer(job, dataset)
        return Outcome({which: peer.predict_proba(_flat(part.texts)).T for which, part in held.items()}, (), 0.0, 0.0)
    # training.fit builds the estimator by name, so that what else it does is done here too
    estimator = without(ABLATIONS.get(job.without, Ablation()), remembering(folder))
    with patch.object(training, "ArticleClassifier", estimator):
        model = training.fit(dataset, job.config, group)
    policy = training.make_policy(model, dataset, job.config)
    return Outcome({which: model.predict_proba(part.texts).T for which, part in held.items()}, policy.thresholds, 0.0, 0.0)


def _tune(job: Job, dataset: Dataset, group: Index) -> float:
    """Return macro-F1 on the first inner fold of a training side, fitted on the other inner folds."""
    held = split_folds(dataset, job.config, group)[0]
    peer = _fit_peer(job, dataset.select(np.setdiff1d(np.arange(group.size), held)))
    test = dataset.select(held)
    truth = encode(test.labels, list(job.config.label_set.names))
    known = truth != UNLABELLED
    found = peer.predict_proba(_flat(test.texts)).argmax(axis=1)
    return float(f1_score(truth[known], found[known], average="macro", zero_division=0))


def _fit_peer(job: Job, dataset: Dataset) -> Baseline:
    truth = encode(dataset.labels, list(job.config.label_set.names))
    known = truth != UNLABELLED
    weight = np.repeat(dataset.weights, [len(texts) for texts in dataset.texts])
    texts = [text for text, is_known in zip(_flat(dataset.texts), known, strict=True) if is_known]
    return BASELINES[job.peer](len(job.config.labels), **job.settings).fit(texts, truth[known], weight[known])


def _flat(articles: Iterable[Sequence[str]]) -> list[str]:
    return [text for article in articles for text in article]


def product_views(material: Material) -> tuple[str, ...]:
    """All views of the pages."""
    return tuple(material.pages.views)


def few_views(material: Material) -> tuple[str, ...]:
    """The views that ablations and the learning curve are measured on."""
    return tuple(view for view in (WHOLE, SHORT_OF) if view in material.pages.views)
