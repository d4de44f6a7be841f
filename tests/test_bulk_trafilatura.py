"""Pages through trafilatura before they are filtered, in the environment that has it (make extractors)."""

from __future__ import annotations

import json

from crawls import run
from test_extractors import python
from warc_files import NEWS, page

CODE = """
import json, sys
from trainer.bulk.extractors import trafilatura
print(json.dumps([trafilatura(page.encode(charset), charset) for page, charset in json.load(sys.stdin)]))
"""


def test_its_text_and_metadata_are_the_record():
    head = '<meta name="author" content="Mara Lindqvist"><meta property="article:published_time" content="2026-02-03">'
    story = page(*NEWS, "Größe – naïve “quoted”, said the council in a statement on Tuesday evening.", head=head)
    given = [(story, "utf-8"), (story, "cp1252"), ("<html><body></body></html>", "utf-8")]
    done = run(python("trafilatura"), "-c", CODE, given=json.dumps(given))
    assert done.returncode == 0, done.stderr
    found, other, nothing = json.loads(done.stdout.splitlines()[-1])
    assert found["text"].splitlines()[:3] == list(NEWS)
    assert "Größe – naïve “quoted”" in found["text"]
    assert (found["author"], found["published"]) == ("Mara Lindqvist", "2026-02-03")
    assert found.keys().isdisjoint({"date", "filedate", "body"})
    assert other == found
    assert nothing == {}
