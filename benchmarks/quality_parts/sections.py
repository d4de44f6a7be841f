"""The sheets of the table, from the fits' out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from quality_parts.figures import (
    POINTS,
    TEXT_COLUMNS,
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
from quality_parts.jobs import of
from quality_parts.material import LONGEST, MARGIN, SHORT, SHORT_OF, WHOLE
from quality_parts.results import PAGES, PRODUCT, WRITTEN, Results, Variant, few_figures, figures, removal, with_differences
from trainer.evaluation import Scored
from trainer.schema import UNLABELLED

_GRID = np.logspace(-4, -1, 61)  # of the removal curves


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
_OVERALL_COLUMNS = (("macro_f1", "macro-F1", 3), ("accuracy", "accuracy", 3), *TEXT_COLUMNS)
_REMOVAL_COLUMNS = (("news_lost_per_1000", "news lost per 1,000", 2), ("junk_removed", "junk removed", 3))
_VALVE_COLUMNS = (("news_lost_per_1000 valves", "with valves: lost", 2), ("junk_removed valves", "with valves: junk removed", 3))
_AFTER_COLUMNS = (*TEXT_COLUMNS[:3], ("page_f1", "page mean F1", 3), ("char_f1 gain", "micro F1, gain", 3), *_REMOVAL_COLUMNS)
_CURVE_COLUMNS = (*((f"junk_at {name}", f"at {name} lost", 3) for name in POINTS), *_REMOVAL_COLUMNS, *_VALVE_COLUMNS)
_SHORT_COLUMNS = (
    ("articles", "articles", 0),
    ("macro_f1", "macro-F1", 3),
    ("news_char_f1", "news characters F1", 3),
    *_REMOVAL_COLUMNS,
    *_VALVE_COLUMNS,
)


def _few_columns(names: Sequence[str]) -> list[tuple[str, str, int]]:
    return [
        ("macro_f1", "macro-F1", 3),
        *((f"{name}.f1", name, 3) for name in names),
        ("char_f1", "news characters", 3),
        (f"junk_at {SHORT_OF}", f"{SHORT_OF}: junk at 0.5 %", 3),
        ("written macro_f1", "written: macro-F1", 3),
    ]
