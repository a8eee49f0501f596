"""The classifier that learns from costs, and when a search may prefer another pipeline."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analyzer.models import artifact
from analyzer.models.cost_classifier import CostClassifier
from analyzer.models.evaluation import Effort, evaluate
from analyzer.models.examples import Examples
from analyzer.models.giving import given
from analyzer.models.grouping import Fold
from analyzer.models.pipelines import DEFAULT, fitted
from analyzer.models.search import search

SIZES = np.repeat(np.arange(1.0, 25.0), 3)


def examples(costs: np.ndarray) -> Examples:
    """One feature that the costs may follow; templates of three rows each."""
    low, high = np.quantile(costs, (0.33, 0.66))
    classes = np.where(costs <= low, "low", np.where(costs <= high, "medium", "high"))
    random = np.random.default_rng(1)
    features = pd.DataFrame(
        {"kind": "sql", "data_size_log": SIZES, "py_nodes": random.normal(size=len(SIZES)), "py_lines": 1.0}
    )
    groups = tuple(f"t{number % 24}" for number in range(len(SIZES)))
    return Examples(features, tuple(classes.tolist()), tuple(costs.tolist()), groups)


def test_it_learns_the_cost_and_cuts_between_the_classes() -> None:
    found = examples(np.exp(SIZES / 3))
    model = CostClassifier().fit(SIZES.reshape(-1, 1), found.classes, found.costs)
    assert list(model.predict(np.array([[1.0], [12.0], [24.0]]))) == ["low", "medium", "high"]
    chances = model.predict_proba(SIZES.reshape(-1, 1))
    assert chances.shape == (len(SIZES), 3)
    assert chances.sum(axis=1) == pytest.approx(1)
    assert list(model.classes_[chances.argmax(axis=1)]).count("medium") > 0


def test_costs_of_nothing_are_the_lowest() -> None:
    costs = [0.0, 0.0, 5.0, 5.0, 900.0, 900.0]
    classes = ["low", "low", "medium", "medium", "high", "high"]
    rows = np.array([[0.0], [0.0], [1.0], [1.0], [2.0], [2.0]])
    model = CostClassifier(min_samples_leaf=1).fit(rows, classes, costs)
    assert list(model.predict(rows)) == classes
    with pytest.raises(ValueError, match="learns from costs"):
        CostClassifier().fit(rows, classes)


def test_a_class_that_is_not_there_is_never_given() -> None:
    model = CostClassifier().fit(np.array([[1.0], [2.0], [3.0], [4.0]]), ["low", "low", "high", "high"], [1, 1, 9, 9])
    assert list(model.classes_) == ["low", "high"]
    assert set(model.predict(np.linspace(0, 5, 20).reshape(-1, 1))) == {"low", "high"}


def test_it_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    found = examples(np.exp(SIZES / 3))
    model = fitted(DEFAULT, found, seed=1)
    again = artifact.load(tmp_path, artifact.save(model, tmp_path, "model-x"))
    assert list(again.predict(found.features)) == list(model.predict(found.features))


def test_the_class_that_is_given_is_the_one_that_is_scored_with_its_own_chance() -> None:
    """On noisy costs the trees' mean and most of the trees disagree for some rows."""
    found = examples(np.exp(SIZES / 3 + np.random.default_rng(1).normal(size=len(SIZES), scale=1.5)))
    model = fitted(DEFAULT, found, seed=1)
    rows = found.features.assign(py_nodes=np.random.default_rng(9).normal(size=len(SIZES)))
    likeliest = model.classes_[model.predict_proba(rows).argmax(axis=1)]
    made = given(model, rows)
    assert [one.label for one in made] == list(model.predict(rows)) != list(likeliest)
    assert all(one.probability == one.chances[one.label] for one in made)
    assert [sum(one.chances.values()) for one in made] == pytest.approx([1.0] * len(made))


def test_held_out_rows_get_the_chance_of_the_class_that_they_are_given() -> None:
    found = examples(np.exp(SIZES / 3 + np.random.default_rng(1).normal(size=len(SIZES), scale=1.5)))
    halves = [tuple(place for place in range(72) if (place % 24 < 12) is first) for first in (True, False)]
    folds = [Fold(halves[0], halves[1]), Fold(halves[1], halves[0])]
    made = evaluate(found, folds, Effort(trials=1, seconds=1e9, seed=1, monotonic=lambda: 0.0))
    for fold, searched in zip(folds, made.searches, strict=True):
        model = fitted(searched.choice, found.take(fold.train), seed=1)
        for place, one in zip(fold.test, given(model, found.take(fold.test).features), strict=True):
            assert (made.predicted[place], made.probabilities[place]) == (one.label, one.probability)


@pytest.mark.parametrize("surely_better", [False, True])
def test_a_search_keeps_the_default_unless_another_is_surely_better(surely_better: bool) -> None:
    """Where all find the three clusters the first stays; with the signal in one column of many it does not."""
    clusters = np.repeat([1.0, 10.0, 100.0], 24)[np.random.default_rng(4).permutation(72)]
    found = examples(np.exp(SIZES / 3) if surely_better else clusters)
    features = found.features.assign(data_size_log=SIZES if surely_better else clusters)
    if surely_better:
        noise = np.random.default_rng(2).normal(size=(len(SIZES), 40))
        features = features.join(pd.DataFrame(noise, columns=[f"rel_{place}" for place in range(40)]))
    ticks = itertools.count()
    told = search(
        replace(found, features=features), trials=8, seconds=1e9, seed=3, monotonic=lambda: float(next(ticks))
    )
    assert (told.choice != DEFAULT) is surely_better
    assert told.trials == 8
