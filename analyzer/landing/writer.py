"""Staged rows -> Delta tables, through delta-spark. Writing a task again replaces its rows, each table atomically."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql.types import StructType

from analyzer.landing.staging import Staged
from snipbench.errors import LakeError
from snipbench.lake.reader import has_task
from snipbench.lake.tables import TABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

THREADS = 4
"""Tables written at once; most of a small write is waiting for the driver's one thread per statement."""


def write_all(spark: SparkSession, lake: Path, task_id: str, staged: Sequence[Staged]) -> None:
    """Make the lake's rows of the task what is staged.

    Tables that hold rows of the task already are replaced in their partition of the task; a table that neither has
    nor gets rows of it is left alone.

    Raises:
        LakeError: a table could not be written. Others may have been; landing again completes them.
    """
    largest_first = sorted(staged, key=lambda found: -found.rows)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="landing") as pool:
        pending = [pool.submit(_write, spark, lake, task_id, found) for found in largest_first]
    errors = [error for written in pending if (error := written.exception()) is not None]
    for error in errors:
        if not isinstance(error, LakeError):
            raise error
    if errors:
        raise LakeError("\n".join(str(error) for error in errors)) from errors[0]


def _write(spark: SparkSession, lake: Path, task_id: str, staged: Staged) -> None:
    with _only_writer(lake, staged.table):
        present = has_task(lake, staged.table, task_id)
        if not present and staged.rows == 0:
            return
        schema = StructType.fromJson(TABLES[staged.table].spark_json())
        frame = spark.read.schema(schema).parquet(str(staged.directory))
        writer = frame.write.format("delta").partitionBy("task_id").option("mergeSchema", "true")
        if present:
            quoted = task_id.replace("'", "''")
            writer = writer.mode("overwrite").option("replaceWhere", f"task_id = '{quoted}'")
        else:
            # Nothing to replace: an append need not look at the files that are there.
            writer = writer.mode("append")
        try:
            writer.save(str(lake / staged.table))
        except (PySparkException, Py4JError) as error:
            raise LakeError(f"table {staged.table} could not be written: {_first_line(error)}") from error


@contextmanager
def _only_writer(lake: Path, table: str) -> Iterator[None]:
    """Hold the table's lock; another landing waits. The system lets go of it when the process ends."""
    locks = lake / "_locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / table).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _first_line(error: Exception) -> str:
    """What happened, without Java's stack, which follows in lines of its own."""
    cause = getattr(error, "java_exception", None)
    return str(cause if cause is not None else error).strip().partition("\n")[0]
