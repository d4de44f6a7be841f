"""Rules and classifiers that the model is measured against."""

from __future__ import annotations

import numpy as np
import pytest

from trainer import baselines
from trainer.baselines import RULES, FastText, Majority, TfidfLogistic, c4_lines, fineweb_lines, gopher_lines
from trainer.errors import TrainerError

PROSE = "The harbour froze overnight, and by noon the ferry to Hallby had to turn back."
TEXTS = ["the ferry has left the quay", "the pilots of the port met", "donate today please", "please donate what you can"] * 6
TRUTH = np.array([0, 0, 1, 1] * 6)
ONES = np.ones(TRUTH.size)


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_rules_keep_prose_and_drop_a_menu(rule):
    assert rule([PROSE, "Home", "News  Sport  Weather", ""]) == [True, False, False, False]
    assert rule([]) == []


@pytest.mark.parametrize(
    ("line", "keep"),
    [
        ("We sailed at five sharp.", True),
        ("We sailed at five sharp", False),
        ("We sailed at five.", False),  # four words
        ("Had we sailed at five?", True),
        ("How the ice did crack!", True),
        ('"We sailed at five sharp"', True),
        ("“We sailed at five sharp”", True),
        ("We sailed at five sharp…", False),
        ("We sailed at five sharp...", False),
        ("  We sailed at five sharp.  ", True),
        ("Turn on JavaScript to sail at five.", False),
        ("By sailing you accept our Terms of Use.", False),
        ("This harbour uses cookies of all kinds.", False),
        ("Our privacy policy is at the quay.", False),
        ("We bake cookies at five sharp.", True),
        ("Lorem ipsum sails at five sharp.", False),
        ("We sailed {{ad.slot}} at five sharp.", False),
        ("We sailed at five " + "x" * 1001 + ".", False),
        ("We sailed at five " + "x" * 999 + ".", True),
    ],
)
def test_c4(line, keep):
    assert c4_lines([line]) == [keep]


@pytest.mark.parametrize(
    ("line", "keep"),
    [
        ("The captain went to bed", True),
        ("Captains rarely went ashore", False),  # no stop words
        ("The captain went ashore", False),  # one
        ("The captain the pilot and the mate", True),  # two, one of them thrice
        ("The the the captain", False),  # one, thrice
        ("a to of b c d", False),  # words too short
        ("intercontinental transportation of the superstructures reconstructions", False),  # too long
        ("The winners of 1 2 3 4 5 6 and", False),  # too few words with letters
        ("• The captain went to bed", False),
        ("- The captain went to bed", False),
        ("The captain went to bed…", False),
        ("The captain went to #bed", False),  # one number sign in five words
        ("The captain went to bed and slept through the storm #7", True),  # one in eleven
        ("The captain... went to bed", False),
        ("* * *", False),
    ],
)
def test_gopher(line, keep):
    assert gopher_lines([line]) == [keep]


@pytest.mark.parametrize(
    ("line", "keep"),
    [
        ("The captain went to bed at ten.", True),
        ("The captain went to bed at ten", False),
        ("The captain went to bed at ’em’", True),
        ("The captain went to bed today.", False),  # 30 characters
        ("Superintendents intercontinentally sail.", False),  # three words
    ],
)
def test_fineweb(line, keep):
    assert fineweb_lines([line]) == [keep]


def test_fineweb_keeps_the_first_of_repeated_lines():
    assert fineweb_lines([PROSE, f" {PROSE}", PROSE]) == [True, False, False]


def test_majority_says_how_frequent_labels_are():
    found = Majority(3).fit(["a", "b", "c", "d"], np.array([2, 2, 2, 0]), np.ones(4)).predict_proba(["x", "y"])
    assert found.tolist() == [[0.25, 0, 0.75]] * 2


@pytest.mark.parametrize("chars", [False, True])
@pytest.mark.parametrize("balance", [0.0, 0.5])
def test_tfidf_learns_and_gives_probabilities_of_all_classes(chars, balance):
    model = TfidfLogistic(4, chars=chars, balance=balance, C=10).fit(TEXTS, TRUTH, ONES)
    found = model.predict_proba(["the pilots have left", "please donate", ""])
    assert found.shape == (3, 4)
    assert found.sum(axis=1) == pytest.approx(1)
    assert found.argmax(axis=1)[:2].tolist() == [0, 1]
    assert (found[:, 2:] == 0).all()
    assert model.predict_proba([]).shape == (0, 4)


def test_weights_and_balance_count():
    skewed = [*TEXTS, "please", *["the please"] * 3]
    truth = np.append(TRUTH, [1, 0, 0, 0])
    plain, heavy = np.ones(truth.size), np.where(truth == 1, 20.0, 1.0)
    found = [TfidfLogistic(2, chars=False).fit(skewed, truth, w).predict_proba(["the please"])[0, 1] for w in (plain, heavy)]
    assert found[0] < found[1]
    rare = np.append(np.zeros(22, np.intp), [1, 1])
    found = [TfidfLogistic(2, chars=False, balance=b).fit(TEXTS, rare, ONES).predict_proba(["donate"])[0, 1] for b in (0.0, 1.0)]
    assert found[0] < found[1]


def test_fasttext_absent_is_said(monkeypatch):
    monkeypatch.setattr(baselines.importlib.util, "find_spec", lambda _: None)
    assert not FastText.is_installed()
    with pytest.raises(TrainerError, match="not installed"):
        FastText(2).fit(TEXTS, TRUTH, ONES)


@pytest.mark.skipif(not FastText.is_installed(), reason="fastText is not installed")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("balance", [0.0, 0.5])
def test_fasttext_learns_and_gives_probabilities_of_all_classes(balance):
    model = FastText(3, balance=balance, dim=8, epoch=50, lr=0.5, bucket=1000, minn=0, maxn=0).fit(TEXTS, TRUTH, ONES)
    found = model.predict_proba(["The pilots\nhave left", "Please donate!", "", "\ud800"])
    assert found.shape == (4, 3)
    assert found.sum(axis=1) == pytest.approx(1)
    assert found.argmax(axis=1)[:2].tolist() == [0, 1]
    assert found[0, 0] > 0.7
    assert found[0, 1] < 0.3
