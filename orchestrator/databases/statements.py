"""Questions and orders of the platform to a reference database, by its admin role."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from orchestrator.databases.port import Connection
from snipbench.domain.table_facts import ColumnFacts, TableFacts
from snipbench.errors import DatabaseError

if TYPE_CHECKING:
    import psycopg

PLUMBING = (
    "cluster_name",
    *("config_file", "data_directory", "hba_file", "ident_file", "listen_addresses", "port"),
    *("unix_socket_directories",),
)
"""Settings that differ from clone to clone and say nothing about how it behaves."""

NUMERIC = ("int2", "int4", "int8", "float4", "float8", "numeric")
"""Types whose histograms are kept."""
MAX_QUANTILES = 21
"""Bounds kept of a column's histogram: 5 % of the rows between two."""


@contextmanager
def _session(connection: Connection) -> Iterator[psycopg.Connection[Any]]:
    import psycopg

    try:
        with psycopg.connect(
            **connection.parameters, autocommit=True, connect_timeout=10, application_name="snipbench-platform"
        ) as session:
            yield session
    except psycopg.Error as error:
        raise DatabaseError(f"the reference database cannot be asked: {str(error).strip()}") from error


def cancel_backends(connection: Connection, application_name: str) -> int:
    """Cancel the statements running under an application name; their sessions stay.

    Returns:
        How many were told to stop.

    Raises:
        DatabaseError: the database cannot be reached.
    """
    with _session(connection) as session:
        rows = session.execute(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = %s AND state <> 'idle' AND pid <> pg_backend_pid()",
            (application_name,),
        ).fetchall()
    return sum(1 for (told,) in rows if told)


def table_facts(connection: Connection) -> tuple[TableFacts, ...]:
    """Tables of the user's schemas with their planner statistics, by schema and name.

    Raises:
        DatabaseError: the database cannot be reached.
    """
    with _session(connection) as session:
        tables = session.execute(
            "SELECT c.oid, n.nspname, c.relname, c.reltuples, pg_table_size(c.oid), pg_total_relation_size(c.oid)"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
            " ORDER BY 2, 3"
        ).fetchall()
        columns = session.execute(
            "SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), s.avg_width, s.null_frac, s.n_distinct"
            ", CASE WHEN a.atttypid = ANY (%s::regtype[]) THEN s.histogram_bounds::text::double precision[] END"
            " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
            " LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname"
            "  AND NOT s.inherited"
            " WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'm') ORDER BY a.attrelid, a.attnum",
            (list(NUMERIC),),
        ).fetchall()
    by_table: dict[int, list[ColumnFacts]] = {}
    for table, name, kind, width, nulls, distinct, bounds in columns:
        facts = ColumnFacts(name, kind, width, nulls, distinct, _quantiles(bounds or ()))
        by_table.setdefault(table, []).append(facts)
    return tuple(
        TableFacts(schema, name, None if rows < 0 else int(rows), size, total, tuple(by_table.get(oid, ())))
        for oid, schema, name, rows, size, total in tables
    )


def _quantiles(bounds: Sequence[float]) -> tuple[float, ...]:
    """A histogram's bounds thinned to at most ``MAX_QUANTILES``, first and last kept; none if one is not finite."""
    if not all(math.isfinite(bound) for bound in bounds):
        return ()
    if len(bounds) <= MAX_QUANTILES:
        return tuple(bounds)
    last = len(bounds) - 1
    return tuple(bounds[round(step * last / (MAX_QUANTILES - 1))] for step in range(MAX_QUANTILES))


def changed_settings(session: psycopg.Connection[Any]) -> tuple[tuple[str, str], ...]:
    """Settings that are not PostgreSQL's own defaults, with their units, by name."""
    rows = session.execute(
        "SELECT name, current_setting(name) FROM pg_settings"
        " WHERE source IN ('configuration file', 'command line', 'environment variable', 'database', 'global')"
        " AND setting IS DISTINCT FROM boot_val AND name <> ALL (%s) ORDER BY name",
        (list(PLUMBING),),
    ).fetchall()
    return tuple((str(name), str(value)) for name, value in rows)


def touch(connection: Connection, tables: Sequence[str] | None) -> None:
    """Have the server open the files of tables (None: all of the user's), their indexes and TOAST for the first time.

    Planning a query over a table asks for the length of it and of its indexes, which opens every segment. That is
    enough where opening is what costs: an overlay copies a file up when it is opened for writing, as PostgreSQL does.

    Raises:
        DatabaseError: a table is not there, or the database cannot be reached.
    """
    from psycopg import sql

    with _session(connection) as session:
        if tables is None:
            rows = session.execute(
                "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE c.relkind IN ('r', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
            ).fetchall()
            names: list[sql.Composable] = [sql.SQL(name) for (name,) in rows]
        else:
            names = [sql.Identifier(table) for table in tables]
        for name in names:
            plan = session.execute(sql.SQL("EXPLAIN (FORMAT JSON, VERBOSE) SELECT * FROM {}").format(name)).fetchone()
            assert plan is not None
            for schema, table in _relations(plan[0]):
                for (toast,) in session.execute(
                    "SELECT reltoastrelid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                    " WHERE n.nspname = %s AND c.relname = %s AND reltoastrelid <> 0",
                    (schema, table),
                ).fetchall():
                    session.execute(sql.SQL("EXPLAIN SELECT * FROM {}").format(sql.SQL(toast)))


def _relations(plan: Any) -> set[tuple[str, str]]:
    """Schema and name of the tables in a plan in JSON form."""
    if isinstance(plan, list):
        return {relation for part in plan for relation in _relations(part)}
    if not isinstance(plan, dict):
        return set()
    here = {(plan["Schema"], plan["Relation Name"])} if "Relation Name" in plan else set()
    return here.union(*(_relations(part) for part in plan.values()))
