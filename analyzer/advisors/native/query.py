"""A Python UDF with its input -> one query that computes the same in the JVM."""

from __future__ import annotations

from analyzer.advisors.native.expressions import Translator
from analyzer.advisors.native.module import read_module
from analyzer.advisors.native.statements import Paths
from analyzer.advisors.native.values import PythonType, Refused, Value

_COLUMN_TYPES: dict[str, tuple[PythonType, str, int]] = {
    "tinyint": (PythonType.INT, "cast({} as bigint)", 2**7),
    "smallint": (PythonType.INT, "cast({} as bigint)", 2**15),
    "int": (PythonType.INT, "cast({} as bigint)", 2**31),
    "bigint": (PythonType.INT, "{}", 2**63),
    "float": (PythonType.FLOAT, "cast({} as double)", 0),
    "double": (PythonType.FLOAT, "{}", 0),
    "string": (PythonType.TEXT, "{}", 0),
    "boolean": (PythonType.BOOL, "{}", 0),
}
"""Spark SQL type -> what Python gets, the SQL for it, the largest magnitude."""
_RETURNED: dict[str, PythonType] = {name: entry[0] for name, entry in _COLUMN_TYPES.items()}
_ALIASES = {"byte": "tinyint", "short": "smallint", "integer": "int", "long": "bigint", "real": "float"}


def native_query(code: str, entry: str, query: str, columns: tuple[str, ...], returns: str) -> str:
    """The UDF over its input as one SQL statement with one column, ``result``.

    Args:
        code: the snippet, a function of one row's values.
        entry: the function's name.
        query: the snippet's input.
        columns: Spark SQL types of the input's columns.
        returns: the UDF's declared type.

    Raises:
        Refused: the function cannot be translated for sure.
    """
    module = read_module(code, entry)
    if len(module.arguments) != len(columns):
        raise Refused("another number of parameters than the input has columns")
    declared = returns.strip().lower()
    declared = _ALIASES.get(declared, declared)
    names = [f"argument_{place}" for place in range(1, len(columns) + 1)]
    values = {
        argument: _column(name, type_name)
        for argument, name, type_name in zip(module.arguments, names, columns, strict=True)
    }
    result = Paths(Translator(module)).result(module.function.body, values)
    if result.type is not _RETURNED.get(declared):
        # Spark makes NULL of a value whose Python type is not the declared one; nobody wants that in SQL.
        raise Refused(f"a result of type {result.type.value} where {returns} is declared")
    inner = query.strip().rstrip(";").rstrip()
    return f"select cast({result.sql} as {declared}) as result\nfrom (\n{inner}\n) as source({', '.join(names)})\n"


def _column(name: str, type_name: str) -> Value:
    lowered = type_name.strip().lower()
    known = _COLUMN_TYPES.get(_ALIASES.get(lowered, lowered))
    if known is None:
        raise Refused(f"a column of type {type_name}")
    kind, sql, bound = known
    return Value(sql.format(name), kind, bound)
