"""Accuracy, precision, recall, F1, confusion, and what a difference between two classifiers may claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.models.labels import LABELS

RESAMPLES = 4000
"""Bootstrap replicates of an interval."""
_PLACE = {label: place for place, label in enumerate(LABELS)}

Counts = npt.NDArray[np.float64]
"""Confusion counts: actual class by row, predicted class by column, in the order of ``LABELS``."""


@dataclass(frozen=True, slots=True)
class ClassScores:
    """One class; ``support`` is how many rows are of it."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Scores:
    """A classifier's figures over all rows, each predicted when its group was held out."""

    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]

    def to_document(self) -> dict[str, Any]:
        """Plain JSON value."""
        return asdict(self) | {
            "classes": [asdict(found) for found in self.classes],
            "confusion": {"labels": list(LABELS), "actual_by_predicted": [list(row) for row in self.confusion]},
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """Macro-F1 of the model minus that of a baseline, with its 95 % interval over resampled groups."""

    value: float
    low: float
    high: float


def confusion(actual: Sequence[str], predicted: Sequence[str]) -> Counts:
    """Counts of every pair of classes."""
    counts = np.zeros((len(LABELS), len(LABELS)))
    for truth, given in zip(actual, predicted, strict=True):
        counts[_PLACE[truth], _PLACE[given]] += 1
    return counts


def macro_f1(actual: Sequence[str], predicted: Sequence[str]) -> float:
    """Mean F1 of the three classes; a class that is neither there nor predicted counts as 0."""
    return float(_f1(confusion(actual, predicted)).mean())


def scores(actual: Sequence[str], predicted: Sequence[str]) -> Scores:
    """All figures."""
    counts = confusion(actual, predicted)
    hits, truths, given = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    precision = np.divide(hits, given, out=np.zeros_like(hits), where=given > 0)
    recall = np.divide(hits, truths, out=np.zeros_like(hits), where=truths > 0)
    f1 = _f1(counts)
    return Scores(
        accuracy=float(hits.sum() / counts.sum()),
        macro_precision=float(precision.mean()),
        macro_recall=float(recall.mean()),
        macro_f1=float(f1.mean()),
        classes=tuple(
            ClassScores(label, float(precision[i]), float(recall[i]), float(f1[i]), int(truths[i]))
            for i, label in enumerate(LABELS)
        ),
        confusion=tuple(tuple(int(count) for count in row) for row in counts),
    )


def f1_interval(
    actual: Sequence[str], predicted: Sequence[str], groups: Sequence[str], seed: int
) -> tuple[float, float]:
    """95 % interval of the macro-F1, groups resampled."""
    values = _resampled(_by_group(actual, predicted, groups), _draws(groups, seed))
    return _percentiles(values)


def difference(
    actual: Sequence[str], model: Sequence[str], baseline: Sequence[str], groups: Sequence[str], seed: int
) -> Difference:
    """Paired bootstrap: each replicate draws groups with replacement and judges both on the same rows."""
    draws = _draws(groups, seed)
    values = _resampled(_by_group(actual, model, groups), draws)
    values -= _resampled(_by_group(actual, baseline, groups), draws)
    low, high = _percentiles(values)
    return Difference(macro_f1(actual, model) - macro_f1(actual, baseline), low, high)


def _f1(counts: Counts) -> npt.NDArray[np.float64]:
    """F1 by class over the last two axes."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    total = counts.sum(axis=-1) + counts.sum(axis=-2)
    f1: npt.NDArray[np.float64] = np.divide(2 * hits, total, out=np.zeros(hits.shape), where=total > 0)
    return f1


def _by_group(actual: Sequence[str], predicted: Sequence[str], groups: Sequence[str]) -> Counts:
    """Confusion counts of each group, groups sorted by name."""
    names = sorted(set(groups))
    found = np.zeros((len(names), len(LABELS), len(LABELS)))
    for truth, given, group in zip(actual, predicted, groups, strict=True):
        found[names.index(group), _PLACE[truth], _PLACE[given]] += 1
    return found


def _draws(groups: Sequence[str], seed: int) -> npt.NDArray[np.int64]:
    """How often each group is drawn: replicates by groups."""
    count = len(set(groups))
    return np.random.default_rng(seed).multinomial(count, [1 / count] * count, size=RESAMPLES)


def _resampled(by_group: Counts, draws: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    f1: npt.NDArray[np.float64] = _f1(np.einsum("rg,gij->rij", draws, by_group)).mean(axis=-1)
    return f1


def _percentiles(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
