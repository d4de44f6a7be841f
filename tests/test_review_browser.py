"""The review page in a real browser, opened as a file: what it shows, what its filters find, where its keys lead.

TRAINER_REVIEW_SCREENSHOT=FILE writes a picture of the page.
"""

from __future__ import annotations

import os

from trainer.schema import NEWS_LABELS

pytest_plugins = ("review_sheet",)


def test_each_paragraph_is_shown_with_what_became_of_it(sheet, items):
    made = sheet(items)
    assert {row.status for row in made.rows} == {"removed", "spared", "kept"}
    assert [row["text"] for row in made.shown] == [row.text for row in made.rows]
    for shown, row in zip(made.shown, made.rows, strict=True):
        assert shown["struck"] == (row.status == "removed")
        assert shown["said"] == [row.status, row.label, f"{row.probability:.2f}"]
        assert not shown["wrong"]
        assert not shown["around"]
    gone = sum(row.status == "removed" for row in made.rows)
    assert made.text("about") == f"all of 12 articles · {gone} of {len(made.rows)} paragraphs"
    assert made.text("progress") == "0 of 12 articles looked through · 0 wrong"
    if picture := os.environ.get("TRAINER_REVIEW_SCREENSHOT"):
        made.press("j", "j", "j", "w")
        made.page.wait_for_timeout(300)
        made.page.screenshot(path=picture)


# ── filters


def test_filters_by_status_label_and_probability_with_counts(sheet, items):
    made = sheet(items)
    counts = "() => Object.fromEntries([...document.querySelectorAll('.choice input')].map((i) => [i.value, i.parentNode.querySelector('.count')?.textContent]))"  # noqa: E501

    def expect(statuses: set[str], labels: set[str], low: float = 0, high: float = 1) -> None:
        near = [row for row in made.rows if low <= row.probability <= high]
        wanted = [row for row in near if row.status in statuses and row.label in labels]
        assert [row["text"] for row in made.shown] == [row.text for row in wanted]
        articles = len({row.article for row in wanted})
        noun = "article" if articles == 1 else "articles"
        assert made.text("shown") == f"{len(wanted)} of {len(made.rows)} paragraphs in {articles} {noun} shown"
        found = made.page.evaluate(counts)
        for status in ("removed", "spared", "kept"):
            assert int(found[status]) == sum(row.status == status and row.label in labels for row in near)
        for number, label in enumerate(names):
            assert int(found[str(number)]) == sum(row.label == label and row.status in statuses for row in near)

    names = [label.name for label in NEWS_LABELS]
    every = {"removed", "spared", "kept"}
    expect(every, set(names))
    made.page.locator("input[value=kept]").uncheck()
    expect({"removed", "spared"}, set(names))
    made.page.get_by_label("navigation", exact=False).first.uncheck()
    expect({"removed", "spared"}, {"news", "fundraising", "caption"})
    made.slide("low", 0.6)
    expect({"removed", "spared"}, {"news", "fundraising", "caption"}, 0.6)
    made.slide("high", 0.97)
    expect({"removed", "spared"}, {"news", "fundraising", "caption"}, 0.6, 0.97)
    made.slide("low", 0.98)  # takes the upper end with it
    expect({"removed", "spared"}, {"news", "fundraising", "caption"}, 0.98, 0.98)
    made.page.get_by_role("button", name="Reset filters").click()
    expect(every, set(names))


def test_context_shows_what_stands_around(sheet, items):
    made = sheet(items)
    made.page.locator("input[value=kept]").uncheck()
    made.page.locator("input[value=spared]").uncheck()
    made.press("c")
    assert [row["text"] for row in made.shown] == [row.text for row in made.rows]
    assert [row["around"] for row in made.shown] == [row.status != "removed" for row in made.rows]
    made.slide("low", 1.0)
    sure = {row.article for row in made.rows if row.status == "removed" and row.probability == 1}
    assert {made.rows[row["number"]].article for row in made.shown} == sure


def test_only_what_is_ticked(sheet, items):
    made = sheet(items)
    chosen = [made.first("removed"), made.first("kept")]
    for number in chosen:
        made.page.locator(f"[data-row='{number}'] .wrong-box").check()
    assert made.text("wrong-count") == "2"
    made.page.locator("#wrong-only").check()
    assert [row["number"] for row in made.shown] == sorted(chosen)


# ── keys


def test_keys_walk_through_paragraphs_and_articles(sheet, items):
    made = sheet(items)
    removed = [i for i, row in enumerate(made.rows) if row.status == "removed"]
    walked = []
    for _ in removed:
        made.press("j")
        walked.append(made.current)
    assert walked == removed
    made.press("j")
    assert made.current == removed[-1]
    assert "No further removed paragraph" in made.text("message")
    made.press("k")
    assert made.current == removed[-2]
    made.press("J")
    assert made.current == removed[-2] + 1
    made.press("K", "K")
    assert made.current == removed[-2] - 1
    assert made.page.evaluate("() => document.activeElement.matches(':focus-visible') && scrollY > 0")
    article = made.rows[removed[-2] - 1].article
    focused = "() => document.activeElement.dataset.article"
    made.press("p")
    assert made.page.evaluate(focused) == str(article - 1)
    made.press("n", "n")
    assert made.page.evaluate(focused) == str(min(article + 1, 11))
    top = (
        "() => document.activeElement.getBoundingClientRect().top - document.getElementById('bar').getBoundingClientRect().bottom"
    )
    assert abs(made.page.evaluate(top)) < 2 or article + 1 >= 11  # below the bar, not under it


def test_keys_pass_over_what_filters_hide(sheet, items):
    made = sheet(items)
    made.page.locator("input[value='2']").uncheck()  # navigation
    wanted = [i for i, row in enumerate(made.rows) if row.status == "removed" and row.label != "navigation"]
    made.press("j", "j")
    assert made.current == wanted[1]


def test_help_opens_and_closes(sheet, items):
    made = sheet(items)
    made.press("?")
    assert made.page.locator("#help").is_visible()
    keys = made.page.locator("#keys kbd").all_inner_texts()
    assert {"j", "k", "Shift J", "n", "p", "w", "d", "e", "?", "1", "4"} <= set(keys)
    made.press("j", "Escape")
    assert not made.page.locator("#help").is_visible()
    assert made.current == -1
