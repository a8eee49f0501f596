"""The classes of types that a result hash knows: which types count as the same, and what makes two values equal.

A *class* is the part of a column's type that belongs to its result: ``int`` for every width of integer, ``array<int>``
for an array of them. Storage (width, precision, scale, names of columns and fields) does not belong to it, because two
forms of one computation rarely agree on that. ``docs/results.md`` shows this table; a test keeps it current.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import types as spark

from snipbench.errors import UnhashableResult


@dataclass(frozen=True, slots=True)
class TypeClass:
    """One row of the table. ``tag`` opens the canonical encoding of each value of the class."""

    name: str
    tag: str
    spark_types: str
    local_types: str
    rule: str


TABLE: tuple[TypeClass, ...] = (
    TypeClass("null", "N", "void", "None, pandas.NA, NaT; Arrow null", "NULL equals only NULL, whatever its column"),
    TypeClass("boolean", "b", "boolean", "bool, numpy.bool_", "not an integer"),
    TypeClass(
        "int",
        "i",
        "tinyint, smallint, int, bigint",
        "int, numpy and Arrow integers of every width, signed or not",
        "by value: INT 1 equals BIGINT 1; not equal to a decimal or a float",
    ),
    TypeClass(
        "decimal",
        "d",
        "decimal(p,s)",
        "Decimal, Arrow decimals",
        "by value: 1.50 equals 1.5000; 1.50 differs from 1.5 only in storage, 1.505 and 1.51 differ",
    ),
    TypeClass(
        "float",
        "f",
        "float, double",
        "float, numpy and Arrow floats",
        "widened exactly to double: float 0.5 equals double 0.5, float 0.1 differs from double 0.1; -0.0 equals 0.0; "
        "there is one NaN, equal to itself and different from NULL",
    ),
    TypeClass(
        "string",
        "s",
        "string, char(n), varchar(n), any collation",
        "str, categoricals of them",
        "exact bytes of its UTF-8: case and trailing spaces count, so a padded char(n) differs from its trimmed text",
    ),
    TypeClass("binary", "x", "binary", "bytes, bytearray, memoryview", "exact bytes; never equal to a string"),
    TypeClass("date", "D", "date", "date", "by day"),
    TypeClass(
        "timestamp",
        "T",
        "timestamp",
        "datetime with a zone",
        "an instant in microseconds since 1970 UTC: the same instant in two zones is equal; the session's zone is "
        "without influence",
    ),
    TypeClass(
        "timestamp_ntz",
        "Z",
        "timestamp_ntz",
        "datetime without a zone, numpy.datetime64",
        "a wall clock's reading; never equal to an instant",
    ),
    TypeClass(
        "time",
        "t",
        "time (where Spark has it turned on)",
        "time without a zone, Arrow times",
        "microseconds since midnight",
    ),
    TypeClass(
        "duration", "u", "interval day to second (any part)", "timedelta, numpy.timedelta64", "exact microseconds"
    ),
    TypeClass("months", "m", "interval year to month (any part)", "none", "whole months"),
    TypeClass("complex", "c", "none", "complex, numpy complex", "both parts as floats"),
    TypeClass(
        "array",
        "[",
        "array<…>",
        "list, tuple, numpy.ndarray, Arrow lists",
        "elements in order; an empty array differs from NULL",
    ),
    TypeClass(
        "struct",
        "(",
        "struct<…>",
        "Arrow structs (cells of a pandas frame that hold a dict)",
        "fields by position; their names do not count; a NULL struct differs from one of NULLs",
    ),
    TypeClass("map", "{", "map<…>", "dict, Arrow maps", "entries in any order"),
    TypeClass("set", "<", "none", "set, frozenset", "elements in any order"),
    TypeClass(
        "frame",
        "R",
        "none (a result is one)",
        "pandas DataFrame, Series and Index, Arrow Table and RecordBatch, inside another value",
        "rows in any order, duplicates count",
    ),
)


def markdown_table() -> str:
    """The table as Markdown, the way ``docs/results.md`` shows it."""
    lines = ["| class | Spark types | local values | equal when |", "|---|---|---|---|"]
    lines += [f"| `{row.name}` | {row.spark_types} | {row.local_types} | {row.rule} |" for row in TABLE]
    return "\n".join(lines)


_SPARK_SCALARS: dict[type[spark.DataType], str] = {
    spark.NullType: "null",
    spark.BooleanType: "boolean",
    spark.ByteType: "int",
    spark.ShortType: "int",
    spark.IntegerType: "int",
    spark.LongType: "int",
    spark.DecimalType: "decimal",
    spark.FloatType: "float",
    spark.DoubleType: "float",
    spark.StringType: "string",
    spark.CharType: "string",
    spark.VarcharType: "string",
    spark.BinaryType: "binary",
    spark.DateType: "date",
    spark.TimestampType: "timestamp",
    spark.TimestampNTZType: "timestamp_ntz",
    spark.TimeType: "time",
    spark.DayTimeIntervalType: "duration",
    spark.YearMonthIntervalType: "months",
}


def spark_class(dtype: spark.DataType) -> str:
    """Class of a Spark type, nested ones written out: ``map<string,array<int>>``.

    :raises UnhashableResult: for types without a class (variant, calendar intervals, user-defined types).
    """
    scalar = _SPARK_SCALARS.get(type(dtype))
    if scalar is not None:
        return scalar
    if isinstance(dtype, spark.ArrayType):
        return f"array<{spark_class(dtype.elementType)}>"
    if isinstance(dtype, spark.StructType):
        return f"struct<{','.join(spark_class(field.dataType) for field in dtype.fields)}>"
    if isinstance(dtype, spark.MapType):
        return f"map<{spark_class(dtype.keyType)},{spark_class(dtype.valueType)}>"
    raise UnhashableResult(dtype.simpleString())


def arrow_class(dtype: pa.DataType) -> str:
    """Class of an Arrow type, written as :func:`spark_class` writes it.

    :raises UnhashableResult: for types without a class (unions, extension types, calendar intervals).
    """
    if isinstance(dtype, pa.DictionaryType):
        return arrow_class(dtype.value_type)
    if pa.types.is_map(dtype):
        return f"map<{arrow_class(dtype.key_type)},{arrow_class(dtype.item_type)}>"
    if pa.types.is_struct(dtype):
        return f"struct<{','.join(arrow_class(dtype.field(i).type) for i in range(dtype.num_fields))}>"
    if is_arrow_list(dtype):
        return f"array<{arrow_class(dtype.value_type)}>"
    if pa.types.is_timestamp(dtype):
        return "timestamp_ntz" if dtype.tz is None else "timestamp"
    for test, name in _ARROW_SCALARS:
        if test(dtype):
            return name
    raise UnhashableResult(f"Arrow {dtype}")


def is_arrow_list(dtype: pa.DataType) -> bool:
    """Whether it is one of Arrow's kinds of list."""
    return bool(pa.types.is_list(dtype) or pa.types.is_large_list(dtype) or pa.types.is_fixed_size_list(dtype))


_ARROW_SCALARS = (
    (pa.types.is_null, "null"),
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "int"),
    (pa.types.is_floating, "float"),
    (pa.types.is_decimal, "decimal"),
    (pa.types.is_string, "string"),
    (pa.types.is_large_string, "string"),
    (pa.types.is_string_view, "string"),
    (pa.types.is_binary, "binary"),
    (pa.types.is_large_binary, "binary"),
    (pa.types.is_binary_view, "binary"),
    (pa.types.is_fixed_size_binary, "binary"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_duration, "duration"),
)
