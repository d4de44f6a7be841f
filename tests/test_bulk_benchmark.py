"""Parts of benchmarks/bulk.py: its articles, what it measures of processes, and what it says of a cache."""

from __future__ import annotations

import os
import sys
from collections import Counter

import pytest
from bulk_parts import articles, repeats
from bulk_parts.measure import measure

from trainer import Classifier


def test_the_same_seed_gives_the_same_articles() -> None:
    first, again, other = (list(articles.generate(40, seed)) for seed in (1, 1, 2))
    assert first == again
    assert not {record["text"] for record in first} & {record["text"] for record in other}


def test_menus_recur_on_a_site_and_stories_do_not() -> None:
    texts = [record["text"].split("\n") for record in articles.generate(400, 1) if record["site"] == "site0000.example"]
    assert len(texts) > 150
    pages = Counter(text for page in texts for text in {*page})
    everywhere = [text for text, count in pages.items() if count == len(texts)]
    assert {*texts[0][:8], *texts[0][-6:]} <= {*everywhere}
    story = Counter(text for page in texts for text in page if len(text) > 150)
    assert sum(count for count in story.values() if count == 1) > 0.8 * story.total()


def test_a_cache_finds_what_it_has_seen_lately(model: Classifier) -> None:
    menu = [f"Section {number}" for number in range(10)]
    pages = [[*menu, f"A story of its own, number {number}."] for number in range(20)]
    assert repeats.measure(model, pages, 100).paragraphs == pytest.approx(19 * 10 / 220)
    assert repeats.measure(model, pages, 5).paragraphs == 0


def test_processes_are_measured_with_their_children() -> None:
    child = (
        "import time; held = bytearray(150_000_000); begin = time.process_time()\nwhile time.process_time() < begin + 0.5: pass"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    taken = measure([sys.executable, "-c", parent], dict(os.environ))
    assert 0.4 < taken.cpu < taken.wall + 0.2
    assert 150 < taken.peak < 250


def test_a_failing_command_is_an_error_with_what_it_said() -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        measure([sys.executable, "-c", "raise SystemExit('no such thing')"], dict(os.environ))
