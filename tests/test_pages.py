"""HTML to visible blocks: what counts as a block, how bytes are read, and that nothing breaks it."""

import socket
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import markup

from trainer import pages
from trainer.errors import InputError, TrainerError
from trainer.pages import blocks, decode

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Not in the list</title><style>p { color: red }</style></head>
<body>
 <nav><ul><li><a href="/">Home</a></li><li>Coast</li></ul></nav>
 <article>
  <h1>Ferry company
      loses <em>island</em> contract</h1>
  Loose text<br>after a break
  <p>The <b>Orla</b> sailed&nbsp;at four.<p>An unclosed second.
  <p>* * *</p>
  <figure><img src="x.png" alt="no text"><figcaption>The quay. Photo: T. Reyk</figcaption></figure>
  <table><tr><td>Wheat</td><td>214</td></tr></table>
  <script>var p = "<p>no</p>";</script>
  <select><option>Nor this</option></select>
  <p hidden>Unseen</p><p style="DISPLAY : none">Unseen</p><p>Seen <i aria-hidden="true">icon</i>again</p>
 </article>
 <button>Donate</button>
</body></html>"""
TEXTS = [
    "Home",
    "Coast",
    "Ferry company loses island contract",
    "Loose text",
    "after a break",
    "The Orla sailed at four.",
    "An unclosed second.",
    "The quay. Photo: T. Reyk",
    "Wheat",
    "214",
    "Seen again",
    "Donate",
]


def test_visible_blocks_come_in_reading_order():
    assert blocks(PAGE) == TEXTS
    assert blocks(PAGE.encode()) == TEXTS


@pytest.mark.parametrize(
    ("html", "texts"),
    [
        ("", []),
        (" \n", []),
        ("\x00", []),
        ("<!-- only a comment -->", []),
        ("{}", []),
        ("plain text, no tag", ["plain text, no tag"]),
        ("a<b", ["a"]),
        ("<p>one</p> two <p>three", ["one", "two", "three"]),
        ("<p>one<script>x</p></script>two", ["onetwo"]),
        ("<svg><p>icon</p></svg><p>text", ["text"]),
        ("<div hidden><p>one<p>two</div>three", ["three"]),
        ("<html hidden><p>one</html>", []),
        ("<body>one</body></html>two<p>three", ["one"]),
        ("<p>5 &lt; 6 &eacute; &#8217; &nosuch;</p>", ["5 < 6 é ’ &nosuch;"]),
        ("<P>UPPER</P><Script>x</sCRIPT>", ["UPPER"]),
        ('<?xml version="1.0" encoding="utf-16"?><p>declared</p>', ["declared"]),
        ("<?xml version='1.0'?><?xml version='1.0' encoding='x'?><p>twice</p>", ["twice"]),
        ("<p>a\ud800b</p>", ["a?b"]),
        ("<p>\u3000wide\u2003space\u2028</p>", ["wide space"]),
        ("\ufeff<p>mark</p>", ["mark"]),
    ],
)
def test_odd_pages(html, texts):
    assert blocks(html) == texts


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("Café “x”".encode(), "Café “x”"),
        ('<meta charset="iso-8859-2">Łódź'.encode("iso-8859-2"), "Łódź"),
        ("<meta content='text/html; charset=shift_jis'>新聞".encode("shift_jis"), "新聞"),
        ('<meta charset="iso-8859-1">Café'.encode(), "Café"),  # UTF-8 in spite of what it says
        ("Café – “x”".encode("cp1252"), "Café – “x”"),
        ("<meta charset=nonsense>Café".encode("cp1252"), "Café"),
        ("<meta charset=hex>Café".encode("cp1252"), "Café"),
        (b"caf\xe9 \x81", "café \x81"),
    ],
)
def test_bytes_are_read_as_utf8_else_as_named_else_as_windows_1252(page, text):
    assert decode(page).endswith(text)
    assert blocks(page) == blocks(decode(page))


@pytest.mark.parametrize("name", ["idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"])
def test_encodings_of_python_alone_are_not_for_pages(name):
    assert decode(f"<meta charset={name}>\\u0041-é".encode("cp1252")).endswith("\\u0041-é")


@given(markup)
def test_anything_gives_blocks_of_visible_characters(html):
    for page in (html, html.encode("utf-8", "replace"), html.encode("utf-16", "replace")):
        for text in blocks(page):
            assert text == " ".join(text.split())
            assert any(c.isalnum() or c == "_" for c in text) or not text.isascii()
            text.encode("utf-8")


@given(st.binary(max_size=300))
def test_any_bytes_give_blocks(page):
    assert all(isinstance(text, str) for text in blocks(page))


@given(st.lists(st.text("abc é&<", min_size=1).filter(lambda t: any(c in "abcé" for c in t)), max_size=20))
def test_paragraphs_come_back(texts):
    from html import escape

    page = "".join(f"<p>{escape(text)}</p>" for text in texts)
    assert blocks(page) == [" ".join(text.split()) for text in texts]


def test_entities_of_a_page_are_not_expanded_and_nothing_is_fetched(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    secret = tmp_path / "secret.txt"
    secret.write_text("xyzzy")
    bomb = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "boom"}">' for i in range(9))
    page = f'<!DOCTYPE html SYSTEM "{secret.as_uri()}" [{bomb}<!ENTITY f SYSTEM "{secret.as_uri()}">]><p>one &e8; &f;</p>'
    texts = blocks(page)
    assert sum(map(len, texts)) < len(page)
    assert not any("xyzzy" in text or "boomboom" in text for text in texts)
    framed = f'<p>one</p><iframe src="{secret.as_uri()}"></iframe><link rel="import" href="{secret.as_uri()}"><p>two</p>'
    assert blocks(framed) == ["one", "two"]


HOSTILE = {
    "deep": "<div>x" * 100_000,
    "deep inline": "<b>" * 200_000 + "x",
    "closing": "</p>" * 200_000,
    "closing, far below": "<div>" * 200 + "</p>" * 200_000,
    "attributes": "<p " + " ".join(f"a{i}" for i in range(100_000)) + ">x",
    "declarations": "<?xml" * 200_000,
    "open tags": "<" * 500_000,
    "entities": "&a" * 300_000,
    "comments": "<!--" * 200_000,
    "quotes": '<p a="' * 200_000,
    "a long text": "<p>" + "x" * 1_000_000,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_pages_take_seconds_at_most(case):
    begin = time.monotonic()
    assert isinstance(blocks(HOSTILE[case]), list)
    assert time.monotonic() - begin < 10


def test_what_nests_too_deep_is_left_out():
    inside = pages.MAX_DEPTH - 2  # html and body are open too
    assert len(blocks("<div>x" * (inside + 50))) == inside
    assert blocks("<p>before</p>" + "<div>" * 400 + "deep" + "</div>" * 400 + "<p>after</p>") == ["before"]


@pytest.mark.parametrize("kind", [str, bytes])
def test_a_page_that_is_too_large_is_refused(monkeypatch, kind):
    monkeypatch.setattr(pages, "MAX_PAGE", 100)
    page = "x" * 101 if kind is str else b"x" * 101
    assert blocks(page[:100])
    with pytest.raises(InputError, match="101 bytes; the most is 100"):
        blocks(page)


def test_without_lxml_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "lxml", None)
    with pytest.raises(TrainerError) as caught:
        blocks("<p>x")
    assert "paragraph-trainer[html]" in str(caught.value)
    assert "\n" not in str(caught.value)
