"""The facts of a Spark result: one pass, computed where the rows are; no row is collected."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as sf
from pyspark.sql import types as spark

from executor.results.columns import encode, positional
from executor.results.digest import LANES, frame_hash
from executor.results.ordering import SortKey, out_of_order, sort_keys_of, verifiable
from executor.results.types import spark_class
from snipbench.domain.result import ResultFacts
from snipbench.errors import UnhashableResult

PARTITION = "place >> 33"
"""Where ``monotonically_increasing_id`` keeps the number of a row's partition."""

_LANE_SUMS = [f"lane{i}" for i in range(LANES)]


def fingerprint(frame: DataFrame, *, sort_keys: Sequence[str] | None = None) -> ResultFacts:
    """Execute ``frame`` once and give its facts.

    :param sort_keys: the ``ResultFacts.sort_keys`` of the baseline with which this result will be compared; by default
        those of the frame's own plan. A baseline is hashed by its own keys, a variant by its baseline's.
    :raises UnhashableResult: for a column of a type without a defined hash.

    Neither the number of partitions nor the session's time zone, ANSI mode or shuffle partitions change the hash. What
    the frame's own code raises is passed on as it is.
    """
    classes = column_classes(frame)
    keys = sort_keys_of(frame) if sort_keys is None else tuple(SortKey.parse(text) for text in sort_keys)
    checked = verifiable(keys)
    columns = by_position(frame)
    totals = _lane_columns(sf.sha2(sf.concat(sf.lit(""), *[encode(column, dtype) for column, dtype in columns]), 256))
    presences = [column.isNotNull().alias(f"present{i}") for i, (column, _) in enumerate(columns)]
    sums = [sf.sum(name).alias(name) for name in _LANE_SUMS]
    sums += [sf.count(sf.lit(1)).alias("rows")]
    sums += [sf.coalesce(sf.bool_or(f"present{i}"), sf.lit(False)).alias(f"present{i}") for i in range(len(columns))]

    in_order: bool | None = None
    if checked and is_orderable(checked, classes):
        found = _in_order(
            renamed(frame).select(*totals, *presences, *key_columns(checked, columns)), checked, sums
        ).first()
        in_order = not found["broken"]
    else:
        found = renamed(frame).select(*totals, *presences).agg(*sums).first()
        # A variant whose columns do not even allow the baseline's sort is not in its order.
        in_order = False if checked else None
    count = int(found["rows"])
    order = "" if in_order is None else f"{in_order}: " + ", ".join(str(key) for key in checked)
    names = frame.columns
    return ResultFacts(
        result_hash=frame_hash(classes, count, tuple(int(found[name] or 0) for name in _LANE_SUMS), order),
        rows=count,
        columns=tuple((field.name, field.dataType.simpleString()) for field in frame.schema.fields),
        all_null_columns=tuple(name for i, name in enumerate(names) if count and not found[f"present{i}"]),
        sort_keys=tuple(str(key) for key in keys),
        in_order=in_order,
    )


def column_classes(frame: DataFrame) -> tuple[str, ...]:
    """Class of each column, by position.

    :raises UnhashableResult: naming the column.
    """
    classes: list[str] = []
    for field in frame.schema.fields:
        try:
            classes.append(spark_class(field.dataType))
        except UnhashableResult as error:
            raise UnhashableResult(error.type_name, where=f"column {field.name}") from None
    return tuple(classes)


def renamed(frame: DataFrame) -> DataFrame:
    """The frame with columns ``c0``, ``c1`` …: names of a result may repeat or hold dots."""
    return frame.toDF(*[f"c{i}" for i in range(len(frame.columns))])


def by_position(frame: DataFrame) -> list[tuple[Column, spark.DataType]]:
    """Columns of :func:`renamed`, with types whose struct fields are named by position."""
    columns: list[tuple[Column, spark.DataType]] = []
    for index, field in enumerate(frame.schema.fields):
        column, dtype = sf.col(f"c{index}"), positional(field.dataType)
        nested = "struct" in spark_class(dtype)
        columns.append((column.cast(dtype) if nested else column, dtype))
    return columns


def _lane_columns(hexadecimal: Column) -> list[Column]:
    """The first 128 bits of a hash as four unsigned lanes of 32 bits."""
    lanes: list[Column] = []
    for word in range(LANES // 2):
        # Base -10 makes conv write a signed number, which always fits a bigint.
        bits = sf.conv(sf.substring(hexadecimal, 1 + 16 * word, 16), 16, -10).cast("bigint")
        lanes += [sf.shiftrightunsigned(bits, 32), bits.bitwiseAND(sf.lit(0xFFFFFFFF))]
    return [lane.alias(name) for lane, name in zip(lanes, _LANE_SUMS, strict=True)]


def is_orderable(keys: Sequence[SortKey], classes: Sequence[str]) -> bool:
    """Whether a frame with columns of these classes can be in the order of ``keys`` at all."""
    positions = [key.position for key in keys if key.position is not None]
    return all(position < len(classes) and "map" not in classes[position] for position in positions)


def key_columns(keys: Sequence[SortKey], columns: Sequence[tuple[Column, spark.DataType]]) -> list[Column]:
    """``keys``, a struct of the sort keys' values, and ``place``, which grows with the rows' sequence."""
    values = [columns[key.position][0].alias(f"k{i}") for i, key in enumerate(keys) if key.position is not None]
    # Being non-deterministic, the id also keeps the optimizer from dropping the sort beneath an aggregate.
    return [sf.struct(*values).alias("keys"), sf.monotonically_increasing_id().alias("place")]


def _in_order(rows: DataFrame, keys: Sequence[SortKey], sums: Sequence[Column]) -> DataFrame:
    """One row of totals, with ``broken``: whether some row comes before its predecessor.

    Neighbours are compared inside each partition, then the partitions' ends with each other, so that no task sees more
    than a partition and no query runs twice (a sort's range boundaries are sampled anew at each execution).
    """
    inside = Window.partitionBy("partition").orderBy("place")
    neighbours = rows.withColumn("partition", sf.expr(PARTITION)).withColumn("before", sf.lag("keys").over(inside))
    wrong = sf.when(sf.col("before").isNotNull(), out_of_order(sf.col("before"), sf.col("keys"), keys)).otherwise(False)
    partitions = neighbours.groupBy("partition").agg(
        *sums,
        sf.bool_or(wrong).alias("broken"),
        sf.min_by("keys", "place").alias("first"),
        sf.max_by("keys", "place").alias("last"),
    )
    across = partitions.withColumn("before", sf.lag("last").over(Window.orderBy("partition")))
    gap = sf.when(sf.col("before").isNotNull(), out_of_order(sf.col("before"), sf.col("first"), keys)).otherwise(False)
    again = [sf.sum(name).alias(name) for name in (*_LANE_SUMS, "rows")]
    again += [
        sf.coalesce(sf.bool_or(name), sf.lit(False)).alias(name)
        for name in partitions.columns
        if name.startswith("present")
    ]
    totals = across.agg(*again, sf.coalesce(sf.bool_or(sf.col("broken") | gap), sf.lit(False)).alias("broken"))
    return totals.withColumn("rows", sf.coalesce("rows", sf.lit(0)))
