"""Types of the columns of a snippet's input."""

from __future__ import annotations

import logging
from typing import Any

from analyzer.advisors.port import Brief


def input_types(brief: Brief) -> tuple[str, ...] | None:
    """Spark SQL types in order: as measured, or else as the input's casts and the tables' shapes say.

    ``None`` where one of them is not sure.
    """
    if brief.input_columns is not None:
        return tuple(type_name for _, type_name in brief.input_columns)
    if brief.input is None:
        return None
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        tree = sqlglot.parse_one(brief.input, dialect="spark")
    except (SqlglotError, RecursionError):
        return None
    if not isinstance(tree, exp.Select):
        return None
    known = _columns(brief, tree)
    types: list[str] = []
    for selected in tree.expressions:
        column = selected.unalias()
        if isinstance(column, exp.Cast):
            types.append(column.to.sql(dialect="spark").lower())
        elif isinstance(column, exp.Column) and column.name.lower() in known:
            types.append(known[column.name.lower()])
        else:
            return None
    return tuple(types)


def _columns(brief: Brief, tree: Any) -> dict[str, str]:
    """Types of the columns of the one table that the query reads; empty where it reads more or other things."""
    from sqlglot import exp

    tables = list(tree.find_all(exp.Table))
    if len(tables) != 1 or tree.find(exp.Subquery, exp.CTE, exp.Lateral) is not None:
        return {}
    shapes = {shape.name.lower(): shape for shape in brief.tables}
    shape = shapes.get(tables[0].name.lower())
    return {} if shape is None else {name.lower(): type_name for name, type_name in shape.columns}
