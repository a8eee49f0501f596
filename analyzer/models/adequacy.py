"""Whether there is enough data to learn from, and what is missing if there is not."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.models.labels import LABELS

MIN_GROUPS = 10
"""Templates. An interval over resampled templates says nothing about fewer."""
MIN_ROWS_PER_CLASS = 6
MIN_GROUPS_PER_CLASS = 3
"""So that each of three inner folds can have the class on both sides."""


def shortcomings(classes: Sequence[str], groups: Sequence[str]) -> tuple[str, ...]:
    """What is missing, in plain words; empty if there is enough."""
    missing = []
    if not classes:
        return ("no snippet has a measured value of the target",)
    count = len(set(groups))
    if count < MIN_GROUPS:
        missing.append(f"{_several(count, 'template')} of at least {MIN_GROUPS}")
    for label in LABELS:
        members = [group for found, group in zip(classes, groups, strict=True) if found == label]
        if len(members) < MIN_ROWS_PER_CLASS:
            missing.append(f"class {label} has {_several(len(members), 'row')} of at least {MIN_ROWS_PER_CLASS}")
        elif len(set(members)) < MIN_GROUPS_PER_CLASS:
            spread = _several(len(set(members)), "template")
            missing.append(f"class {label} occurs in {spread} of at least {MIN_GROUPS_PER_CLASS}")
    return tuple(missing)


def fold_count(groups: Sequence[str]) -> int:
    """Outer folds: each holds about three groups out, at least three folds and at most ten."""
    return max(3, min(10, len(set(groups)) // 3))


def _several(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
