"""The same text, or nearly the same, under different labels."""

import numpy as np
import pytest
from small import article, story, write

from trainer.annotations import read_annotations
from trainer.clashes import clashes, fold
from trainer.schema import NEWS_LABELS

LONG = "Leave a gift in your will so that the lamp in the harbour tower burns for those who come after you"


def read(folder, *items):
    return [one.article for one in read_annotations([write(folder / "x.jsonl", list(items))], NEWS_LABELS)]


def found(folder, *items, opinions=None):
    return [
        (one.kind, one.article, one.index, one.suggested)
        for one in clashes(read(folder, *items), NEWS_LABELS, None if opinions is None else opinions)
    ]


def told(number, *more, site=None):
    """Return an article with a headline and a paragraph of its own before what matters."""
    return article(number, site or f"{number}.example", (story(number, 6), "news"), (story(50 + number, 30), "news"), *more)


def believing(articles, label, share=0.95):
    """Return the opinion of a model that believes in one label everywhere."""
    column = NEWS_LABELS.index[label]
    rest = (1 - share) / 3
    return [np.full((len(one.texts), 4), rest) + np.eye(4)[column] * (share - rest) for one in articles]


def test_one_label_for_a_text_is_no_clash(tmp_path):
    assert found(tmp_path, *(told(i, (LONG, "fundraising")) for i in range(3))) == []


def test_the_minority_is_what_is_doubtful(tmp_path):
    items = [told(i, (LONG, "navigation" if i == 1 else "fundraising")) for i in range(3)]
    assert found(tmp_path, *items) == [("same", "x-1", 2, "fundraising")]


def test_one_against_one_suggests_nothing(tmp_path):
    ((kind, _, index, suggested),) = found(tmp_path, told(0, (LONG, "navigation")), told(1, (LONG, "fundraising")))
    assert (kind, index, suggested) == ("same", 2, None)


def test_the_reason_says_where_the_other_stands(tmp_path):
    items = [told(i, (LONG, "navigation" if i == 2 else "fundraising")) for i in range(3)]
    (one,) = clashes(read(tmp_path, *items), NEWS_LABELS)
    assert one.reason == f"the same text is fundraising at {tmp_path}/x.jsonl:1 paragraph 2 (fundraising 2×, navigation 1×)"
    assert one.where == f"{tmp_path}/x.jsonl:3"


@pytest.mark.parametrize("variant", [LONG.upper(), LONG.replace(" ", "  ") + " ", f"“{LONG}!”", LONG.replace("gift", "gift,")])
def test_case_signs_and_white_space_are_folded(tmp_path, variant):
    items = [told(0, (LONG, "fundraising")), told(1, (LONG, "fundraising")), told(2, (variant, "caption"))]
    assert found(tmp_path, *items) == [("same", "x-2", 2, "fundraising")]


def test_digits_are_folded_and_texts_without_words_are_kept_apart():
    assert fold("61 % of 400 so far") == fold("7 % of  12000 so FAR")
    assert fold("* * *") == "* * *"
    assert fold("– – –") != fold("* * *")


def test_short_words_may_change_their_label(tmp_path):
    items = [told(i, ("Donate", "navigation" if i == 1 else "fundraising")) for i in range(3)]
    assert found(tmp_path, *items) == []


def test_the_longer_text_is_the_stronger_finding(tmp_path):
    long, short = LONG, "Leave a gift in your will"
    items = [told(i, *((text, "caption" if i == 0 else "fundraising") for text in (long, short))) for i in range(3)]
    one, other = clashes(read(tmp_path, *items), NEWS_LABELS)
    assert (one.text, other.text) == (long, short)
    assert one.score > other.score


def test_a_headline_may_stand_again_as_a_teaser(tmp_path):
    headline = "Ferry company of the northern islands loses its contract after ninety years"
    items = [article(0, "a.example", (headline, "news"), (story(1), "news")), told(1, (headline, "navigation"))]
    assert found(tmp_path, *items) == []
    body = [told(0, (headline, "news")), told(1, (headline, "navigation"))]
    assert len(found(tmp_path, *body)) == 1


def test_a_table_of_contents_may_repeat_subheads(tmp_path):
    heads = [f"What the {word} of the harbour tower has to do with it" for word in ("keeper", "lamp", "owner")]
    listed = told(0, *((head, "navigation") for head in heads), *((head, "news") for head in heads))
    assert found(tmp_path, listed) == []
    alone = told(0, (heads[0], "navigation"), (story(3), "news"), (heads[0], "news"))
    assert len(found(tmp_path, alone)) == 1


def test_a_model_that_reads_the_context_may_agree_with_both(tmp_path):
    items = [told(0, (LONG, "fundraising")), told(1, (LONG, "navigation"))]
    articles = read(tmp_path, *items)
    agreeing = believing(articles, "fundraising")
    agreeing[1] = believing(articles, "navigation")[1]
    assert clashes(articles, NEWS_LABELS, agreeing) == []
    (one,) = clashes(articles, NEWS_LABELS, believing(articles, "fundraising"))
    assert (one.article, one.suggested) == ("x-1", "fundraising")
    (one,) = clashes(articles, NEWS_LABELS, believing(articles, "navigation"))
    assert (one.article, one.suggested) == ("x-0", "navigation")


def test_nearly_the_same_text_in_two_articles(tmp_path):
    words = story(7, 60).split()
    edited = " ".join([*words[:30], "tonight", *words[31:]])
    items = [
        told(0, (" ".join(words), "fundraising")),
        told(1, (edited, "navigation")),
        told(2, (" ".join(words), "fundraising")),
    ]
    assert found(tmp_path, *items) == [("near", "x-1", 2, "fundraising")]


def test_nearly_the_same_text_within_an_article_is_a_quotation(tmp_path):
    words = story(7, 60).split()
    edited = " ".join([*words[:30], "tonight", *words[31:]])
    assert found(tmp_path, told(0, (" ".join(words), "news"), (edited, "caption"))) == []


def test_half_a_text_in_common_is_not_nearly_the_same(tmp_path):
    words = story(7, 60).split()
    items = [told(0, (" ".join(words), "fundraising")), told(1, (" ".join(words[:30]) + story(8, 30), "navigation"))]
    assert found(tmp_path, *items) == []


def test_paragraphs_without_label_clash_with_nothing(tmp_path):
    assert found(tmp_path, told(0, (LONG, None)), told(1, (LONG, "fundraising"))) == []


def test_empty_texts_and_lone_surrogates_are_taken(tmp_path):
    odd = " ".join(f"\ud800{word}" for word in LONG.split())
    items = [told(i, ("", "navigation" if i else "news"), (odd, "caption" if i else "news")) for i in range(2)]
    assert [one[0] for one in found(tmp_path, *items)] == ["same"]
