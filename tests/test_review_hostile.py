"""The review page with texts that want to be more than texts, in a real browser; and whether all of it can be read."""

from __future__ import annotations

import json

import pytest
from commands import read
from small import article, write

from trainer.dataset import load_labels
from trainer.records import Item
from trainer.review.colours import contrast
from trainer.schema import NEWS_LABELS

pytest_plugins = ("review_sheet",)

HOSTILE = [
    "</script><script>problems.push('ran')</script>",
    "<!-- <script> ]]> --!> <![CDATA[ <!--data--> <!--script--> {{data}} $& $1 \\1 %s",
    '"><img src=x onerror="problems.push(1)"> \' ` ${problems.push(2)} javascript:problems.push(3)',
    "<style>*{display:none}</style><meta http-equiv=refresh content='0;url=https://news.example/'>",
    "&lt;b&gt; &amp;amp; &#x3c;script&#x3e; \\u003cscript\\u003e \\\\ \\n",
    "line\u2028separator\u2029paragraph separator\x0bvertical tab\x0cform feed\x85next line",
    "right to left: שלום עולם, مرحبا بالعالم",
    "\u202eoverridden\u202c \u2066isolated \u2067never closed \u202a \u200f",
    "emoji 👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 é e\u0301 ﷺ 𝔘 \U0010ffff",
    "lone \ud83d surrogates \udc00 and \ud800",
    "controls \x00 \x01 \x1b[31m \x7f \ufeff \ufffe \uffff \r\n\t end",
    "  white space   around  ",
    "x" * 5000,
    "__proto__",
]
BREACH = """() => {
  const add = (tag, text) => document.body.append(Object.assign(document.createElement(tag), { textContent: text }));
  add("script", "problems.push('ran')");
  add("style", "body { display: none }");
  document.body.setAttribute("onclick", "problems.push('ran')");
  document.body.click();
  fetch("https://news.example/").catch(() => 0);
}"""
COLOURS = """() => [...document.querySelectorAll("body *")].flatMap((element) => {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || !element.checkVisibility({ contentVisibilityAuto: true })) return [];
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
  };
  return [[element.outerHTML.slice(0, 80), getComputedStyle(element).color, ground(element)]];
})"""


@pytest.fixture
def items() -> list[Item]:
    links = [
        "javascript:problems.push(4)",
        "https://news.example/?a=<b>&c=\"'",
        "http://[bad",
        "data:text/html,<script>1</script>",
    ]
    return [
        Item(
            f"in.jsonl:{i}", {"id": text, "site": text, "title": text, "source": text, "url": links[i % 4], "paragraphs": HOSTILE}
        )
        for i, text in enumerate(HOSTILE)
        if text.strip()
    ]


def as_json(page, selector: str) -> list[str]:
    """Return the texts of elements; as JSON, which keeps lone surrogates whole on their way here."""
    return json.loads(
        page.evaluate(f"() => JSON.stringify([...document.querySelectorAll('{selector}')].map((e) => e.textContent))")
    )


def test_hostile_texts_are_shown_as_they_are_and_nothing_runs(sheet, items):
    made = sheet(items)
    assert as_json(made.page, ".row .text") == HOSTILE * len(items)
    assert as_json(made.page, "h2 .name") == [text.strip() for text in HOSTILE]
    assert as_json(made.page, ".details .site") == [text.strip() for text in HOSTILE]
    assert made.page.locator("script").count() == 2
    links = made.page.evaluate("() => [...document.querySelectorAll('a')].map((a) => [a.href, a.rel])")
    assert {href.partition("?")[0] for href, _ in links} == {"https://news.example/"}
    assert all("noopener" in rel for _, rel in links)


def test_hostile_texts_come_out_whole(sheet, items, tmp_path):
    made = sheet(items)
    for _ in items:
        made.press("n", "d", "p")
    file = made.export(tmp_path)
    found = read(file)
    assert [[p["text"] for p in record["paragraphs"]] for record in found] == [HOSTILE] * len(items)
    assert [record["id"] for record in found] == [text.strip() for text in HOSTILE]
    other = write(tmp_path / "other.jsonl", [article(1, "x.example", ("Story", "news"), ("Share", "navigation"))])
    assert len(load_labels([file, other], NEWS_LABELS).articles) == len(items) + 1


def test_what_got_in_nevertheless_could_not_run_or_load(sheet, items):
    made = sheet(items)
    made.page.evaluate(BREACH)
    made.page.wait_for_function("() => problems.length >= 4")
    broken = {problem.partition(" ")[0] for problem in made.page.evaluate("() => problems.splice(0)")}
    assert broken == {"script-src-elem", "script-src-attr", "style-src-elem", "connect-src"}
    assert made.problems  # the browser's console says so too
    made.problems.clear()
    assert made.requests == made.requests[:1]


def test_a_direction_does_not_leak(sheet, items):
    made = sheet(items)
    style = "getComputedStyle(text)"
    directions = f"() => [...document.querySelectorAll('.text')].map((text) => [{style}.direction, {style}.unicodeBidi])"
    found = made.page.evaluate(directions)
    assert {bidi for _, bidi in found} <= {"isolate", "plaintext", "isolate-override"}
    assert {direction for direction, _ in found} == {"ltr"}  # all begin with left-to-right letters
    made = sheet([Item("x", {"id": "x", "paragraphs": ["שלום עולם", "Story"]})])
    assert [direction for direction, _ in made.page.evaluate(directions)] == ["rtl", "ltr"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast_on_light_and_dark(sheet, label_lines, scheme):
    records = [json.loads(line) for line in label_lines[60:63]]
    texts = [[paragraph["text"] for paragraph in record["paragraphs"]] for record in records]
    made = sheet(
        [Item("x", {"id": f"x{i}", "paragraphs": paragraphs}) for i, paragraphs in enumerate(texts)], color_scheme=scheme
    )
    made.press("j", "w", "e")
    made.page.locator("input[value=kept]").uncheck()
    made.press("c")
    seen = set()
    for turn in ("page", "help"):
        if turn == "help":
            made.press("?")
        for element, *colours in made.page.evaluate(COLOURS):
            assert contrast(*map(hexadecimal, colours)) >= 4.5, (element, colours)
            seen.add(tuple(colours))
    assert len(seen) > 8
    light = hexadecimal(made.page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor")) == "#ffffff"
    assert light == (scheme == "light")


def hexadecimal(colour: str) -> str:
    """Return what a browser calls `rgb(1, 2, 3)` as #010203."""
    assert colour.startswith("rgb("), colour
    return "#" + bytes(int(part) for part in colour[4:-1].split(",")).hex()
