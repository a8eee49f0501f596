"""What a query does to tables, whether it is written in SQL or with DataFrame calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Operator = Literal["<", "<=", ">", ">=", "="]


@dataclass(frozen=True, slots=True)
class Bound:
    """``column operator value``, sure to hold for every row that is read; the value is a parameter's or a number."""

    column: str
    operator: Operator
    parameter: str | None
    number: float | None


@dataclass(frozen=True, slots=True)
class Relations:
    """Counts of relational operations, and what is known of the rows that come in.

    ``tables`` has a table as often as it is read. ``unread_parameters`` are parameters that a condition uses in a way
    that says nothing about the rows.
    """

    counts: dict[str, float]
    tables: tuple[str, ...] = ()
    columns: frozenset[str] = frozenset()
    bounds: tuple[Bound, ...] = ()
    unread_parameters: frozenset[str] = field(default_factory=frozenset)


COUNTS = (
    "rel_tables",
    "rel_joins",
    "rel_aggregates",
    "rel_group_by",
    "rel_group_keys",
    "rel_windows",
    "rel_order_by",
    "rel_distinct",
    "rel_subqueries",
    "rel_unions",
    "rel_limits",
    "rel_conditions",
    "rel_expressions",
    "rel_functions",
    "rel_string_functions",
    "rel_regex",
    "rel_cases",
    "rel_casts",
)
"""Names of the counts, which are the names of the features too."""

NOTHING = Relations(dict.fromkeys(COUNTS, 0.0))
"""Of a snippet that reads no table."""
