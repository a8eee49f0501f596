"""The same computation in every form a snippet can have gives one hash, whatever the session's settings."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from executor.results import fingerprint, local_fingerprint, same_result
from snipbench.domain.result import Equality

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark

INPUT = """
select * from values
    (1, 1.5D, 'one', 10.25BD, date'2024-02-29', timestamp'2024-02-29 12:00:00Z'),
    (2, double('NaN'), ' Two ', 0.10BD, date'1969-12-31', timestamp'1969-12-31 23:59:59.999999Z'),
    (null, null, null, null, null, null),
    (2, -0.0D, 'zażółć', -3.00BD, date'2000-01-01', timestamp'2000-01-01 00:00:00 Asia/Tokyo')
    as t(n, x, s, d, day, at)
"""
DAY = timedelta(days=1)

COMPUTATIONS: dict[str, tuple[str, str, str, Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any]]] = {
    # type: (column, returned type, in SQL, by row, by pandas, by Arrow)
    "int": ("n", "bigint", "n + 1", lambda v: v + 1, lambda v: v + 1, lambda v: pc.add(v, 1)),
    "double": ("x", "double", "x * 2", lambda v: v * 2, lambda v: v * 2, lambda v: pc.multiply(v, 2.0)),
    "string": ("s", "string", "upper(s)", str.upper, lambda v: v.str.upper(), pc.utf8_upper),
    "decimal": (
        "d",
        "decimal(12,4)",
        "d + 1",
        lambda v: v + 1,
        lambda v: v.map(lambda d: d + 1, na_action="ignore"),
        lambda v: pc.add(v, pa.scalar(Decimal(1))).cast(pa.decimal128(12, 4)),
    ),
    "date": (
        "day",
        "date",
        "date_add(day, 1)",
        lambda v: v + DAY,
        lambda v: v.map(lambda d: d + DAY, na_action="ignore"),
        lambda v: pc.add(v.cast(pa.int32()), 1).cast(pa.int32()).cast(pa.date32()),
    ),
    "timestamp": (
        "at",
        "timestamp",
        "at + interval 1 day",
        lambda v: v.astimezone(UTC) + DAY,
        lambda v: v + pd.Timedelta(DAY),
        lambda v: pc.add(v, pa.scalar(DAY)),
    ),
    "array": (
        "n",
        "array<int>",
        "if(n is null, null, array(n, null))",
        lambda v: [v, None],
        lambda v: pd.Series([None if pd.isna(n) else [int(n), None] for n in v]),
        lambda v: pa.array([None if n is None else [n, None] for n in v.to_pylist()], pa.list_(pa.int32())),
    ),
    "struct": (
        "s",
        "struct<text:string,size:int>",
        "if(s is null, null, struct(s, length(s)))",
        lambda v: (v, len(v)),
        lambda v: pd.DataFrame({"text": v, "size": v.str.len().astype("Int64")}),
        None,
    ),
}


def forms(spark: SparkSession, name: str) -> dict[str, DataFrame]:
    from pyspark.sql import functions as sf

    column, returns, sql, by_row, by_pandas, by_arrow = COMPUTATIONS[name]
    source = spark.sql(INPUT)

    def row(value: Any) -> Any:
        return None if value is None else by_row(value)

    def series(value: pd.Series) -> pd.Series:
        return by_pandas(value)

    def array(value: pa.Array) -> pa.Array:
        return by_arrow(value)

    found = {
        "sql": spark.sql(f"select {sql} from ({INPUT})"),
        "dataframe": source.repartition(3).select(sf.expr(sql).alias("another_name")),
        "python_udf": source.select(sf.udf(row, returns, useArrow=False)(column)),
        "arrow_python_udf": source.select(sf.udf(row, returns, useArrow=True)(column)),
    }
    if name not in {"double", "struct"}:
        # A pandas UDF turns NaN into NULL, and of a struct of NULLs and NULL it can give only one.
        found["pandas_udf"] = source.select(sf.pandas_udf(returns)(_typed(series))(column))
    if by_arrow is not None:
        found["arrow_udf"] = source.select(sf.arrow_udf(returns)(_typed(array))(column))
    return found


def _typed(function: Any) -> Any:
    """pyspark evaluates annotations in the module, where they must not be text."""
    kind = pd.Series if function.__name__ == "series" else pa.Array
    function.__annotations__ = {"value": kind, "return": kind}
    return function


@pytest.mark.parametrize("name", COMPUTATIONS)
def test_every_form_of_a_computation_has_one_hash(spark: SparkSession, name: str) -> None:
    hashes = {form: fingerprint(frame).result_hash for form, frame in forms(spark, name).items()}

    assert len(hashes) >= 4
    assert set(hashes.values()) == {hashes["sql"]}


def test_nan_becomes_null_in_a_pandas_udf_and_is_seen(spark: SparkSession) -> None:
    from pyspark.sql import functions as sf

    def series(value: pd.Series) -> pd.Series:
        return value * 2

    baseline = spark.sql(f"select x * 2 from ({INPUT})")
    variant = spark.sql(INPUT).select(sf.pandas_udf("double")(_typed(series))("x"))

    assert same_result(baseline, variant, float_tolerance=1e-9).equality is Equality.DIFFERENT


def test_a_decimal_returned_as_double_is_seen_as_all_null(spark: SparkSession) -> None:
    from pyspark.sql import functions as sf

    facts = fingerprint(spark.sql(INPUT).select("n", sf.udf(lambda v: v, "double", useArrow=False)("d").alias("plus")))

    assert facts.all_null_columns == ("plus",)


def test_no_column_of_an_empty_result_is_all_null(spark: SparkSession) -> None:
    facts = fingerprint(spark.sql("select cast(null as int) as a where false"))

    assert (facts.rows, facts.all_null_columns) == (0, ())


def test_a_pandas_frame_has_the_hash_of_the_same_rows_in_sql(spark: SparkSession) -> None:
    frame = pd.DataFrame(
        {
            "n": pd.array([2, None, 1, 2], "Int32"),
            "s": [" Two ", None, "one", "zażółć"],
            "d": [Decimal("0.1"), None, Decimal("10.250"), Decimal(-3)],
            "day": [date(1969, 12, 31), None, date(2024, 2, 29), date(2000, 1, 1)],
            "at": pd.to_datetime(
                [
                    datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
                    None,
                    datetime(2024, 2, 29, 12, tzinfo=UTC),
                    datetime(1999, 12, 31, 15, tzinfo=UTC),
                ]
            ),
        }
    )
    expected = fingerprint(spark.sql(f"select n, s, d, day, at from ({INPUT})")).result_hash

    assert local_fingerprint(frame).result_hash == expected
    assert local_fingerprint(frame.set_index("n")[["s", "d", "day", "at"]]).result_hash == expected
    assert local_fingerprint(frame[frame["n"].isna() | (frame["n"] < 9)]).result_hash == expected
    assert local_fingerprint(pa.Table.from_pandas(frame)).result_hash == expected


SETTINGS = [
    {"spark.sql.session.timeZone": "Asia/Kathmandu"},
    {"spark.sql.ansi.enabled": "false"},
    {"spark.sql.codegen.wholeStage": "true", "spark.sql.adaptive.enabled": "true"},
    {"spark.sql.shuffle.partitions": "7"},
    {"spark.sql.caseSensitive": "true"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: next(iter(settings)))
def test_no_setting_changes_a_hash(spark: SparkSession, settings: dict[str, str]) -> None:
    query = f"""
        select n as `a.b`, n as `A.B`, x, s, d / 3e7BD, day, at, array(at), map(s, x),
            timestamp_ntz'2024-03-10 02:30:00'
        from ({INPUT}) where s is not null order by day desc
    """
    expected = fingerprint(spark.sql(query))
    before = {key: spark.conf.get(key) for key in settings}
    try:
        for key, value in settings.items():
            spark.conf.set(key, value)
        found = fingerprint(spark.sql(query))
    finally:
        for key, value in before.items():
            spark.conf.set(key, value)

    assert found == expected
    assert expected.in_order is True


@pytest.mark.parametrize("partitions", [1, 3, 8])
def test_partitions_change_neither_hash_nor_order(spark: SparkSession, partitions: int) -> None:
    from pyspark.sql import functions as sf

    frame = spark.range(0, 1000, 1, partitions).select("id", (sf.col("id") * 0.1).alias("x"))
    ordered = frame.repartition(partitions).orderBy(sf.desc("x"))
    expected = fingerprint(spark.range(0, 1000, 1, 2).select("id", (sf.col("id") * 0.1).alias("x")))

    assert fingerprint(frame.repartition(partitions)) == expected
    found = fingerprint(ordered)
    assert found.in_order is True
    assert fingerprint(ordered, sort_keys=()).result_hash == expected.result_hash
    assert fingerprint(frame, sort_keys=found.sort_keys).in_order is False


def test_a_break_of_order_between_two_partitions_only_is_seen(spark: SparkSession) -> None:
    first, second = spark.range(10, 20, 1, 1), spark.range(0, 10, 1, 1)

    assert fingerprint(second.union(first), sort_keys=("1 ASC NULLS FIRST",)).in_order is True
    assert fingerprint(first.union(second), sort_keys=("1 ASC NULLS FIRST",)).in_order is False
