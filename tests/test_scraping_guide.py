"""docs/scraping.md: its code and commands run as they stand, its tables are complete, its feed recipe works."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from crawls import EXAMPLE, PAGES, run, serving
from small import ROOT
from test_extractors import NAMES, python

GUIDE = (ROOT / "docs" / "scraping.md").read_text("utf-8")
FEEDS = ROOT / "examples" / "feeds"
RSS = """<?xml version="1.0"?><rss version="2.0"><channel><title>The Lund Bay Ledger</title>{}</channel></rss>"""
ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><link href="/none"/>{}</feed>"""


def blocks(info: str) -> list[str]:
    return re.findall(rf"^```{info}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def test_the_code_of_the_guide_runs_in_order() -> None:
    *code, settings = blocks("python")
    done = run(sys.executable, "-W", "error", "-X", "utf8", "-c", "\n".join(code), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "Swing bridge to close for a year" in done.stdout
    assert done.stdout.endswith("20\n")
    given: dict[str, object] = {}
    exec(settings, given)
    assert given["ITEM_PIPELINES"] == {"trainer.integrations.scrapy.ParagraphFilterPipeline": 300}


@pytest.mark.parametrize("name", NAMES)
def test_the_code_for_extractors_runs(name: str) -> None:
    (code,) = blocks(f"python {name}")
    done = run(python(name), "-X", "utf8", "-c", code, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "voted 5-2" in done.stdout or "make a donation" in done.stdout


def test_the_commands_for_the_example_run(tmp_path: Path) -> None:
    (commands,) = blocks("bash")
    shutil.copytree(EXAMPLE, tmp_path / "examples" / "scrapy")
    with serving(tmp_path) as taken:  # a port that was free a moment ago
        port = str(taken.port)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-euc", commands.replace("8000", port)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "examples" / "scrapy" / "articles.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == len(PAGES)
    assert all(json.loads(line)["removed"] for line in lines)


def test_every_setting_and_counter_is_in_the_guide() -> None:
    pipeline = pytest.importorskip("trainer.integrations.scrapy")
    from trainer.integrations import scrapy_settings

    table = re.findall(r"^\| `(TRAINER_\w+)`", GUIDE, re.MULTILINE)
    assert table == list(scrapy_settings.NAMES) == re.findall(r"^(TRAINER_\w+) =", scrapy_settings.__doc__, re.MULTILINE)
    assert set(re.findall(r"`(TRAINER_\w+)`", GUIDE)) == set(table)
    documented = set(re.findall(r"^\| `(trainer/[\w<>/]+)`", GUIDE, re.MULTILINE))
    assert documented == set(re.findall(r"`(trainer/[\w<>/]+)`", pipeline.ParagraphFilterPipeline.__doc__))


def hourly(feed: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = ["bash", str(FEEDS / "hourly.sh"), feed, str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("form", ["rss", "atom"])
def test_the_feed_recipe_fetches_and_filters_what_is_new(tmp_path: Path, form: str) -> None:
    shutil.copytree(EXAMPLE / "site", tmp_path / "site")
    entry, whole = {
        "rss": ("<item><title>A story</title><link>{}</link></item>", RSS),
        "atom": ('<entry><title>A story</title><link rel="alternate" href="{}"/></entry>', ATOM),
    }[form]

    def publish(*names: str) -> None:
        (tmp_path / "site" / "feed.xml").write_text(whole.format("".join(entry.format(server.url(name)) for name in names)))

    def records() -> list[list[str]]:
        return [
            sorted(json.loads(line)["id"] for line in path.read_text("utf-8").splitlines())
            for path in sorted((tmp_path / "out" / "clean").glob("*.jsonl"))
        ]

    with serving(tmp_path / "site") as server:
        publish(PAGES[0])
        assert hourly(server.url("feed.xml"), tmp_path / "out").returncode == 0
        ((first,),) = records()
        publish(PAGES[0], PAGES[1], "gone.html")
        done = hourly(server.url("feed.xml"), tmp_path / "out")
        assert done.returncode == 0, done.stderr
        assert "gone.html" in done.stderr  # said, and tried again the next time
        assert hourly(server.url("feed.xml"), tmp_path / "out").returncode == 0
        assert server.asked.count(f"/{PAGES[0]}") == server.asked.count(f"/{PAGES[1]}") == 1
        assert server.asked.count("/gone.html") == 2
    (again,), (second,) = records()
    assert again == first != second
    links = dict(line.split("\t") for line in (tmp_path / "out" / "links.tsv").read_text().splitlines())
    assert links == {first: server.url(PAGES[0]), second: server.url(PAGES[1])}
    assert {path.stem for path in (tmp_path / "out" / "done").iterdir()} == {first, second}
    assert not list((tmp_path / "out" / "new").iterdir())
