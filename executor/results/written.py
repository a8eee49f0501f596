"""Results in files: written where a snippet ran, read where none ever does.

A directory holds Parquet files (a frame of Spark, in the order of its rows), or ``frame.arrow`` (a frame of pandas or
Arrow), or ``value.json`` (any other value: its canonical encoding with the floats apart, which is all that a judgement
needs). Columns are known by position. Reading executes nothing, and believes nothing but the data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import types as spark

from executor.results.local import Row, row_of
from executor.results.tables import FRAME_TYPES, LocalFrame, local_arrays, local_frame
from executor.results.types import arrow_class, spark_class
from snipbench.errors import UnhashableResult

FRAME, VALUE = "frame.arrow", "value.json"
SPARK_SCHEMA = b"org.apache.spark.sql.parquet.row.metadata"
HEIGHT = b"height"
BATCH_ROWS = 65_536


class Unreadable(Exception):
    """What was written is no result."""


@dataclass(frozen=True, slots=True)
class WrittenFrame:
    """A frame as it was written."""

    classes: tuple[str, ...]
    table: pa.Table
    height: int

    def local(self) -> LocalFrame:
        """All of it, as values of Python."""
        return self._local(self.table)

    def batches(self) -> Iterator[LocalFrame]:
        """Its rows in their order, some at a time."""
        for batch in self.table.to_batches(max_chunksize=BATCH_ROWS):
            yield self._local(batch)

    def _local(self, part: Any) -> LocalFrame:
        found = local_frame(part)
        height = found.height if found.columns else self.height
        return LocalFrame(found.names, self.classes, found.columns, height)


def write_local(value: Any, into: Path) -> None:
    """Write a value of Python to the new directory ``into``.

    Raises:
        UnhashableResult: for a value, or a part of one, without a defined hash.
    """
    if isinstance(value, FRAME_TYPES):
        arrays = [array for _, array in local_arrays(value)]
        height = value.num_rows if isinstance(value, (pa.Table, pa.RecordBatch)) else len(value)
        table = pa.Table.from_arrays(arrays, names=[f"c{position}" for position in range(len(arrays))])
        table = table.replace_schema_metadata({HEIGHT: str(height).encode()})
        into.mkdir()
        with pa.ipc.new_file(into / FRAME, table.schema) as writer:
            writer.write_table(table)
        return
    row = row_of(value)
    text = json.dumps({"exact": row.exact, "floats": [number.hex() for number in row.floats], "text": row.text})
    into.mkdir()
    (into / VALUE).write_text(text, encoding="ascii")


def read_written(directory: Path) -> WrittenFrame | Row:
    """What :func:`write_local` or Spark wrote.

    Raises:
        Unreadable: it is no such thing.
    """
    try:
        if (directory / VALUE).exists():
            return _value((directory / VALUE).read_text(encoding="ascii"))
        if (directory / FRAME).exists():
            with pa.ipc.open_file(directory / FRAME) as reader:
                table = reader.read_all()
            table.validate(full=True)
            height = int((table.schema.metadata or {})[HEIGHT]) if not table.num_columns else table.num_rows
            return WrittenFrame(tuple(arrow_class(field.type) for field in table.schema), table, height)
        return _parquet(sorted(directory.glob("*.parquet")))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException, UnhashableResult) as error:
        raise Unreadable(f"{type(error).__name__}: {error}"[:500]) from error


def _value(text: str) -> Row:
    found = json.loads(text)
    exact, shown = found["exact"], found["text"]
    if not isinstance(exact, str) or not isinstance(shown, str):
        raise TypeError("a value's encoding is a text")
    return Row(exact, [float.fromhex(number) for number in found["floats"]], shown)


def _parquet(files: list[Path]) -> WrittenFrame:
    if not files:
        raise Unreadable("nothing was written")
    parts = [pq.ParquetFile(path).read() for path in files]
    table = pa.concat_tables([part.replace_schema_metadata(None) for part in parts])
    table.validate(full=True)
    classes = [arrow_class(field.type) for field in table.schema]
    for position, declared in enumerate(_declared(parts[0].schema.metadata or {}, len(classes))):
        # Parquet has no lengths of time: Spark writes them as numbers.
        if declared == "duration" and classes[position] == "int":
            classes[position] = declared
            column = table.column(position).cast(pa.int64()).cast(pa.duration("us"))
            table = table.set_column(position, table.field(position).with_type(pa.duration("us")), column)
        elif declared == "months" and classes[position] == "int":
            classes[position] = declared
    return WrittenFrame(tuple(classes), table, table.num_rows)


def _declared(metadata: dict[bytes, bytes], columns: int) -> list[str]:
    """Classes by Spark's own schema in the file, as far as it says any."""
    text = metadata.get(SPARK_SCHEMA)
    if text is None:
        return []
    fields = spark.StructType.fromJson(json.loads(text)).fields
    return [spark_class(field.dataType) for field in fields] if len(fields) == columns else []
