"""How much data a snippet reads, from what the planner believes about the tables and what its query demands."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analyzer.models.relations import Bound, Relations
from snipbench.domain.plan import Parameters
from snipbench.domain.table_facts import ColumnFacts, TableFacts


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows of the tables that are read; of those, the rows that come in, and their bytes; ``None`` is not known.

    ``input_rows`` is an upper estimate: conditions that say nothing to the planner's statistics count as always true.
    A condition on a *parameter* that cannot be judged makes it ``None``, since then the size itself is not known.
    """

    table_rows: int | None
    largest_table_rows: int | None
    row_width_bytes: int | None
    input_rows: float | None
    input_bytes: float | None


UNKNOWN = Sizes(None, None, None, None, None)


def estimate(relations: Relations, parameters: Parameters, facts: Sequence[TableFacts] | None) -> Sizes:
    """Sizes of what the query reads at one parameter point; all unknown without facts or without tables."""
    by_name = {table.name.lower(): table for table in facts or ()}
    tables = [by_name.get(name) for name in relations.tables]
    known = [table for table in tables if table is not None and table.rows is not None]
    if not known or len(known) < len(tables):
        return UNKNOWN
    bounds = _values(relations, dict(parameters))
    widths = [_width(table, relations.columns) for table in known]
    rows = [table.rows or 0 for table in known]
    shares = [None if bounds is None else _share(table, bounds) for table in known]
    judged = bounds is not None and _all_parameters_judged(relations, known)
    inputs = [count * share for count, share in zip(rows, shares, strict=True) if share is not None]
    complete = judged and len(inputs) == len(rows)
    return Sizes(
        table_rows=sum(rows),
        largest_table_rows=max(rows),
        row_width_bytes=None if None in widths else sum(width for width in widths if width is not None),
        input_rows=sum(inputs) if complete else None,
        input_bytes=sum(count * width for count, width in zip(inputs, widths, strict=True) if width is not None)
        if complete and None not in widths
        else None,
    )


@dataclass(frozen=True, slots=True)
class _Demand:
    bound: Bound
    value: float


def _values(relations: Relations, parameters: Mapping[str, object]) -> dict[str, list[_Demand]] | None:
    """Demands by column with numbers for parameters; ``None`` if a parameter's use says nothing about the rows."""
    if relations.unread_parameters:
        return None
    demands: dict[str, list[_Demand]] = {}
    for bound in relations.bounds:
        value = parameters.get(bound.parameter) if bound.parameter is not None else bound.number
        if isinstance(value, int | float):
            demands.setdefault(bound.column, []).append(_Demand(bound, float(value)))
        else:
            return None
    return demands


def _all_parameters_judged(relations: Relations, tables: Sequence[TableFacts]) -> bool:
    judgeable = {column.name.lower(): column for table in tables for column in table.columns}
    return all(
        bound.column in judgeable and (judgeable[bound.column].quantiles or _equals_known(bound, judgeable))
        for bound in relations.bounds
        if bound.parameter is not None
    )


def _equals_known(bound: Bound, columns: Mapping[str, ColumnFacts]) -> bool:
    return bound.operator == "=" and bool(columns[bound.column].distinct)


def _share(table: TableFacts, demands: Mapping[str, Sequence[_Demand]]) -> float:
    """Share of the table's rows that pass, columns taken as independent."""
    share = 1.0
    for column in table.columns:
        if column.name.lower() in demands:
            share *= _column_share(column, demands[column.name.lower()], table.rows or 0)
    return share


def _column_share(column: ColumnFacts, demands: Sequence[_Demand], rows: int) -> float:
    if any(demand.bound.operator == "=" for demand in demands):
        distinct = column.distinct or 0.0
        count = -distinct * rows if distinct < 0 else distinct
        return 1.0 / count if count >= 1 else 1.0
    if not column.quantiles:
        return 1.0
    low, high = 0.0, 1.0
    for demand in demands:
        below = _below(column.quantiles, demand.value)
        if demand.bound.operator in {"<", "<="}:
            high = min(high, below)
        else:
            low = max(low, below)
    return max(0.0, high - low) * (1.0 - (column.null_fraction or 0.0))


def _below(quantiles: Sequence[float], value: float) -> float:
    """Share of the values at or below ``value``, straight lines between the quantiles."""
    if value < quantiles[0]:
        return 0.0
    if value >= quantiles[-1]:
        return 1.0
    place = bisect_right(quantiles, value) - 1
    lower, upper = quantiles[place], quantiles[place + 1]
    return (place + (value - lower) / (upper - lower)) / (len(quantiles) - 1)


def _width(table: TableFacts, columns: frozenset[str]) -> int | None:
    """Bytes of the columns that the query names; all of them where it names none of this table."""
    named = [column for column in table.columns if column.name.lower() in columns] or table.columns
    widths = [column.width_bytes for column in named]
    return None if None in widths else sum(width for width in widths if width is not None)
