"""Calls in Python code that may give another result each time: clocks, random numbers, ``limit`` without an order."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from orchestrator.orders.python_code import CodeProblem, parse_python
from orchestrator.orders.volatile_sql import CLOCKS, RANDOM, volatile_parts

_TIME = (
    "time time_ns perf_counter perf_counter_ns monotonic monotonic_ns process_time thread_time localtime gmtime ctime"
)
_CLOCK_CALLS = frozenset(
    [
        *(f"time.{name}" for name in _TIME.split(" ")),
        *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
        "datetime.date.today",
        *(f"pandas.Timestamp.{name}" for name in ("now", "utcnow", "today")),
        *(f"pyspark.sql.functions.{name}" for name in CLOCKS),
    ]
)
_RANDOM_CALLS = frozenset(
    ["uuid.uuid1", "uuid.uuid4", "os.urandom", *(f"pyspark.sql.functions.{name}" for name in RANDOM)]
)
_RANDOM_MODULES = ("random.", "numpy.random.", "secrets.")
_GENERATORS = frozenset({"random.Random", "numpy.random.default_rng", "numpy.random.RandomState"})
"""Random, but the same each time when made with a seed."""
_SEEDING = frozenset({"random.seed", "numpy.random.seed"})
_ORDERING = frozenset({"orderBy", "sort"})


def volatile_calls(text: str) -> tuple[CodeProblem, ...]:
    """What may differ from run to run, in the order of the text; nothing for a text that cannot be read."""
    module = parse_python(text)
    if isinstance(module, CodeProblem):
        return ()
    names = _imported_names(module)
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    ordered = any(isinstance(call.func, ast.Attribute) and call.func.attr in _ORDERING for call in calls)
    found = []
    for call in calls:
        message = _message(call, names, ordered=ordered)
        if message is not None:
            found.append(CodeProblem(call.lineno, call.col_offset + 1, message))
        found.extend(_embedded_sql(call))
    return tuple(sorted(found, key=lambda problem: (problem.line, problem.column)))


def _imported_names(module: ast.Module) -> dict[str, str]:
    """Name in the code -> what it stands for, such as ``F`` -> ``pyspark.sql.functions``."""
    names: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _message(call: ast.Call, names: dict[str, str], *, ordered: bool) -> str | None:
    function = _dotted(call.func, names)
    if function is None:
        limits = isinstance(call.func, ast.Attribute) and call.func.attr == "limit"
        return _unordered_limit(call) if limits and not ordered else None
    if function in _CLOCK_CALLS:
        return f"{function}() is a clock: its value differs from run to run"
    seeded = function in _SEEDING or (function in _GENERATORS and bool(call.args or call.keywords))
    if function in _RANDOM_CALLS or (function.startswith(_RANDOM_MODULES) and not seeded):
        return f"{function}() is a random value"
    return None


def _unordered_limit(call: ast.Call) -> str | None:
    return "limit() without orderBy(): which rows come is left to chance" if call.args or call.keywords else None


def _dotted(node: ast.expr, names: dict[str, str]) -> str | None:
    """``F.rand`` -> ``pyspark.sql.functions.rand``; ``None`` for what begins with no imported name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in names:
        return None
    return ".".join([names[node.id], *reversed(parts)])


def _embedded_sql(call: ast.Call) -> Iterator[CodeProblem]:
    """The same for a query that stands as a text in ``spark.sql("…")``."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "sql" and call.args):
        return
    query = call.args[0]
    if isinstance(query, ast.Constant) and isinstance(query.value, str):
        for problem in volatile_parts(query.value):
            yield CodeProblem(query.lineno, query.col_offset + 1, problem.message)
