"""The sheets of the table, from the fits' out-of-fold predictions."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from quality_parts.figures import (
    POINTS,
    Figure,
    Row,
    Sheet,
    calibration_error,
    constant,
    junk_removed,
    label_figures,
    reliability,
    removal_figures,
    text_figures,
)
from quality_parts.jobs import Job, Outcome, Predictions, assemble, of
from quality_parts.material import LONGEST, MARGIN, SHORT, SHORT_OF, WHOLE, Material
from trainer.baselines import RULES
from trainer.config import Config
from trainer.evaluation import Scored
from trainer.schema import UNLABELLED

PAGES, WRITTEN = f"pages/{WHOLE}", f"written/{WHOLE}"
PRODUCT = "product"
_GRID = np.logspace(-4, -1, 61)  # of the removal curves
Variant = Sequence[Job]


class Seen(NamedTuple):
    """The labelled paragraphs of a view with their predictions; `removed`: by thresholds and valves; `page`: article number."""

    scored: Scored
    is_news: np.ndarray
    residue: np.ndarray
    removed: np.ndarray
    page: np.ndarray


@dataclass
class Results:
    """A run's fits; `weights`: bootstrap draws of sites of each collection; `failures` gathers what went wrong."""

    config: Config
    material: Material
    weights: dict[str, np.ndarray]
    outcomes: dict[str, Outcome]
    failed: dict[str, str]
    failures: list[str] = field(default_factory=list)

    def predictions(self, variant: Variant, which: str) -> Predictions:
        """Out-of-fold predictions of a variant; the reason as RuntimeError where a fit failed."""
        reasons = [self.failed[job.id] for job in variant if job.id in self.failed]
        if reasons:
            raise RuntimeError(reasons[0])
        return assemble(self.material, self.config, [self.outcomes[job.id] for job in variant], which)

    def row(self, name: str, figures: Callable[[], Mapping[str, Figure]], note: str = "") -> Row:
        """Return a row; where its figures cannot be had, one that says why."""
        try:
            return Row(name, figures(), note)
        except Exception as error:  # the rest of the table goes on; the exit code says that something failed
            if not isinstance(error, RuntimeError):
                traceback.print_exc()
            self.failures.append(f"{name}: {error}")
            return Row(name, {}, f"{error}")

    def see(self, which: str, found: Predictions) -> Seen:
        """Put predictions beside the truth."""
        collection, view = of(self.material, which)
        known = collection.truth[view.rows] != UNLABELLED
        rows = view.rows[known]
        scored = Scored(
            collection.truth[rows],
            found.label[known],
            found.probability[:, known],
            collection.chars[rows],
            found.reached[known],
            collection.site[rows],
        )
        is_news = np.isin(scored.truth, self.config.label_set.kept)
        return Seen(scored, is_news, found.residue[known], found.removed[known], collection.article[rows])

    def decided(self, keep: np.ndarray) -> Predictions:
        """Predictions of something that only keeps or drops: kept is news, the rest the commonest of the other labels."""
        names, kept = self.config.label_set.names, list(self.config.label_set.kept)
        truth = self.material.pages.truth
        others = [k for k in range(len(names)) if k not in kept]
        rest = max(others, key=lambda k: int((truth == k).sum()))
        label = np.where(keep, kept[0], rest)
        return Predictions(np.zeros((len(names), keep.size)), label, (~keep).astype(float), ~keep, ~keep)


def figures(results: Results, which: str, found: Predictions, *, ranked: bool = True) -> dict[str, Figure]:
    """All label and character figures of predictions on a view."""
    seen, weights = results.see(which, found), results.weights[which.partition("/")[0]]
    labels, scored = results.config.label_set, seen.scored
    is_kept = np.isin(scored.label, labels.kept)
    return {
        **label_figures(scored, labels, weights, ranked=ranked),
        **text_figures(scored.chars, seen.is_news, is_kept, seen.page, scored.site, weights),
    }


def removal(results: Results, which: str, found: Predictions, points: Mapping[str, float] = POINTS) -> dict[str, Figure]:
    """Junk removed at points of news lost, and what thresholds from the training side remove, without and with the valves."""
    seen, weights = results.see(which, found), results.weights["pages"]
    chars, site = seen.scored.chars, seen.scored.site
    curve = junk_removed(seen.residue, chars, seen.is_news, site, weights, list(points.values()))
    thresholds = removal_figures(chars, seen.is_news, seen.scored.removed, site, weights)
    valves = removal_figures(chars, seen.is_news, seen.removed, site, weights)
    return {
        **{f"junk_at {name}": curve[:, i] for i, name in enumerate(points)},
        **thresholds,
        **{f"{key} valves": values for key, values in valves.items()},
    }


def full_page(results: Results, variant: Variant) -> dict[str, Sheet]:
    """The product on whole pages and on written articles, per label and over all."""
    sheets = {}
    wholes = {"full page": PAGES, "written articles (own folds)": WRITTEN}
    for title, which in wholes.items():
        collection, _ = of(results.material, which)
        if not collection.article.size:
            continue
        found = figures(results, which, results.predictions(variant, which))
        rows = []
        for name in results.config.label_set.names:
            own = {key.partition(".")[2]: values for key, values in found.items() if key.startswith(f"{name}.")}
            support = int((collection.truth == results.config.label_set.index[name]).sum())
            rows.append(Row(name, {**own, "support": constant(support, results.weights[which.partition("/")[0]])}))
        sheets[title] = Sheet(f"{title}: product, per label", _LABEL_COLUMNS, rows)
        sheets[f"{title}, overall"] = Sheet(f"{title}: product, overall", _OVERALL_COLUMNS, [Row(PRODUCT, found)])
    return sheets


def residue_views(results: Results, variant: Variant) -> dict[str, Sheet]:
    """Each extractor alone and with the filter after it, against all news of the page; and the curve of its residue."""
    pages, decisions, curves = results.material.pages, [], []
    weights = results.weights["pages"]
    curves.append(results.row("full page", lambda: removal(results, PAGES, results.predictions(variant, PAGES))))
    for extractor in results.material.extractors:
        which = f"pages/{extractor}"
        inside = np.zeros(pages.article.size, bool)
        inside[pages.views[extractor].rows] = True

        def on_page(keep: np.ndarray) -> dict[str, Figure]:
            seen = results.see(PAGES, results.decided(keep))
            return text_figures(seen.scored.chars, seen.is_news, ~seen.removed, seen.page, seen.scored.site, weights)

        def after(by_label: bool, which: str = which, alone: np.ndarray = inside) -> dict[str, Figure]:
            found = results.predictions(variant, which)
            keep, rows = alone.copy(), results.material.pages.views[which.partition("/")[2]].rows
            gone = ~np.isin(found.label, results.config.label_set.kept) if by_label else found.removed
            keep[rows[gone]] = False
            seen = results.see(which, found._replace(removed=gone))
            own = removal_figures(seen.scored.chars, seen.is_news, gone, seen.scored.site, weights)
            found_figures, before = on_page(keep), on_page(alone)
            gain = {"char_f1 gain": found_figures["char_f1"] - before["char_f1"]}
            return {**found_figures, **own, **gain}

        decisions += [
            results.row(f"{extractor}: alone", lambda inside=inside: on_page(inside)),
            results.row(f"{extractor}: filter, likeliest label", lambda after=after: after(True)),
            results.row(f"{extractor}: filter, thresholds and valves", lambda after=after: after(False)),
        ]
        curves.append(results.row(extractor, lambda which=which: removal(results, which, results.predictions(variant, which))))
    return {
        "residue": Sheet(
            "residue: each extractor alone and with the filter after it (news of the whole page)", _AFTER_COLUMNS, decisions
        ),
        "residue curve": Sheet(
            "residue: share of junk characters removed. At 0.2, 0.5 and 1 % of news lost: one threshold on the out-of-fold "
            "scores themselves (a point of the curve). Then: thresholds chosen on the training folds, without and with valves",
            _CURVE_COLUMNS,
            curves,
        ),
    }


def short_articles(results: Results, variant: Variant) -> dict[str, Sheet]:
    """Very short articles by length."""
    if SHORT not in results.material.pages.views:
        return {}
    which = f"pages/{SHORT}"
    view, weights = results.material.pages.views[SHORT], results.weights["pages"]

    def of_length(lengths: Sequence[int]) -> dict[str, Figure]:
        found = results.predictions(variant, which)
        chosen = np.repeat(np.isin(view.sizes, lengths), view.sizes)
        seen = results.see(which, found)
        chosen = chosen[results.material.pages.truth[view.rows] != UNLABELLED]
        scored = Scored(*(values[..., chosen] for values in seen.scored))
        is_news = seen.is_news[chosen]
        thresholds = removal_figures(scored.chars, is_news, scored.removed, scored.site, weights)
        valves = removal_figures(scored.chars, is_news, seen.removed[chosen], scored.site, weights)
        return {
            "articles": constant(int(np.isin(view.sizes, lengths).sum()), weights),
            **label_figures(scored, results.config.label_set, weights, ranked=False),
            **thresholds,
            **{f"{key} valves": values for key, values in valves.items()},
        }

    rows = [results.row(f"{n} paragraph{'s' * (n > 1)}", lambda n=n: of_length([n])) for n in range(1, LONGEST + 1)]
    rows.append(results.row("all", lambda: of_length(range(1, LONGEST + 1))))
    title = (
        f"very short articles: runs of 1 to {LONGEST} paragraphs of the residue of {SHORT_OF}, "
        f"from the story and {MARGIN} paragraphs each side of it"
    )
    return {"short": Sheet(title, _SHORT_COLUMNS, rows)}


def calibration(results: Results, variant: Variant) -> tuple[dict[str, Sheet], dict[str, list[tuple[float, float, int]]]]:
    """Expected calibration error of the likeliest label and of each label on full pages, and the points of the plot."""
    seen, weights = results.see(PAGES, results.predictions(variant, PAGES)), results.weights["pages"]
    scored = seen.scored
    cases = {"likeliest label": (scored.probability.max(axis=0), scored.label == scored.truth)}
    for k, name in enumerate(results.config.label_set.names):
        cases[name] = (scored.probability[k], scored.truth == k)
    rows = [Row(name, {"ece": calibration_error(p, hit, scored.site, weights)}) for name, (p, hit) in cases.items()]
    points = {name: reliability(p, hit) for name, (p, hit) in cases.items()}
    title = "calibration: expected calibration error, 15 bins of equal width"
    return {"calibration": Sheet(title, (("ece", "ECE", 4),), rows)}, points


def rule_predictions(results: Results, name: str) -> Predictions:
    """What a rule keeps of each page."""
    return results.decided(np.array([keep for texts in results.material.pages.dataset.texts for keep in RULES[name](texts)]))


def majority_predictions(results: Results) -> Predictions:
    """The commonest label of the training side, everywhere."""
    pages, classes = results.material.pages, len(results.config.labels)
    label = np.zeros(pages.article.size, np.intp)
    of_row = pages.fold[pages.article]
    for fold in range(results.material.folds):
        training = pages.truth[(of_row != fold) & (pages.truth != UNLABELLED)]
        label[of_row == fold] = np.bincount(training, minlength=classes).argmax()
    keep = np.isin(label, results.config.label_set.kept)
    return results.decided(keep)._replace(label=label)


def extractor_predictions(results: Results, name: str) -> Predictions:
    """An extractor's output taken for news."""
    keep = np.zeros(results.material.pages.article.size, bool)
    keep[results.material.pages.views[name].rows] = True
    return results.decided(keep)


def peer_sheets(
    results: Results, product: Variant | None, fitted: Mapping[str, Variant], notes: Mapping[str, str]
) -> dict[str, Sheet]:
    """All peers on full pages; those with scores also on written articles and as filters of the residue."""
    named: dict[str, Callable[[], Mapping[str, Figure]]] = {}
    if product:
        named[PRODUCT] = lambda: {
            **figures(results, PAGES, results.predictions(product, PAGES)),
            **_written(results, product),
        }
    for name, variant in fitted.items():
        named[name] = lambda variant=variant: {
            **figures(results, PAGES, results.predictions(variant, PAGES)),
            **_written(results, variant),
        }
    named["majority"] = lambda: figures(results, PAGES, majority_predictions(results), ranked=False)
    for name in RULES:
        named[name] = lambda name=name: figures(results, PAGES, rule_predictions(results, name), ranked=False)
    for name in results.material.extractors:
        named[name] = lambda name=name: figures(results, PAGES, extractor_predictions(results, name), ranked=False)
    rows = [results.row(name, build, notes.get(name, "")) for name, build in named.items()]
    rows += [Row(name, {}, note) for name, note in notes.items() if name not in named]
    rows = with_differences(rows, rows[0] if product else None, ("macro_f1", "char_f1"), sign=-1)
    names = results.config.label_set.names
    label_columns = [("macro_f1", "macro-F1", 3), *((f"{name}.f1", f"F1 {name}", 3) for name in names)]
    last = [("macro_f1 difference", "product − peer, macro-F1", 3)]
    plain = [row._replace(note="") for row in rows]
    scored = [row for row in plain if row.name == PRODUCT or row.name in fitted]
    return {
        "peers": Sheet(
            "peers, full page, labels (what only keeps or drops: kept is news, the rest navigation)",
            [*label_columns, *last],
            rows,
        ),
        "peers, news": Sheet(
            "peers, full page, news characters", [*_TEXT_COLUMNS, ("char_f1 difference", "product − peer, micro F1", 3)], plain
        ),
        "peers, ranking": Sheet("peers, average precision and written articles", _ranking_columns(names), scored),
        **_peer_filters(results, product, fitted),
    }


def _written(results: Results, variant: Variant) -> dict[str, Figure]:
    if not results.material.written.article.size:
        return {}
    found = figures(results, WRITTEN, results.predictions(variant, WRITTEN), ranked=False)
    return {f"written {key}": values for key, values in found.items()}


def _peer_filters(results: Results, product: Variant | None, fitted: Mapping[str, Variant]) -> dict[str, Sheet]:
    """Junk removed at 0.5 % of news lost from each residue, by whatever has scores; peers score each paragraph by itself."""
    contestants = {**({PRODUCT: product} if product else {}), **fitted}
    rows = []
    for view in (WHOLE, *results.material.extractors):

        def build(view: str = view) -> dict[str, Figure]:
            out = {}
            for name, variant in contestants.items():
                if any(job.id in results.failed for job in variant):
                    continue
                if name == PRODUCT:
                    found = results.predictions(variant, f"pages/{view}")
                else:
                    rows_of = results.material.pages.views[view].rows
                    found = Predictions(*(values[..., rows_of] for values in results.predictions(variant, PAGES)))
                seen = results.see(f"pages/{view}", found)
                weights = results.weights["pages"]
                curve = junk_removed(seen.residue, seen.scored.chars, seen.is_news, seen.scored.site, weights, [POINTS["0.5 %"]])
                out[name] = curve[:, 0]
            return out

        rows.append(results.row(view if view != WHOLE else "full page", build))
    columns = [(name, name, 3) for name in contestants]
    return {"peers as filters": Sheet("peers as filters: share of junk characters removed at 0.5 % of news lost", columns, rows)}


def with_differences(rows: Sequence[Row], base: Row | None, keys: Sequence[str], sign: int = 1) -> list[Row]:
    """Return the rows with "key difference": row − base, or base − row where `sign` is -1; paired, draw by draw."""
    if base is None:
        return list(rows)
    out = []
    for row in rows:
        known = [key for key in keys if key in row.figures and key in base.figures and row is not base]
        gaps = {f"{key} difference": sign * (row.figures[key] - base.figures[key]) for key in known}
        out.append(row._replace(figures={**row.figures, **gaps}))
    return out


def few_figures(results: Results, variant: Variant) -> dict[str, Figure]:
    """What ablations and the learning curve are judged by."""
    out = figures(results, PAGES, results.predictions(variant, PAGES), ranked=False)
    if SHORT_OF in results.material.pages.views:
        which = f"pages/{SHORT_OF}"
        out[f"junk_at {SHORT_OF}"] = removal(results, which, results.predictions(variant, which))["junk_at 0.5 %"]
    return {**out, **_written(results, variant)}


def ablation_sheet(results: Results, reference: Variant, variants: Mapping[str, Variant], how: str) -> dict[str, Sheet]:
    """What is lost with each thing taken away."""
    rows = [results.row("nothing taken away", lambda: few_figures(results, reference))]
    rows += [
        results.row(f"− {name}", lambda variant=variant: few_figures(results, variant)) for name, variant in variants.items()
    ]
    columns = _few_columns(results.config.label_set.names)
    rows = with_differences(rows, rows[0], [key for key, _, _ in columns])
    gaps = [(f"{key} difference", heading, digits) for key, heading, digits in columns]
    return {
        "ablations": Sheet(f"ablations ({how})", columns, rows),
        "ablations, differences": Sheet("ablations: difference to nothing taken away", gaps, rows[1:]),
    }


def curve_sheet(results: Results, variants: Mapping[float, Variant], how: str) -> dict[str, Sheet]:
    """Figures against the number of sites."""
    pages, weights = results.material.pages, results.weights["pages"]
    sites = np.mean([np.unique(pages.site[pages.fold[pages.article] != fold]).size for fold in range(results.material.folds)])

    def build(share: float, variant: Variant) -> dict[str, Figure]:
        return {"sites": constant(round(share * float(sites)), weights), **few_figures(results, variant)}

    rows = [
        results.row(f"{share:.1%} of the sites", lambda share=share, variant=variant: build(share, variant))
        for share, variant in variants.items()
    ]
    columns = [("sites", "sites", 0), *_few_columns(results.config.label_set.names)]
    return {
        "learning curve": Sheet(f"learning curve over sites of real pages; written articles always in ({how})", columns, rows)
    }


def removal_curves(results: Results, variant: Variant) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Points of the plot of junk removed against news lost: view → (news lost, junk removed)."""
    out = {}
    for view in (WHOLE, *results.material.extractors):
        seen = results.see(f"pages/{view}", results.predictions(variant, f"pages/{view}"))
        as_they_are = results.weights["pages"][:1]
        scored = seen.scored
        out["full page" if view == WHOLE else view] = (
            _GRID,
            junk_removed(seen.residue, scored.chars, seen.is_news, scored.site, as_they_are, list(_GRID))[0],
        )
    return out


_LABEL_COLUMNS = (
    ("precision", "precision", 3),
    ("recall", "recall", 3),
    ("f1", "F1", 3),
    ("average_precision", "average precision", 3),
    ("support", "support", 0),
)
_TEXT_COLUMNS = (
    ("char_precision", "micro precision", 3),
    ("char_recall", "micro recall", 3),
    ("char_f1", "micro F1", 3),
    ("page_precision", "page mean precision", 3),
    ("page_recall", "page mean recall", 3),
    ("page_f1", "page mean F1", 3),
)
_OVERALL_COLUMNS = (("macro_f1", "macro-F1", 3), ("accuracy", "accuracy", 3), *_TEXT_COLUMNS)
_REMOVAL_COLUMNS = (("news_lost_per_1000", "news lost per 1,000", 2), ("junk_removed", "junk removed", 3))
_VALVE_COLUMNS = (("news_lost_per_1000 valves", "with valves: lost", 2), ("junk_removed valves", "with valves: junk removed", 3))
_AFTER_COLUMNS = (*_TEXT_COLUMNS[:3], ("page_f1", "page mean F1", 3), ("char_f1 gain", "micro F1, gain", 3), *_REMOVAL_COLUMNS)
_CURVE_COLUMNS = (*((f"junk_at {name}", f"at {name} lost", 3) for name in POINTS), *_REMOVAL_COLUMNS, *_VALVE_COLUMNS)
_SHORT_COLUMNS = (
    ("articles", "articles", 0),
    ("macro_f1", "macro-F1", 3),
    ("news_char_f1", "news characters F1", 3),
    *_REMOVAL_COLUMNS,
    *_VALVE_COLUMNS,
)


def _ranking_columns(names: Sequence[str]) -> list[tuple[str, str, int]]:
    ranked = [(f"{name}.average_precision", f"AP {name}", 3) for name in names]
    return [*ranked, ("written macro_f1", "written: macro-F1", 3), ("written fundraising.f1", "written: F1 fundraising", 3)]


def _few_columns(names: Sequence[str]) -> list[tuple[str, str, int]]:
    return [
        ("macro_f1", "macro-F1", 3),
        *((f"{name}.f1", name, 3) for name in names),
        ("char_f1", "news characters", 3),
        (f"junk_at {SHORT_OF}", f"{SHORT_OF}: junk at 0.5 %", 3),
        ("written macro_f1", "written: macro-F1", 3),
    ]
