"""How `trainer filter` shows an article in a terminal: what goes, why, and how sure the model is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from trainer.explain import Explanation
from trainer.quality import Verdict
from trainer.result import FilterResult


def show_diff(console: Console, name: str, result: FilterResult, why: Sequence[Explanation], colours: dict[str, str]) -> None:
    """Print all paragraphs of an article, the removed ones struck through in their label's colour, with reasons if given."""
    reasons = {item.index: item for item in why}
    console.rule(Text(_printable(name)), align="left")
    for index, (paragraph, prediction, keep) in enumerate(zip(result.paragraphs, result.predictions, result.keep, strict=True)):
        text = _printable(paragraph.text)
        if keep:
            console.print(Text(f"  {text}"), soft_wrap=True)
        else:
            style = colours[prediction.label]
            why_gone = ", repeated" if result.repeated and result.repeated[index] else ""
            tag = Text(f"- [{prediction.label} {prediction.probability:.2f}{why_gone}] ", style=f"bold {style}")
            console.print(tag + Text(text, style=f"strike {style}"), soft_wrap=True)
            if index in reasons:
                _show_groups(console, reasons[index])
    _show_flags(console, result)


def show_verdict(console: Console, verdict: Verdict) -> None:
    """Print what the quality model says of an article."""
    why = f", likely {verdict.reason.replace('_', ' ')}" if verdict.reason else ""
    console.print(Text(f"  quality: {verdict.verdict}{why} (good with probability {verdict.probability:.2f})", style="bold"))


def show_reasons(console: Console, name: str, result: FilterResult, why: Sequence[Explanation], colours: dict[str, str]) -> None:
    """Print the removed paragraphs of an article, each with what the decision is made of."""
    console.rule(Text(_printable(name)), align="left")
    for removed, reason in zip(result.removed, why, strict=True):
        text = _printable(removed.text)
        shown = text if len(text) <= 100 else text[:99] + "…"
        tag = Text(f"[{removed.label} {removed.probability:.2f}] ", style=f"bold {colours[removed.label]}")
        console.print(tag + Text(shown), soft_wrap=True)
        _show_groups(console, reason)
    _show_flags(console, result)


def _show_groups(console: Console, reason: Explanation) -> None:
    for group in reason.groups:
        features = ", ".join(f"{name} {weight:+.1f}" for name, weight in group.strongest)
        console.print(Text(f"      {group.name:<10} {group.contribution:+6.1f}  {features}", style="dim"), soft_wrap=True)


def _show_flags(console: Console, result: FilterResult) -> None:
    if result.flags:
        console.print(Text(f"  flags: {', '.join(result.flags)}", style="bold"))


def _printable(text: str) -> str:
    """Escape what would steer a terminal or cannot be encoded; any white space is a space."""
    return "".join(c if c.isprintable() else " " if c.isspace() else c.encode("unicode_escape").decode() for c in text)
