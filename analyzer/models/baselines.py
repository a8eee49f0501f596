"""What a model must beat: guesses that need no learning to speak of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analyzer.models.features import SIZE
from analyzer.models.grouping import Fold, assert_no_leak
from analyzer.models.similarity import similarity
from analyzer.models.training_table import Row

Guess = Callable[[Sequence[Row], Sequence[str], Sequence[Row], int], list[str]]
"""``(training rows, their classes, rows to judge, seed)`` -> classes."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline with the words that a report needs."""

    name: str
    description: str
    guess: Guess


def out_of_fold(
    baseline: Baseline, rows: Sequence[Row], classes: Sequence[str], folds: Sequence[Fold], seed: int
) -> list[str]:
    """The baseline's class of every row, learned on the folds' training rows, as a model's are.

    Raises:
        LeakError: a group stands on both sides of a fold.
    """
    assert_no_leak([row.group for row in rows], folds)
    given = [""] * len(rows)
    for fold in folds:
        guessed = baseline.guess(
            [rows[place] for place in fold.train],
            [classes[place] for place in fold.train],
            [rows[place] for place in fold.test],
            seed,
        )
        for place, label in zip(fold.test, guessed, strict=True):
            given[place] = label
    return given


def _majority(_: Sequence[Row], classes: Sequence[str], test: Sequence[Row], seed: int) -> list[str]:
    del seed
    counts = Counter(classes)
    most = min(counts, key=lambda label: (-counts[label], label))
    return [most] * len(test)


def _rows_only(train: Sequence[Row], classes: Sequence[str], test: Sequence[Row], seed: int) -> list[str]:
    """A small decision tree over the size alone."""
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=3, random_state=seed)
    tree.fit([[_size(row)] for row in train], list(classes))
    return [str(label) for label in tree.predict([[_size(row)] for row in test])]


def _nearest_source(train: Sequence[Row], classes: Sequence[str], test: Sequence[Row], seed: int) -> list[str]:
    """The class of the most similar source; among equals (one source at several sizes) the nearest size."""
    del seed

    def nearest(row: Row) -> int:
        return min(
            range(len(train)),
            key=lambda place: (
                -similarity(row.words, train[place].words),
                abs(_size(row) - _size(train[place])),
                place,
            ),
        )

    return [classes[nearest(row)] for row in test]


def _size(row: Row) -> float:
    size = row.features[SIZE]
    return float(size) if isinstance(size, float) else -1.0


BASELINES = (
    Baseline("majority", "always the most frequent class", _majority),
    Baseline("rows_only", "the size of the input alone, by a small tree", _rows_only),
    Baseline("nearest_source", "the class of the most similar source, at the nearest size", _nearest_source),
)
