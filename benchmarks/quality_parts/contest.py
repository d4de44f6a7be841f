"""The sheets of the peers: rules, classifiers of single paragraphs, and what HTML extractors keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from quality_parts.figures import POINTS, TEXT_COLUMNS, Figure, Row, Sheet, junk_removed
from quality_parts.jobs import Predictions
from quality_parts.material import WHOLE
from quality_parts.results import PAGES, PRODUCT, Results, Variant, figures, with_differences, written_figures
from trainer.baselines import RULES
from trainer.schema import UNLABELLED


def peer_sheets(
    results: Results, product: Variant | None, fitted: Mapping[str, Variant], notes: Mapping[str, str]
) -> dict[str, Sheet]:
    """All peers on full pages; those with scores also on written articles and as filters of the residue."""
    named: dict[str, Callable[[], Mapping[str, Figure]]] = {}
    if product:
        named[PRODUCT] = lambda: {
            **figures(results, PAGES, results.predictions(product, PAGES)),
            **written_figures(results, product),
        }
    for name, variant in fitted.items():
        named[name] = lambda variant=variant: {
            **figures(results, PAGES, results.predictions(variant, PAGES)),
            **written_figures(results, variant),
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
            "peers, full page, news characters", [*TEXT_COLUMNS, ("char_f1 difference", "product − peer, micro F1", 3)], plain
        ),
        "peers, ranking": Sheet("peers, average precision and written articles", _ranking_columns(names), scored),
        **_peer_filters(results, product, fitted),
    }


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


def _ranking_columns(names: Sequence[str]) -> list[tuple[str, str, int]]:
    ranked = [(f"{name}.average_precision", f"AP {name}", 3) for name in names]
    return [*ranked, ("written macro_f1", "written: macro-F1", 3), ("written fundraising.f1", "written: F1 fundraising", 3)]
