"""Local frames (pandas, Arrow) as rows of values that ``executor.results.values`` encodes.

A frame is a result like one of SQL: its rows are a multiset, its columns count by position and class. Of a pandas
index, named levels are leading columns and unnamed ones are dropped, since a filter leaves an unnamed one behind. A NaN
in a pandas column is a missing value, as pandas itself has it and as Spark takes it from a pandas UDF; in an Arrow
table NaN is a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from executor.results.cells import Entries, Fields, Ticks, type_name
from executor.results.types import arrow_class
from snipbench.errors import UnhashableResult

FRAME_TYPES = (pd.DataFrame, pd.Series, pd.Index, pa.Table, pa.RecordBatch)


@dataclass(frozen=True, slots=True)
class LocalFrame:
    """Columns by position: names, classes, values."""

    names: tuple[str, ...]
    classes: tuple[str, ...]
    columns: tuple[list[Any], ...]
    height: int

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows, one tuple each; empty tuples if there is no column."""
        return zip(*self.columns, strict=True) if self.columns else iter([()] * self.height)


def local_frame(value: Any) -> LocalFrame:
    """One of :data:`FRAME_TYPES` by columns.

    :raises UnhashableResult: for a column of a type without a defined hash, naming the column.
    """
    names: list[str] = []
    classes: list[str] = []
    columns: list[list[Any]] = []
    for name, array in local_arrays(value):
        with _naming(value, name):
            classes.append(arrow_class(array.type))
            columns.append(python_values(array))
        names.append(name)
    height = value.num_rows if isinstance(value, (pa.Table, pa.RecordBatch)) else len(value)
    return LocalFrame(tuple(names), tuple(classes), tuple(columns), height)


def local_arrays(value: Any) -> Iterator[tuple[str, pa.Array]]:
    """The columns of one of :data:`FRAME_TYPES` by name, as Arrow has them.

    :raises UnhashableResult: for a column that Arrow cannot take, naming it.
    """
    for name, source in _named_columns(value):
        with _naming(value, str(name)):
            array = _arrow(source)
        yield str(name), array


@contextmanager
def _naming(value: Any, name: str) -> Iterator[None]:
    """What is wrong with a column says which it is."""
    try:
        yield
    except UnhashableResult as error:
        raise UnhashableResult(error.type_name, where=f"column {name}") from error
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise UnhashableResult(type_name(value), where=f"column {name}: {error}") from error


def _named_columns(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, (pa.Table, pa.RecordBatch)):
        return zip(value.column_names, value.columns, strict=True)
    if isinstance(value, pd.Index):
        return [(name, value.get_level_values(level)) for level, name in enumerate(value.names)]
    index = [(name, column) for name, column in _named_columns(value.index) if name is not None]
    if isinstance(value, pd.Series):
        return [*index, (value.name, value)]
    return [*index, *((name, value.iloc[:, i]) for i, name in enumerate(value.columns))]


def _arrow(source: Any) -> pa.Array:
    array = source if isinstance(source, (pa.Array, pa.ChunkedArray)) else pa.Array.from_pandas(source)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array


def python_values(array: pa.Array) -> list[Any]:
    """An Arrow array's values, in types that keep their class."""
    dtype = array.type
    if isinstance(dtype, pa.DictionaryType):
        return python_values(array.dictionary_decode())
    tag = _TIME_TAGS.get(arrow_class(dtype))
    if tag is not None:
        return _ticks(tag, array)
    if pa.types.is_nested(dtype):
        return _nested(array)
    values: list[Any] = array.cast(pa.float64()).to_pylist() if pa.types.is_float16(dtype) else array.to_pylist()
    return values


_TIME_TAGS = {"timestamp": "T", "timestamp_ntz": "Z", "time": "t", "duration": "u"}
_NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


def _ticks(tag: str, array: pa.Array) -> list[Any]:
    factor = _NANOSECONDS[array.type.unit]
    numbers = array.cast(pa.int32() if pa.types.is_time32(array.type) else pa.int64()).to_pylist()
    return [None if number is None else Ticks(tag, number * factor) for number in numbers]


def _nested(array: pa.Array) -> list[Any]:
    dtype = array.type
    valid = array.is_valid().to_pylist()
    if pa.types.is_struct(dtype):
        fields = [python_values(child) for child in array.flatten()]
        rows = zip(*fields, strict=True) if fields else iter([()] * len(array))
        return [Fields(row) if present else None for row, present in zip(rows, valid, strict=True)]
    if pa.types.is_map(dtype):
        pairs = list(zip(python_values(array.keys), python_values(array.items), strict=True))
        return [None if part is None else Entries(tuple(part)) for part in _parts(array, pairs, valid)]
    if pa.types.is_fixed_size_list(dtype):
        return _nested(array.cast(pa.list_(dtype.value_type)))
    return _parts(array, python_values(array.values), valid)


def _parts(array: pa.Array, items: list[Any], valid: list[bool]) -> list[Any]:
    """The items of each list of an Arrow list or map array."""
    offsets = array.offsets.to_pylist()
    return [items[offsets[i] : offsets[i + 1]] if valid[i] else None for i in range(len(array))]
