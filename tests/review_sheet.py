"""A review page, open in a real browser; a plugin of the tests that look at one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import trainer
from trainer.model import Classifier
from trainer.records import Item
from trainer.review.page import write_review

WAIT = 30_000  # milliseconds
PROBLEMS = """
window.problems = [];
addEventListener("securitypolicyviolation", (event) => problems.push(event.violatedDirective + " " + event.blockedURI));
"""
ROWS = """() => [...document.querySelectorAll(".row")].filter((row) => row.checkVisibility()).map((row) => ({
  number: Number(row.dataset.row), around: row.classList.contains("around"), text: row.querySelector(".text").textContent,
  struck: Boolean(row.querySelector("del")), said: [...row.querySelector(".said").children].map((part) => part.textContent),
  wrong: row.querySelector("input").checked,
}))"""


class Row(NamedTuple):
    """A paragraph as the page should show it."""

    article: int
    text: str
    status: str
    label: str
    probability: float


class Sheet(NamedTuple):
    """A page that is open, what it should show, and the problems it had."""

    page: Any
    rows: list[Row]
    problems: list[str]
    requests: list[str]

    @property
    def shown(self) -> list[dict[str, Any]]:
        return self.page.evaluate(ROWS)

    @property
    def current(self) -> int | None:
        """The number of the paragraph that has the focus."""
        return self.page.evaluate("() => Number(document.activeElement.closest('.row')?.dataset.row ?? -1)")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def first(self, status: str, label: str | None = None) -> int:
        return next(i for i, row in enumerate(self.rows) if row.status == status and label in (None, row.label))

    def go(self, number: int) -> None:
        """Make a paragraph the current one."""
        self.page.locator(f"[data-row='{number}'] .text").click()

    def export(self, folder: Path) -> Path:
        with self.page.expect_download() as download:
            self.press("e")
        download.value.save_as(folder / download.value.suggested_filename)
        return folder / download.value.suggested_filename

    def text(self, name: str) -> str:
        return self.page.locator(f"#{name}").inner_text()

    def slide(self, name: str, value: float) -> None:
        self.page.locator(f"#{name}").fill(str(value))


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        switches = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
        yield playwright.chromium.launch(executable_path=chromium, args=switches)


@pytest.fixture(scope="module")
def news() -> Classifier:
    return trainer.load()


@pytest.fixture(scope="module")
def items(label_lines: list[str]) -> list[Item]:
    """Twelve articles of as many sites, as records with paragraphs."""
    found = [json.loads(line) for line in label_lines[61:73]]
    return [
        Item(
            f"in.jsonl:{i + 1}",
            {
                "id": record["id"],
                "site": f"site{i}.example",
                "title": record.get("title"),
                "paragraphs": [paragraph["text"] for paragraph in record["paragraphs"]],
            },
        )
        for i, record in enumerate(found)
    ]


def rows_of(items: list[Item], model: Classifier) -> list[Row]:
    kept = {label.name for label in model.labels if label.kept}
    rows = []
    for number, item in enumerate(items):
        result = model.filter(item.article)
        for paragraph, said, keep in zip(result.paragraphs, result.predictions, result.keep, strict=True):
            status = ("kept" if said.label in kept else "spared") if keep else "removed"
            rows.append(Row(number, paragraph.text, status, said.label, int(round(said.probability, 4) * 100 + 0.5) / 100))
    return rows


@pytest.fixture
def sheet(browser: Any, news: Classifier, tmp_path: Path) -> Iterator[Callable[..., Sheet]]:
    """Return a function that makes a page and opens it from the disk."""
    contexts = []

    def show(items: list[Item], script: str = "", **settings: Any) -> Sheet:
        file = tmp_path / "review.html"
        write_review(items, news, file, number=len(items), force=True)
        context = browser.new_context(viewport={"width": 1360, "height": 940}, **settings)
        context.set_default_timeout(WAIT)
        context.add_init_script(PROBLEMS + script)
        page = context.new_page()
        made = Sheet(page, rows_of(items, news), [], [])
        page.on("console", lambda message: made.problems.append(message.text))
        page.on("pageerror", lambda error: made.problems.append(str(error)))
        page.on("dialog", lambda dialog: made.problems.append(dialog.message))
        page.on("request", lambda request: made.requests.append(request.url))
        page.goto(file.as_uri())
        contexts.append((context, made))
        return made

    yield show
    for context, made in contexts:
        violations = made.page.evaluate("() => window.problems")
        context.close()
        assert made.problems + violations == []
        assert [url for url in made.requests if not url.startswith(("file:", "blob:", "data:"))] == []
