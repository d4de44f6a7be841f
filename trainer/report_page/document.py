"""Data, styles and scripts put together to one HTML file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from string import Template
from typing import Any

_REPORT = ("uplot.js", "dom.js", "charts.js", "errors.js", "overview.js", "removal.js", "sections.js", "report.js")
_COMPARISON = ("dom.js", "comparison.js")


def page(title: str, data: dict[str, Any], *, comparison: bool = False) -> str:
    """Return the page on an evaluation, or on a comparison of two.

    Texts are data, never markup: they stand in a block of JSON, and the scripts make text nodes of them. The page's policy
    allows no script but its own, by digest, and no request at all.

    Args:
        title: of the page. data: JSON-ready; see `page_data`, `comparison.Comparison`.
    """
    script = "\n".join(_asset(name) for name in (_COMPARISON if comparison else _REPORT))
    style = _asset("page.css")
    return Template(_asset("comparison.html" if comparison else "report.html")).substitute(
        title=html.escape(title), style=style, script=script, style_digest=_digest(style), script_digest=_digest(script),
        data=_json(data),
    )  # fmt: skip


def _asset(name: str) -> str:
    return files("trainer.report_page").joinpath("assets", name).read_text("utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(data: dict[str, Any]) -> str:
    """Return JSON that cannot end the block it stands in; lone surrogates, which no file can hold, become question marks."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").encode("utf-8", "replace").decode()
