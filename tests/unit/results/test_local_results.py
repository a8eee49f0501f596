"""Results of functions: hashed and compared without Spark."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.results import local_fingerprint, same_local_result
from executor.results.types import markdown_table
from snipbench.domain.result import Equality
from snipbench.errors import UnhashableResult

NAN = float("nan")
EQUAL, CLOSE = Equality.EQUAL, Equality.EQUAL_WITHIN_TOLERANCE
DIFFERENT, INCONCLUSIVE = Equality.DIFFERENT, Equality.INCONCLUSIVE

JUDGED: dict[str, tuple[Any, Any, Equality]] = {
    "a tuple for a list": ([1, "a"], (1, "a"), EQUAL),
    "an array for a list": ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]], dtype=np.int16), EQUAL),
    "an Arrow array for a list": ([1, None], pa.array([1, None]), EQUAL),
    "a list in another order": ([1, 2], [2, 1], DIFFERENT),
    "a set in another order": ({1, 2, 3}, {3, 2, 1}, EQUAL),
    "a set for a list": ([1], {1}, DIFFERENT),
    "a dict in another order": ({"a": 1, "b": 2}, {"b": 2, "a": 1}, EQUAL),
    "numpy's numbers for Python's": ([1, 0.5, True], [np.uint8(1), np.float32(0.5), np.bool_(True)], EQUAL),
    "True for 1": (True, 1, DIFFERENT),
    "a float for an integer": (1, 1.0, DIFFERENT),
    "a Decimal of another scale": (Decimal("1.50"), Decimal("1.5000"), EQUAL),
    "Decimal zeros": (Decimal("0E+3"), Decimal("-0.00"), EQUAL),
    "a Decimal off by its last digit": (Decimal("1.50"), Decimal("1.51"), DIFFERENT),
    "text for bytes": ("a", b"a", DIFFERENT),
    "-0.0 for 0.0": (-0.0, 0.0, EQUAL),
    "NaN for NaN": (NAN, np.float32("nan"), EQUAL),
    "NaN for None": ([NAN], [None], DIFFERENT),
    "one instant in two zones": (
        datetime(2024, 1, 1, 12, tzinfo=UTC),
        datetime(2024, 1, 1, 14, tzinfo=timezone(timedelta(hours=2))),
        EQUAL,
    ),
    "pandas' instant for Python's": (
        datetime(2024, 1, 1, 12, tzinfo=UTC),
        pd.Timestamp("2024-01-01 13:00", tz="Europe/Warsaw"),
        EQUAL,
    ),
    "a nanosecond": (pd.Timestamp(0), pd.Timestamp(1), DIFFERENT),
    "a wall clock for an instant": (datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC), DIFFERENT),  # noqa: DTZ001
    "midnight for its date": (date(2024, 1, 1), datetime(2024, 1, 1), DIFFERENT),  # noqa: DTZ001
    "floats within tolerance": ({"a": [1.0, 2.0], "b": "x"}, {"b": "x", "a": [1.0, 2.0 + 1e-12]}, CLOSE),
    "floats beyond tolerance": ([1.0, 2.0], [1.0, 2.0 + 1e-7], DIFFERENT),
    "floats just beyond tolerance": ([1.0, 2.0], [1.0, 2.0 + 4e-9], DIFFERENT),
    "arrays within tolerance": (np.linspace(0, 1, 100), np.linspace(0, 1, 100) * (1 + 1e-13), CLOSE),
    "arrays of other lengths": (np.zeros(3), np.zeros(4), DIFFERENT),
    "infinity for a float": (1e308, float("inf"), DIFFERENT),
    "frames in another order of rows": (
        pd.DataFrame({"a": [1, 2, 2], "b": ["x", "y", "z"]}),
        pd.DataFrame({"c": [2, 1, 2], "d": ["z", "x", "y"]}),
        EQUAL,
    ),
    "an Arrow table for a frame": (
        pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
        pa.table({"a": pa.array([2, 1], pa.int8()), "b": pa.array([None, "x"], pa.large_string())}),
        EQUAL,
    ),
    "a categorical for its text": (pd.Series(["a", "b"]), pd.Series(["a", "b"], dtype="category"), EQUAL),
    "a series for a frame of one column": (pd.Series([1, 2]), pd.DataFrame({"a": [2, 1]}), EQUAL),
    "groups in a named index": (
        pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]}).groupby("k")["v"].sum(),
        pd.DataFrame({"k": ["b", "a"], "v": [2, 4]}),
        EQUAL,
    ),
    "a duplicate row dropped": (pd.DataFrame({"a": [1, 1, 2]}), pd.DataFrame({"a": [1, 2]}), DIFFERENT),
    "a column of another class": (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [1.0, 2.0]}), DIFFERENT),
    "two columns of one name": (
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame([[1, 2]], columns=["a", "b"]),
        EQUAL,
    ),
    "a frame for its list of rows": (pd.DataFrame({"a": [1]}), [[1]], DIFFERENT),
    "an empty frame of another class": (
        pd.DataFrame({"a": pd.Series([], dtype="int64")}),
        pd.DataFrame({"a": pd.Series([], dtype="float64")}),
        DIFFERENT,
    ),
    "frames with floats within tolerance": (
        pd.DataFrame({"k": [1, 2], "x": [0.1, 0.2]}),
        pd.DataFrame({"k": [2, 1], "x": [0.2 + 1e-12, 0.1]}),
        CLOSE,
    ),
    "frames with floats beyond tolerance": (
        pd.DataFrame({"k": [1, 2], "x": [0.1, 0.2]}),
        pd.DataFrame({"k": [2, 1], "x": [0.21, 0.1]}),
        DIFFERENT,
    ),
    "frames whose floats cross between nearly equal rows": (
        pd.DataFrame({"x": [1.0, 1.0 + 1e-12], "y": [5.0, 6.0]}),
        pd.DataFrame({"x": [1.0 + 1e-12, 1.0], "y": [5.0, 6.0]}),
        INCONCLUSIVE,
    ),
    "frames inside a dict, within tolerance": (
        {"a": pd.DataFrame({"k": ["u", "v"], "x": [0.1, 0.2]})},
        {"a": pd.DataFrame({"k": ["v", "u"], "x": [0.2 + 1e-12, 0.1]})},
        CLOSE,
    ),
}


@pytest.mark.parametrize("name", JUDGED)
def test_a_difference_between_local_values_is_judged(name: str) -> None:
    baseline, variant, expected = JUDGED[name]

    assert same_local_result(baseline, variant, float_tolerance=1e-9).equality is expected


@pytest.mark.parametrize(
    "value",
    [
        object(),
        iter([1]),
        len,
        [1, {2: object()}],
        np.longdouble(1),
        pd.Series(pd.period_range("2024", "2025")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_type_without_a_hash_is_refused(value: Any) -> None:
    with pytest.raises(UnhashableResult, match=r"result of type .+ has no defined hash"):
        local_fingerprint(value)


def test_a_list_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)

    with pytest.raises(UnhashableResult, match="in itself"):
        local_fingerprint(value)


def test_a_frame_with_a_mixed_column_is_refused_by_the_columns_name() -> None:
    with pytest.raises(UnhashableResult, match="column odd"):
        local_fingerprint(pd.DataFrame({"fine": [1, 2], "odd": [1, "x"]}))


def test_facts_of_a_frame_name_its_all_null_columns() -> None:
    facts = local_fingerprint(pd.DataFrame({"a": [1, 2], "b": [None, None]}))

    assert facts.rows == 2
    assert facts.columns == (("a", "int"), ("b", "null"))
    assert facts.all_null_columns == ("b",)


def test_the_first_differing_rows_of_frames_are_shown() -> None:
    found = same_local_result(pd.DataFrame({"a": ["x "]}), pd.DataFrame({"a": ["x"]}), float_tolerance=1e-9)

    assert found.differing_rows == ("only in the baseline: ('x ')", "only in the variant: ('x')")


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=5)
    | st.binary(max_size=5)
    | st.decimals()
    | st.datetimes(timezones=st.just(UTC))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def canonical(value: Any) -> Any:
    """An independent notion of equality: tagged, hashable, with the declared normalisations."""
    if isinstance(value, list):
        return ("array", tuple(map(canonical, value)))
    if isinstance(value, dict):
        return ("map", frozenset((key, canonical(item)) for key, item in value.items()))
    if isinstance(value, float):
        return ("float", "NaN" if value != value else value + 0.0)  # noqa: PLR0124 - NaN
    if isinstance(value, Decimal):
        return ("decimal", "NaN" if value.is_nan() else value)
    return (type(value).__name__, value)


@settings(max_examples=300, deadline=None)
@given(VALUES, VALUES)
def test_two_values_hash_equal_exactly_when_they_are_equal(first: Any, second: Any) -> None:
    hashes = [local_fingerprint(value).result_hash for value in (first, second)]

    assert (hashes[0] == hashes[1]) == (canonical(first) == canonical(second))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.floats(allow_nan=False)), max_size=8), st.randoms())
def test_only_the_multiset_of_a_frames_rows_counts(rows: list[tuple[int, float]], order: random.Random) -> None:
    def frame(data: list[tuple[int, float]]) -> pa.Table:
        return pa.table(
            {"k": pa.array([k for k, _ in data], pa.int64()), "x": pa.array([x for _, x in data], pa.float64())}
        )

    shuffled = list(rows)
    order.shuffle(shuffled)
    expected = local_fingerprint(frame(rows)).result_hash

    assert local_fingerprint(frame(shuffled)).result_hash == expected
    if rows:
        assert local_fingerprint(frame([*rows, rows[0]])).result_hash != expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=6), st.randoms())
def test_rounding_is_never_called_a_difference(rows: list[tuple[float, float]], order: random.Random) -> None:
    factors = [1 - 1e-13, 1, 1 + 1e-13]
    rounded = [(x * order.choice(factors), y * order.choice(factors)) for x, y in rows]
    order.shuffle(rounded)

    found = same_local_result(pd.DataFrame(rows), pd.DataFrame(rounded), float_tolerance=1e-9)

    assert found.equality in {EQUAL, CLOSE, INCONCLUSIVE}


def test_the_documented_table_is_the_one_in_force() -> None:
    page = Path(__file__).parents[3] / "docs" / "results.md"

    assert markdown_table() in page.read_text(encoding="utf-8")
