"""Whether two written results are the same, by the rules of :mod:`executor.results`, without Spark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from executor.results.comparing import SHOWN_ROWS, class_mismatch
from executor.results.digest import frame_hash, sum_lanes
from executor.results.local import Row, same_frames, same_rows
from executor.results.ordering import SortKey, verifiable
from executor.results.values import encode
from executor.results.written import Unreadable, WrittenFrame, read_written
from snipbench.domain.result import Comparison, Equality
from snipbench.errors import UnhashableResult

MAX_ROWS = 1_000_000
"""Rows a side up to which results are compared row by row where they are not equal to the bit."""


def same_written(baseline: Path, candidate: Path, *, float_tolerance: float, sort_keys: Sequence[str]) -> Comparison:
    """Judge what is written in one directory by what is in another.

    A baseline that cannot be read is no ground for a judgement; a candidate that cannot be is a wrong one.
    """
    try:
        ours = read_written(baseline)
    except Unreadable as error:
        return Comparison(Equality.INCONCLUSIVE, f"the baseline's result cannot be read: {error}")
    try:
        theirs = read_written(candidate)
        found = _same(ours, theirs, float_tolerance, verifiable([SortKey.parse(text) for text in sort_keys]))
        return found if isinstance(ours, Row) else replace(found, rows=ours.height)
    except (Unreadable, UnhashableResult) as error:
        return Comparison(Equality.DIFFERENT, f"the candidate's result cannot be read: {error}")


def _same(
    ours: WrittenFrame | Row, theirs: WrittenFrame | Row, tolerance: float, keys: Sequence[SortKey]
) -> Comparison:
    if isinstance(ours, Row) and isinstance(theirs, Row):
        if (ours.exact, ours.floats) == (theirs.exact, theirs.floats):
            return Comparison(Equality.EQUAL, "the values are equal")
        return same_rows([ours], [theirs], tolerance)
    if isinstance(ours, Row) or isinstance(theirs, Row):
        frame, value = ("variant", "baseline") if isinstance(ours, Row) else ("baseline", "variant")
        return Comparison(Equality.DIFFERENT, f"the {frame} gives a frame, the {value} a value")
    return _same_frames(ours, theirs, tolerance, keys)


def _same_frames(ours: WrittenFrame, theirs: WrittenFrame, tolerance: float, keys: Sequence[SortKey]) -> Comparison:
    mismatch = class_mismatch(ours.classes, theirs.classes)
    if mismatch is not None:
        return Comparison(Equality.DIFFERENT, mismatch)
    if ours.height == theirs.height and ours.table.equals(theirs.table):
        return Comparison(Equality.EQUAL, "the rows are equal, in their sequence too")
    found = _same_rows(ours, theirs, tolerance)
    if found.equality is Equality.DIFFERENT or not keys:
        return found
    return _in_order(ours, theirs, keys) or found


def _same_rows(ours: WrittenFrame, theirs: WrittenFrame, tolerance: float) -> Comparison:
    """As multisets."""
    if ours.height == theirs.height and (_equal_when_sorted(ours, theirs) or _hash(ours) == _hash(theirs)):
        return Comparison(Equality.EQUAL, "the rows are equal")
    if max(ours.height, theirs.height) > MAX_ROWS:
        if ours.height != theirs.height:
            return Comparison(Equality.DIFFERENT, f"the baseline has {ours.height} rows, the variant {theirs.height}")
        reason = f"the rows are not equal to the bit, and {ours.height} are more than the {MAX_ROWS} that are compared"
        return Comparison(Equality.INCONCLUSIVE, f"{reason} one by one")
    return same_frames(ours.local(), theirs.local(), tolerance)


def _equal_when_sorted(ours: WrittenFrame, theirs: WrittenFrame) -> bool:
    """A quick yes; a no says nothing (NaN, a type that Arrow does not sort)."""
    by = [(name, "ascending") for name in ours.table.column_names]
    if not by or ours.table.schema.types != theirs.table.schema.types:
        return False
    try:
        return bool(ours.table.sort_by(by).equals(theirs.table.rename_columns(ours.table.column_names).sort_by(by)))
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError, pa.ArrowInvalid):
        return False


def _hash(frame: WrittenFrame) -> str:
    parts = [sum_lanes("".join([encode(item) for item in row]) for row in part.rows()) for part in frame.batches()]
    return frame_hash(frame.classes, frame.height, [sum(lanes) for lanes in zip(*parts, strict=True)])


def _in_order(ours: WrittenFrame, theirs: WrittenFrame, keys: Sequence[SortKey]) -> Comparison | None:
    """What is wrong with the candidate's sequence, given that the rows are the same; ``None`` if nothing is."""
    names = ", ".join(str(key) for key in keys)
    try:
        expected, broken = _first_out_of_order(ours.table, keys), _first_out_of_order(theirs.table, keys)
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        return Comparison(Equality.INCONCLUSIVE, f"the order by {names} cannot be checked: {error}")
    if (expected is None) == (broken is None):
        return None
    reason = f"the rows are not in the baseline's order ({names})"
    if broken is None:
        return Comparison(Equality.DIFFERENT, reason)
    rows = theirs.table.slice(broken, SHOWN_ROWS).to_pylist()
    return Comparison(Equality.DIFFERENT, reason, tuple(str(tuple(row.values()))[:300] for row in rows))


def _first_out_of_order(table: pa.Table, keys: Sequence[SortKey]) -> int | None:
    """Position of the first row that comes after one that it should precede."""
    rows = table.num_rows
    if rows < 2:
        return None
    wrong, tied = pa.array([False] * (rows - 1)), pa.array([True] * (rows - 1))
    for key in keys:
        assert key.position is not None  # a verifiable one
        for column in _sortable(table.column(key.position).combine_chunks()):
            before, after = column.slice(0, rows - 1), column.slice(1)
            nulls = (
                (pc.is_valid(before), pc.is_null(after))
                if key.nulls_first
                else (pc.is_null(before), pc.is_valid(after))
            )
            compare: Callable[[Any, Any], Any] = pc.greater if key.ascending else pc.less
            here = pc.or_(pc.and_(*nulls), pc.fill_null(compare(before, after), False))
            wrong = pc.or_(wrong, pc.and_(tied, here))
            both_null = pc.and_(pc.is_null(before), pc.is_null(after))
            tied = pc.and_(tied, pc.or_(both_null, pc.fill_null(pc.equal(before, after), False)))
    position = pc.index(wrong, True).as_py()
    return None if position < 0 else position


def _sortable(column: Any) -> list[Any]:
    """Arrays that Arrow compares as Spark sorts: NaN is greater than any number, and false comes before true."""
    if pa.types.is_floating(column.type):
        nan = pc.is_nan(column)
        return [nan.cast(pa.int8()), pc.if_else(nan, 0.0, column)]
    return [column.cast(pa.int8())] if pa.types.is_boolean(column.type) else [column]
