"""Both stages together: probabilities of kinds add up to those of labels, and explanations speak of kinds."""

from __future__ import annotations

import numpy as np
import pytest
from estimators import data, tiny
from hypothesis import given
from hypothesis import strategies as st

from trainer.explain import explain
from trainer.features import extract, normalise
from trainer.model import Classifier
from trainer.network import merge
from trainer.policy import NEVER, Policy
from trainer.schema import NEWS_LABELS
from trainer.text import softmax

TEXTS = ["Home", "The council voted on Monday to close the bridge.", "Donate now", "Photo: AP", "Read more", "Share", "About us"]


@given(label_of=st.lists(st.integers(0, 3), min_size=1, max_size=9), seed=st.integers(0, 99))
def test_probabilities_of_kinds_add_up_to_those_of_labels(label_of: list[int], seed: int) -> None:
    of_kinds = softmax(np.random.default_rng(seed).normal(0, 3, (len(label_of), 6)))
    merged = merge(of_kinds, label_of, 4)
    assert merged.shape == (4, 6)
    for label in range(4):
        own = [kind for kind, its in enumerate(label_of) if its == label]
        np.testing.assert_allclose(merged[label], of_kinds[own].sum(axis=0), rtol=1e-14)
        assert own or (merged[label] == 0).all()
    np.testing.assert_allclose(merged.sum(axis=0), 1, atol=1e-12)


def test_a_paragraph_alone_is_added_up_as_in_a_batch() -> None:
    of_kinds = softmax(np.random.default_rng(0).normal(0, 3, (40, 50)))
    together = merge(of_kinds, [0] * 39 + [1], 2)
    alone = [merge(of_kinds[:, [i]], [0] * 39 + [1], 2) for i in range(50)]
    assert together.tobytes() == np.concatenate(alone, axis=1).tobytes()


def test_no_paragraphs_have_no_probabilities() -> None:
    assert merge(np.zeros((3, 0)), [0, 0, 1], 2).shape == (2, 0)


def test_the_small_model_tells_kinds_apart(model: Classifier) -> None:
    network = model.network
    assert len(network.kinds) > len(model.labels) == network.labels
    assert [network.kinds[k] for k in network.kept_kinds] == ["news"]
    assert {"interface", "related", "byline"} <= set(network.kinds)
    batches = network.batches(TEXTS)
    assert network.text.scores(network.contributions(batches)).shape == (len(network.kinds), len(TEXTS))


def test_explained_features_have_the_weights_of_the_labels_likeliest_kind(model: Classifier) -> None:
    network, stage = model.network, model.network.text
    checked = set()
    for i, item in enumerate(explain(model, TEXTS, range(len(TEXTS)), top=1)):
        batch = extract([normalise(TEXTS[i])], stage.settings)
        first = stage.scores(stage.contributions(batch))[:, 0]
        own = [kind for kind, label in enumerate(network.label_of) if model.labels.names[label] == item.label]
        kind = max(own, key=lambda kind: first[kind])
        word = batch.families[0][0].bucket
        weights = np.append(0, stage.weights[word, kind - 1] * stage.scale[0, kind - 1]) / np.sqrt(word.size) if kind else [0]
        pair = batch.families[1][0].bucket
        if kind:
            at = stage.settings.buckets[0] + pair
            weights = np.append(weights, stage.weights[at, kind - 1] * stage.scale[1, kind - 1] / np.sqrt(pair.size))
        for _, weight in item.groups[0].strongest:
            assert np.isclose(weights, weight).any()
            checked.add(network.kinds[kind])
    assert len(checked) >= 2


@pytest.mark.parametrize("without", ["news", "caption"])
def test_a_network_that_never_saw_a_label_explains_too(without: str) -> None:
    texts, labels, sites = data()
    some = [[None if label == without else label for label in article] for article in labels]
    network = tiny().fit(texts, some, sites).network_
    policy = Policy((NEVER, 0.5, 0.5, 0.5), 0, 0.0, 1.0, allow_empty=False)
    model = Classifier(network, NEWS_LABELS, policy, name="x", digest="", info={})
    explained = explain(model, TEXTS, range(len(TEXTS)))
    assert without not in {item.label for item in explained}
    assert np.isfinite([item.log_odds for item in explained]).all()
