"""An evaluation as one self-contained web page: figures, curves, and the errors in their surroundings.

`of_report` puts together what is shown (`material.Material`; other tasks make their own), `page_data` computes it, and
`document.page` makes a file of it that needs no network.
"""

from __future__ import annotations

from typing import Any

from trainer.evaluation import Report
from trainer.report import TITLES, to_json
from trainer.report_page import curves, mistakes
from trainer.report_page.document import page
from trainer.report_page.material import Material, of_report
from trainer.report_page.weaknesses import weaknesses

__all__ = ["Material", "of_report", "page", "page_data"]

_EXPLAINED = {  # what matters most comes first
    "macro_f1": "mean of the labels' F1, each label counting the same",
    "news_char_f1": "how well {kept} is told from {rest}, long texts counting more",
    "news_lost_per_1000": "what the filter would wrongly remove; the mark is the limit it was set for, {limit}",
    "junk_removed": "what the filter would rightly remove",
    "accuracy": "share that gets its true label",
    "news_char_precision": "of the characters taken for {kept}, the share that is",
    "news_char_recall": "of the {kept} characters, the share taken for it",
    "reasons_macro_f1": "of the poor {unit}s whose reason is known: mean of the reasons' F1, each reason counting the same",
}


def page_data(
    report: Report,
    material: Material,
    *,
    leaky: Report | None = None,
    curve: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Compute all that the page shows, JSON-ready.

    Args:
        report: the figures. material: what they were computed from. leaky: figures of a random split, where measured.
        curve: the learning curve, as `trainer labels curve --out FILE.json` writes it. settings: those that are not the defaults.
    """
    grouped, site_rows = mistakes.groups(material), mistakes.sites(material)
    data = {
        "report": to_json(report),
        "names": {"unit": material.unit, "kept": material.kept, "rest": material.rest, "any": material.any_label},
        "labels": [{"name": label.name, "kept": label.kept, "colour": label.colour} for label in material.labels],
        "headline": [_headline(name, material) for name in sorted(report.overall, key=_rank)],
        "limit": material.limit,
        "precision_recall": curves.precision_recall(material),
        "calibration": curves.calibration(material),
        "confusion": {"items": [list(row) for row in report.confusion], "chars": mistakes.confusion_chars(material)},
        "removal": curves.removal(material),
        "sites": site_rows,
        "concentration": mistakes.concentration(material),
        "groups": grouped,
        "examples": mistakes.examples(material, site_rows, grouped),
        "leaky": to_json(leaky) if leaky else None,
        "curve": curve,
        "settings": settings or {},
    }
    return {**data, "weaknesses": weaknesses(report, material, data)}


def _rank(name: str) -> int:
    return list(_EXPLAINED).index(name) if name in _EXPLAINED else len(_EXPLAINED)


def _headline(name: str, material: Material) -> dict[str, Any]:
    limit = "none" if material.limit is None else f"{1000 * material.limit:g}"
    explained = _EXPLAINED.get(name, "").format(kept=material.kept, rest=material.rest, unit=material.unit, limit=limit)
    return {"name": name, "title": TITLES.get(name, name), "explained": explained}
