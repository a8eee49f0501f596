"""Canonical encodings as Spark expressions: the same text that ``executor.results.values`` writes for local values.

An encoding is a tag, a payload and an end, so that the encodings of a row's columns can be put side by side without
ambiguity. It never goes through the session's time zone, ANSI mode, locale or the JDK's way of printing a double:
floats enter as ``xxhash64`` of their 64 bits, which maps them one to one and treats -0.0 as 0.0 and every NaN alike.
"""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column
from pyspark.sql import functions as sf
from pyspark.sql import types as spark

from executor.results.types import spark_class

NULL = "N;"


def positional(dtype: spark.DataType) -> spark.DataType:
    """The same type with struct fields named by position: field names may repeat, differ in case only, or hold dots."""
    if isinstance(dtype, spark.ArrayType):
        return spark.ArrayType(positional(dtype.elementType))
    if isinstance(dtype, spark.MapType):
        return spark.MapType(positional(dtype.keyType), positional(dtype.valueType))
    if isinstance(dtype, spark.StructType):
        return spark.StructType(
            [spark.StructField(f"f{i}", positional(f.dataType)) for i, f in enumerate(dtype.fields)]
        )
    return dtype


def encode(column: Column, dtype: spark.DataType, *, exact: bool = True) -> Column:
    """A column's canonical encoding, never NULL. ``dtype`` has been made :func:`positional`.

    Not ``exact``: finite floats leave a mere mark, and :func:`floats` gives them; what is left is the exact part.
    Keys of maps are always exact.
    """
    kind = spark_class(dtype).split("<", maxsplit=1)[0]
    if kind == "null":
        return sf.lit(NULL)
    if kind == "array":
        text = _array(column, dtype, exact)
    elif kind == "struct":
        parts = [encode(column[f.name], f.dataType, exact=exact) for f in dtype.fields]
        text = sf.when(column.isNotNull(), sf.concat(sf.lit("("), *parts, sf.lit(")")))
    elif kind == "map":
        text = _map(column, dtype, exact)
    elif kind == "float" and not exact:
        text = sf.when(_is_finite(column), sf.lit("f?;")).otherwise(_SCALARS["float"](column, dtype))
    else:
        text = _SCALARS[kind](column, dtype)
    return sf.coalesce(text, sf.lit(NULL))


def floats(column: Column, dtype: spark.DataType) -> Column:
    """The finite floats of a column's value, depth first, as ``array<double>``; maps in the order of their keys."""
    kind = spark_class(dtype)
    empty = sf.array().cast("array<double>")
    if "float" not in kind:
        return empty
    if kind == "float":
        # Adding 0.0 makes -0.0 a 0.0.
        return sf.when(_is_finite(column), sf.array(column.cast("double") + sf.lit(0.0))).otherwise(empty)
    if isinstance(dtype, spark.ArrayType):
        found = sf.flatten(sf.transform(column, lambda item: floats(item, dtype.elementType)))
    elif isinstance(dtype, spark.StructType):
        found = sf.concat(empty, *[floats(column[f.name], f.dataType) for f in dtype.fields])
    else:
        entries = sf.transform(
            sf.map_entries(column),
            lambda entry: sf.struct(
                encode(entry["key"], dtype.keyType).alias("key"),
                floats(entry["value"], dtype.valueType).alias("floats"),
            ),
        )
        found = sf.flatten(sf.transform(sf.array_sort(entries), lambda entry: entry["floats"]))
    return sf.coalesce(found, empty)


def display(column: Column, dtype: spark.DataType) -> Column:
    """A value for a person to read: strings quoted, instants in UTC."""
    kind = spark_class(dtype)
    if kind == "string":
        text = sf.concat(sf.lit("'"), column, sf.lit("'"))
    elif kind == "binary":
        text = sf.concat(sf.lit("x'"), sf.hex(column), sf.lit("'"))
    elif kind == "timestamp":
        text = sf.concat(sf.to_utc_timestamp(column, sf.current_timezone()).cast("string"), sf.lit("Z"))
    else:
        text = column.cast("string")
    return sf.coalesce(text, sf.lit("NULL"))


def _is_finite(column: Column) -> Column:
    # NaN counts as greater than infinity in Spark, so one comparison excludes both; NULL gives NULL, taken as false.
    return sf.abs(column) < sf.lit(float("inf"))


def _array(column: Column, dtype: spark.ArrayType, exact: bool) -> Column:
    items = sf.transform(column, lambda item: encode(item, dtype.elementType, exact=exact))
    return sf.concat(sf.lit("["), sf.size(column).cast("string"), sf.lit(":"), sf.array_join(items, ""), sf.lit("]"))


def _map(column: Column, dtype: spark.MapType, exact: bool) -> Column:
    entries = sf.transform(
        sf.map_entries(column),
        lambda entry: sf.concat(
            encode(entry["key"], dtype.keyType), encode(entry["value"], dtype.valueType, exact=exact)
        ),
    )
    size = sf.size(column).cast("string")
    return sf.concat(sf.lit("{"), size, sf.lit(":"), sf.array_join(sf.array_sort(entries), ""), sf.lit("}"))


def _decimal(column: Column, dtype: spark.DecimalType) -> Column:
    # Casting a decimal to a string writes 1E-7 or 0.0000001 by the ANSI setting; this never does, and drops zeros.
    pattern = "0." + "#" * dtype.scale if dtype.scale else "0"
    return sf.concat(sf.lit("d"), sf.call_function("format_number", column, sf.lit(pattern)), sf.lit(";"))


def _string(column: Column, dtype: spark.StringType) -> Column:
    if getattr(dtype, "collation", "UTF8_BINARY") != "UTF8_BINARY":
        column = sf.collate(column, "UTF8_BINARY")
    return sf.concat(sf.lit("s"), sf.octet_length(column).cast("string"), sf.lit(":"), column, sf.lit(";"))


def _clock_micros(column: Column) -> Column:
    """Microseconds of hour, minute and second; for a day-time interval, of its parts below the day."""
    minutes = (sf.extract(sf.lit("HOUR"), column) * 60 + sf.extract(sf.lit("MINUTE"), column)).cast("bigint")
    return minutes * 60_000_000 + (sf.extract(sf.lit("SECOND"), column) * 1_000_000).cast("bigint")


def _timestamp_ntz(column: Column, _: spark.DataType) -> Column:
    # No function gives an unzoned timestamp as a number; its parts do not depend on the session's zone.
    micros = sf.unix_date(column.cast("date")).cast("bigint") * 86_400_000_000 + _clock_micros(column)
    return _number("Z", micros)


def _duration(column: Column, _: spark.DataType) -> Column:
    whole = column.cast(spark.DayTimeIntervalType(0, 3))
    micros = sf.extract(sf.lit("DAY"), whole).cast("bigint") * 86_400_000_000 + _clock_micros(whole)
    return _number("u", micros)


def _months(column: Column, _: spark.DataType) -> Column:
    whole = column.cast(spark.YearMonthIntervalType(0, 1))
    return _number("m", sf.extract(sf.lit("YEAR"), whole).cast("bigint") * 12 + sf.extract(sf.lit("MONTH"), whole))


def _number(tag: str, number: Column) -> Column:
    return sf.concat(sf.lit(tag), number.cast("string"), sf.lit(";"))


_SCALARS: dict[str, Callable[[Column, spark.DataType], Column]] = {
    "boolean": lambda column, _: sf.when(column, sf.lit("b1;")).when(~column, sf.lit("b0;")),
    "int": lambda column, _: _number("i", column),
    "decimal": _decimal,
    # sf.xxhash64 of NULL is a number too, hence the guard.
    "float": lambda column, _: sf.when(column.isNotNull(), _number("f", sf.xxhash64(column.cast("double")))),
    "string": _string,
    "binary": lambda column, _: sf.concat(sf.lit("x"), sf.hex(column), sf.lit(";")),
    "date": lambda column, _: _number("D", sf.unix_date(column)),
    "timestamp": lambda column, _: _number("T", sf.unix_micros(column)),
    "timestamp_ntz": _timestamp_ntz,
    "time": lambda column, _: _number("t", _clock_micros(column)),
    "duration": _duration,
    "months": _months,
}
