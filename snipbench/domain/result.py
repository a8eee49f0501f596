"""What a snippet computed: its hash, and whether two snippets computed the same."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Equality(StrEnum):
    """Judgement on two results (design, rule 4)."""

    EQUAL = "equal"
    EQUAL_WITHIN_TOLERANCE = "equal_within_tolerance"
    DIFFERENT = "different"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class ResultFacts:
    """A result as seen in the untimed pass. ``all_null_columns`` lists columns in which every value is NULL."""

    result_hash: str
    rows: int
    columns: tuple[tuple[str, str], ...]
    """``(name, Spark SQL type)`` in order."""
    all_null_columns: tuple[str, ...] = ()
    sort_keys: tuple[str, ...] = ()
    """Keys of the global sort that the plan ends in (of a variant: that its baseline's ends in); empty if in none."""
    in_order: bool | None = None
    """Whether the rows came in the order of ``sort_keys``; None where no key could be checked."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Equality of a variant's result with its baseline's, with the first differing rows as text."""

    equality: Equality
    reason: str
    differing_rows: tuple[str, ...] = ()
    rows: int | None = None
    """Of the baseline's result; None where it is no frame, or was not counted."""
