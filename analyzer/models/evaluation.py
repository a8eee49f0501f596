"""Nested, grouped cross-validation: every row is judged by a pipeline that was chosen and trained without its group."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from analyzer.models.grouping import Fold
from analyzer.models.importance import Importance, losses, over_folds
from analyzer.models.pipelines import build
from analyzer.models.search import Found, search


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Class and its probability for every row, as given when the row's group was held out."""

    predicted: tuple[str, ...]
    probabilities: tuple[float, ...]
    searches: tuple[Found, ...]
    importances: tuple[Importance, ...]


@dataclass(frozen=True, slots=True)
class Effort:
    """How far searches go: trials each, and seconds over all of them together."""

    trials: int
    seconds: float
    seed: int
    monotonic: Callable[[], float]


def evaluate(
    table: pd.DataFrame, classes: Sequence[str], groups: Sequence[str], folds: Sequence[Fold], effort: Effort
) -> Evaluation:
    """Search, train and predict once per fold. Each search may use an equal share of the time that is left."""
    predicted = [""] * len(classes)
    probabilities = [0.0] * len(classes)
    searches, drops = [], []
    end = effort.monotonic() + effort.seconds
    for number, fold in enumerate(folds):
        train, test = list(fold.train), list(fold.test)
        inner = [classes[place] for place in train]
        found = search(
            table.iloc[train],
            inner,
            [groups[place] for place in train],
            trials=effort.trials,
            seconds=(end - effort.monotonic()) / (len(folds) - number),
            seed=effort.seed,
            monotonic=effort.monotonic,
        )
        model = fitted(found, table.iloc[train], inner, effort.seed)
        searches.append(found)
        for place, label, row in zip(
            test, model.predict(table.iloc[test]), model.predict_proba(table.iloc[test]), strict=True
        ):
            predicted[place], probabilities[place] = str(label), float(max(row))
        drops.append(losses(model, table.iloc[test], [classes[place] for place in test], effort.seed))
    return Evaluation(tuple(predicted), tuple(probabilities), tuple(searches), over_folds(drops))


def fitted(found: Found, table: pd.DataFrame, classes: Sequence[str], seed: int) -> Pipeline:
    """The pipeline of a search, trained on all the rows given."""
    model = build(found.choice, list(table.columns), seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(table, np.array(classes, dtype=object))
    return model
