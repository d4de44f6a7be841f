"""Stand-off files: read and checked, given their texts back, and aligned where a page has changed."""

import json
import sys

import pytest
from clones import STORY, git, html, line, packed, page, publish, story
from hypothesis import given
from hypothesis import strategies as st
from small import LABELS, write
from strategies import digests, texts

from trainer import checkouts
from trainer.dataset import load_labels
from trainer.errors import InputError, TrainerError
from trainer.schema import NEWS_LABELS
from trainer.standoff import FIELDS, KINDS, Page, annotate, fingerprint, hydrate, label_of, load_standoff, next_step

SHIPPED = LABELS / "public-pages.standoff.jsonl"


def annotated(*blocks, **fields):
    """Return a page of (text, kind letter) pairs."""
    hashed = tuple((fingerprint(text), letter) for text, letter in blocks)
    return Page(**{**line(), **fields, "blocks": hashed})


def labels(rebuilt):
    return [(p["text"], p["label"], p.get("kind")) for p in rebuilt.paragraphs]


# ── reading


def test_blocks_are_words_or_pairs(tmp_path):
    words = load_standoff(write(tmp_path / "words.jsonl", [line()]))
    pairs = [[word[:-1], word[-1]] for word in line()["blocks"].split()]
    assert load_standoff(write(tmp_path / "pairs.jsonl", [line(blocks=pairs)])) == words == [annotated(*STORY)]


@given(st.lists(st.tuples(digests, st.sampled_from(sorted(KINDS))), max_size=20))
def test_what_is_written_is_read(tmp_path_factory, blocks):
    folder = tmp_path_factory.mktemp("standoff")
    words = line(blocks=" ".join(digest + letter for digest, letter in blocks))
    assert load_standoff(write(folder / "x.jsonl.gz", [words]))[0].blocks == tuple(blocks)


WRONG = {
    "bad JSON": ("{", "bad JSON"),
    "deep JSON": ("[" * 100_000, "bad JSON"),
    "no object": ("[]", "expected an object, got list"),
    "a text field": (json.dumps(line(title="Ferry company")), "unknown field 'title'"),
    "paragraphs": (json.dumps(line(paragraphs=[])), "unknown field 'paragraphs'"),
    "no id": (json.dumps({k: v for k, v in line().items() if k != "id"}), "missing field 'id'"),
    "empty site": (json.dumps(line(site="")), "field 'site' is not a line of text"),
    "site that is no Unicode": (json.dumps(line(site="\ud800")), "field 'site'"),
    "id that colours the terminal": (json.dumps(line(id="\x1b[31mred")), "field 'id'"),
    "number for a path": (json.dumps(line(path=1)), "field 'path' is not a line of text"),
    "no blocks": (json.dumps({k: v for k, v in line().items() if k != "blocks"}), "field 'blocks'"),
    "number in blocks": (json.dumps(line(blocks=[["0123456789ab", 1]])), "field 'blocks'"),
    "three in a block": (json.dumps(line(blocks=[["0123456789ab", "n", "n"]])), "field 'blocks'"),
    "unknown kind": (json.dumps(line(blocks="0123456789abn 0123456789abx")), "block 1: '0123456789abx'"),
    "short hash": (json.dumps(line(blocks=[["0123456789a", "n"]])), "block 0"),
    "capital hash": (json.dumps(line(blocks="0123456789ABn")), "block 0"),
    "text for a hash": (json.dumps(line(blocks=[["Ferry", "n"]])), "block 0"),
    "path that climbs": (json.dumps(line(path="../../etc/passwd")), "path '../../etc/passwd'"),
    "commit that is an option": (json.dumps(line(commit="--help")), "commit '--help'"),
    "repository that climbs": (json.dumps(line(repo="../x")), "repository '../x'"),
    "id twice": (json.dumps(line(0)), "page id 's0' stands twice"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_lines_are_refused_with_file_and_line(tmp_path, case):
    given, wanted = WRONG[case]
    path = tmp_path / "x.standoff.jsonl"
    path.write_text(json.dumps(line()) + "\n\n" + given + "\n")
    with pytest.raises(InputError) as caught:
        load_standoff(path)
    assert caught.value.where == f"{path}:3"
    assert wanted in caught.value.cause
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_file_without_pages_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no pages"):
        load_standoff(write(tmp_path / "x.jsonl", []))


def test_the_file_of_the_repository_holds_no_text():
    pages = load_standoff(SHIPPED)
    assert len(pages) == 582
    assert sum(len(page.blocks) for page in pages) == 86_014
    assert SHIPPED.stat().st_size < 2_000_000
    for written in map(json.loads, SHIPPED.read_text("ascii").splitlines()):
        assert set(written) == set(FIELDS)
        assert all(" " not in value for key, value in written.items() if key != "blocks")


def test_kinds_are_those_of_the_guide():
    table = (LABELS / "GUIDELINES.md").read_text("utf-8").partition("| letter |")[2].splitlines()
    letters, kinds = (line.strip(" |").removeprefix("kind |").replace(" ", "").split("|") for line in (table[0], table[2]))
    assert dict(zip(letters, kinds, strict=True)) == KINDS


def test_every_kind_has_a_label_of_the_set():
    assert {label_of(kind) for kind in KINDS.values()} == set(NEWS_LABELS.names)
    assert label_of("promo") == "navigation"


# ── labels to texts


def test_an_unchanged_page_gets_all_its_labels():
    rebuilt = annotate(annotated(*STORY), [text for text, _ in STORY])
    assert rebuilt.exact
    assert labels(rebuilt) == [(text, label_of(KINDS[letter]), KINDS[letter]) for text, letter in STORY]


def test_a_changed_page_keeps_the_labels_of_what_is_still_there_in_order():
    rebuilt = annotate(annotated(("a", "v"), ("b", "n"), ("a", "r"), ("c", "c")), ["new", "a", "B", "a", "c"])
    assert not rebuilt.exact
    assert rebuilt.matched == 3
    assert labels(rebuilt) == [
        ("new", None, None),
        ("a", "navigation", "interface"),
        ("B", None, None),
        ("a", "navigation", "related"),
        ("c", "caption", "caption"),
    ]
    assert "kind" not in rebuilt.paragraphs[0]


def test_a_page_with_more_or_fewer_paragraphs_is_not_exact():
    for found in (["a"], ["a", "b", "c"], []):
        rebuilt = annotate(annotated(("a", "n"), ("b", "n")), found)
        assert not rebuilt.exact
        assert rebuilt.matched == min(len(found), 2)
    assert annotate(annotated(), []).exact


@given(st.lists(st.tuples(texts, st.sampled_from(sorted(KINDS))), max_size=30), st.data())
def test_labels_go_to_their_own_texts_alone(blocks, data):
    page = annotated(*blocks)
    given = [text for text, _ in blocks]
    assert annotate(page, given).exact
    changed = data.draw(st.lists(st.one_of(texts, st.sampled_from(given or [""])), max_size=30))
    rebuilt = annotate(page, changed)
    assert [p["text"] for p in rebuilt.paragraphs] == changed
    assert rebuilt.matched == sum(p["label"] is not None for p in rebuilt.paragraphs) <= len(blocks)
    left = iter((text, KINDS[letter]) for text, letter in blocks)
    assert all((p["text"], p["kind"]) in left for p in rebuilt.paragraphs if p["label"] is not None)  # a part, in order


# ── whole pages


@pytest.fixture
def clones(tmp_path):
    """Return a folder of clones and the stand-off lines of six pages in it."""
    files = {f"html/{i}.html": page(i) for i in range(5)} | {"html/5.html.gz": packed(page(5))}
    commit = publish(tmp_path / "clones" / "lund" / "pages", files)
    return tmp_path / "clones", [line(i, commit=commit, path=path) for i, path in enumerate(sorted(files))]


def load(tmp_path, lines):
    return load_standoff(write(tmp_path / "x.standoff.jsonl", lines))


def test_pages_come_back_as_label_records(clones, tmp_path):
    folder, lines = clones
    done = hydrate(load(tmp_path, lines), folder)
    assert done.complete
    for i, rebuilt in enumerate(done.rebuilt):
        assert rebuilt.record["source"] == f"lund/pages@{lines[i]['commit']}:{lines[i]['path']}"
        assert [p["text"] for p in rebuilt.record["paragraphs"]] == [text for text, _ in story(i)]


def test_the_digest_is_that_of_the_labelled_texts_and_their_kinds(clones, tmp_path):
    folder, lines = clones
    hydrated = [page.record for page in hydrate(load(tmp_path, lines), folder).rebuilt]
    written = [
        {
            "id": f"other-{i}",
            "site": item["site"],
            "source": "typed",
            "paragraphs": [{"text": text, "label": label_of(KINDS[letter]), "kind": KINDS[letter]} for text, letter in story(i)],
        }
        for i, item in enumerate(lines)
    ]
    digests = [
        load_labels([write(tmp_path / f"{i}.jsonl", items)], NEWS_LABELS).digest
        for i, items in enumerate((hydrated, written, written[1:]))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_report_counts_and_names_what_is_missing_or_changed(clones, tmp_path):
    folder, lines = clones
    changed = publish(
        folder / "lund/pages", {"html/1.html": html(["Menu", "New", "By Orla Fenn"]), "bad.html.gz": packed(page())[:-9]}
    )
    lines[1]["commit"] = changed
    lines[2]["repo"] = "lund/elsewhere"
    lines[3]["commit"] = "f" * 40
    lines[4]["path"] = "gone.html"
    lines[5].update(commit=changed, path="bad.html.gz")
    done = hydrate(load(tmp_path, lines), folder)
    report = done.report()
    assert not done.complete
    assert (report["pages"], report["rebuilt"]) == (6, 2)
    assert (report["paragraphs"], report["matched"]) == (6 * len(STORY), len(STORY) + 2)
    assert report["changed"] == [{"id": "s1", "annotated": len(STORY), "found": 3, "matched": 2}]
    reasons = {(entry["repo"], entry["commit"]): entry["reason"] for entry in report["missing"]}
    assert reasons == {
        ("lund/elsewhere", lines[2]["commit"]): checkouts.NO_CLONE,
        ("lund/pages", "f" * 40): checkouts.NO_COMMIT,
        ("lund/pages", lines[4]["commit"]): checkouts.NO_FILE,
        ("lund/pages", changed): "the file cannot be unpacked",
    }


def test_missing_pages_of_one_kind_are_counted_together(clones, tmp_path):
    folder, lines = clones
    report = hydrate(load(tmp_path, [{**item, "repo": "lund/elsewhere"} for item in lines]), folder).report()
    assert [entry["pages"] for entry in report["missing"]] == [6]


def test_next_steps_clone_or_fetch_what_is_missing(clones, tmp_path):
    folder, _ = clones
    absent = {"repo": "lund/elsewhere", "commit": "f" * 40, "reason": checkouts.NO_CLONE}
    assert next_step(absent, tmp_path / "my clones") == (
        f"git clone --no-checkout https://github.com/lund/elsewhere '{tmp_path}/my clones/lund/elsewhere'"
    )
    shallow = {"repo": "lund/pages", "commit": "f" * 40, "reason": checkouts.NO_COMMIT}
    assert next_step(shallow, folder) == f"git -C {folder}/lund/pages fetch https://github.com/lund/pages {'f' * 40}"
    assert next_step({**shallow, "reason": checkouts.NO_FILE}, folder) == ""


def test_a_fetched_commit_is_read(clones, tmp_path):
    folder, lines = clones
    (tmp_path / "late" / "lund").mkdir(parents=True)
    late = tmp_path / "late" / "lund" / "pages"
    git(tmp_path, "init", "--quiet", late)
    assert not hydrate(load(tmp_path, lines), tmp_path / "late").rebuilt
    git(late, "fetch", "--quiet", folder / "lund" / "pages", lines[0]["commit"])
    assert hydrate(load(tmp_path, lines), tmp_path / "late").complete


def test_a_folder_that_is_not_there_is_refused(clones, tmp_path):
    _, lines = clones
    with pytest.raises(InputError, match="no such folder"):
        hydrate(load(tmp_path, lines), tmp_path / "gone")


def test_without_lxml_the_run_ends(clones, tmp_path, monkeypatch):
    folder, lines = clones
    monkeypatch.setitem(sys.modules, "lxml", None)
    with pytest.raises(TrainerError, match=r"paragraph-trainer\[html\]"):
        hydrate(load(tmp_path, lines), folder)
