"""Delta tables as Arrow, through ``deltalake``: no JVM. A table that nobody wrote yet is an empty one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snipbench.errors import LakeError
from snipbench.lake.columns import Table
from snipbench.lake.tables import table_of

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds


def open_table(lake: Path, name: str) -> ds.Dataset:
    """The table as an Arrow dataset of the lake's schema; filters reach the files.

    Raises:
        UsageError: there is no table of that name; the message lists those there are.
        LakeError: the table cannot be read.
    """
    import pyarrow.dataset as ds
    from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

    table = table_of(name)
    schema = table.arrow_schema()
    delta = _delta(lake, name)
    if delta is None:
        return ds.dataset(schema.empty_table())
    from deltalake.exceptions import DeltaError

    try:
        # Arrow's own: deltalake's is Python, which Arrow's threads would still call while the interpreter ends.
        found = delta.to_pyarrow_dataset(filesystem=SubTreeFileSystem(str(lake / name), LocalFileSystem()))
    except DeltaError as error:
        raise LakeError(f"table {name} cannot be read: {error}") from error
    # Written by an earlier version: what it did not know yet is null.
    return found if found.schema.names == schema.names else ds.dataset(_completed(found.to_table(), table))


def task_rows(lake: Path, name: str, task_id: str) -> pa.Table:
    """The rows of one task, in the columns' order.

    Raises:
        UsageError: there is no table of that name.
        LakeError: the table cannot be read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        rows = open_table(lake, name).to_table(filter=pc.field("task_id") == task_id)
        return rows.cast(table_of(name).arrow_schema())
    except (pa.ArrowException, OSError) as error:
        raise LakeError(f"table {name} cannot be read: {error}") from error


def has_task(lake: Path, name: str, task_id: str) -> bool:
    """Whether the table holds rows of the task. Reads the log only.

    Raises:
        LakeError: the table cannot be read.
    """
    delta = _delta(lake, name)
    return delta is not None and {"task_id": task_id} in delta.partitions()


def _delta(lake: Path, name: str) -> Any:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    path = lake / name
    if not path.is_dir():
        return None
    try:
        return DeltaTable(str(path))
    except TableNotFoundError:
        return None
    except DeltaError as error:
        raise LakeError(f"table {name} cannot be read: {error}") from error


def _completed(found: pa.Table, table: Table) -> pa.Table:
    import pyarrow as pa

    schema = table.arrow_schema()
    columns: Sequence[Any] = [
        found.column(field.name) if field.name in found.column_names else pa.nulls(found.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, names=schema.names)
