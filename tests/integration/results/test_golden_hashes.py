"""One committed hash per type: a change of the encoding shows here, and must change ``digest.VERSION``."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

from executor.results import fingerprint, local_fingerprint
from executor.results.types import TABLE
from snipbench.errors import UnhashableResult

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

NAN, INFINITY = float("nan"), float("inf")
MAP = pa.map_(pa.string(), pa.float64())
STRUCT = pa.struct([("a", pa.int8()), ("b", pa.list_(pa.string()))])

GOLDEN: dict[str, tuple[str, pa.Array | None, str]] = {
    # class: (SQL values of one column, the same as an Arrow column, hash)
    "null": ("(null), (null)", pa.nulls(2), "ad76dcfbd1a70c034b8306cac485dcc9"),
    "boolean": ("(true), (false), (null)", pa.array([True, False, None]), "93b966230556d462c33f42910693ce48"),
    "tinyint": (
        "(tinyint(-128)), (tinyint(7)), (null)",
        pa.array([-128, 7, None], pa.int8()),
        "37531b88e5711ffe8c37d24c184cd2b7",
    ),
    "bigint": ("(-128L), (7L), (null)", pa.array([-128, 7, None], pa.int64()), "37531b88e5711ffe8c37d24c184cd2b7"),
    "extreme bigint": ("(9223372036854775807L)", pa.array([2**63 - 1]), "c220cf3e99ef0a0a419f780caa420155"),
    "decimal": (
        "(1.50BD), (-0.0000001BD), (0BD), (null)",
        pa.array([Decimal("1.5"), Decimal("-1E-7"), Decimal(0), None], pa.decimal128(12, 9)),
        "2afcb240bcd38176207581549cfb3159",
    ),
    "widest decimal": (
        "(12345678901234567890.123456789012345678BD)",
        pa.array([Decimal("12345678901234567890.123456789012345678")]),
        "586f8898cbf197bafd66a49c93fcdfa8",
    ),
    "float": (
        "(float(0.1)), (float(-0.0)), (null)",
        pa.array([0.1, 0.0, None], pa.float32()),
        "1d3a0116d9678f42735dd3b1497442ab",
    ),
    "double": (
        "(0.1D), (-0.0D), (double('NaN')), (double('-Infinity')), (4.9E-324D), (null)",
        pa.array([0.1, 0.0, NAN, -INFINITY, 5e-324, None]),
        "2681e9530719722af31b54495ab5e0fa",
    ),
    "string": (
        "('a '), ('żółw 🐢'), (''), (null)",
        pa.array(["a ", "żółw 🐢", "", None]),
        "bec43222aa9374a7f65854a70094b018",
    ),
    "binary": ("(X'00ff'), (X''), (null)", pa.array([b"\x00\xff", b"", None]), "b7067f665bd565b2747fc918a5ddf9da"),
    "date": (
        "(date'1969-12-31'), (date'9999-12-31'), (date'0001-01-01'), (null)",
        pa.array([date(1969, 12, 31), date.max, date.min, None]),
        "e4a65e2458a1e5e5526ee0a82abe5b49",
    ),
    "timestamp": (
        "(timestamp'2024-03-31 02:30:00.000001 Europe/London'), (timestamp'1900-01-01 00:00:00Z'), (null)",
        pa.array(
            [datetime(2024, 3, 31, 1, 30, 0, 1, UTC), datetime(1900, 1, 1, tzinfo=UTC), None],
            pa.timestamp("us", "Asia/Tokyo"),
        ),
        "b14fc3855d98a2265b1353acb55ba9d6",
    ),
    "timestamp_ntz": (
        # The first does not exist on a clock in New York, the zone of the session.
        "(timestamp_ntz'2024-03-10 02:30:00.000001'), (timestamp_ntz'1900-01-01 23:59:59.999999'), (null)",
        pa.array([datetime(2024, 3, 10, 2, 30, 0, 1), datetime(1900, 1, 1, 23, 59, 59, 999999), None]),  # noqa: DTZ001
        "83045e86553b1b7b9cca80528824b2a0",
    ),
    "time": (
        "(time'12:00:01.5'), (time'00:00:00.000001'), (null)",
        pa.array([time(12, 0, 1, 500000), time(0, 0, 0, 1), None]),
        "14f6b491213e44cf2709d7d4edfc8bdc",
    ),
    "duration": (
        "(interval '-1 02:03:04.5' day to second), (null)",
        pa.array([-timedelta(days=1, hours=2, minutes=3, seconds=4.5), None]),
        "ecba76132a79bfc9760d4ba5e212dc79",
    ),
    "duration in hours": (
        "(interval '-30' hour), (null)",
        pa.array([timedelta(hours=-30), None]),
        "27f47b836a9a1a234c7587efa3777e53",
    ),
    "months": (
        "(interval '-1-2' year to month), (interval '5' month), (null)",
        None,
        "54136671962bd05b75c62a4a831a79b4",
    ),
    "array": (
        "(array(1D, null, double('NaN'))), (array()), (null)",
        pa.array([[1.0, None, NAN], [], None], pa.large_list(pa.float32())),
        "57995cba87a303889d8c40b36e8a893b",
    ),
    "struct": (
        "(named_struct('x', 1, 'X', array('a', null))), (named_struct('x', null, 'X', null)), (null)",
        pa.array([{"a": 1, "b": ["a", None]}, {"a": None, "b": None}, None], STRUCT),
        "38a29932e5195af2d52d7dbbeac5f822",
    ),
    "map": (
        "(map('ż', 1D, 'b', null)), (map()), (null)",
        pa.array([[("b", None), ("ż", 1.0)], [], None], MAP),
        "8a97a9a88dd5e317424e689e279bb1e0",
    ),
    "nested": (
        "(array(map('k', named_struct('d', 1.50BD, 't', timestamp'2024-01-01 00:00:00Z'))))",
        pa.array(
            [[[("k", {"d": Decimal("1.5"), "t": datetime(2024, 1, 1, tzinfo=UTC)})]]],
            pa.list_(pa.map_(pa.string(), pa.struct([("d", pa.decimal128(5, 1)), ("t", pa.timestamp("ms", "UTC"))]))),
        ),
        "189ce389a4d536f07b07c05905013756",
    ),
}


def test_every_class_of_a_column_has_a_golden_hash(spark: SparkSession) -> None:
    covered = {
        local_fingerprint(pa.table({"c": column})).columns[0][1].partition("<")[0]
        for _, column, _ in GOLDEN.values()
        if column is not None
    } | {"months"}

    # These exist in local values only.
    assert covered == {row.name for row in TABLE} - {"complex", "set", "frame"}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_type_keeps_its_hash(spark: SparkSession, name: str) -> None:
    values, _, expected = GOLDEN[name]

    assert fingerprint(spark.sql(f"select * from values {values}")).result_hash == expected


@pytest.mark.parametrize("name", [name for name, (_, column, _) in GOLDEN.items() if column is not None])
def test_a_local_table_has_the_hash_of_the_same_rows_in_spark(name: str) -> None:
    _, column, expected = GOLDEN[name]

    assert local_fingerprint(pa.table({"any name": column})).result_hash == expected


def test_a_slice_of_a_local_table_has_the_hash_of_its_rows_only() -> None:
    for values in ([[1, 2], [], [3], None], [[("a", 1)], [], [("b", 2)], None]):
        dtype = pa.map_(pa.string(), pa.int64()) if values[0] == [("a", 1)] else pa.list_(pa.int64())
        whole, part = pa.table({"c": pa.array(values, dtype)}), pa.table({"c": pa.array(values[1:], dtype)})

        assert local_fingerprint(whole.slice(1)).result_hash == local_fingerprint(part).result_hash


LOCAL_GOLDEN: dict[str, tuple[Any, str]] = {
    "none": (None, "820c22a518d39b174c7097c22c3c20ef"),
    "bool": (True, "dc632608763f8a92a5fdd905c14f8fd7"),
    "int": (2**70, "042f3ab315af8d33b22314bd6b6cc688"),
    "float": (0.1, "2846656e95e180c6514be3fd255da834"),
    "complex": (1 - 2j, "a1db791e98915795fb22e9c172c9bc11"),
    "str": ("żółw", "bb385ae387352620d0d4a6cf5668a81d"),
    "bytes": (b"\x00\xff", "62a64823f82909278365e1cf70f0ab07"),
    "Decimal": (Decimal("1.50"), "21d16482e9c02a1f9e5d4fe12feee56d"),
    "date": (date(2024, 2, 29), "94ab309664e669c15b85c65ffecf5144"),
    "datetime with a zone": (datetime(2024, 2, 29, 1, 2, 3, 4, UTC), "5d14d1fe896a9ca03936f87285654536"),
    "datetime without a zone": (datetime(2024, 2, 29, 1, 2, 3, 4), "3c09c4e3cbac9968aa9c62caeeb40902"),  # noqa: DTZ001
    "time": (time(1, 2, 3, 4), "08a71ac94951085a9cd5c77d11e10c27"),
    "timedelta": (timedelta(days=-1, microseconds=1), "763eebae55a737d00c47d04587ab1d9f"),
    "list": ([1, "a", None, [2.5]], "b5d16a5b1b9fd86abbbe592e90ab9b02"),
    "dict": ({"b": [1], "a": {"c": None}}, "e36406db2a532754d383e0e4f5f1007d"),
    "set": ({1, 2, 3}, "7ebff39efe31365347cc5ccfa54c1337"),
    "frame inside": ({"result": pd.DataFrame({"a": [1, 2], "b": ["x", None]})}, "fe5f5a5aa8b6569829d1cfa177ccc387"),
}


@pytest.mark.parametrize("name", LOCAL_GOLDEN)
def test_a_local_value_keeps_its_hash(name: str) -> None:
    value, expected = LOCAL_GOLDEN[name]

    assert local_fingerprint(value).result_hash == expected


def test_a_type_without_a_hash_is_refused_by_name(spark: SparkSession) -> None:
    with pytest.raises(UnhashableResult, match=r"result of type variant has no defined hash \(column v\)"):
        fingerprint(spark.sql("select parse_json('1') as v"))
