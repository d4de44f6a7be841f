"""After real extractors: trafilatura, newspaper4k and resiliparse, each in a virtual environment of its own (make extractors)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crawls import EXAMPLE, PAGES, run
from small import ROOT

from trainer import ArtifactError, Classifier, InputError
from trainer.integrations import clean, load_once

FILES = [str(EXAMPLE / "site" / name) for name in PAGES]
URL = "https://ledger.example/bridge"
NAMES = ("trafilatura", "newspaper4k", "resiliparse")
HEAD = """
import json, sys
from pathlib import Path
import trainer
given = json.load(sys.stdin)
pages = [Path(name).read_text("utf-8") for name in given.get("files", [])]
"""


def python(name: str) -> Path:
    """Return the interpreter that has an extractor; without it skip the test, or fail where all must run."""
    found = ROOT / ".extractors" / name / "venv" / "bin" / "python"
    if not found.exists():
        missing = f"{name} is not there; make extractors installs it"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    return found


@pytest.fixture(scope="module")
def call(model_folder: Path) -> Callable[..., Any]:
    """Run code where an extractor is installed; it sees `given` and `pages` and leaves what it found in `out`."""

    def within(name: str, code: str, **given: Any) -> Any:
        program = f"{HEAD}{code}\nprint(json.dumps(out))"
        done = run(python(name), "-c", program, given=json.dumps({"model": str(model_folder), "files": FILES, **given}))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return within


def through_json(value: object) -> Any:
    return json.loads(json.dumps(value))


def test_trafilatura_extracts_and_the_model_filters(call: Callable[..., Any], model: Classifier) -> None:
    code = """
from trafilatura import bare_extraction
from trainer.integrations.trafilatura import extract
out = [[bare_extraction(page).text, extract(page, given["model"])] for page in pages]
"""
    pairs = call("trafilatura", code)
    assert len(pairs) == 6
    for alone, record in pairs:
        expected = through_json(model.filter(alone).to_record())
        assert {key: record[key] for key in expected} == expected
    assert sum(len(record["removed"]) for _, record in pairs) >= 4


def test_metadata_are_kept(call: Callable[..., Any]) -> None:
    code = """
from trafilatura import bare_extraction
from trainer.integrations.trafilatura import extract
document = bare_extraction(pages[0], with_metadata=True, url=given["url"]).as_dict()
trees = ("body", "commentsbody", "raw_text", "text")
found = {key: value for key, value in document.items() if value is not None and key not in trees}
out = [extract(pages[0], given["model"], url=given["url"]), found]
"""
    record, document = call("trafilatura", code, url=URL)
    assert {key: value for key, value in record.items() if key not in {"text", "removed", "filter"}} == document
    assert (record["title"], record["author"]) == ("Swing bridge to close for a year after cracks are found", "Mara Ellison")
    assert (record["date"], record["url"]) == ("2025-03-04", URL)


def test_arguments_are_passed_on(call: Callable[..., Any]) -> None:
    code = """
from trainer.integrations.trafilatura import extract
out = [extract(pages[0], given["model"], **kwargs) for kwargs in given["kwargs"]]
"""
    bare, pruned = call("trafilatura", code, kwargs=[{"with_metadata": False}, {"prune_xpath": "//p[position() > 4]"}])
    assert "title" not in bare
    assert "date" in pruned
    assert len(pruned["text"]) < len(bare["text"])


def test_pages_may_be_text_bytes_or_a_tree_and_the_model_loaded(call: Callable[..., Any]) -> None:
    code = """
from lxml import html
from trainer.integrations.trafilatura import extract
model = trainer.load(given["model"])
out = [extract(page, model) for page in (pages[0], pages[0].encode(), html.fromstring(pages[0].encode()))]
"""
    text, data, tree = call("trafilatura", code)
    assert text == data == tree


def test_many_pages_give_what_each_gives_alone_in_order(call: Callable[..., Any]) -> None:
    code = """
from trainer.integrations.trafilatura import extract, extract_many
model = trainer.load(given["model"])
nothing = "<html><body></body></html>"
pages = [nothing, *pages, nothing, *pages] * 5 + [nothing]
given = [(page, {"url": f"https://ledger.example/{i}"}) if i % 2 else page for i, page in enumerate(pages)]
alone = [extract(page, model, url=f"https://ledger.example/{i}" if i % 2 else None) for i, page in enumerate(pages)]
many = list(extract_many(iter(given), model))
out = [many == alone, [record and record.get("url") for record in many][:8], len(many), list(extract_many([]))]
"""
    same, urls, count, none = call("trafilatura", code)
    assert same
    assert urls == [None, *(f"https://ledger.example/{i}" if i % 2 else None for i in range(1, 7)), None]
    assert (count, none) == (71, [])


def test_a_page_without_an_article_gives_none(call: Callable[..., Any]) -> None:
    code = """
from trainer.integrations.trafilatura import extract
out = [extract(page, given["model"]) for page in ("<html><body></body></html>", "<p>x</p>")]
"""
    assert call("trafilatura", code) == [None, None]


def test_an_output_format_is_refused(call: Callable[..., Any]) -> None:
    code = """
from trainer.integrations.trafilatura import extract
try:
    extract(pages[0], given["model"], output_format="xml")
except trainer.InputError as error:
    out = str(error)
"""
    assert call("trafilatura", code) == "output_format does not apply: what comes back is a record. Leave it out."


def test_newspaper4k_articles_are_cleaned(call: Callable[..., Any], model: Classifier) -> None:
    code = """
import newspaper
from trainer.integrations import clean
articles = [newspaper.article(given["url"], input_html=page) for page in pages]
out = [[article.text, clean(article, given["model"], title=article.title)] for article in articles]
"""
    for alone, record in (pairs := call("newspaper4k", code, url=URL)):
        expected = through_json(model.filter(alone).to_record({"title": record["title"]}))
        assert record == expected
    assert pairs[0][1]["title"].startswith("Swing bridge to close")
    assert sum(len(record["removed"]) for _, record in pairs) >= 4


def test_resiliparse_texts_are_cleaned(call: Callable[..., Any], model: Classifier) -> None:
    code = """
from resiliparse.extract.html2text import extract_plain_text
from trainer.integrations import clean
texts = [extract_plain_text(page, main_content=True) for page in pages]
out = [[text, clean(text, given["model"], url=given["url"])] for text in texts]
"""
    for alone, record in (pairs := call("resiliparse", code, url=URL)):
        assert record == through_json(model.filter(alone).to_record({"url": URL}))
    assert sum(len(record["removed"]) for _, record in pairs) >= 4


@pytest.mark.parametrize("name", NAMES)
def test_beside_an_extractor_only_numpy_and_safetensors_are_needed(call: Callable[..., Any], name: str) -> None:
    code = """
import trainer.integrations
trainer.integrations.clean("The council voted on Monday.", given["model"])
out = sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names))
"""
    third_party = {module for module in call(name, code) if not module.startswith("_")}
    assert third_party <= {"trainer", "numpy", "safetensors", "sitecustomize", "distutils-precedence"}


def test_pins_agree_with_those_of_the_project() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    for name in NAMES:
        own = dict(line.split("==") for line in (ROOT / "tests" / "extractors" / f"{name}.txt").read_text().splitlines())
        assert own.keys() >= {"numpy", "safetensors"}
        assert {own[key] for key in ("numpy", "safetensors")} == {pins["numpy"], pins["safetensors"]}
        assert any(key.lower() == name for key in own)


# ── `clean`, which needs none of them


def test_clean_gives_the_record_of_the_text_and_the_fields_given(model: Classifier, articles: list[str]) -> None:
    for text in articles[:5]:
        record = clean(text, model, id="a", url=URL)
        assert record == model.filter(text).to_record({"id": "a", "url": URL})


def test_clean_takes_what_filter_takes(model: Classifier, articles: list[str]) -> None:
    paragraphs = articles[0].split("\n")
    assert clean(paragraphs, model) == model.filter(paragraphs).to_record()
    assert clean({"text": articles[0]}, model) == clean(articles[0], model)
    for nothing in (None, b"bytes", {"body": "x"}):
        with pytest.raises(InputError):
            clean(nothing, model)


def test_clean_loads_a_folder_once(model_folder: Path, model: Classifier, articles: list[str]) -> None:
    assert clean(articles[0], model_folder) == clean(articles[0], str(model_folder)) == clean(articles[0], model)
    assert load_once(model_folder) is load_once(model_folder)
    with pytest.raises(ArtifactError):
        clean(articles[0], model_folder / "none")


def test_clean_uses_the_default_model() -> None:
    record = clean("The council voted on Monday.\nThe bridge stays shut.")
    assert record["filter"]["model"] == "news-en"
