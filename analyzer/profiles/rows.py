"""Calls as rows of the lake's table ``function_calls``, made column by column."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analyzer.profiles.calls import NUMBER_BITS, Calls
from snipbench.lake.tables import TABLES

_NUMBER = (1 << NUMBER_BITS) - 1


def call_rows(calls: Calls, most: int) -> pa.Table:
    """The calls that began first, ``most`` at most, as a table of the lake's schema.

    Values are those that :func:`snipbench.profiling.rows.to_rows` gives.
    """
    schema = TABLES["function_calls"].arrow_schema()
    kept = np.argsort(calls.start, kind="stable")[:most]
    if not len(kept):
        return schema.empty_table()
    batches = calls.batches
    of_batch = calls.batch[kept]
    functions = calls.functions
    of_function = calls.function[kept]

    def shared(name: str) -> pa.Array:
        return _taken([getattr(batch, name) for batch in batches], of_batch, schema.field(_NAMES.get(name, name)).type)

    def told(name: str, column: str) -> pa.Array:
        return _taken([getattr(function, name) for function in functions], of_function, schema.field(column).type)

    seen = [calls.observed.get(place) for place in kept.tolist()]

    def observed(name: str, column: str) -> pa.Array:
        values = [None if found is None else getattr(found, name) for found in seen]
        return pa.array(values, schema.field(column).type)

    columns = {
        "ingestion_date": pa.array([datetime.now(UTC).date()] * len(kept), pa.date32()),
        "thread_id": shared("thread_id"),
        "process_id": shared("process_id"),
        "unique_app_id": shared("app_id"),
        "class_name": told("class_name", "class_name"),
        "function_name": told("function_name", "function_name"),
        "execution_time": pa.array(calls.seconds[kept]),
        "start_time": _instants(calls.start[kept]),
        "end_time": _instants(calls.end[kept]),
        "memory_usage": observed("memory_bytes", "memory_usage"),
        "cpu_usage": observed("cpu_seconds", "cpu_usage"),
        "recursion_limit": shared("recursion_limit"),
        "arguments": observed("arguments", "arguments"),
        "keyword_arguments": observed("keyword_arguments", "keyword_arguments"),
        "return_value": observed("return_value", "return_value"),
        "source_code_compressed": told("source_compressed", "source_code_compressed"),
        "source_code_md5_hash": told("source_md5", "source_code_md5_hash"),
        "call_id": pa.array(_names(calls.tokens, calls.call[kept]), pa.string()),
        "parent_id": pa.array(_names(calls.tokens, calls.parent[kept]), pa.string()),
        "exception": observed("exception", "exception"),
        "task_id": shared("task_id"),
        "slot_id": shared("slot_id"),
    }
    return pa.table([columns[name] for name in schema.names], schema=schema)


_NAMES = {"app_id": "unique_app_id"}


def _taken(values: Sequence[Any], places: NDArray[np.int64], kind: pa.DataType) -> pa.Array:
    return pa.array(values, kind).take(pa.array(places))


def _instants(seconds: NDArray[np.float64]) -> pa.Array:
    microseconds = np.rint(seconds * 1e6).astype(np.int64)
    return pa.array(microseconds).cast(pa.timestamp("us", tz="UTC"))


def _names(tokens: Sequence[str], ids: NDArray[np.int64]) -> list[str | None]:
    return [f"{tokens[found >> NUMBER_BITS]}-{found & _NUMBER}" if found else None for found in ids.tolist()]
