"""The Scrapy pipeline in real crawls: items, counters, event loops, and that no item is lost."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crawls import EXAMPLE, MENU, PAGES, Crawl, Server, crawl, run, serving
from test_imports import modules

import trainer
from trainer import Classifier

pytest.importorskip("scrapy")
KINDS = ["dict", "item", "dataclass", "attrs", "pydantic"]


@pytest.fixture(scope="module")
def site() -> Iterator[Server]:
    with serving(EXAMPLE / "site") as server:
        yield server


@pytest.fixture(scope="module")
def pages(site: Server) -> list[str]:
    return [site.url(name) for name in PAGES]


@pytest.fixture(scope="module")
def texts(pages: list[str]) -> dict[str, str]:
    """What the spider takes from each page, in a crawl without the pipeline."""
    found = crawl(urls=pages, yields=["dict"], settings={"ITEM_PIPELINES": {}})
    assert len(found.items) == 6
    assert not found.of("trainer/")
    return {item["url"]: item["text"] for item in found.items.values()}


@pytest.fixture(scope="module")
def settings(model_folder: Path) -> dict[str, Any]:
    return {"TRAINER_MODEL": str(model_folder), "TRAINER_REMOVED_FIELD": "removed"}


@pytest.fixture(scope="module")
def crawled(pages: list[str], settings: dict[str, Any]) -> Crawl:
    return crawl(urls=pages, yields=KINDS, settings=settings)


def untouched(found: Crawl) -> dict[str, int]:
    return dict(found.of("trainer/untouched/"))


def test_items_of_every_kind_are_filtered_alike(model: Classifier, texts: dict[str, str], crawled: Crawl) -> None:
    results = {url: model.filter(text) for url, text in texts.items()}
    for kind in KINDS:
        for url, result in results.items():
            expected = {"kind": kind, "url": url, "text": result.text, "removed": result.to_record()["removed"]}
            assert crawled.items[f"{kind} {url}"] == json.loads(json.dumps(expected))
    assert len(crawled.items) == 30
    assert sum(len(result.removed) for result in results.values()) >= 6
    labels = [gone.label for result in results.values() for gone in result.removed] * len(KINDS)
    assert crawled.of("trainer/removed/") == {label: labels.count(label) for label in set(labels)}
    assert crawled.stats["trainer/articles"] == 30
    assert untouched(crawled) == {}


def test_a_second_crawl_gives_the_same(crawled: Crawl, pages: list[str], settings: dict[str, Any]) -> None:
    again = crawl(urls=pages, yields=KINDS, settings=settings)
    assert again.items == crawled.items
    assert again.of("trainer/") == crawled.of("trainer/") != {}


@pytest.mark.parametrize("mode", ["asyncio", "select", "no reactor"])
def test_the_loop_goes_on_while_articles_are_filtered(
    mode: str, model: Classifier, pages: list[str], texts: dict[str, str], settings: dict[str, Any]
) -> None:
    found = crawl(urls=pages, yields=["dict"], settings=settings, mode=mode, slow=0.5)
    assert {item["url"]: item["text"] for item in found.items.values()} == {
        url: model.filter(text).text for url, text in texts.items()
    }
    assert found.noted["threads"] == ["other"]
    assert found.noted["beats"] >= 10  # one in 10 ms, and a filter call lasts 500 ms at least


def test_the_share_removed_is_counted_for_each_site(
    site: Server, model: Classifier, texts: dict[str, str], settings: dict[str, Any]
) -> None:
    urls = [*(site.url(name) for name in PAGES[:2]), *(site.url(name, "localhost") for name in PAGES[2:])]
    found = crawl(urls=urls, yields=["dict"], settings=settings)
    expected = {}
    for host, names in (("127.0.0.1", PAGES[:2]), ("localhost", PAGES[2:])):
        results = [model.filter(texts[site.url(name)]) for name in names]
        chars = sum(len(p.text) for result in results for p in result.paragraphs)
        expected[host] = round(sum(len(gone.text) for result in results for gone in result.removed) / chars, 4)
    assert found.of("trainer/removed_share/") == expected
    assert all(0 < share < 1 for share in expected.values())


def test_another_field_may_name_the_site(pages: list[str], settings: dict[str, Any]) -> None:
    found = crawl(urls=pages[:1], yields=["dict", "no url"], settings={**settings, "TRAINER_SITE_FIELD": "kind"})
    assert set(found.of("trainer/removed_share/")) == {"dict", "no url"}
    found = crawl(urls=pages[:1], yields=["no url"], settings=settings)
    assert set(found.of("trainer/removed_share/")) == {"unknown"}


def test_a_list_of_paragraphs_stays_a_list(
    model: Classifier, pages: list[str], texts: dict[str, str], settings: dict[str, Any]
) -> None:
    found = crawl(urls=pages[:1], yields=["paragraphs"], settings=settings)
    result = model.filter(texts[pages[0]].split("\n"))
    assert found.items[f"paragraphs {pages[0]}"]["text"] == [paragraph.text for paragraph in result.kept]
    assert len(found.items[f"paragraphs {pages[0]}"]["removed"]) == len(result.removed) > 0


UNTOUCHED = {
    "no field": "NoneType",
    "none": "NoneType",
    "bytes": "bytes",
    "number": "int",
    "holes": "InputError",
    "frozen": "FrozenInstanceError",
    "strict": "ValidationError",
    "bare": "KeyError",
    "bad url": "ValueError",
}


def test_what_cannot_be_filtered_goes_on_as_it_came(pages: list[str], texts: dict[str, str], settings: dict[str, Any]) -> None:
    kinds = [*UNTOUCHED, "dict"]
    found = crawl(urls=pages, yields=kinds, settings=settings)
    plain = crawl(urls=pages, yields=kinds, settings={"ITEM_PIPELINES": {}})
    for kind in UNTOUCHED:
        of_kind = {key: item for key, item in plain.items.items() if key.startswith(kind)}
        assert of_kind
        assert {key: found.items[key] for key in of_kind} == of_kind
    assert found.items.keys() == plain.items.keys()
    whys = list(UNTOUCHED.values())
    assert untouched(found) == {why: 6 * whys.count(why) for why in whys}
    assert found.stats["trainer/articles"] == 6
    assert found.log.count("left as it is") == len(set(whys))  # logged once, counted always
    assert "Traceback" not in found.log


def test_without_a_field_for_them_removed_paragraphs_are_counted_only(
    model: Classifier, pages: list[str], texts: dict[str, str], model_folder: Path
) -> None:
    found = crawl(urls=pages, yields=["bare", "dict"], settings={"TRAINER_MODEL": str(model_folder)})
    for url, text in texts.items():
        kept = model.filter(text).text
        assert found.items[f"bare {url}"] == {"kind": "bare", "url": url, "text": kept}
        assert found.items[f"dict {url}"] == {"kind": "dict", "url": url, "text": kept}
    assert untouched(found) == {}


def test_another_field_may_hold_the_text(
    model: Classifier, pages: list[str], texts: dict[str, str], settings: dict[str, Any]
) -> None:
    found = crawl(urls=pages[:1], yields=["no field"], settings={**settings, "TRAINER_FIELD": "body"})
    assert found.items[f"no field {pages[0]}"]["body"] == model.filter(texts[pages[0]]).text


def test_items_are_dropped_only_when_told_to(
    model: Classifier, pages: list[str], texts: dict[str, str], settings: dict[str, Any]
) -> None:
    sizes = {url: len(model.filter(text).text) for url, text in texts.items()}
    limit = sorted(sizes.values())[3]  # half of them are shorter
    kinds = ["dict", "empty", "none"]
    found = crawl(urls=pages, yields=kinds, settings=settings)
    assert (len(found.items), found.dropped) == (18, {})
    found = crawl(urls=pages, yields=kinds, settings={**settings, "TRAINER_DROP_BELOW": limit})
    short = {
        f"dict {url}": f"{size} characters kept, fewer than TRAINER_DROP_BELOW = {limit}"
        for url, size in sizes.items()
        if size < limit
    }
    empty = {f"empty {url}": f"0 characters kept, fewer than TRAINER_DROP_BELOW = {limit}" for url in pages}
    assert short
    assert found.dropped == {**short, **empty}
    assert found.stats["trainer/dropped"] == len(found.dropped)
    assert {f"none {url}" for url in pages} <= found.items.keys()  # has no text to be short


def test_no_article_is_emptied_unasked(pages: list[str], model: Classifier, settings: dict[str, Any]) -> None:
    assert model.filter(MENU, allow_empty=True, max_removed_share=1).text == ""
    found = crawl(urls=pages[:1], yields=["menu"], settings={**settings, "TRAINER_MAX_REMOVED_SHARE": 1})
    assert (found.items[f"menu {pages[0]}"]["text"], found.of("trainer/flag/")) == (MENU, {"empty": 1})
    allowed = {**settings, "TRAINER_MAX_REMOVED_SHARE": "1.0", "TRAINER_ALLOW_EMPTY": "True"}
    found = crawl(urls=pages[:1], yields=["menu"], settings=allowed)
    assert (found.items[f"menu {pages[0]}"]["text"], found.of("trainer/flag/")) == ("", {})


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"TRAINER_MODEL": "no-such-model"}, "no-such-model"),
        ({"TRAINER_DROP_BELOV": 3}, "unknown setting TRAINER_DROP_BELOV"),
        ({"TRAINER_MAX_REMOVED_SHARE": 3}, "max_removed_share is 3"),
        ({"TRAINER_DROP_BELOW": "few"}, "few"),
    ],
    ids=str,
)
def test_a_wrong_setting_stops_the_crawl_before_its_first_request(
    site: Server, pages: list[str], settings: dict[str, Any], wrong: dict[str, Any], says: str
) -> None:
    before = len(site.asked)
    found = crawl(urls=pages, yields=["dict"], settings={**settings, **wrong})
    assert says in found.log
    assert (found.items, len(site.asked)) == ({}, before)


def test_the_model_is_loaded_once_a_process(pages: list[str], settings: dict[str, Any]) -> None:
    found = crawl(urls=pages[:1], yields=["dict"], settings=settings, crawls=3)
    assert len(found.noted["classifiers"]) == 3
    assert len(set(found.noted["classifiers"])) == 1


def test_nothing_of_training_is_loaded() -> None:
    loaded = modules("import trainer.integrations.scrapy")
    assert "scrapy" in loaded
    assert not {name for name in loaded if name.startswith("trainer.")} & {
        f"trainer.{name}" for name in ("cli", "dataset", "estimator", "training")
    }
    assert not {"sklearn", "pandas", "scipy", "typer", "pyarrow"} & loaded


def example(server: Server, out: Path, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the example project as its documentation says; return the items by URL and the stats of the pipeline."""
    done = run(
        sys.executable, "-m", "scrapy", "crawl", "articles", "-a", f"start={server.url()}", "-O", out, *options, cwd=EXAMPLE
    )
    assert done.returncode == 0, done.stderr
    stats = [line for line in done.stderr.splitlines() if line.lstrip(" {").startswith("'trainer/")]
    items = map(json.loads, out.read_text("utf-8").splitlines())
    return {item["url"]: item for item in items}, ast.literal_eval("{" + "".join(stats).strip(" {}") + "}")


def test_the_example_writes_clean_items_with_what_was_removed(site: Server, tmp_path: Path) -> None:
    plain, none = example(site, tmp_path / "plain.jsonl", "-s", "ITEM_PIPELINES={}")
    items, stats = example(site, tmp_path / "items.jsonl")
    assert none == {}
    assert set(items) == {site.url(name) for name in PAGES}
    model, removed = trainer.load(), 0
    for url, item in items.items():
        record = json.loads(json.dumps(model.filter(plain[url]["text"]).to_record()))
        assert item == {**plain[url], "text": record["text"], "removed": record["removed"]}
        assert any(gone["label"] != "news" for gone in item["removed"])
        removed += len(item["removed"])
    assert sum(value for key, value in stats.items() if key.startswith("trainer/removed/")) == removed
    assert example(site, tmp_path / "again.jsonl") == (items, stats)


def test_the_story_of_the_example_is_kept_and_its_appeals_go(site: Server, tmp_path: Path) -> None:
    items, _ = example(site, tmp_path / "items.jsonl")
    bridge = items[site.url("bridge.html")]
    assert bridge["text"].startswith("Swing bridge to close for a year")
    assert bridge["text"].endswith("none was paid for until last autumn.")
    assert any("make a donation" in gone["text"] and gone["label"] == "fundraising" for gone in bridge["removed"])
