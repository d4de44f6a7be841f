"""The report page in a real browser, opened as a file: no errors, a slider that counts right, cells that open their paragraphs.

TRAINER_REPORT_SCREENSHOT=FILE writes a picture of the page; of TRAINER_REPORT_PAGE=FILE, where given.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import judged
import numpy as np
import pytest
from reports import evaluated
from small import load, records, write

from trainer.comparison import comparable, compare, load_run
from trainer.report import to_json, to_text
from trainer.report_page import of_report, page, page_data

HOSTILE = "<img src=x onerror=\"document.title='taken'\"></script><script>document.title='taken'</script>"
LONG = {
    "id": "long",
    "site": "long.example",
    "quality": "poor",
    "quality_reason": "truncated",
    "paragraphs": [
        {"text": "Keep our night desk open: give what you can.", "label": "fundraising"},
        {"text": "The first of many sentences about a ramp. " * 90 + "and so it breaks off", "label": "news"},
    ],
}
CURVE_DATA = {"articles": 12, "sites": 6, "digest": "0" * 64}
CURVE = {
    "articles": [4.0, 8.0, 16.0, 32.0],
    "more": 20,
    "best": "caption",
    "data": CURVE_DATA,
    "notes": [],
    "labels": [
        {"name": name, "f1": [[x + i / 9, x, x + 0.4] for i in range(4)], "expected": [0.7, 0.6, 0.8], "gain": [0.1, 0.0, 0.2]}
        for name, x in (("macro-F1", 0.3), ("caption", 0.2))
    ],
}


@pytest.fixture(scope="module")
def browser(chromium: str) -> Any:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        switches = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
        yield playwright.chromium.launch(executable_path=chromium, args=switches)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    items = records(36, 12)
    for item in items[::3]:
        item["paragraphs"][0]["text"] += HOSTILE
    for item in items[::4]:
        item["paragraphs"][2]["label"] = None
    return evaluated(load(tmp_path_factory.mktemp("labels") / "labels.jsonl", items), right=0.6)


@pytest.fixture(scope="module")
def material(made):
    return of_report(*made)


@pytest.fixture(scope="module")
def file(made, material, tmp_path_factory) -> Path:
    data = page_data(made.report, material, leaky=evaluated(made.dataset, right=0.8).report, curve=CURVE)
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page("How good", data), "utf-8")
    return path


@pytest.fixture
def open_page(browser):
    """Return a function that opens a file and a list of what went wrong on its page."""
    contexts = []

    def start(path: Path, **options: Any) -> tuple[Any, list[str]]:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}))
        shown, troubles = contexts[-1].new_page(), []
        shown.on("console", lambda message: troubles.append(message.text))
        shown.on("pageerror", lambda error: troubles.append(str(error)))
        shown.on("request", lambda request: troubles.append(request.url) if not request.url.startswith("file:") else None)
        shown.goto(path.as_uri())
        return shown, troubles

    yield start
    for context in contexts:
        context.close()


def cells(shown: Any, table: str) -> list[list[str]]:
    return shown.locator(table).evaluate("table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText))")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_from_a_file_without_errors_and_shows_every_section(open_page, file, made, scheme):
    shown, troubles = open_page(file, color_scheme=scheme)
    assert shown.locator("main > section").count() == shown.locator("#contents a").count() == 11
    assert shown.locator("#headline .value").first.inner_text() == f"{made.report.overall['macro_f1'][0]:.3f}"
    assert shown.locator("canvas").count() == 4 + 5 + 1 + 1  # precision and recall, calibration, removal, learning curve
    assert shown.locator("#site-table tbody tr").count() == 12
    assert "made up, site-grouped" in shown.locator("#about").inner_text()
    assert "unseen" in cells(shown, "#leakage-table table")[0][1]
    assert "Careful: measured on other labels" in shown.locator("#learning").inner_text()
    assert shown.title() == "How good"
    assert troubles == []
    background = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 28)")


def test_charts_are_drawn(open_page, file):
    shown, _ = open_page(file)
    drawn = shown.evaluate("""() => [...document.querySelectorAll("canvas")].map(canvas =>
        new Set(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data).size)""")
    assert min(drawn) > 10  # shades; an empty one has one


def test_the_slider_gives_the_figures_of_its_threshold(open_page, file, material):
    shown, troubles = open_page(file)
    slider, scored = shown.locator("#threshold"), material.scored
    slider.focus()
    seen = set()
    for key, times in (("Home", 1), ("ArrowRight", 30), ("PageUp", 1), ("End", 1)):
        for _ in range(times):
            shown.keyboard.press(key)
        threshold = float(shown.locator("#threshold-value").inner_text())
        goes = (scored.label != 0) & (material.residue >= threshold - 5e-5)
        news = scored.truth == 0
        table = cells(shown, "#removal-figures table >> nth=0")
        lost = 1000 * scored.chars[goes & news].sum() / scored.chars[news].sum()
        gone = 100 * scored.chars[goes & ~news].sum() / scored.chars[~news].sum()
        assert float(table[1][1]) == pytest.approx(lost, abs=0.006)
        assert float(table[2][1].split()[0]) == pytest.approx(gone, abs=0.51)
        assert table[3][1] == f"{goes.sum():,}"
        assert slider.get_attribute("aria-valuetext").startswith(f"{threshold:.4f}: {table[1][1]} of 1,000 news characters lost")
        seen.add(table[3][1])
    assert len(seen) == 4
    chosen = cells(shown, "#removal-figures table >> nth=0")
    assert chosen[3][2] == f"{scored.removed.sum():,}"
    assert troubles == []


def test_the_button_finds_the_most_that_goes_within_the_limit(open_page, file, material):
    shown, _ = open_page(file)
    shown.locator("#threshold").press("Home")
    shown.locator("#to-limit").click()
    lost = float(cells(shown, "#removal-figures table >> nth=0")[1][1])
    limit = 1000 * material.limit
    shown.locator("#threshold").press("ArrowLeft")
    assert lost <= limit < float(cells(shown, "#removal-figures table >> nth=0")[1][1])


def test_a_cell_opens_its_paragraphs_among_their_neighbours_by_keyboard_alone(open_page, file, made):
    shown, troubles = open_page(file)
    cell = shown.locator("[data-cell=navigation-news]")
    for _ in range(200):
        shown.keyboard.press("Tab")
        if cell.evaluate("cell => cell === document.activeElement"):
            break
    else:
        pytest.fail("the cell is not reached by the tab key")
    shown.keyboard.press("Enter")
    dialog = shown.get_by_role("dialog", name="navigation taken for news")
    count = made.report.confusion[2][0]
    assert f"{count} paragraphs" in dialog.inner_text()
    current = dialog.locator(".passage.current")
    assert current.count() == min(count, 100) or current.count() < count
    assert set(current.locator(".chip").all_inner_texts()) == {"navigation, taken for news"}
    texts = {text for a in made.dataset.articles for text, n in zip(a.texts, a.labels, strict=True) if n == "navigation"}
    assert all(text.rstrip("…") in "\n".join(texts) for text in current.locator("span[dir]").all_text_contents())
    assert dialog.locator(".passage:not(.current)").count() > 0
    shown.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert cell.evaluate("cell => cell === document.activeElement")  # one goes on where one was
    assert troubles == []


def test_cells_count_characters_too(open_page, file, material):
    shown, _ = open_page(file)
    shown.locator("input[value=chars]").check()
    scored = material.scored
    chars = scored.chars[(scored.truth == 2) & (scored.label == 0)].sum()
    assert shown.locator("[data-cell=navigation-news] b").inner_text() == f"{chars:,}"


def test_weak_points_lead_to_where_they_are_shown(open_page, file):
    shown, troubles = open_page(file)
    points = shown.locator("#weakest-list > li")
    assert points.count() >= 3
    for link in points.locator("a").all():
        assert shown.locator(link.get_attribute("href")).count() == 1
    for button in points.locator("button").all():
        button.click()
        assert shown.locator("dialog .item").count() > 0
        shown.keyboard.press("Escape")
    assert troubles == []


def test_wrong_ones_of_a_site_and_of_a_group_are_shown(open_page, file, material):
    shown, _ = open_page(file)
    shown.locator("#site-table tbody tr >> nth=0").locator("button").click()
    site = shown.locator("#site-table tbody th").first.inner_text()
    assert all(where.startswith(f"{site} ·") for where in shown.locator("dialog .item > .where").all_inner_texts())
    shown.keyboard.press("Escape")
    shown.locator("#group-tables tbody button").first.click()
    chips = shown.locator("dialog .passage.current .chip").all_inner_texts()
    assert chips
    assert all("taken for" in chip for chip in chips)


def test_what_the_thresholds_wrongly_remove_is_shown(open_page, file, material):
    shown, _ = open_page(file)
    shown.locator("#show-lost").click()
    wrongly = int((material.scored.removed & (material.scored.truth == 0)).sum())
    assert f"{wrongly} paragraph" in shown.locator("#items-count").inner_text()
    assert all(chip.startswith("news") for chip in shown.locator("dialog .passage.current .chip").all_inner_texts())


def test_texts_stay_texts(open_page, file):
    shown, troubles = open_page(file)
    for button in shown.locator("#confusion-table button:enabled").all():
        button.click()
        shown.keyboard.press("Escape")
    assert shown.locator("img").count() == 0
    assert shown.title() == "How good"
    assert troubles == []
    assert HOSTILE in shown.evaluate("data.examples.texts.text.join('\\n')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_and_controls_have_names(open_page, file, scheme):
    """Contrast of at least 4.5 (WCAG 2.2, 1.4.3, level AA) of every text on the page; a name for every control."""
    shown, _ = open_page(file, color_scheme=scheme)
    assert np.min(shown.evaluate(CONTRASTS)) >= 4.5
    shown.locator("[data-cell=navigation-news]").click()
    assert np.min(shown.evaluate(CONTRASTS)) >= 4.5
    nameless = shown.evaluate(NAMELESS)
    assert nameless == []
    assert shown.locator("th:not([scope])").count() == 0


NAMELESS = """() => [...document.querySelectorAll("button, input, a, [role=img], [role=region]")]
    .filter((node) => !(node.getAttribute("aria-label") || node.innerText || node.labels?.[0]?.innerText))
    .map((node) => node.outerHTML)"""
CONTRASTS = """() => {
    const parse = (text) => { // in the notation of either rgb() or color(srgb …)
        const parts = text.match(/[\\d.]+/g).map(Number), unit = text.startsWith("color") ? 1 : 255;
        return [...parts.slice(0, 3).map((part) => part / unit), parts[3] ?? 1];
    };
    const light = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
    const behind = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const colour = parse(getComputedStyle(at).backgroundColor);
            if (colour[3] === 1) return colour;
        }
        return [1, 1, 1];
    };
    const own = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    return [...document.body.querySelectorAll(":not(script):not(noscript):not(option)")]
        .filter((node) => own(node) && node.checkVisibility()).map((node) => {
            const [one, other] = [parse(getComputedStyle(node).color), behind(node)].map(luminance);
            return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        });
}"""


def test_nothing_overflows_a_small_screen(open_page, file):
    shown, troubles = open_page(file, viewport={"width": 360, "height": 700})
    assert shown.evaluate("document.documentElement.scrollWidth") <= 360
    assert troubles == []


def test_charts_follow_the_colours_of_the_system(open_page, file):
    shown, _ = open_page(file, color_scheme="light")
    look = "document.querySelector('canvas').toDataURL()"
    light = shown.evaluate(look)
    shown.emulate_media(color_scheme="dark")
    shown.wait_for_function(f"light => {look} !== light", arg=light)


def test_the_comparison_opens_without_errors(open_page, made, tmp_path):
    runs = []
    for name, right in (("a", 0.6), ("b", 0.9)):
        each = evaluated(made.dataset, right=right)
        (tmp_path / f"{name}.json").write_text(to_text({**to_json(each.report), **comparable(*each)}), "utf-8")
        runs.append(load_run(tmp_path / f"{name}.json"))
    found = compare(*runs)
    file = tmp_path / "compare.html"
    file.write_text(page("Compared", found.to_json(), comparison=True), "utf-8")
    shown, troubles = open_page(file)
    table = cells(shown, "#all table")
    assert [row[-1] for row in table[1:]] == [
        {"better": "▲ better", "worse": "▼ worse", "unclear": "unclear"}[each.verdict] for each in found.differences
    ]
    assert table[1][1].startswith(f"{found.differences[0].first[0]:.3f}")
    assert shown.locator("#sites tbody tr").count() > 0
    assert np.min(shown.evaluate(CONTRASTS)) >= 4.5
    assert troubles == []


def test_a_picture_of_the_page_shows_its_weak_points(open_page, file, tmp_path):
    path = Path(os.environ.get("TRAINER_REPORT_PAGE") or file).resolve()
    shown, troubles = open_page(path, viewport={"width": 1280, "height": 1265})
    picture = os.environ.get("TRAINER_REPORT_SCREENSHOT") or tmp_path / "report.png"
    shown.locator("#weakest-list li").first.wait_for()
    shown.screenshot(path=picture)
    assert Path(picture).stat().st_size > 20_000
    assert troubles == []


# ── articles in place of paragraphs


@pytest.fixture(scope="module")
def on_quality(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    """The page on the small data set of judged articles, and the report as JSON."""
    from trainer.cli.quality import evaluate

    work = tmp_path_factory.mktemp("quality")
    labels = write(work / "labels.jsonl", [*judged.records(34, 17), LONG])
    curve, file, figures = work / "curve.json", work / "quality.html", work / "quality.json"
    evaluate([labels], overrides=judged.SETTINGS, report_file=file, json_file=figures, curve=curve, jobs=1)
    return file, json.loads(figures.read_text("utf-8"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_on_article_quality_speaks_of_articles_and_opens_them(open_page, on_quality, scheme):
    file, report = on_quality
    shown, troubles = open_page(file, color_scheme=scheme)
    assert shown.locator("#headline .value").first.inner_text() == f"{report['overall']['macro_f1'][0]:.3f}"
    taken = report["confusion"][1][1]
    shown.locator("[data-cell=poor-poor]").click()
    dialog = shown.get_by_role("dialog")
    assert f"{taken} article" in dialog.inner_text()
    assert dialog.locator(".passage.current").count() == taken > 0
    assert "article 1 of 1" not in dialog.inner_text()
    shown.keyboard.press("Escape")
    before = cells(shown, "#removal-figures table >> nth=0")
    shown.locator("#threshold").press("Home")
    assert cells(shown, "#removal-figures table >> nth=0") != before
    said = shown.locator("main").inner_text()
    assert "likeliest" not in said
    assert "F1 against the number of articles trained on." in said
    assert "reasons, macro-F1" in said
    texts = shown.evaluate("data.examples.texts.text")
    (long,) = (text for text in texts if text.startswith("The first of many sentences"))
    assert long.endswith("and so it breaks off")
    assert len(long) == 1800
    assert not any("Keep our night desk" in text for text in texts)
    said = said[: said.index("Settings that are not the defaults")]
    assert "paragraph" not in said
    assert "news" not in said.lower()
    assert np.min(shown.evaluate(CONTRASTS)) >= 4.5
    assert shown.evaluate(NAMELESS) == []
    assert troubles == []
