"""An article labelled as a person does it: in a real browser, by keyboard alone, between a push and a pull.

TRAINER_SCREENSHOT=FILE writes a picture of the labelling page.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from commands import read, spawn, succeed
from small import article, write
from studio_server import Studio

from trainer.schema import NEWS_LABELS
from trainer.studio import interface

STORY = [
    ("Harbour bridge stays shut until spring", "news"),
    ("Home News Sport Weather", "navigation"),
    ("The old swing bridge at Lund Bay will not open to traffic before April, the harbour office said on Tuesday.", "news"),
    ("Divers found cracks in two of the six bearings. A third shows signs of wear and will be replaced with them.", "news"),
    ("The swing bridge at Lund Bay, seen from the customs house. Photo: T. Reyk", "caption"),
    ("Until then buses take the long way round by Marrow Hill, which adds nineteen minutes to the trip.", "news"),
    ("Read more: The last boat leaves at four", "navigation"),
    ("“We would rather close it for a winter than for good,” said Ida Holm, who runs the harbour office.", "news"),
    ("Our reporting is free because readers pay for it. Give what you can, once or every month.", "fundraising"),
    ("Shop owners on the east quay ask the town to waive their rent for the months of the closure.", "news"),
    ("The council votes on the money for the repair, some 2.4 million, on the ninth.", "news"),
    ("Share this story  Print  Send by e-mail", "navigation"),
]
LONG = [*STORY, *[(f"On day {day} of the closure the ferry office counted {700 + 9 * day} people.", "news") for day in range(28)]]
KEYS = {label.name: label.hotkey for label in NEWS_LABELS}
NEXT, SUBMIT = "j", "Shift+Enter"
WAIT = 120_000  # milliseconds


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        switches = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
        yield playwright.chromium.launch(executable_path=chromium, args=switches)


@pytest.fixture
def page(browser: Any, studio: Studio) -> Iterator[Any]:
    """A page of a browser that is signed in."""
    context = browser.new_context(viewport={"width": 1360, "height": 940})
    context.set_default_timeout(WAIT)
    page = context.new_page()
    page.goto(f"{studio.url}/user/login/")
    page.fill("input[name=email]", studio.username)
    page.fill("input[name=password]", studio.password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    yield page
    context.close()


@pytest.fixture
def labels(studio: Studio) -> Callable[..., dict[str, Any]]:
    """Run `trainer labels push` or `pull` against the server of the tests and return the report."""

    def run(command: str, *argv: object) -> dict[str, Any]:
        server = {"LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": studio.token}
        return json.loads(succeed(spawn("labels", command, *argv, "--json", **server)).out)

    return run


def open_next_article(page: Any, studio: Studio, project: str, paragraphs: int) -> None:
    """Open the labelling page as the button "Label All Tasks" does, and close the instruction that comes with it."""
    projects = page.request.get(f"{studio.url}/api/projects/").json()["results"]
    (number,) = [found["id"] for found in projects if found["title"] == project]
    page.goto(f"{studio.url}/projects/{number}/data?labeling=1")
    page.get_by_text("Labeling Instructions").wait_for()
    page.keyboard.press("Escape")
    page.get_by_text("Labeling Instructions").wait_for(state="hidden")
    page.locator("[class*=htx-highlight]").nth(paragraphs - 1).wait_for()


def correct(page: Any, wanted: dict[int, str], paragraphs: int, picture: str | None = None) -> int:
    """Walk through all paragraphs, give those of `wanted` their label, submit; by keyboard. Return the number of key presses."""
    presses = 0
    for index in range(paragraphs):
        page.keyboard.press(NEXT)
        presses += 1
        page.get_by_text(f"p{index}", exact=True).wait_for()  # the id of the selected region
        if index in wanted:
            page.keyboard.press(KEYS[wanted[index]])
            presses += 1
            page.locator("[class*=detailed-region]").get_by_text(wanted[index], exact=True).first.wait_for()
            if picture and index == max(wanted):
                page.screenshot(path=picture)
    page.keyboard.press(SUBMIT)
    page.get_by_text("No More Tasks Left in Queue").wait_for()
    return presses + 1


@pytest.mark.parametrize(
    ("story", "wrong", "presses"),
    [(STORY, {4: "news", 8: "news"}, 15), (LONG, {4: "news", 8: "news", 11: "caption", 39: "navigation"}, 45)],
    ids=["12-paragraphs", "40-paragraphs"],
)
def test_wrong_labels_are_corrected_by_keyboard_and_pulled(page, studio, labels, tmp_path, story, wrong, presses):
    given = [(text, wrong.get(index, label)) for index, (text, label) in enumerate(story)]
    project = f"harbour-{len(story)}"
    file = write(tmp_path / "harbour.jsonl", [article(1, "lundbay.example", *given)])
    assert labels("push", file, "--project", project)["new"] == 1
    hosts = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    open_next_article(page, studio, project, len(story))
    right = {index: story[index][1] for index in wrong}
    assert correct(page, right, len(story), os.environ.get("TRAINER_SCREENSHOT") if story is STORY else None) == presses

    report = labels("pull", "--project", project, "--out", file)
    assert (report["changed"], report["same"], report["new"]) == (len(wrong), len(story) - len(wrong), 0)
    (pulled,) = read(file)
    assert [(paragraph["text"], paragraph["label"]) for paragraph in pulled["paragraphs"]] == story
    assert {paragraph["annotator"] for paragraph in pulled["paragraphs"]} == {studio.username}
    assert hosts == {urlsplit(studio.url).netloc}  # nothing that the page loads or sends leaves the machine


def test_one_key_says_what_the_whole_article_is(page, studio, labels, tmp_path):
    file = write(tmp_path / "offer.jsonl", [article(2, "lundbay.example", *STORY)])
    labels("push", file, "--project", "verdicts")
    open_next_article(page, studio, "verdicts", len(STORY))
    page.keyboard.press(NEXT)
    page.get_by_text("p0", exact=True).wait_for()  # with a paragraph selected, the key means the article all the same
    page.keyboard.press(interface.quality_keys(NEWS_LABELS)["promo"])
    page.locator("input[type=radio]:checked, input[type=checkbox][name=promo]:checked").first.wait_for()
    page.keyboard.press(SUBMIT)
    page.get_by_text("No More Tasks Left in Queue").wait_for()
    assert labels("pull", "--project", "verdicts", "--out", file)["verdicts"] == 1
    (pulled,) = read(file)
    assert (pulled["quality"], pulled["quality_reason"]) == ("poor", "promo")
    assert [(paragraph["text"], paragraph["label"]) for paragraph in pulled["paragraphs"]] == STORY
