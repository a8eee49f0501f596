"""Relations of Spark SQL text, by sqlglot's tree."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from analyzer.models.relations import COUNTS, Bound, Operator, Relations

_OPERATORS: dict[type[exp.Expression], Operator] = {
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.EQ: "=",
}
_TURNED: dict[Operator, Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
_STRING_FUNCTIONS = frozenset(
    [
        "LOWER",
        "UPPER",
        "TRIM",
        "LTRIM",
        "RTRIM",
        "CONCAT",
        "CONCAT_WS",
        "SUBSTRING",
        "SUBSTR",
        "REPLACE",
        "TRANSLATE",
        "SPLIT",
        "LENGTH",
        "CHAR_LENGTH",
        "LEVENSHTEIN",
        "INITCAP",
        "LPAD",
        "RPAD",
        "REVERSE",
        "INSTR",
        "LOCATE",
        "STR_POSITION",
        "MD5",
        "MD5_DIGEST",
        "SHA",
        "SHA2",
        "FORMAT_STRING",
    ]
)


def sql_relations(text: str) -> Relations | None:
    """What the query does; ``None`` where sqlglot cannot read it, which says nothing about Spark."""
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        tree = sqlglot.parse_one(text, dialect="spark")
    except (SqlglotError, RecursionError):
        return None
    named = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    tables = [table.name.lower() for table in tree.find_all(exp.Table) if table.name.lower() not in named]
    bounds = tuple(_bounds(tree))
    used = {str(found.this) for found in _conditions(tree) for found in found.find_all(exp.Placeholder)}
    return Relations(
        counts=_counts(tree, len(tables)),
        tables=tuple(tables),
        columns=frozenset(column.name.lower() for column in tree.find_all(exp.Column)),
        bounds=bounds,
        unread_parameters=frozenset(used - {bound.parameter for bound in bounds}),
    )


def _counts(tree: exp.Expression, tables: int) -> dict[str, float]:
    functions = [_name(found) for found in tree.find_all(exp.Func) if not isinstance(found, exp.Connector | exp.Cast)]
    found: dict[str, float] = {
        "rel_tables": tables,
        "rel_joins": _count(tree, exp.Join) + _semi_joins(tree),
        "rel_aggregates": _count(tree, exp.AggFunc),
        "rel_group_by": _count(tree, exp.Group),
        "rel_group_keys": sum(len(group.expressions) for group in tree.find_all(exp.Group)),
        "rel_windows": _count(tree, exp.Window),
        "rel_order_by": _count(tree, exp.Order),
        "rel_distinct": _count(tree, exp.Distinct),
        "rel_subqueries": _count(tree, exp.Select) - 1,
        "rel_unions": _count(tree, exp.SetOperation),
        "rel_limits": _count(tree, exp.Limit),
        "rel_conditions": _count(tree, exp.Predicate) - _count(tree, exp.Exists),
        "rel_expressions": _count(tree, exp.Binary) - _count(tree, exp.Connector) - _count(tree, exp.Dot),
        "rel_functions": len(functions),
        "rel_string_functions": sum(name in _STRING_FUNCTIONS for name in functions),
        "rel_regex": sum("REGEX" in name or name in {"RLIKE", "SPLIT"} for name in functions),
        "rel_cases": _count(tree, exp.Case),
        "rel_casts": _count(tree, exp.Cast),
    }
    return {name: float(max(0, found[name])) for name in COUNTS}


def _name(function: exp.Func) -> str:
    name = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
    return str(name).upper()


def _count(tree: exp.Expression, kind: type[exp.Expression]) -> int:
    return sum(1 for _ in tree.find_all(kind))


def _semi_joins(tree: exp.Expression) -> int:
    """EXISTS and IN over a query are joins to Spark."""
    queries = sum(found.args.get("query") is not None for found in tree.find_all(exp.In))
    return queries + _count(tree, exp.Exists)


def _conditions(tree: exp.Expression) -> Iterator[exp.Expression]:
    for where in tree.find_all(exp.Where):
        yield where.this
    for join in tree.find_all(exp.Join):
        if join.args.get("on") is not None:
            yield join.args["on"]


def _bounds(tree: exp.Expression) -> Iterator[Bound]:
    """Comparisons that every row must pass: parts of a WHERE or ON joined by AND alone."""
    for condition in _conditions(tree):
        waiting = [condition]
        while waiting:
            node = waiting.pop().unnest()
            if isinstance(node, exp.And):
                waiting += [node.left, node.right]
            elif isinstance(node, exp.Between):
                yield from _bound(node.this, ">=", node.args["low"])
                yield from _bound(node.this, "<=", node.args["high"])
            elif type(node) in _OPERATORS:
                operator = _OPERATORS[type(node)]
                yield from _bound(node.left, operator, node.right)
                yield from _bound(node.right, _TURNED[operator], node.left)


def _bound(column: exp.Expression, operator: Operator, value: exp.Expression) -> Iterator[Bound]:
    if not isinstance(column, exp.Column):
        return
    name = column.name.lower()
    if isinstance(value, exp.Placeholder):
        yield Bound(name, operator, str(value.this), None)
    elif isinstance(value, exp.Literal) and not value.is_string:
        yield Bound(name, operator, None, float(value.name))
