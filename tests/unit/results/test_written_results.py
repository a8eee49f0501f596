"""Results in files are judged as the results themselves would be."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from executor.results.judging import same_written
from executor.results.written import write_local
from snipbench.domain.result import Comparison, Equality

NAN = float("nan")


def judged(place: Path, baseline: Any, candidate: Any, *sort_keys: str) -> Comparison:
    """Judge two values; an Arrow table is written as Spark would write it."""
    for name, value in (("baseline", baseline), ("candidate", candidate)):
        if isinstance(value, pa.Table):
            (place / name).mkdir()
            pq.write_table(value, place / name / "part-00000.parquet")
        else:
            write_local(value, place / name)
    return same_written(place / "baseline", place / "candidate", float_tolerance=1e-9, sort_keys=sort_keys)


def table(*values: Any, **columns: Any) -> pa.Table:
    return pa.table(columns or {"c0": list(values)})


@pytest.mark.parametrize(
    "value",
    [
        None, 7, 2.5, NAN, "text", b"bytes", Decimal("1.50"), datetime.date(2026, 1, 2), [1, [2.0, None]],
        {"a": {1, 2}}, np.arange(4.0), pd.DataFrame({"a": [1, 2], "b": ["x", None]}), pd.Series([1.5, NAN]),
        pa.table({"a": [1, 2]}), pd.DataFrame(index=range(3)), pd.DataFrame({"t": pd.to_datetime(["2026-01-01"])}),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_value_equals_itself(tmp_path: Path, value: Any) -> None:
    assert judged(tmp_path, value, value).equality is Equality.EQUAL


@pytest.mark.parametrize(
    ("ours", "theirs", "equality"),
    [
        (1, 1.0, Equality.DIFFERENT),
        (1.0, 1.0 + 1e-12, Equality.EQUAL_WITHIN_TOLERANCE),
        (1.0, 1.001, Equality.DIFFERENT),
        ([1, 2], [2, 1], Equality.DIFFERENT),
        ((1, 2), [1, 2], Equality.EQUAL),
        (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"b": [2, 1]}), Equality.EQUAL),
        (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [1, 1]}), Equality.DIFFERENT),
        (pd.DataFrame({"a": [1, 2]}), [1, 2], Equality.DIFFERENT),
        (table(1, 2, 2), table(2, 1, 2), Equality.EQUAL),
        (table(1, 2, 2), table(1, 1, 2), Equality.DIFFERENT),
        (table(1, 2), table(1, 2, 2), Equality.DIFFERENT),
        (table(1.0, NAN, 2.0), table(NAN, 2.0, 1.0), Equality.EQUAL),
        (table(1.0, 2.0), table(2.0, 1.0 + 1e-13), Equality.EQUAL_WITHIN_TOLERANCE),
        (table([1], [2, 3]), table([2, 3], [1]), Equality.EQUAL),
        (table(1, 2), table("1", "2"), Equality.DIFFERENT),
        (table(2, 1), pd.DataFrame({"a": [1, 2]}), Equality.EQUAL),
    ],
)
def test_judgements(tmp_path: Path, ours: Any, theirs: Any, equality: Equality) -> None:
    found = judged(tmp_path, ours, theirs)
    assert found.equality is equality, found


@pytest.mark.parametrize(
    ("rows", "key", "in_order"),
    [
        ([1, 2, 2, 3], "1 ASC NULLS FIRST", True),
        ([3, 2, 1], "1 DESC NULLS LAST", True),
        ([None, 1, 2], "1 ASC NULLS FIRST", True),
        ([1, 2, None], "1 ASC NULLS FIRST", False),
        ([1, 3, 2], "1 ASC NULLS FIRST", False),
        ([1.0, float("inf"), NAN], "1 ASC NULLS FIRST", True),
        ([1.0, NAN, 2.0], "1 ASC NULLS FIRST", False),
        ([False, True], "1 ASC NULLS FIRST", True),
        (["B", "a"], "1 ASC NULLS FIRST", True),
    ],
)
def test_the_order_of_the_baseline_belongs_to_the_result(
    tmp_path: Path, rows: list[Any], key: str, in_order: bool
) -> None:
    # The same rows in the order that the key asks for: nulls by the key, NaN greatest.
    first = "FIRST" in key
    ordered = sorted(
        rows,
        key=lambda v: ((v is None) != first, v is not None and v != v, 0 if v is None or v != v else v),  # noqa: PLR0124
        reverse="DESC" in key,
    )
    found = judged(tmp_path, table(*ordered), table(*rows), key)
    assert (found.equality is Equality.EQUAL) is in_order, found


def test_ties_are_broken_by_the_next_key_only(tmp_path: Path) -> None:
    ours = table(a=[1, 1, 2], b=["x", "y", "a"])
    theirs = table(a=[1, 1, 2], b=["y", "x", "a"])
    assert judged(tmp_path / "", ours, theirs, "1 ASC NULLS FIRST").equality is Equality.EQUAL
    for name in ("baseline", "candidate"):
        (tmp_path / name).rename(tmp_path / f"old-{name}")
    found = judged(tmp_path, ours, theirs, "1 ASC NULLS FIRST", "2 ASC NULLS FIRST")
    assert found.equality is Equality.DIFFERENT


@pytest.mark.parametrize("garbage", [b"", b"PAR1garbagePAR1", b"\x00" * 4096], ids=["empty", "magic", "zeros"])
def test_a_candidate_that_cannot_be_read_is_wrong(tmp_path: Path, garbage: bytes) -> None:
    write_local(1, tmp_path / "baseline")
    for name in ("part-00000.parquet", "frame.arrow", "value.json"):
        candidate = tmp_path / name.replace(".", "-")
        candidate.mkdir()
        (candidate / name).write_bytes(garbage)
        found = same_written(tmp_path / "baseline", candidate, float_tolerance=1e-9, sort_keys=())
        assert found.equality is Equality.DIFFERENT
        assert "cannot be read" in found.reason
        again = same_written(candidate, tmp_path / "baseline", float_tolerance=1e-9, sort_keys=())
        assert again.equality is Equality.INCONCLUSIVE
