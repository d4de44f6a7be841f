"""What the report page is made of: curves, errors in context, weak points, and the file itself."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re

import numpy as np
import pytest
from reports import data_of, evaluated
from sklearn.metrics import average_precision_score
from small import article, config, load, records

from trainer.dataset import Dataset, LabelledArticle
from trainer.errors import InputError
from trainer.evaluation import Scored, report, resample_sites
from trainer.report_page import Material, of_report, page, page_data
from trainer.schema import Label, LabelSet

HOSTILE = "</script><script>document.title='taken'</script><!--"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    items = records(36, 12)
    for item in items[::3]:
        item["paragraphs"][1]["label"] = None
    return load(tmp_path_factory.mktemp("labels") / "labels.jsonl", items)


@pytest.fixture(scope="module")
def made(dataset):
    return evaluated(dataset)


@pytest.fixture(scope="module")
def material(made):
    return of_report(*made)


@pytest.fixture(scope="module")
def data(made, material):
    return page_data(made.report, material)


# ── which paragraphs are which


def test_every_judged_paragraph_is_the_labelled_one(made, material):
    labelled = [(t, n) for a in made.dataset.articles for t, n in zip(a.texts, a.labels, strict=True) if n is not None]
    assert [material.texts[place] for place in material.place] == [text for text, _ in labelled]
    assert [material.labels.names[k] for k in material.scored.truth] == [name for _, name in labelled]
    sites = {a.id: a.site for a in made.dataset.articles}
    assert all(
        material.sites[site] == sites[material.articles[material.article[place]]]
        for site, place in zip(material.scored.site, material.place, strict=True)
    )


def test_paragraphs_are_found_in_whatever_order_folds_judged_their_articles(made, material):
    scored, order, average = made.report.detail
    sizes = [sum(name is not None for name in a.labels) for a in made.dataset.articles]
    parts = np.split(np.arange(scored.truth.size), np.cumsum(sizes)[:-1])
    turned = order[::-1]
    rows = np.concatenate([parts[i] for i in turned])
    detail = made.report.detail._replace(scored=type(scored)(*(x[..., rows] for x in scored)), articles=turned)
    other = of_report(dataclasses.replace(made.report, detail=detail), made.dataset, made.config)
    assert sorted(zip(other.place, other.scored.truth, strict=True)) == sorted(
        zip(material.place, material.scored.truth, strict=True)
    )
    assert average is made.report.detail.average_precision


def test_a_report_without_paragraphs_has_no_page(made):
    with pytest.raises(InputError, match="figures alone"):
        of_report(dataclasses.replace(made.report, detail=None), made.dataset, made.config)


# ── curves


def test_precision_recall_curves_are_those_of_scikit_learn(data, material):
    for k, entry in enumerate(data["precision_recall"]):
        recall, precision, threshold = np.array(entry["curve"]).T
        assert (np.diff(recall) > 0).all()
        assert recall[-1] == 1
        for r, p, t in entry["curve"][:: len(entry["curve"]) // 5]:
            found = material.scored.probability[k] >= t - 5e-5
            true = material.scored.truth == k
            assert r == pytest.approx((found & true).sum() / true.sum(), abs=0.03)
            assert p == pytest.approx((found & true).sum() / found.sum(), abs=0.05)
        area = (np.diff(recall, prepend=0) * precision).sum()
        expected = average_precision_score(material.scored.truth == k, material.scored.probability[k])
        assert area == pytest.approx(expected, abs=0.03)
        assert threshold[0] > threshold[-1]


def test_marks_are_the_likeliest_label_and_the_chosen_thresholds(data, made, material):
    scored = material.scored
    for k, entry in enumerate(data["precision_recall"]):
        wanted = (made.report.per_label["recall"][k][0], made.report.per_label["precision"][k][0])
        assert entry["likeliest"] == pytest.approx(wanted, abs=1e-4)
    fundraising = data["precision_recall"][1]["chosen"]
    goes = (scored.label == 1) & scored.removed
    assert goes.any()
    assert fundraising[1] == pytest.approx((goes & (scored.truth == 1)).sum() / goes.sum(), abs=1e-4)
    stays = data["precision_recall"][0]["chosen"]
    assert stays[0] == pytest.approx((~scored.removed & (scored.truth == 0)).sum() / (scored.truth == 0).sum(), abs=1e-4)


def test_calibration_counts_what_is_there(data, material):
    assert [entry["name"] for entry in data["calibration"]] == ["junk", *material.labels.names]
    for entry, event in zip(data["calibration"][1:], range(4), strict=True):
        assert sum(part["items"] for part in entry["bins"]) == material.scored.truth.size
        for part in entry["bins"]:
            inside = (material.scored.probability[event] >= part["from"]) & (material.scored.probability[event] < part["to"])
            assert part["items"] == inside.sum()
            assert part["observed"][0] == pytest.approx((material.scored.truth[inside] == event).mean(), abs=1e-4)


def test_removal_is_a_slow_count_at_every_threshold(data, material):
    removal, scored = data["removal"], material.scored
    for step in range(0, len(removal["thresholds"]), 23):
        goes = (scored.label != 0) & (material.residue >= removal["thresholds"][step])
        for k in range(4):
            assert removal["items"][k][step] == (goes & (scored.truth == k)).sum()
            assert removal["chars"][k][step] == scored.chars[goes & (scored.truth == k)].sum()
    assert removal["thresholds"][0] == 0.5
    assert removal["items"][2][0] > removal["items"][2][-1]


# ── errors


def test_sites_and_groups_add_up(data, material):
    errors = int(material.wrong.sum())
    assert sum(row["errors"] for row in data["sites"]) == errors
    assert [row["excess"] for row in data["sites"]] == sorted((row["excess"] for row in data["sites"]), reverse=True)
    lengths = next(group for group in data["groups"] if group["by"] == "length")["rows"]
    assert sum(row["items"] for row in lengths) == material.scored.truth.size
    assert sum(row["errors"] for row in lengths) == errors
    assert data["concentration"]["errors"] == errors


def test_items_are_shown_once_with_their_neighbours(data, made):
    found = data["examples"]
    texts, articles = found["texts"], found["articles"]
    assert len(found["items"]) == len(set(found["items"])) > 100
    by_id = {a.id: a for a in made.dataset.articles}
    for place in found["items"]:
        where = by_id[articles["id"][texts["article"][place]]]
        number = texts["number"][place]
        assert where.texts[number].startswith(texts["text"][place].rstrip("…"))
        assert where.labels[number] == made.report.labels[texts["truth"][place]]
        assert sum(texts["probability"][place]) == pytest.approx(1000, abs=3)
        around = [
            (at, texts["number"][at]) for at in range(len(texts["text"])) if texts["article"][at] == texts["article"][place]
        ]
        for other in range(max(0, number - 2), min(len(where.texts), number + 3)):
            (at,) = [at for at, its in around if its == other]
            assert where.texts[other].startswith(texts["text"][at].rstrip("…"))
            assert (texts["truth"][at] < 0) == (where.labels[other] is None)


def test_every_cell_with_errors_has_items(data):
    texts = data["examples"]["texts"]
    shown = {(texts["truth"][place], texts["label"][place]) for place in data["examples"]["items"]}
    assert {(i, j) for i, row in enumerate(data["confusion"]["items"]) for j, count in enumerate(row) if count} == shown


# ── weak points


def weak(dataset, *overrides, **options):
    made = evaluated(dataset, *overrides, **options)
    return page_data(made.report, of_report(*made))["weaknesses"], made


def test_weak_points_name_the_worst_label_and_confusion_with_their_figures(dataset):
    found, made = weak(dataset)
    worst = min(range(4), key=lambda k: made.report.per_label["f1"][k][0])
    (label,) = [point for point in found if point["section"] == "labels"]
    assert label["title"].startswith(made.report.labels[worst])
    assert f"{made.report.per_label['f1'][worst][0]:.2f}" in label["text"]
    (confusion,) = [point for point in found if point["section"] == "confusion"]
    i, j = confusion["show"]["truth"], confusion["show"]["label"]
    assert i != j
    assert f"{made.report.confusion[i][j]:,} paragraphs" in confusion["text"]


def test_a_broken_limit_comes_first_and_a_kept_one_is_not_mentioned(dataset):
    found, made = weak(dataset, "policy.max_news_loss=0.001")
    assert found[0]["title"] == "Loses more news than it may"
    assert f"{made.report.overall['news_lost_per_1000'][0]:.1f} of 1,000" in found[0]["text"]
    assert not any("than it may" in point["title"] for point in weak(dataset, "policy.max_news_loss=0.9")[0])


def test_a_model_that_is_always_right_has_no_weak_label_or_confusion(dataset):
    found, _ = weak(dataset, right=1.0)
    assert not [point for point in found if point["section"] in ("confusion", "sites", "groups")]
    assert all(point["share"] < 0.01 for point in found if point["section"] == "labels")


# ── the file


def test_the_page_holds_the_data_and_allows_its_own_script_alone(data):
    text = page("A <title>", data)
    assert data_of(text) == json.loads(json.dumps(data))
    assert "<title>A &lt;title&gt;</title>" in text
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    for kind in ("script", "style"):
        body = re.search(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)[1]
        assert f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg|github\.com/leeoniya)", text.replace(json.dumps(data), ""))


def test_texts_cannot_leave_their_block(tmp_path):
    items = records(24)
    for item in items:
        item["paragraphs"][0]["text"] = f"{item['id']} {HOSTILE} \ud800"
    made = evaluated(load(tmp_path / "x.jsonl", items), right=0.0)
    text = page("x", page_data(made.report, of_report(*made)))
    assert text.count("</script>") == 2
    assert any(HOSTILE in shown for shown in data_of(text)["examples"]["texts"]["text"])
    text.encode()


@pytest.mark.parametrize("right", [0.5, 0.95])
def test_sixty_thousand_paragraphs_stay_below_five_megabytes(right):
    rng = np.random.default_rng(0)
    words = ["harbour", "council", "ferry", "Straße", "мост", "港口", "“quoted”", "<b>"]
    names = ("news", "fundraising", "navigation", "caption")
    articles = []
    for number in range(1500):
        texts = [" ".join(rng.choice(words, size)) for size in rng.choice([3, 20, 80, 400], 40)]
        labels = [names[k] for k in rng.choice(4, 40, p=[0.5, 0.1, 0.3, 0.1])]
        kinds = [f"kind {k}" for k in rng.integers(0, 30, 40)]
        articles.append(LabelledArticle(f"a-{number}", f"{number // 2}.example", tuple(texts), tuple(labels), tuple(kinds)))
    made = evaluated(Dataset(tuple(articles)), right=right)
    assert sum(made.report.support) == 60_000
    data = page_data(made.report, of_report(*made))
    size = len(page("x", data).encode())
    assert 500_000 < size < 5_000_000
    assert len(data["examples"]["items"]) > 500


def test_other_label_sets_and_absent_labels_have_a_page(tmp_path):
    residue = '{name="fundraising"}, {name="navigation"}, {name="caption"}'
    labels = f'labels=[{{name="news", kept=true}}, {{name="opinion", kept=true}}, {residue}]'
    dataset = load(tmp_path / "x.jsonl", [*records(24), article(1, "empty.example")])
    made = evaluated(dataset, labels)
    data = page_data(made.report, of_report(*made))
    assert data["precision_recall"][1]["curve"] == []
    assert data["names"]["kept"] == "news or opinion"
    json.dumps(data, allow_nan=False)


def test_whole_articles_have_a_page_too():
    """Another task makes its own material: here good and poor articles, judged as wholes."""
    labels, rng = LabelSet([Label("good", kept=True), Label("poor")]), np.random.default_rng(0)
    truth, good = rng.integers(0, 2, 90), rng.random(90)
    probability = np.stack([good, 1 - good])
    label, chars, site = probability.argmax(axis=0), rng.integers(200, 9000, 90), np.arange(90) % 30
    scored = Scored(truth, label, probability, chars, good < 0.1, site)
    settings = config('labels=[{name="good", kept=true}, {name="poor"}]')
    made = report(scored, settings, Dataset(()), title="articles", thresholds=((2.0, 0.9),))
    material = Material(
        scored=scored,
        labels=labels,
        place=np.arange(90),
        texts=[f"Story {i}. " * 200 for i in range(90)],
        article=np.arange(90),
        articles=[f"a-{i}" for i in range(90)],
        sites=[f"{s}.example" for s in range(30)],
        groups={"reason": [["", "listing", "truncated"][i % 3] for i in range(90)]},
        weights=resample_sites(30, settings),
        unit="article",
        kept="good",
        rest="poor",
    )
    data = data_of(page("Articles", page_data(made, material)))
    assert data["names"] == {"unit": "article", "kept": "good", "rest": "poor", "any": False}
    assert [row["name"] for row in data["groups"][0]["rows"]] in (["listing", "truncated"], ["truncated", "listing"])
    assert all(len(text) <= 600 for text in data["examples"]["texts"]["text"])
    assert len(data["examples"]["texts"]["text"]) == len(data["examples"]["items"])  # no neighbours
    assert any("articles" in point["text"] for point in data["weaknesses"])
