"""What the model is measured against: rules that keep or drop lines, and classifiers of single paragraphs.

Rules see the lines of one page and say which to keep. Where a rule was published for whole documents, a line is judged as a
document of its own, and rules that no single line could pass or fail are left out.
"""

from __future__ import annotations

import importlib.util
import re
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from trainer.errors import TrainerError

Rule = Callable[[Sequence[str]], list[bool]]
Probabilities = NDArray[np.float64]

_END_MARKS = (".", "?", "!", '"', "”")
_POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_STOP_WORDS = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))
_ELLIPSES = ("...", "…")
_FINEWEB_ENDS = (".", "'", '"', "!", "?", "’", "”")
_TOKEN = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")


def c4_lines(lines: Sequence[str]) -> list[bool]:
    """Keep lines by the rules of C4 (Raffel et al., 2020, JMLR 21(140), section 2.2).

    A line stays if it ends in a period, question mark, exclamation mark or end quotation mark (an ellipsis does not
    count, as in the published code), has at least five words and none of over 1,000 characters, and mentions neither
    JavaScript nor one of six phrases of policy notices. Placeholder text and a curly bracket, for which C4 drops the page,
    drop the line here. Left out: page rules on the number of sentences, on bad words, on language and on duplicates.
    """
    return [_c4_line(line.strip()) for line in lines]


def _c4_line(line: str) -> bool:
    words, lower = line.split(), line.lower()
    return (
        line.endswith(_END_MARKS)
        and not line.endswith(_ELLIPSES)
        and len(words) >= 5
        and max(map(len, words)) <= 1000
        and not any(phrase in lower for phrase in ("javascript", "lorem ipsum", *_POLICIES))
        and "{" not in line
    )


def gopher_lines(lines: Sequence[str]) -> list[bool]:
    """Keep lines by the quality rules of MassiveText (Rae et al., 2021, arXiv 2112.11446, appendix A.1.1).

    A line stays if its words have 3 to 10 characters in the mean, at most 0.1 number signs and 0.1 ellipses a word, at
    least 80 % of them with a letter, at least two of eight stop words among them, and if it neither begins with a bullet
    nor ends with an ellipsis. Left out: 50 to 100,000 words a document, and the rules on repetition within a document.
    """
    return [_gopher_line(line.strip()) for line in lines]


def _gopher_line(line: str) -> bool:
    words = [word for word in _TOKEN.findall(line) if word[0].isalnum() or word[0] == "_"]
    if not words:
        return False
    return (
        3 <= sum(map(len, words)) / len(words) <= 10
        and line.count("#") <= 0.1 * len(words)
        and sum(map(line.count, _ELLIPSES)) <= 0.1 * len(words)
        and sum(any(map(str.isalpha, word)) for word in words) >= 0.8 * len(words)
        and len(_STOP_WORDS.intersection(word.lower() for word in words)) >= 2
        and not line.startswith(("•", "-"))
        and not line.endswith(_ELLIPSES)
    )


def fineweb_lines(lines: Sequence[str]) -> list[bool]:
    """Keep lines by the filters that FineWeb adds to those of C4 and Gopher (Penedo et al., 2024, arXiv 2406.17557).

    The filters bound the share of lines that end in punctuation from below, and those of lines of up to 30 characters and of
    repeated lines from above; so a line stays if it ends in punctuation, is longer, and did not stand on the page before.
    At most 0.3 line breaks a word, the filter for lists, asks for four words.
    """
    seen: set[str] = set()
    out = []
    for line in map(str.strip, lines):
        out.append(line.endswith(_FINEWEB_ENDS) and len(line) > 30 and len(line.split()) >= 4 and line not in seen)
        seen.add(line)
    return out


RULES: dict[str, Rule] = {"C4 lines": c4_lines, "Gopher lines": gopher_lines, "FineWeb lines": fineweb_lines}


class Baseline(Protocol):
    """A classifier of single paragraphs."""

    def fit(self, texts: Sequence[str], truth: NDArray[np.intp], weight: NDArray[np.float64]) -> Self:
        """Fit on paragraphs, the columns of their labels, and how much each counts."""

    def predict_proba(self, texts: Sequence[str]) -> Probabilities:
        """Return probabilities [paragraphs, classes]."""


class Majority:
    """Says of every paragraph how frequent each of `classes` labels was in training."""

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def fit(self, texts: Sequence[str], truth: NDArray[np.intp], weight: NDArray[np.float64]) -> Self:  # noqa: ARG002
        """See `Baseline`."""
        self.share_ = np.bincount(truth, weight, minlength=self.classes) / weight.sum()
        return self

    def predict_proba(self, texts: Sequence[str]) -> Probabilities:
        """See `Baseline`."""
        return np.tile(self.share_, (len(texts), 1))


class TfidfLogistic:
    """TF-IDF of words 1–2, and of characters 3–5 within words where `chars`, with logistic regression; no context.

    Args:
        classes: number of labels. chars: see above. C: inverse strength of the L2 penalty. balance: power of the inverse
            frequency by which labels are weighted.
    """

    def __init__(self, classes: int, *, chars: bool = True, C: float = 1.0, balance: float = 0.5) -> None:  # noqa: N803
        self.classes, self.chars, self.C, self.balance = classes, chars, C, balance

    def fit(self, texts: Sequence[str], truth: NDArray[np.intp], weight: NDArray[np.float64]) -> Self:
        """See `Baseline`."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union

        words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, tokenizer=_TOKEN.findall, token_pattern=None)
        chars = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=2, sublinear_tf=True)
        features = make_union(words, chars) if self.chars else words
        weight = weight * _inverse_frequency(truth, self.classes, self.balance)[truth]
        self.model_ = make_pipeline(features, LogisticRegression(C=self.C, max_iter=200, tol=1e-3))
        self.model_.fit(list(texts), truth, logisticregression__sample_weight=weight)
        return self

    def predict_proba(self, texts: Sequence[str]) -> Probabilities:
        """See `Baseline`."""
        out = np.zeros((len(texts), self.classes))
        if len(texts):
            out[:, self.model_.classes_] = self.model_.predict_proba(list(texts))
        return out


class FastText:
    """fastText supervised (Joulin et al., 2017), where its package is installed; one thread, so that it can be repeated.

    Args:
        classes: number of labels. balance: power of the inverse frequency by which paragraphs of rarer labels are repeated.
        settings: of `fasttext.train_supervised`.
    """

    def __init__(self, classes: int, *, balance: float = 0.0, **settings: Any) -> None:
        self.classes, self.balance, self.settings = classes, balance, settings

    @staticmethod
    def is_installed() -> bool:
        """Say whether the package is there."""
        return importlib.util.find_spec("fasttext") is not None

    def fit(self, texts: Sequence[str], truth: NDArray[np.intp], weight: NDArray[np.float64]) -> Self:
        """See `Baseline`; weights become repetitions.

        Raises:
            TrainerError: fastText is not installed.
        """
        if not self.is_installed():
            raise TrainerError("fastText is not installed", hint="pip install fasttext-wheel")
        import fasttext

        share = _inverse_frequency(truth, self.classes, self.balance)
        times = np.maximum(np.rint(weight * (share / share[share > 0].min())[truth]), 1).astype(np.intp)
        lines = [f"__label__{k} {_tokens(text)}\n" * n for text, k, n in zip(texts, truth, times, strict=True)]
        order = np.random.default_rng(0).permutation(len(lines))  # it goes through the file in order
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            file.writelines(lines[i] for i in order)
            file.flush()
            self.model_ = fasttext.train_supervised(file.name, thread=1, seed=1, verbose=0, **self.settings)
        return self

    def predict_proba(self, texts: Sequence[str]) -> Probabilities:
        """See `Baseline`."""
        out = np.zeros((len(texts), self.classes))
        for row, text in enumerate(texts):  # by its binding: with NumPy 2 the wrapper around it returns wrong probabilities
            for probability, label in self.model_.f.predict(f"{_tokens(text)}\n", self.classes, 0.0, "replace"):
                out[row, int(label.removeprefix("__label__"))] = probability
        out /= np.maximum(out.sum(axis=1, keepdims=True), 1e-12)
        return out


def _inverse_frequency(truth: NDArray[np.intp], classes: int, power: float) -> NDArray[np.float64]:
    """Return the weight of each label, 0 for one without examples."""
    count = np.bincount(truth, minlength=classes)
    weight: NDArray[np.float64] = (truth.size / np.maximum(count, 1)) ** power
    return np.where(count > 0, weight, 0.0)


def _tokens(text: str) -> str:
    """Lower case, and spaces between words and punctuation, as fastText's guide advises."""
    return " ".join(_TOKEN.findall(text.lower())).encode("utf-8", "replace").decode()
