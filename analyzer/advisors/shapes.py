"""Shapes of an experiment's tables, from what the leader kept of the reference database."""

from __future__ import annotations

import re

from analyzer.advisors.port import TableShape
from snipbench.domain.order import Experiment
from snipbench.records.table_facts import table_facts_from_document
from snipbench.store.port import DocumentStore

_SPARK_TYPES = {
    "smallint": "smallint",
    "integer": "int",
    "bigint": "bigint",
    "real": "float",
    "double precision": "double",
    "boolean": "boolean",
    "text": "string",
    "date": "date",
    "bytea": "binary",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamp",
}
_DECIMAL = re.compile(r"numeric\((\d+),(\d+)\)")


def table_shapes(store: DocumentStore, task_id: str, experiment: Experiment) -> tuple[TableShape, ...]:
    """Names and types of the columns of the experiment's tables, and how many rows they have: nothing of the rows.

    Empty where the task kept no facts.

    Raises:
        StoreError: the store is away.
    """
    document = store.get("table_facts", f"{task_id}:{experiment.name}")
    if document is None:
        return ()
    wanted = {table.name.lower() for table in experiment.tables}
    return tuple(
        TableShape(table.name, tuple((column.name, spark_type(column.type)) for column in table.columns), table.rows)
        for table in table_facts_from_document(document)
        if table.name.lower() in wanted
    )


def spark_type(postgres: str) -> str:
    """What Spark's JDBC reader makes of a PostgreSQL type; the type's own name where that is not sure."""
    decimal = _DECIMAL.fullmatch(postgres)
    if decimal and int(decimal[1]) <= 38:
        return f"decimal({decimal[1]},{decimal[2]})"
    return _SPARK_TYPES.get(postgres, postgres)
