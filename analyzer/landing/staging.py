"""A task's rows as Parquet files in a scratch folder, one folder per table: what Spark reads to write Delta."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from analyzer.landing import derived_rows, learned_rows, measured_rows, profiled_rows, received_rows
from analyzer.landing.arrow import Row, arrow_table, check_complete
from analyzer.landing.samples import sample_batches
from analyzer.material import TaskMaterial, load_material
from snipbench.domain.run import Run
from snipbench.errors import LakeError
from snipbench.lake.tables import TABLES, table_of
from snipbench.store.port import DocumentStore

ROWS: dict[str, Callable[[TaskMaterial], Iterable[Row]]] = {
    "orders": received_rows.orders,
    "tasks": received_rows.tasks,
    "experiments": received_rows.experiments,
    "snippets": received_rows.snippets,
    "environments": received_rows.environments,
    "events": received_rows.events,
    "runs": measured_rows.runs,
    "attempts": measured_rows.attempts,
    "run_metrics": measured_rows.run_metrics,
    "summaries": derived_rows.summaries,
    "comparisons": derived_rows.comparisons,
}
"""Tables that are made from a task's own documents, samples apart."""

LEARNED: dict[str, Callable[[DocumentStore, str], Iterable[Row]]] = {
    "features": learned_rows.features,
    "models": learned_rows.models,
    "predictions": learned_rows.predictions,
    "suggestions": learned_rows.suggestions,
    "verifications": learned_rows.verifications,
    "functions": profiled_rows.functions,
}
"""Tables that are made from what the task's analyses and profile passes wrote."""

FILE_ROWS = 500_000
"""Rows of a staged file, so that a big table is written by several tasks of Spark."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A table's rows of one task. ``directory`` holds Parquet files; with no rows it holds one empty file."""

    table: str
    directory: Path
    rows: int


def stage_task(store: DocumentStore, task_id: str, directory: Path, extra: Mapping[str, Path]) -> tuple[Staged, ...]:
    """Write all rows of a task.

    Args:
        store: where the task is.
        task_id: whose rows.
        directory: an empty folder.
        extra: Parquet file or folder of further tables (``function_calls``, …), which are
            not made from the store's documents; their rows must be the task's.

    Raises:
        LakeError: rows do not fit their table.
        UsageError: the task, or a table of ``extra``, does not exist.
    """
    material = load_material(store, task_id)
    staged = [_write(name, [arrow_table(TABLES[name], list(rows(material)))], directory) for name, rows in ROWS.items()]
    staged += [
        _write(name, [arrow_table(TABLES[name], list(rows(store, task_id)))], directory)
        for name, rows in LEARNED.items()
    ]
    staged.append(stage_samples(store, task_id, material.runs, directory))
    staged += [_write(name, [_extra(name, path, task_id)], directory) for name, path in extra.items()]
    return tuple(staged)


def stage_samples(store: DocumentStore, task_id: str, runs: Sequence[Run], directory: Path) -> Staged:
    """Write the samples of a task; see :func:`stage_task` and :func:`analyzer.landing.samples.sample_batches`."""
    return _write("samples", sample_batches(store, task_id, runs), directory)


def _write(name: str, tables: Iterable[pa.Table], directory: Path) -> Staged:
    schema = table_of(name).arrow_schema()
    folder = directory / name
    folder.mkdir()
    rows, part, writer = 0, 0, None
    for table in tables:
        if writer is None:
            writer = pq.ParquetWriter(folder / f"{part}.parquet", schema)
        writer.write_table(table)
        rows += table.num_rows
        if rows >= (part + 1) * FILE_ROWS:
            writer.close()
            part, writer = part + 1, None
    if writer is not None:
        writer.close()
    elif rows == 0:
        pq.write_table(schema.empty_table(), folder / "0.parquet")
    return Staged(name, folder, rows)


def _extra(name: str, path: Path, task_id: str) -> pa.Table:
    table = table_of(name)
    if name in ROWS or name in LEARNED or name == "samples":
        raise LakeError(f"table {name} is made from the store's documents and cannot be given")
    try:
        made = pq.read_table(path).select(list(table.column_names)).cast(table.arrow_schema())
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise LakeError(f"table {name}: {path} does not have its columns: {error}") from error
    check_complete(table, made)
    if set(made.column("task_id").unique().to_pylist()) - {task_id}:
        raise LakeError(f"table {name}: {path} has rows of another task than {task_id}")
    return made
