"""Both layouts of what several people said of an article."""

import pytest
from annotated import SHORT, annotated, files, joined, record
from small import write

from trainer.annotations import Annotation, read_annotations
from trainer.config import load_config
from trainer.errors import InputError
from trainer.schema import NEWS_LABELS


def read(paths):
    return read_annotations(paths, NEWS_LABELS)


def said(article):
    """Return who said what of each paragraph, as letters."""
    letter = {label: letter for letter, label in SHORT.items()}
    return [{one.annotator: letter[one.label] for one in paragraph} for paragraph in article.annotations]


def test_annotations_in_one_file(tmp_path):
    (article,) = annotated(tmp_path, joined(0, ann="nnv", bob="nc-"))
    assert said(article) == [{"ann": "n", "bob": "n"}, {"ann": "n", "bob": "c"}, {"ann": "v"}]
    assert article.article.labels == ("news", None, "navigation")
    assert [article.contested(i) for i in range(3)] == [False, True, False]


def test_a_file_for_each_annotator_gives_the_same(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (one,) = annotated(tmp_path / "one", joined(0, ann="nnv", bob="nc-"))
    (two,) = read(files(tmp_path / "two", ann=[record(0, "nnv")], bob=[record(0, "nc-")]))
    assert said(one) == said(two)
    assert one.article.labels == two.article.labels
    assert one.article.texts == two.article.texts


def test_order_of_files_does_not_matter(tmp_path):
    paths = files(tmp_path, ann=[record(0, "nvv")], bob=[record(0, "ncv")], cid=[record(0, "nfv")])
    (one,), (two,) = read(paths), read(paths[::-1])
    assert one.annotations == two.annotations
    assert one.article.labels == two.article.labels == ("news", None, "navigation")


def test_the_paragraph_names_its_annotator_before_the_article_and_the_file(tmp_path):
    item = record(0, "nvc", annotator="of the article")
    item["paragraphs"][1]["annotator"] = "of the paragraph"
    (article,) = annotated(tmp_path, item)
    assert [next(iter(one)) for one in said(article)] == ["of the article", "of the paragraph", "of the article"]
    (plain,) = annotated(tmp_path, record(0, "n"))
    assert said(plain) == [{"pulled": "n"}]


def test_what_is_settled_in_the_file_is_not_contested(tmp_path):
    item = joined(0, ann="n", bob="v")
    item["paragraphs"][0]["label"] = "caption"
    (article,) = annotated(tmp_path, item)
    assert article.article.labels == ("caption",)
    assert not article.contested(0)


def test_a_settled_record_beside_those_it_was_settled_from(tmp_path):
    gold = joined(0, ann="nv", bob="vv")
    gold["paragraphs"][0]["label"] = "news"
    paths = files(tmp_path, ann=[record(0, "nv")], bob=[record(0, "vv")], gold=[gold])
    for order in (paths, paths[::-1]):
        (article,) = read(order)
        assert article.article.labels == ("news", "navigation")


def test_dates_are_kept(tmp_path):
    (article,) = annotated(tmp_path, joined(0, ann="n", bob="v", dates={"ann": "2026-01-02T03:04:05Z"}))
    assert article.annotations == ((Annotation("ann", "news", "2026-01-02T03:04:05Z"), Annotation("bob", "navigation", None)),)


def test_the_same_line_twice_is_one_annotation(tmp_path):
    (article,) = annotated(tmp_path, record(0, "nv"), record(0, "nv"))
    assert said(article) == [{"pulled": "n"}, {"pulled": "v"}]


def test_kinds_decide_labels(tmp_path):
    settings = load_config("configs/five-labels.toml")
    item = record(0, "nv")
    item["paragraphs"][1]["kind"] = "promo"
    (article,) = read_annotations([write(tmp_path / "a.jsonl", [item])], settings.label_set, settings.by_kind)
    assert article.article.labels == ("news", "promo")
    assert article.annotations[1][0].label == "promo"


def test_kinds_of_the_label_that_counts(tmp_path):
    one, other = record(0, "vv"), record(0, "vn")
    one["paragraphs"][0]["kind"], one["paragraphs"][1]["kind"] = "byline", "legal"
    (article,) = read(files(tmp_path, ann=[one], bob=[other]))
    assert article.article.kinds == ("byline", None)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda p: p.update(annotations="ann"), "'annotations' is not a list"),
        (lambda p: p.update(annotations=["ann"]), "names no annotator"),
        (lambda p: p.update(annotations=[{"label": "news"}]), "names no annotator"),
        (lambda p: p.update(annotations=[{"annotator": "", "label": "news"}]), "names no annotator"),
        (lambda p: p.update(annotations=[{"annotator": "ann", "label": "weather"}]), "unknown label 'weather'"),
        (lambda p: p.update(annotations=[{"annotator": "ann", "label": None}]), "unknown label 'None'"),
        (lambda p: p.update(annotations=[{"annotator": "ann", "label": x} for x in ("news", "caption")]), "says both"),
        (lambda p: p.pop("label"), "missing field 'label'"),
        (lambda p: p.update(label="weather"), "unknown label 'weather'"),
    ],
)
def test_bad_annotations_are_refused_with_file_and_line(tmp_path, change, wanted):
    good, bad = record(0, "n"), record(1, "n")
    change(bad["paragraphs"][0])
    with pytest.raises(InputError, match=wanted) as error:
        annotated(tmp_path, good, bad)
    assert "pulled.jsonl:2" in str(error.value)


def test_other_text_or_site_under_the_same_id_is_refused(tmp_path):
    for other in (record(0, "nn"), record(0, "n", site="else.example")):
        paths = files(tmp_path, ann=[record(0, "n")], bob=[other])
        with pytest.raises(InputError, match=r"article id 's-0' stands also at .*ann.jsonl:1, with other text or site"):
            read(paths)


def test_an_annotator_who_contradicts_themselves_is_refused(tmp_path):
    paths = files(tmp_path, ann=[record(0, "n")], bob=[record(0, "v", annotator="ann")])
    with pytest.raises(InputError, match="ann says both news and navigation"):
        read(paths)


def test_files_can_be_compared_whoever_labelled_in_them(tmp_path):
    paths = files(tmp_path, shown=[joined(0, ann="nnv", bob="nc-")], blind=[record(0, "fnc", annotator="ann")])
    (article,) = read_annotations(paths, NEWS_LABELS, by_file=True)
    assert said(article) == [{"blind": "f", "shown": "n"}, {"blind": "n"}, {"blind": "c", "shown": "v"}]
    with pytest.raises(InputError, match="--by-file"):
        read(paths)
