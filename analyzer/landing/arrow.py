"""Rows of a task -> Arrow tables of the lake's schemas, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from snipbench.errors import LakeError
from snipbench.lake.columns import Table

Row = Mapping[str, Any]


def arrow_table(table: Table, rows: Sequence[Row]) -> pa.Table:
    """Rows as an Arrow table of the table's schema.

    Raises:
        LakeError: a row has other columns than the table, a value of another type, or lacks one that must be there.
    """
    names = set(table.column_names)
    for row in rows:
        if row.keys() != names:
            raise LakeError(f"table {table.name}: columns {sorted(names ^ row.keys())} are missing or unknown")
    try:
        made = pa.Table.from_pylist([dict(row) for row in rows], schema=table.arrow_schema())
    except pa.ArrowException as error:
        raise LakeError(f"table {table.name}: {error}") from error
    check_complete(table, made)
    return made


def check_complete(table: Table, made: pa.Table) -> None:
    """LakeError where a column that is never null holds a null."""
    for column in table.columns:
        if not column.nullable and made.column(column.name).null_count:
            raise LakeError(f"table {table.name}: column {column.name} must not be null")
