"""The final order of a result: found in the baseline's plan, checked on every result that is compared with it.

A sequence that is sorted is determined by its values and its order, and the values are in the hash already. So "the
sequence of the sort keys is the same" is checked as "the same values, and sorted by the baseline's keys", which needs
no numbering of rows, no second execution, and holds where floats differ by rounding only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf

_VERIFIABLE = re.compile(r"(\d+) (ASC|DESC) NULLS (FIRST|LAST)")

_TRANSPARENT = {"SubqueryAlias", "View", "GlobalLimit", "LocalLimit", "Offset", "WithCTE", "ResolvedHint"}
"""Plan nodes that keep the order of the rows and the identity of the columns below them."""


@dataclass(frozen=True, slots=True)
class SortKey:
    """A key of a global sort. ``position`` counts output columns from 0; None if the key is not among them."""

    position: int | None
    ascending: bool
    nulls_first: bool
    expression: str = ""

    def __str__(self) -> str:
        """``2 DESC NULLS LAST``, the second output column; a key outside the output says that it is not verified."""
        direction = f"{'ASC' if self.ascending else 'DESC'} NULLS {'FIRST' if self.nulls_first else 'LAST'}"
        if self.position is None:
            return f"{self.expression} {direction} (not verified: not in the output)"
        return f"{self.position + 1} {direction}"

    @classmethod
    def parse(cls, text: str) -> SortKey:
        """The inverse of ``str``, up to the expression of a key that is not in the output."""
        match = _VERIFIABLE.fullmatch(text)
        if match is None:
            return cls(None, True, True, text)
        return cls(int(match[1]) - 1, match[2] == "ASC", match[3] == "FIRST")


def verifiable(keys: Sequence[SortKey]) -> tuple[SortKey, ...]:
    """The leading keys that are in the output: behind one that is not, nothing follows from the order."""
    found: list[SortKey] = []
    for key in keys:
        if key.position is None:
            break
        found.append(key)
    return tuple(found)


def sort_keys_of(frame: DataFrame) -> tuple[SortKey, ...]:
    """Keys of the global sort that the frame's analysed plan ends in, beneath projections and limits; else empty."""
    plan = frame._jdf.queryExecution().analyzed()
    # For each output position, the id that its column has at the level of the plan we look at.
    ids: list[int | None] = [attribute.exprId().id() for attribute in _sequence(plan.output())]
    while True:
        name = plan.nodeName()
        if name == "Sort":
            # "global" is a word of Python's.
            is_global = getattr(plan, "global")()
            return tuple(_key(order, plan, ids) for order in _sequence(plan.order())) if is_global else ()
        if name == "Project":
            below = _passed_through(plan)
            ids = [below.get(found) if found is not None else None for found in ids]
        elif name not in _TRANSPARENT:
            return ()
        plan = plan.plan() if name == "WithCTE" else plan.children().head()


def _key(order: Any, sort: Any, ids: Sequence[int | None]) -> SortKey:
    key = order.child()
    wanted: set[int] = set()
    if _kind(key) == "AttributeReference":
        wanted.add(key.exprId().id())
    child = sort.children().head()
    if child.nodeName() == "Project":
        # "SELECT a + b AS c ... ORDER BY a + b" sorts by an expression that the projection beneath names.
        wanted |= {
            named.exprId().id()
            for named in _sequence(child.projectList())
            if _kind(named) == "Alias" and named.child().semanticEquals(key)
        }
    position = next((i for i, found in enumerate(ids) if found in wanted), None)
    return SortKey(
        position,
        order.direction().sql() == "ASC",
        order.nullOrdering().sql() == "NULLS FIRST",
        str(key.sql()),
    )


def _passed_through(project: Any) -> dict[int, int]:
    """Ids of a projection's columns that are mere columns of its child, each with its id there."""
    below: dict[int, int] = {}
    for named in _sequence(project.projectList()):
        source = named.child() if _kind(named) == "Alias" else named
        if _kind(source) == "AttributeReference":
            below[named.exprId().id()] = source.exprId().id()
    return below


def _kind(expression: Any) -> str:
    return str(expression.getClass().getSimpleName())


def _sequence(scala_sequence: Any) -> list[Any]:
    return [scala_sequence.apply(i) for i in range(scala_sequence.size())]


def out_of_order(before: Column, after: Column, keys: Sequence[SortKey]) -> Column:
    """Whether two neighbouring rows' keys (structs with fields ``k0``, ``k1`` …) violate the order; never NULL."""

    def violated(index: int) -> Column:
        key = keys[index]
        left, right = before[f"k{index}"], after[f"k{index}"]
        wrong_null = left.isNotNull() & right.isNull() if key.nulls_first else left.isNull() & right.isNotNull()
        wrong_value = left > right if key.ascending else left < right
        equal_so_far = [before[f"k{i}"].eqNullSafe(after[f"k{i}"]) for i in range(index)]
        return reduce(lambda a, b: a & b, equal_so_far, wrong_null | sf.coalesce(wrong_value, sf.lit(False)))

    return reduce(lambda a, b: a | b, [violated(i) for i in range(len(keys))])
