"""A result written as data, for another process to judge: typed, and with nothing in it that is executed on reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.types import NullType

from executor.results.frames import by_position, renamed
from executor.results.written import write_local


def write_result(result: Any, into: Path) -> None:
    """Write a frame of Spark as Parquet, any other value in the form of :mod:`executor.results.written`.

    ``into`` is a new directory. Columns and fields are named by position, since names of a result may repeat.

    Raises:
        UnhashableResult: of a type that no result may have.
        Exception: what the frame's own execution raises.
    """
    if not isinstance(result, DataFrame):
        write_local(result, into)
        return
    columns = [
        (column.cast("boolean") if isinstance(dtype, NullType) else column).alias(f"c{position}")
        for position, (column, dtype) in enumerate(by_position(result))
    ]
    renamed(result).select(*columns).write.option("compression", "none").parquet(str(into))
