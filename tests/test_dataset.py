import json
import random

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import LABELS, ROOT, article, load, records, write

from trainer.dataset import Dataset, load_labels
from trainer.errors import InputError
from trainer.schema import NEWS_LABELS, Label, LabelSet

FIRST = article(1, "a.example", ("The mayor resigned.", "news"), ("Donate now", "fundraising"), ("unsure", None))
SECOND = article(2, "b.example", ("Rain is due.", "news"), ("Home | About", "navigation"))
PAIR = [FIRST, SECOND]


def changed(item, **fields):
    return {**json.loads(json.dumps(item)), **fields}


def changed_paragraph(item, index, **fields):
    item = changed(item)
    item["paragraphs"][index] |= fields
    return item


def test_articles_come_with_texts_labels_kinds_site_source_and_place(tmp_path):
    item = changed_paragraph(FIRST, 1, kind="appeal")
    dataset = load(tmp_path / "one.jsonl", [SECOND, item])
    found = next(a for a in dataset.articles if a.id == "x-1")
    assert found.texts == ("The mayor resigned.", "Donate now", "unsure")
    assert found.labels == ("news", "fundraising", None)
    assert found.kinds == (None, "appeal", None)
    assert (found.site, found.source, found.where) == ("a.example", "test", f"{tmp_path / 'one.jsonl'}:2")
    assert dataset.texts == [a.texts for a in dataset.articles]
    assert dataset.labels == [a.labels for a in dataset.articles]
    assert dataset.kinds == [a.kinds for a in dataset.articles]
    assert dataset.sites.tolist() == ["a.example", "b.example"]


@pytest.mark.parametrize("name", ["labels.jsonl", "labels.jsonl.gz"])
def test_plain_and_packed_files_hold_the_same(tmp_path, name):
    assert load(tmp_path / name, PAIR).digest == load(tmp_path / "other.jsonl", PAIR).digest


def test_folders_are_searched_for_label_files_at_any_depth(tmp_path):
    folder = tmp_path / "labels"
    (folder / "deep").mkdir(parents=True)
    write(folder / "a.jsonl", [FIRST])
    write(folder / "deep" / "b.jsonl.gz", [SECOND])
    (folder / "GUIDELINES.md").write_text("no labels here")
    assert load_labels([folder], NEWS_LABELS).digest == load(tmp_path / "whole.jsonl", PAIR).digest


def test_paths_may_be_strings(tmp_path):
    assert len(load_labels([str(write(tmp_path / "x.jsonl", PAIR))], NEWS_LABELS).articles) == 2


def test_blank_lines_a_byte_order_mark_and_crlf_are_read_over(tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n".join(map(json.dumps, PAIR)).encode())
    dataset = load_labels([path], NEWS_LABELS)
    assert dataset.digest == load(tmp_path / "plain.jsonl", PAIR).digest
    assert [a.where for a in dataset.articles] == [f"{path}:1", f"{path}:3"]


@given(order=st.permutations(range(8)), cut=st.integers(0, 8), salt=st.text(max_size=5))
def test_digest_depends_on_neither_order_nor_files_nor_side_information(tmp_path_factory, order, cut, salt):
    folder = tmp_path_factory.mktemp("labels")
    items = records(8, 4)
    reference = load(folder / "reference.jsonl", items).digest
    for i, item in enumerate(items):
        item |= {"id": f"{salt}{i}", "source": salt, "title": salt, "quality": ("good", "poor")[i % 2], "quality_reason": None}
        for paragraph in item["paragraphs"]:
            paragraph |= {"annotator": salt, "updated": "2024-01-01"}
    shuffled = [items[i] for i in order]
    files = [write(folder / "z.jsonl", shuffled[:cut]), write(folder / "a.jsonl.gz", shuffled[cut:])]
    dataset = load_labels(files, NEWS_LABELS)
    assert dataset.digest == reference
    assert dataset.texts == load_labels([folder / "reference.jsonl"], NEWS_LABELS).texts


def swap_paragraphs(items):
    items[0]["paragraphs"][:2] = items[0]["paragraphs"][1::-1]


def move_boundary(items):
    parts = items[0]["paragraphs"]
    parts[0]["text"], parts[1]["text"] = parts[0]["text"] + parts[1]["text"][:1], parts[1]["text"][1:]


CHANGES = {
    "a letter of a text": lambda items: items[0]["paragraphs"][0].update(text=items[0]["paragraphs"][0]["text"] + "x"),
    "a space at the end": lambda items: items[0]["paragraphs"][0].update(text=items[0]["paragraphs"][0]["text"] + " "),
    "a label": lambda items: items[0]["paragraphs"][0].update(label="caption"),
    "a label taken back": lambda items: items[0]["paragraphs"][0].update(label=None),
    "a kind": lambda items: items[0]["paragraphs"][0].update(kind="legal"),
    "a weight": lambda items: items[0].update(weight=2),
    "a site": lambda items: items[0].update(site="elsewhere.example"),
    "the order of paragraphs": swap_paragraphs,
    "where a paragraph ends": move_boundary,
    "an empty paragraph more": lambda items: items[0]["paragraphs"].append({"text": "", "label": None}),
    "an article less": lambda items: items.pop(0),
    "an article more": lambda items: items.append(article(99, "new.example", ("New.", "news"))),
    "the sites of two articles exchanged": lambda items: (items[0].update(site="b.example"), items[1].update(site="a.example")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_digest_changes_with_the_content(tmp_path, change):
    items = [*json.loads(json.dumps(PAIR)), article(3, "c.example", ("Third.", "news"), ("Menu", "navigation"))]
    before = load(tmp_path / "before.jsonl", items).digest
    change(items)
    assert load(tmp_path / "after.jsonl", items).digest != before


@given(st.data())
def test_digest_changes_with_any_text_or_label(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("labels")
    items = records(4, 4)
    before = load(folder / "before.jsonl", items).digest
    paragraph = data.draw(st.sampled_from([p for item in items for p in item["paragraphs"]]))
    if data.draw(st.booleans()):
        paragraph["text"] = data.draw(st.text().filter(lambda text: text != paragraph["text"]))
    else:
        paragraph["label"] = data.draw(st.sampled_from([None, *NEWS_LABELS.names]).filter(lambda x: x != paragraph["label"]))
    assert load(folder / "after.jsonl", items).digest != before


def test_texts_with_lone_surrogates_and_control_characters_are_taken(tmp_path):
    odd = article(3, "c.example", ("\ud800 \x00 \u2028", "news"))
    assert len(load(tmp_path / "odd.jsonl", [*PAIR, odd]).digest) == 64


REFUSED = {
    "bad JSON": ("{", "bad JSON"),
    "bad JSON at the end": ('{"id": "q", }', "bad JSON"),
    "nested too deep": ("[" * 100_000, "bad JSON"),
    "a number of too many digits": ("1" * 5000, "bad JSON"),
    "a list": ("[]", "expected an object, got list"),
    "a text": ('"x"', "expected an object, got str"),
    "no id": (json.dumps({k: v for k, v in FIRST.items() if k != "id"}), "missing field 'id'"),
    "no site": (json.dumps({k: v for k, v in FIRST.items() if k != "site"}), "missing field 'site'"),
    "no paragraphs": (json.dumps({k: v for k, v in FIRST.items() if k != "paragraphs"}), "missing field 'paragraphs'"),
    "a number for id": (json.dumps(changed(FIRST, id=3)), "'id' is not a text"),
    "an empty id": (json.dumps(changed(FIRST, id="")), "'id'"),
    "null for site": (json.dumps(changed(FIRST, site=None)), "'site' is not a text"),
    "an empty site": (json.dumps(changed(FIRST, site="")), "'site'"),
    "a text for paragraphs": (json.dumps(changed(FIRST, paragraphs="x")), "'paragraphs' is not a list"),
    "null for paragraphs": (json.dumps(changed(FIRST, paragraphs=None)), "'paragraphs' is not a list"),
    "a bare paragraph": (json.dumps(changed(FIRST, paragraphs=["x"])), "paragraph 0 is not an object"),
    "no text": (json.dumps(changed(FIRST, paragraphs=[{"label": "news"}])), "paragraph 0: missing field 'text'"),
    "a number for text": (json.dumps(changed_paragraph(FIRST, 1, text=3)), "paragraph 1"),
    "no label": (json.dumps(changed(FIRST, paragraphs=[{"text": "x"}])), "paragraph 0: missing field 'label'"),
    "an unknown label": (json.dumps(changed_paragraph(FIRST, 1, label="sport")), "paragraph 1: unknown label 'sport'"),
    "a label in another case": (json.dumps(changed_paragraph(FIRST, 1, label="News")), "unknown label 'News'"),
    "a number for label": (json.dumps(changed_paragraph(FIRST, 1, label=1)), "unknown label '1'"),
    "a list for label": (json.dumps(changed_paragraph(FIRST, 1, label=["news"])), "unknown label"),
}


@pytest.mark.parametrize(("line", "cause"), REFUSED.values(), ids=REFUSED)
def test_bad_line_is_refused_with_file_and_line(tmp_path, line, cause):
    path = tmp_path / "bad.jsonl"
    path.write_text(f"{json.dumps(SECOND)}\n\n{line}\n")
    with pytest.raises(InputError) as caught:
        load_labels([path], NEWS_LABELS)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert cause in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_label_names_those_that_are_known(tmp_path):
    with pytest.raises(InputError, match="known are news, fundraising, navigation, caption"):
        load(tmp_path / "x.jsonl", [changed_paragraph(FIRST, 0, label="sport"), SECOND])


@pytest.mark.parametrize(
    "other",
    [
        changed_paragraph(FIRST, 0, text="The mayor stayed."),
        changed_paragraph(FIRST, 0, label="caption"),
        changed_paragraph(FIRST, 0, kind="legal"),
        changed(FIRST, site="c.example"),
        changed(FIRST, paragraphs=FIRST["paragraphs"][:2]),
        changed(FIRST, weight=2),
    ],
    ids=["text", "label", "kind", "site", "fewer paragraphs", "weight"],
)
def test_same_id_with_other_content_is_refused_and_both_places_named(tmp_path, other):
    one, two = write(tmp_path / "1.jsonl", PAIR), write(tmp_path / "2.jsonl", [other])
    with pytest.raises(InputError) as caught:
        load_labels([one, two], NEWS_LABELS)
    assert str(caught.value).startswith(f"{two}:1: ")
    assert f"{one}:1" in str(caught.value)
    assert "'x-1'" in str(caught.value)


def test_same_id_with_same_content_merges(tmp_path):
    one, two = write(tmp_path / "1.jsonl", PAIR), write(tmp_path / "2.jsonl", [changed(FIRST, title="other"), SECOND])
    dataset = load_labels([one, two, one], NEWS_LABELS)
    assert len(dataset.articles) == 2
    assert dataset.digest == load_labels([one], NEWS_LABELS).digest


def test_file_that_is_not_utf8_is_refused_with_its_line(tmp_path):
    path = tmp_path / "latin.jsonl"
    path.write_bytes(json.dumps(SECOND).encode() + b'\n{"id": "caf\xe9"}\n')
    with pytest.raises(InputError, match="not UTF-8") as caught:
        load_labels([path], NEWS_LABELS)
    assert caught.value.where == f"{path}:2"


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"gone\.jsonl: cannot be read \(No such file or directory\)"):
        load_labels([tmp_path / "gone.jsonl"], NEWS_LABELS)


def test_folder_without_label_files_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="no label files"):
        load_labels([tmp_path], NEWS_LABELS)


SPOIL = {
    "cut": lambda data: data[:-20],
    "not packed": lambda _: b"plain text",
    "middle": lambda data: data[:40] + bytes(byte ^ 0xFF for byte in data[40:80]) + data[80:],
    "checksum": lambda data: data[:-8] + bytes(byte ^ 0xFF for byte in data[-8:-4]) + data[-4:],
}


@pytest.mark.parametrize("spoil", SPOIL.values(), ids=SPOIL)
def test_damaged_packed_file_is_refused(tmp_path, spoil):
    path = write(tmp_path / "x.jsonl.gz", records(6))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(InputError) as caught:
        load_labels([path], NEWS_LABELS)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_empty_file_is_refused(tmp_path, data):
    path = tmp_path / "empty.jsonl"
    path.write_bytes(data)
    with pytest.raises(InputError, match="only 0 of the labels"):
        load_labels([path], NEWS_LABELS)


def test_one_label_alone_is_refused(tmp_path):
    items = [article(i, f"{i}.example", ("Text.", "news"), ("x", None)) for i in range(3)]
    with pytest.raises(InputError, match="only 1 of the labels") as caught:
        load(tmp_path / "x.jsonl", items)
    assert "x.jsonl" in caught.value.where


def test_one_site_alone_is_refused(tmp_path):
    with pytest.raises(InputError, match="one site"):
        load(tmp_path / "x.jsonl", [FIRST, changed(SECOND, site="a.example")])


def test_text_under_two_labels_is_noted_with_both_places(tmp_path):
    clash = article(3, "c.example", ("  donate   NOW ", "navigation"), ("unsure", "news"), ("Rain is due.", "news"))
    dataset = load(tmp_path / "x.jsonl", [*PAIR, clash])
    (note,) = dataset.notes
    assert note.startswith("1 text")
    assert "'donate now'" in note
    assert f"fundraising at {tmp_path / 'x.jsonl'}:1" in note
    assert f"navigation at {tmp_path / 'x.jsonl'}:3" in note
    assert load(tmp_path / "y.jsonl", PAIR).notes == ()


def test_unlabelled_paragraphs_are_counted_apart(tmp_path):
    summary = load(tmp_path / "x.jsonl", PAIR).summary()
    assert summary == {
        "articles": 2,
        "sites": 2,
        "paragraphs": 5,
        "unlabelled": 1,
        "labels": {"fundraising": 1, "navigation": 1, "news": 2},
        "digest": load(tmp_path / "x.jsonl", PAIR).digest,
    }
    json.dumps(summary)


def test_summary_has_no_unlabelled_where_all_are_labelled(tmp_path):
    assert load(tmp_path / "x.jsonl", [changed_paragraph(FIRST, 2, label="news"), SECOND]).summary()["unlabelled"] == 0


def test_frame_has_a_row_for_each_paragraph(tmp_path):
    frame = load(tmp_path / "x.jsonl", [changed_paragraph(FIRST, 1, kind="appeal"), SECOND]).frame()
    expected = pd.DataFrame(
        [
            ("x-1", "a.example", 0, "The mayor resigned.", "news", None),
            ("x-1", "a.example", 1, "Donate now", "fundraising", "appeal"),
            ("x-1", "a.example", 2, "unsure", None, None),
            ("x-2", "b.example", 0, "Rain is due.", "news", None),
            ("x-2", "b.example", 1, "Home | About", "navigation", None),
        ],
        columns=["article", "site", "index", "text", "label", "kind"],
    )
    pd.testing.assert_frame_equal(frame, expected)


def test_select_takes_articles_by_number(tmp_path):
    dataset = load(tmp_path / "x.jsonl", records(6))
    assert dataset.select([4, 1]).articles == (dataset.articles[4], dataset.articles[1])
    assert dataset.select(range(6)).digest == dataset.digest
    assert Dataset(()).summary()["articles"] == 0


def test_article_without_paragraphs_is_taken(tmp_path):
    dataset = load(tmp_path / "x.jsonl", [*PAIR, article(3, "c.example")])
    assert dataset.summary()["articles"] == 3


# ── labels by kind

SET = LabelSet([Label("story", kept=True), Label("navigation"), Label("promo")])
BY_KIND = {"news": "story", "promo": "promo"}
KINDS_GIVEN = article(
    3,
    "c.example",
    *[("The mayor resigned.", "news"), ("Three months for three crowns", "navigation"), ("Home", "navigation"), ("unsure", None)],
)
for _paragraph, _kind in zip(KINDS_GIVEN["paragraphs"], ["news", "promo", "interface", "promo"], strict=True):
    _paragraph["kind"] = _kind


def test_a_kind_that_a_label_claims_wins_over_the_label_in_the_file(tmp_path):
    path = write(tmp_path / "x.jsonl", [KINDS_GIVEN, changed(KINDS_GIVEN, id="x-4", site="d.example")])
    found = load_labels([path], SET, BY_KIND).articles[0]
    assert found.labels == ("story", "promo", "navigation", None)  # what nobody has labelled stays so
    assert found.kinds == ("news", "promo", "interface", "promo")


def test_digest_is_that_of_the_labels_trained_on(tmp_path):
    items = [KINDS_GIVEN, changed(KINDS_GIVEN, id="x-4", site="d.example")]
    path = write(tmp_path / "x.jsonl", items)
    by_kind = load_labels([path], SET, BY_KIND).digest
    assert by_kind != load_labels([path], NEWS_LABELS).digest
    for item in items:
        for paragraph, label in zip(item["paragraphs"], ("story", "promo", "navigation", None), strict=True):
            paragraph["label"] = label
    assert by_kind == load_labels([write(tmp_path / "y.jsonl", items)], SET).digest


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"label": "news", "kind": None}, "paragraph 1: unknown label 'news'; known are story, navigation, promo."),
        ({"label": "caption", "kind": "caption"}, "unknown label 'caption'; known are story, navigation, promo, and none claims"),
        ({"label": "caption", "kind": ["promo"]}, "unknown label 'caption'"),
        ({"label": ["promo"], "kind": "promo"}, "unknown label \"['promo']\""),
    ],
)
def test_a_label_that_is_neither_in_the_set_nor_claimed_by_kind_is_refused(tmp_path, fields, cause):
    path = write(tmp_path / "x.jsonl", [changed_paragraph(KINDS_GIVEN, 1, **fields)])
    with pytest.raises(InputError) as caught:
        load_labels([path], SET, BY_KIND)
    assert str(caught.value).startswith(f"{path}:1: ")
    assert cause in str(caught.value)


STANDOFF = {"id": "s", "site": "s.example", "repo": "o/n", "commit": "0" * 40, "path": "s.html", "blocks": "0123456789abn"}


@pytest.mark.parametrize("name", ["pages.standoff.jsonl", "pages.standoff.jsonl.gz"])
def test_standoff_files_in_a_folder_are_passed_over(tmp_path, name):
    write(tmp_path / name, [STANDOFF])
    with pytest.raises(InputError, match="no label files"):
        load_labels([tmp_path], NEWS_LABELS)
    write(tmp_path / "pages.jsonl", PAIR)
    assert len(load_labels([tmp_path], NEWS_LABELS).articles) == 2


def test_standoff_file_given_as_labels_says_to_hydrate_it(tmp_path):
    path = write(tmp_path / "x.jsonl", [*PAIR, STANDOFF])
    with pytest.raises(InputError, match=r"x\.jsonl:3: holds hashes of paragraphs.*trainer labels hydrate"):
        load_labels([path], NEWS_LABELS)


# ── the labels of this repository

FILES = sorted(path for path in LABELS.glob("*.jsonl") if not path.name.startswith("public-pages."))  # those may be rebuilt there
LINES = [
    (f"{path.name}:{number}", json.loads(line))
    for path in FILES
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
]
KINDS = {
    "news": {"news"},
    "fundraising": {"fundraising"},
    "caption": {"caption"},
    "navigation": {"interface", "related", "promo", "byline", "author", "legal", "comment"},
}


def test_labels_of_the_repository_load():
    dataset = load_labels(FILES, NEWS_LABELS)
    assert len(dataset.articles) == len(LINES)
    assert {article.id for article in dataset.articles} <= {article.id for article in load_labels([LABELS], NEWS_LABELS).articles}
    assert set(dataset.counts()) - {None} == set(NEWS_LABELS.names)


def test_labels_of_the_repository_name_id_site_and_source():
    wanted = ("id", "site", "source")
    lacking = [where for where, item in LINES if not all(isinstance(item.get(key), str) and item[key] for key in wanted)]
    assert lacking == []


def test_labels_of_the_repository_have_distinct_ids():
    ids = [item["id"] for _, item in LINES]
    assert len(ids) == len(set(ids))


def test_kinds_of_the_repository_agree_with_the_labels():
    odd = [
        (where, p["label"], p.get("kind"))
        for where, item in LINES
        for p in item["paragraphs"]
        if p["label"] is not None and p.get("kind") not in KINDS[p["label"]]
    ]
    assert odd == []


def test_paragraphs_of_the_repository_are_single_lines_that_show_something():
    odd = [
        (where, i)
        for where, item in LINES
        for i, p in enumerate(item["paragraphs"])
        if len(p["text"].splitlines()) != 1 or not p["text"].strip()
    ]
    assert odd == []


def test_seed_labels_hold_the_lines_of_the_seed_texts_in_order():
    seeds = [item for where, item in LINES if where.startswith("seeds.jsonl:")]
    files = sorted((ROOT / "seeds").glob("*.txt"))
    assert len(seeds) == len(files) == 4
    for item, file in zip(seeds, files, strict=True):
        lines = [line for line in file.read_text("utf-8").split("\n") if line.strip()]
        assert [p["text"] for p in item["paragraphs"]] == lines, file.name


def test_label_order_in_memory_is_that_of_site_and_content():
    once = load_labels(FILES, NEWS_LABELS)
    files = sorted(FILES, key=lambda _: random.random())
    assert [a.id for a in load_labels(files, NEWS_LABELS).articles] == [a.id for a in once.articles]


def test_weights_are_read_and_one_is_the_default(tmp_path):
    items = [{**PAIR[0], "weight": 2.5}, PAIR[1]]
    assert sorted(load(tmp_path / "x.jsonl", items).weights) == [1.0, 2.5]
    explicit = [{**item, "weight": 1} for item in PAIR]
    assert load(tmp_path / "y.jsonl", explicit).digest == load(tmp_path / "z.jsonl", PAIR).digest


@pytest.mark.parametrize("kind", [None, 3, ["legal"], {"legal": 1}, True])
def test_a_kind_that_is_no_text_is_none(tmp_path, kind):
    dataset = load(tmp_path / "x.jsonl", [changed_paragraph(FIRST, 0, kind=kind), SECOND])
    assert dataset.digest == load(tmp_path / "y.jsonl", PAIR).digest


@pytest.mark.parametrize("weight", [0, -1, 101, "2", None, True, float("nan")])
def test_wrong_weights_are_refused_with_file_and_line(tmp_path, weight):
    with pytest.raises(InputError, match=r"x\.jsonl:1: field 'weight'"):
        load(tmp_path / "x.jsonl", [{**PAIR[0], "weight": weight}, PAIR[1]])
