"""What must stay on one side of a split, folds that keep it there, and the check that they do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analyzer.models.features import LeakError


@dataclass(frozen=True, slots=True)
class Fold:
    """Positions of the rows that a model learns from and of those that it is judged on."""

    train: tuple[int, ...]
    test: tuple[int, ...]


def groups_of(members: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Template -> group. Templates that hold the very same code form one group, named by the first in the alphabet.

    Args:
        members: ``(template, code)`` of every snippet.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    first: dict[str, str] = {}
    for template, code in members:
        parent.setdefault(template, template)
        one, other = sorted((root(template), root(first.setdefault(code, template))))
        parent[other] = one
    return {template: root(template) for template in parent}


def make_folds(classes: Sequence[str], groups: Sequence[str], count: int, seed: int) -> tuple[Fold, ...]:
    """``count`` folds, groups whole, classes as even as they come; checked."""
    import numpy as np
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(n_splits=count, shuffle=True, random_state=seed)
    split = splitter.split(np.zeros(len(classes)), list(classes), list(groups))
    folds = tuple(Fold(tuple(map(int, train)), tuple(map(int, test))) for train, test in split)
    assert_no_leak(groups, folds)
    return folds


def assert_no_leak(groups: Sequence[str], folds: Iterable[Fold]) -> None:
    """Every split of every training passes through here, where it is made and where it is used.

    Raises:
        LeakError: a group, or a row, stands on both sides of a fold.
    """
    for number, fold in enumerate(folds):
        both = {groups[row] for row in fold.train} & {groups[row] for row in fold.test}
        if both:
            raise LeakError(f"fold {number}: on both sides stand {', '.join(sorted(both))}")
