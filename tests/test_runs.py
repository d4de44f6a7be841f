"""Labels that look inconsistent within their article."""

import numpy as np
import pytest
from annotated import SHORT, record
from small import write

from trainer.annotations import read_annotations
from trainer.runs import inconsistent
from trainer.schema import NEWS_LABELS


def read(folder, *labels):
    """Return articles of the given labels, and after them some clean ones, which say what is usual."""
    items = [record(number, letters) for number, letters in enumerate([*labels, *[CLEAN] * 8])]
    return [one.article for one in read_annotations([write(folder / "x.jsonl", items)], NEWS_LABELS)]


def found(folder, *labels):
    return [(one.index, one.label, one.suggested) for one in inconsistent(read(folder, *labels), NEWS_LABELS)]


CLEAN = "vvnncnnnffffnnvvvv"


def test_a_clean_article_has_no_findings(tmp_path):
    assert found(tmp_path, CLEAN[::-1]) == []


def test_one_navigation_line_inside_an_appeal(tmp_path):
    assert found(tmp_path, "nnnfffvfffnn") == [(6, "navigation", "fundraising")]


def test_a_lone_news_line_inside_residue(tmp_path):
    assert found(tmp_path, "nnvvvvnvvvvnn") == [(6, "news", "navigation")]


def test_the_reason_counts_the_run(tmp_path):
    (one,) = inconsistent(read(tmp_path, "nnfffvffnn"), NEWS_LABELS)
    assert one.reason == "a lone navigation line inside a run of fundraising: 3 before it, 2 after it"
    assert one.kind == "run"


@pytest.mark.parametrize("labels", ["nnfvffnn", "nnffvfnn", "nnffvvffnn", "nnffvccnn", "nnff-ffnn", "nnff-vffnn"])
def test_fewer_than_two_on_a_side_is_no_run(tmp_path, labels):
    assert found(tmp_path, labels) == []


def test_a_caption_or_button_inside_the_story_is_as_it_should_be(tmp_path):
    assert found(tmp_path, "vvnnnncnnnnvnnnnvv") == []


def test_a_headline_between_menus_and_an_end_between_teasers_are_as_they_should_be(tmp_path):
    assert found(tmp_path, "vvvvnvvvnnnnvvvvnvvvv") == []


def test_labels_that_usually_stand_alone_are_no_surprise(tmp_path):
    alone = "nncnncnncnncnncnncnnvvcvvnn"
    assert found(tmp_path, alone) == []


def test_labels_that_take_turns(tmp_path):
    (one,) = inconsistent(read(tmp_path, "nnnvnvnvvv"), NEWS_LABELS)
    assert one.reason == "news and navigation take turns in paragraphs 2 to 7"


@pytest.mark.parametrize("labels", ["nnnvnvnnn", "nnnvncnvnn", "nnnv-vnvnn"])
def test_fewer_than_six_are_no_turns(tmp_path, labels):
    assert found(tmp_path, labels) == []


@pytest.mark.parametrize(
    ("labels", "stretches"),
    [("nvnvnv", 1), ("vnvnvn", 1), ("nvnvnvn", 1), ("ccnvnvnvcc", 1), ("fvfvfvnnvnvnvn", 2), ("fvfvfvnvnvn", 2), ("cvcvcvcv", 0)],
)
def test_turns_are_found_wherever_they_stand(tmp_path, labels, stretches):
    findings = inconsistent(read(tmp_path, labels), NEWS_LABELS)
    assert ["take turns" in one.reason for one in findings] == [True] * stretches


def test_a_model_that_agrees_silences_and_one_that_disagrees_does_not(tmp_path):
    articles = read(tmp_path, "nnnfffvfffnn")

    def opinions(sure):
        rows = []
        for article in articles:
            own = np.array([NEWS_LABELS.index[label] for label in article.labels])
            rows.append(np.full((len(own), 4), (1 - sure) / 3) + np.eye(4)[own] * (sure - (1 - sure) / 3))
        return rows

    assert inconsistent(articles, NEWS_LABELS, opinions(0.9)) == []
    (one,) = inconsistent(articles, NEWS_LABELS, opinions(0.02))
    assert one.index == 6


def test_of_turns_the_label_that_the_model_doubts_is_named(tmp_path):
    articles = read(tmp_path, "nvnvnvnv")
    sure = np.eye(4)[[NEWS_LABELS.index[str(SHORT[letter])] for letter in CLEAN]]
    believed = [np.tile([0.02, 0.02, 0.94, 0.02], (8, 1)), *[sure] * 8]
    (one,) = inconsistent(articles, NEWS_LABELS, believed)
    assert (one.label, one.suggested) == ("news", "navigation")


def test_longer_runs_are_stronger(tmp_path):
    findings = inconsistent(read(tmp_path, "nnffvffnn", "nnffffvffffnn"), NEWS_LABELS)
    scores = {one.article: one.score for one in findings}
    assert scores["s-1"] > scores["s-0"]
