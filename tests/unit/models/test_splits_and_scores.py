"""Folds that keep templates whole, the check that they do, and figures against scikit-learn's."""

from __future__ import annotations

import random

import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from analyzer.models.adequacy import shortcomings
from analyzer.models.evaluation import Effort, evaluate
from analyzer.models.examples import Examples
from analyzer.models.features import LeakError
from analyzer.models.grouping import Fold, assert_no_leak, groups_of, make_folds
from analyzer.models.labels import LABELS, bounds_of
from analyzer.models.scores import difference, f1_interval, macro_f1, scores
from snipbench.domain.analysis import Classes

GROUPS = [f"t{number // 3}" for number in range(36)]
CLASSES = [LABELS[number % 3] for number in range(36)]


def test_planted_template_on_both_sides_is_caught() -> None:
    folds = list(make_folds(CLASSES, GROUPS, 4, seed=1))
    assert_no_leak(GROUPS, folds)
    stolen = folds[2].test[0]
    folds[2] = Fold((*folds[2].train, stolen), folds[2].test[1:])
    with pytest.raises(LeakError, match=f"fold 2: on both sides stand {GROUPS[stolen]}$"):
        assert_no_leak(GROUPS, folds)


def test_evaluation_refuses_a_fold_with_a_template_on_both_sides_before_anything_is_searched() -> None:
    examples = Examples(pd.DataFrame({"py_lines": range(36)}), tuple(CLASSES), (1.0,) * 36, tuple(GROUPS))
    folds = list(make_folds(CLASSES, GROUPS, 4, seed=1))
    kept = folds[1].test[1:]
    folds[1] = Fold((*folds[1].train, folds[1].test[0]), kept)
    told: list[str] = []
    with pytest.raises(LeakError, match="fold 1: on both sides stand"):
        evaluate(examples, folds, Effort(1, 1.0, 1, lambda: 0.0, told.append))
    assert told == []


def test_every_row_is_judged_once() -> None:
    folds = make_folds(CLASSES, GROUPS, 4, seed=1)
    assert sorted(place for fold in folds for place in fold.test) == list(range(36))
    assert folds == make_folds(CLASSES, GROUPS, 4, seed=1)
    assert folds != make_folds(CLASSES, GROUPS, 4, seed=2)


def test_templates_with_the_same_code_are_one_group() -> None:
    members = [("b", "x"), ("a", "x"), ("c", "y"), ("a", "z"), ("d", "z"), ("e", "other")]
    assert groups_of(members) == {"a": "a", "b": "a", "c": "c", "d": "a", "e": "e"}


def test_classes_by_quantile_and_by_value() -> None:
    values = [float(value) for value in range(1, 101)]
    thirds = bounds_of(Classes(), values)
    assert [thirds.label(value) for value in (1, 33, 34, 66, 67, 100)] == ["low"] * 2 + ["medium"] * 2 + ["high"] * 2
    fixed = bounds_of(Classes(by="value", low=0.1, medium=1.0, high=10.0), values)
    assert [fixed.label(value) for value in (0.1, 0.2, 1.0, 5.0, 99.0)] == ["low", "medium", "medium", "high", "high"]


def test_figures_are_those_of_scikit_learn() -> None:
    numbers = random.Random(1)
    actual, given = numbers.choices(LABELS, k=200), numbers.choices(LABELS, k=200)
    found = scores(actual, given)
    precision, recall, f1, support = precision_recall_fscore_support(actual, given, labels=list(LABELS))
    assert found.accuracy == pytest.approx(accuracy_score(actual, given))
    assert found.macro_f1 == pytest.approx(f1_score(actual, given, labels=list(LABELS), average="macro"))
    for place, one in enumerate(found.classes):
        assert (one.precision, one.recall, one.f1) == pytest.approx((precision[place], recall[place], f1[place]))
        assert one.support == support[place]
    assert sum(map(sum, found.confusion)) == 200


def test_class_that_is_never_predicted_counts_as_zero() -> None:
    assert macro_f1(["low", "medium", "high"], ["low"] * 3) == pytest.approx(0.5 / 3)


def test_difference_is_paired_and_resampled_by_group() -> None:
    numbers = random.Random(2)
    wrong = [label if numbers.random() < 0.5 else LABELS[(LABELS.index(label) + 1) % 3] for label in CLASSES]
    better = difference(CLASSES, CLASSES, wrong, GROUPS, seed=1)
    assert 0 < better.low <= better.value <= better.high
    same = difference(CLASSES, wrong, wrong, GROUPS, seed=1)
    assert (same.low, same.value, same.high) == (0, 0, 0)
    low, high = f1_interval(CLASSES, wrong, GROUPS, seed=1)
    assert low < macro_f1(CLASSES, wrong) < high
    one_group = difference(CLASSES, CLASSES, wrong, ["all"] * 36, seed=1)
    assert one_group.low == one_group.high


def test_too_little_data_says_what_is_missing() -> None:
    assert shortcomings(CLASSES, GROUPS) == ()
    assert shortcomings([], []) == ("no snippet has a measured value of the target",)
    assert shortcomings(CLASSES[:18], GROUPS[:18]) == ("6 templates of at least 10",)
    lopsided = ["low"] * 30 + ["high"] * 6
    assert shortcomings(lopsided, GROUPS) == (
        "class medium has 0 rows of at least 6",
        "class high occurs in 2 templates of at least 3",
    )
