"""Nested, grouped cross-validation: every row is judged by a pipeline that was chosen and trained without its group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analyzer.models.examples import Examples
from analyzer.models.giving import given
from analyzer.models.grouping import Fold, assert_no_leak
from analyzer.models.importance import Importance, losses, over_folds
from analyzer.models.pipelines import fitted
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
    say: Callable[[str], None] = lambda _: None
    """Is told of each search that begins."""


def evaluate(examples: Examples, folds: Sequence[Fold], effort: Effort) -> Evaluation:
    """Search, train and predict once per fold. Each search may use an equal share of the time that is left.

    Raises:
        LeakError: a group stands on both sides of a fold.
    """
    assert_no_leak(examples.groups, folds)
    predicted = [""] * len(examples.classes)
    probabilities = [0.0] * len(examples.classes)
    searches, drops = [], []
    end = effort.monotonic() + effort.seconds
    for number, fold in enumerate(folds):
        effort.say(f"fold {number + 1} of {len(folds)}: searching {effort.trials} pipelines")
        train, test = examples.take(fold.train), examples.take(fold.test)
        found = search(
            train,
            trials=effort.trials,
            seconds=(end - effort.monotonic()) / (len(folds) - number),
            seed=effort.seed,
            monotonic=effort.monotonic,
        )
        model = fitted(found.choice, train, effort.seed)
        searches.append(found)
        for place, one in zip(fold.test, given(model, test.features), strict=True):
            predicted[place], probabilities[place] = one.label, one.probability
        drops.append(losses(model, test.features, test.classes, effort.seed))
    return Evaluation(tuple(predicted), tuple(probabilities), tuple(searches), over_folds(drops))
