"""SQL over the lake's tables without a JVM: DuckDB over Delta. Only reading statements, only the lake's tables."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snipbench.clock import to_text
from snipbench.errors import UsageError
from snipbench.lake.delta import has_task, open_table, task_rows
from snipbench.lake.kept import KeptQuery, kept_queries, kept_query
from snipbench.lake.tables import TABLES, VIEWS

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

__all__ = ["KeptQuery", "has_task", "kept_queries", "open_table", "query", "rows", "run_kept", "task_rows"]

Value = int | float | str | bool

_LITERALS_OR_PARAMETER = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | (?<![\w:\])]):(?P<name>[A-Za-z_]\w*)""",
    re.VERBOSE | re.DOTALL,
)


def query(lake: Path, sql: str, parameters: Mapping[str, Value] | None = None) -> pa.Table:
    """Answer one SELECT over the tables and views of ``docs/lake.md``.

    Args:
        lake: folder of the tables; one that nobody wrote yet counts as empty.
        sql: the statement; ``:name`` takes a parameter, bound, never pasted.
        parameters: a value for each ``:name``.

    Raises:
        UsageError: not one reading statement, a mistake in it, an unknown table, a parameter too few or too many.
        LakeError: a table cannot be read.
    """
    import duckdb

    statement, names = _bound(sql)
    given = dict(parameters or {})
    if names != given.keys():
        wrong = ", ".join(sorted(names ^ given.keys()))
        raise UsageError(f"the query takes the parameters {', '.join(sorted(names)) or 'none'}; look at {wrong}")
    with duckdb.connect() as connection:
        try:
            _check_reading(connection, statement)
            connection.execute("SET enable_external_access = false")
            connection.execute("SET TimeZone = 'UTC'")
            _register(connection, lake, _mentioned(sql))
            connection.execute("SET lock_configuration = true")
            return connection.sql(statement, params=given).to_arrow_table()
        except duckdb.Error as error:
            raise UsageError(f"{error}\nthe tables are {', '.join((*TABLES, *VIEWS))}") from error


def run_kept(lake: Path, name: str, parameters: Mapping[str, Value] | None = None) -> pa.Table:
    """Answer a kept query; parameters that are not given take their defaults.

    Raises:
        UsageError: there is no such query, or it has no such parameter.
    """
    kept = kept_query(name)
    given = dict(parameters or {})
    unknown = given.keys() - kept.defaults.keys()
    if unknown:
        valid = ", ".join(kept.defaults) or "none"
        raise UsageError(f"query {name} has no parameter {', '.join(sorted(unknown))}; it has {valid}")
    return query(lake, kept.sql, {**kept.defaults, **given})


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows that JSON can take: instants as ISO text, bytes as hexadecimal digits, numbers that are none as null."""
    return [{name: _plain(value) for name, value in row.items()} for row in table.to_pylist()]


def _bound(sql: str) -> tuple[str, frozenset[str]]:
    """``:name`` -> DuckDB's ``$name``, outside of texts and comments; and the names."""
    names: set[str] = set()

    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return match[0]
        names.add(name)
        return f"${name}"

    return _LITERALS_OR_PARAMETER.sub(replace, sql), frozenset(names)


def _check_reading(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    import duckdb

    statements = connection.extract_statements(statement)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise UsageError("a query is one SELECT (or WITH … SELECT) statement; the lake is only read")


def _mentioned(sql: str) -> set[str]:
    """Tables and views whose name stands anywhere in the statement."""
    words = {word.lower() for word in re.findall(r"\w+", sql)}
    return words & (TABLES.keys() | VIEWS.keys())


def _register(connection: duckdb.DuckDBPyConnection, lake: Path, names: set[str]) -> None:
    """Open what is mentioned, and the tables that mentioned views read."""
    views = {name: VIEWS[name][1] for name in names & VIEWS.keys()}
    tables = (names - views.keys()).union(*(_mentioned(sql) & TABLES.keys() for sql in views.values()))
    for name in sorted(tables):
        connection.register(name, open_table(lake, name))
    for name, sql in views.items():
        connection.execute(f"CREATE TEMP VIEW {name} AS {sql}")


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> bool | int | float | str | None:
    match value:
        case datetime():
            return to_text(value) if value.tzinfo else value.isoformat()
        case bytes():
            return value.hex()
        case float() if not math.isfinite(value):
            return None
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)
