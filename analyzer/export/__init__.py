"""A task's rows of one table, written to a path or an object-store URL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from analyzer.addresses import opened
from analyzer.export.foreign import bencher_json, pyperf_json
from analyzer.export.plain import write_csv, write_json, write_markdown, write_parquet
from snipbench.errors import LakeError, UsageError
from snipbench.lake.reader import task_rows

PLAIN: dict[str, Callable[[pa.Table, BinaryIO], None]] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "json": write_json,
    "markdown": write_markdown,
}
"""Formats that take any table."""
FOREIGN: dict[str, tuple[str, Callable[[Path, str], bytes]]] = {
    "pyperf": ("runs", pyperf_json),
    "bencher": ("summaries", bencher_json),
}
"""Formats of other tools, with the table that they are made from."""
FORMATS = (*PLAIN, *FOREIGN)


def export(lake: Path, task_id: str, table: str, form: str, to: str) -> int:
    """Write a task's rows and return how many there were.

    Args:
        lake: folder of the tables.
        task_id: whose rows.
        table: table's name; ``pyperf`` and ``bencher`` are always made from the runs.
        form: one of :data:`FORMATS`.
        to: what :func:`analyzer.addresses.opened` takes.

    Raises:
        UsageError: no such table or format, no rows of the task, or ``to`` cannot be written.
        LakeError: the table cannot be read.
    """
    if form not in FORMATS:
        raise UsageError(f"there is no format {form!r}; there are {', '.join(FORMATS)}")
    if form in FOREIGN and table not in {"runs", "summaries"}:
        raise UsageError(f"format {form} is made from the runs, not from table {table!r}")
    source = FOREIGN[form][0] if form in FOREIGN else table
    found = task_rows(lake, source, task_id)
    if found.num_rows == 0 and task_rows(lake, "tasks", task_id).num_rows == 0:
        raise UsageError(f"task {task_id} is not in the lake")
    try:
        with opened(to) as file:
            if form in FOREIGN:
                file.write(FOREIGN[form][1](lake, task_id))
            else:
                PLAIN[form](found, file)
    except (OSError, ValueError, ImportError) as error:
        raise UsageError(f"cannot write to {to}: {error}") from error
    except pa.ArrowException as error:
        raise LakeError(f"table {source} cannot be written as {form}: {error}") from error
    return int(found.num_rows)
