"""Permutation importance on held-out rows: what is lost when a feature, or a family of them, is shuffled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from analyzer.models.scores import macro_f1

REPEATS = 5
FAMILIES: dict[str, tuple[str, ...]] = {
    "form of the snippet": ("kind", "source"),
    "code": ("py_",),
    "query": ("rel_",),
    "size of data and parameters": ("data_", "param_", "work_"),
}
"""Families by the beginnings of their features' names. Features of one family say much the same, so that shuffling
one alone loses little; shuffling the family shows what it is worth."""


@dataclass(frozen=True, slots=True)
class Importance:
    """Loss of macro-F1, mean and spread over folds; below 0 shuffling happened to help."""

    name: str
    mean: float
    spread: float


def subjects(columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What is shuffled: every family, then every feature."""
    families = {
        name: tuple(column for column in columns if column.startswith(starts)) for name, starts in FAMILIES.items()
    }
    return families | {column: (column,) for column in columns}


def losses(model: Pipeline, table: pd.DataFrame, classes: Sequence[str], seed: int) -> dict[str, float]:
    """Loss of macro-F1 for each subject on these rows, mean of ``REPEATS`` shuffles. All are predicted in one call."""
    random = np.random.default_rng(seed)
    rows = len(table)
    found = dict.fromkeys(subjects(list(table.columns)), 0.0)
    shuffled: list[str] = []
    copies = [table]
    for name, columns in subjects(list(table.columns)).items():
        if all(table[column].nunique(dropna=False) < 2 for column in columns):
            continue
        for _ in range(REPEATS):
            copy = table.copy()
            order = random.permutation(rows)
            for column in columns:
                copy[column] = table[column].to_numpy()[order]
            copies.append(copy)
            shuffled.append(name)
    given = model.predict(pd.concat(copies, ignore_index=True))
    whole = macro_f1(classes, list(given[:rows]))
    for place, name in enumerate(shuffled, 1):
        found[name] += (whole - macro_f1(classes, list(given[place * rows : (place + 1) * rows]))) / REPEATS
    return found


def over_folds(folds: Sequence[Mapping[str, float]]) -> tuple[Importance, ...]:
    """Mean and spread of each subject's loss, greatest first."""
    found = []
    for name in folds[0]:
        values = [fold[name] for fold in folds]
        found.append(Importance(name, float(np.mean(values)), float(np.std(values))))
    return tuple(sorted(found, key=lambda importance: (-importance.mean, importance.name)))
