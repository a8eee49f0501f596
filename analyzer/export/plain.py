"""Formats that take any table: CSV, Parquet, JSON, Markdown."""

from __future__ import annotations

import json
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from snipbench.lake.reader import rows


def write_csv(table: pa.Table, file: BinaryIO) -> None:
    """Header line, then rows; null is empty, text is quoted, bytes are hexadecimal digits, instants are UTC."""
    columns = [_text_of_bytes(column) if pa.types.is_binary(column.type) else column for column in table.columns]
    csv.write_csv(pa.table(columns, names=table.column_names), file)


def write_parquet(table: pa.Table, file: BinaryIO) -> None:
    """With the lake's types."""
    pq.write_table(table, file)


def write_json(table: pa.Table, file: BinaryIO) -> None:
    """A list of objects."""
    file.write(json.dumps(rows(table), ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n")


def write_markdown(table: pa.Table, file: BinaryIO) -> None:
    """A table; null is empty."""
    lines = [table.column_names, ["---"] * table.num_columns]
    lines += [[_cell(value) for value in row.values()] for row in rows(table)]
    file.write("".join(f"| {' | '.join(line)} |\n" for line in lines).encode())


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\r", "").replace("\n", "<br>")


def _text_of_bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([[None if value is None else value.hex() for value in column.to_pylist()]], pa.string())
