"""Relations of DataFrame code, by its syntax tree: the calls of ``def run(spark, **parameters) -> DataFrame``."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from analyzer.models.relations import COUNTS, Bound, Operator, Relations

_METHODS: dict[str, frozenset[str]] = {
    "rel_joins": frozenset({"join", "crossJoin"}),
    "rel_group_by": frozenset({"groupBy", "groupby", "rollup", "cube"}),
    "rel_windows": frozenset({"over"}),
    "rel_order_by": frozenset({"orderBy", "sort", "sortWithinPartitions"}),
    "rel_distinct": frozenset({"distinct", "dropDuplicates", "drop_duplicates", "countDistinct", "count_distinct"}),
    "rel_unions": frozenset({"union", "unionAll", "unionByName", "intersect", "subtract", "exceptAll"}),
    "rel_limits": frozenset({"limit"}),
    "rel_cases": frozenset({"when"}),
    "rel_casts": frozenset({"cast", "astype"}),
    "rel_aggregates": frozenset(
        {"sum", "avg", "mean", "min", "max", "count", "countDistinct", "count_distinct", "collect_list", "collect_set"}
    ),
    "rel_string_functions": frozenset(
        {"lower", "upper", "trim", "ltrim", "rtrim", "concat", "concat_ws", "substring", "substr", "replace"}
        | {"translate", "split", "length", "levenshtein", "md5", "sha1", "sha2"}
    ),
    "rel_regex": frozenset({"rlike", "regexp_replace", "regexp_extract", "split"}),
}
_OPERATORS: dict[type[ast.cmpop], Operator] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "="}
_TURNED: dict[Operator, Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
_PLAIN = frozenset({"col", "column", "lit", "alias", "table", "select", "where", "filter", "withColumn", "agg"})


def frame_relations(code: str, parameters: frozenset[str]) -> Relations | None:
    """What the code does to tables; ``None`` where it cannot be parsed.

    ``parameters`` are the names that the entry function takes as parameters of the experiment.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return None
    nodes = list(ast.walk(tree))
    called = [node.func.attr for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    tables = tuple(_tables(nodes))
    bounds, read = [], set()
    for comparison in _sure_comparisons(nodes):
        for bound in _bound(comparison, parameters):
            bounds.append(bound)
            read.add(bound.parameter)
    found: dict[str, float] = {name: sum(method in methods for method in called) for name, methods in _METHODS.items()}
    found |= {
        "rel_tables": len(tables),
        "rel_group_keys": sum(len(call.args) for call in _calls(nodes, _METHODS["rel_group_by"])),
        "rel_subqueries": 0,
        "rel_conditions": sum(isinstance(node, ast.Compare) for node in nodes) + called.count("between"),
        "rel_expressions": sum(isinstance(node, ast.BinOp | ast.Compare) for node in nodes),
        "rel_functions": sum(
            name not in _PLAIN and name not in _METHODS["rel_joins"] | _METHODS["rel_group_by"] for name in called
        ),
    }
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return Relations(
        counts={name: float(found[name]) for name in COUNTS},
        tables=tables,
        columns=frozenset(
            node.value.lower() for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ),
        bounds=tuple(bounds),
        unread_parameters=frozenset((names & parameters) - read),
    )


def _calls(nodes: list[ast.AST], methods: frozenset[str]) -> Iterator[ast.Call]:
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in methods:
            yield node


def _tables(nodes: list[ast.AST]) -> Iterator[str]:
    for call in _calls(nodes, frozenset({"table"})):
        if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str):
            yield call.args[0].value.lower()


def _sure_comparisons(nodes: list[ast.AST]) -> Iterator[ast.Compare]:
    """Comparisons in ``where`` and ``filter`` that stand alone or are joined by ``&``."""
    for call in _calls(nodes, frozenset({"where", "filter"})):
        waiting: list[ast.expr] = list(call.args)
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd):
                waiting += [node.left, node.right]
            elif isinstance(node, ast.Compare) and len(node.ops) == 1:
                yield node


def _bound(node: ast.Compare, parameters: frozenset[str]) -> Iterator[Bound]:
    operator = _OPERATORS.get(type(node.ops[0]))
    if operator is None:
        return
    for column, value, turned in (
        (node.left, node.comparators[0], operator),
        (node.comparators[0], node.left, _TURNED[operator]),
    ):
        name = _column(column)
        if name is None:
            continue
        if isinstance(value, ast.Name) and value.id in parameters:
            yield Bound(name, turned, value.id, None)
        elif isinstance(value, ast.Constant) and isinstance(value.value, int | float):
            yield Bound(name, turned, None, float(value.value))


def _column(node: ast.expr) -> str | None:
    """Name of the column that ``col("x")``, ``f.col("x")``, ``frame["x"]`` or ``frame.x`` stands for."""
    if isinstance(node, ast.Call) and len(node.args) == 1:
        function = node.func
        called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
        return _text(node.args[0]) if called in {"col", "column"} else None
    if isinstance(node, ast.Subscript):
        return _text(node.slice)
    return node.attr.lower() if isinstance(node, ast.Attribute) else None


def _text(node: ast.expr) -> str | None:
    return node.value.lower() if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
