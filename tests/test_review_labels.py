"""What a person ticks on the review page, in a real browser: kept over a reload, and exported as a label file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands import read, spawn, succeed
from small import SET

import trainer
from trainer.dataset import load_labels
from trainer.review.page import write_review
from trainer.schema import NEWS_LABELS

if TYPE_CHECKING:
    from review_sheet import Sheet

NO_STORAGE = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }});"
pytest_plugins = ("review_sheet",)


def correct(made: Sheet) -> dict[int, str | None]:
    """Tick what is wrong by keyboard and mouse; return the labels given, by paragraph."""
    wanted: dict[int, str | None] = {}
    made.press("j", "w")  # should have stayed
    wanted[made.current] = "news"
    made.press("j", "4")  # of another label
    wanted[made.current] = "caption" if made.rows[made.current].label != "caption" else made.rows[made.current].label
    kept = next(i for i, row in enumerate(made.rows) if row.status == "kept" and i not in wanted)
    made.go(kept)
    made.press("w")
    assert made.page.evaluate("() => document.activeElement.tagName") == "SELECT"
    made.page.locator(f"[data-row='{kept}'] select").select_option(label="is fundraising")
    wanted[kept] = "fundraising"
    spared = made.first("spared")
    made.go(spared)
    made.press("w")  # should have gone, as what the model says
    wanted[spared] = made.rows[spared].label
    other = next(i for i, row in enumerate(made.rows) if row.status == "kept" and row.article > made.rows[kept].article)
    made.go(other)
    made.press("2")
    wanted[other] = "fundraising"
    made.press("2")  # and back
    del wanted[other]
    return wanted


def test_the_label_file_holds_the_corrections_and_nothing_else(sheet, items, tmp_path):
    made = sheet(items)
    wanted = correct(made)
    articles = {made.rows[number].article for number in wanted}
    assert made.text("progress") == f"{len(articles)} of 12 articles looked through · 4 wrong"
    for article in range(12):
        made.page.locator(f"[data-article='{article}'] .done-box").set_checked(article in articles | {7, 8})
    found = read(made.export(tmp_path))
    assert [record["id"] for record in found] == [items[i].record["id"] for i in sorted(articles | {7, 8})]
    given = {i: row.label for i, row in enumerate(made.rows) if row.article in articles | {7, 8}} | wanted
    assert [p["label"] for record in found for p in record["paragraphs"]] == [given[i] for i in sorted(given)]
    assert [p["text"] for record in found for p in record["paragraphs"]] == [made.rows[i].text for i in sorted(given)]
    assert sum(len(record["reviewed"]["corrected"]) for record in found) == 4
    assert "4 wrong" in made.text("message")


def test_training_takes_the_label_file(sheet, items, tmp_path):
    made = sheet(items)
    for _ in items:
        made.press("n", "d", "p")
    correct(made)
    file = made.export(tmp_path)
    dataset = load_labels([file], NEWS_LABELS)
    assert sum(len(article.texts) for article in dataset.articles) == len(made.rows)
    assert succeed(spawn("train", file, "--out", tmp_path / "new", *SET)).err.count("12 articles of 12 sites")
    assert succeed(spawn("train", file, "--base", "news-en", "--out", tmp_path / "adapted")).err.count("adapting news-en on 12")
    assert (tmp_path / "new" / "model.safetensors").exists()


def test_of_an_article_not_looked_through_only_ticks_are_labelled(sheet, items, tmp_path):
    made = sheet(items)
    removed, kept = made.first("removed"), made.first("kept")
    assert made.rows[removed].article == made.rows[kept].article == 0
    made.page.locator(f"[data-row='{removed}'] .wrong-box").check()
    made.page.locator(f"[data-row='{kept}'] .wrong-box").check()  # and no label chosen
    assert "2 wrong (1 without a label)" in made.text("progress")
    made.press("Shift+D")
    (record,) = read(made.export(tmp_path))
    size = sum(row.article == 0 for row in made.rows)
    assert [p["label"] for p in record["paragraphs"]] == ["news" if i == removed else None for i in range(size)]
    assert "Without a label, and exported so: 1 tick." in made.text("message")


def test_nothing_to_export_is_said(sheet, items):
    made = sheet(items)
    made.press("e")
    assert "Nothing to export yet" in made.text("message")


def test_ticks_survive_a_reload_and_belong_to_the_page(sheet, items, tmp_path):
    made = sheet(items)
    wanted = correct(made)
    before = made.export(tmp_path).read_bytes()
    made.page.reload()
    assert {row["number"] for row in made.shown if row["wrong"]} == set(wanted)
    assert made.export(tmp_path / "again").read_bytes() == before
    write_review(items[:5], trainer.load(), tmp_path / "review.html", number=5, force=True)
    made.page.reload()
    assert not any(row["wrong"] for row in made.shown)


def test_without_storage_the_page_works_and_says_so(sheet, items, tmp_path):
    made = sheet(items, script=NO_STORAGE)
    made.press("j", "w")
    assert len(read(made.export(tmp_path))) == 1
    assert "keeps nothing" in made.page.locator("#kept-here").text_content()
