"""The facts of results that a ``function`` returns, and whether two of them are the same; no session is needed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from executor.results.cells import type_name
from executor.results.comparing import SHOWN_CHARACTERS, SHOWN_ROWS, class_mismatch
from executor.results.digest import frame_hash, sum_lanes, value_hash
from executor.results.tables import FRAME_TYPES, LocalFrame, local_frame
from executor.results.values import encode
from snipbench.domain.result import Comparison, Equality, ResultFacts
from snipbench.errors import UnhashableResult


def local_fingerprint(value: Any) -> ResultFacts:
    """Facts of any value whose type has a defined hash.

    A pandas or Arrow frame hashes like a Spark result with the same content. Any other value counts as one row with one
    column ``value``, whose type is shown but does not enter the hash: a list equals the tuple and the array of the same
    elements. ``all_null_columns`` is only filled for frames.

    :raises UnhashableResult: for a value, or a part of one, of any other type.
    """
    if not isinstance(value, FRAME_TYPES):
        return ResultFacts(value_hash(_encoded(value, None)), 1, (("value", type_name(value)),))
    frame = local_frame(value)
    lanes = sum_lanes("".join([encode(item) for item in row]) for row in frame.rows())
    return ResultFacts(
        result_hash=frame_hash(frame.classes, frame.height, lanes),
        rows=frame.height,
        columns=tuple(zip(frame.names, frame.classes, strict=True)),
        all_null_columns=tuple(
            name
            for name, column in zip(frame.names, frame.columns, strict=True)
            if column and all(item is None for item in column)
        ),
    )


def same_local_result(baseline: Any, variant: Any, *, float_tolerance: float) -> Comparison:
    """Judge a variant's local value against its baseline's, by the rules of :func:`executor.results.same_result`.

    :param float_tolerance: relative; ``a`` and ``b`` agree when ``|a - b| <= float_tolerance * max(|a|, |b|)``.
    :raises UnhashableResult: for a value, or a part of one, without a defined hash.
    """
    if local_fingerprint(baseline).result_hash == local_fingerprint(variant).result_hash:
        return Comparison(Equality.EQUAL, "the hashes are equal")
    framed = isinstance(baseline, FRAME_TYPES), isinstance(variant, FRAME_TYPES)
    if not any(framed):
        return same_rows([row_of(baseline)], [row_of(variant)], float_tolerance)
    if not all(framed):
        return Comparison(
            Equality.DIFFERENT, f"the baseline gives a {type_name(baseline)}, the variant a {type_name(variant)}"
        )
    return same_frames(local_frame(baseline), local_frame(variant), float_tolerance)


def same_frames(ours: LocalFrame, theirs: LocalFrame, float_tolerance: float) -> Comparison:
    """Judge two frames by their rows."""
    mismatch = class_mismatch(ours.classes, theirs.classes)
    if mismatch is not None:
        return Comparison(Equality.DIFFERENT, mismatch)
    return same_rows(rows_of(ours), rows_of(theirs), float_tolerance)


@dataclass(frozen=True, slots=True)
class Row:
    """A row, or a value that counts as one: its exact part, its finite floats, a text to show."""

    exact: str
    floats: list[float]
    text: str


def row_of(value: Any) -> Row:
    """A value that is no frame. Raises UnhashableResult."""
    floats: list[float] = []
    return Row(_encoded(value, floats), floats, _shown(repr(value)))


def rows_of(frame: LocalFrame) -> list[Row]:
    """All rows of a frame. Raises UnhashableResult."""
    found: list[Row] = []
    for row in frame.rows():
        floats: list[float] = []
        exact = "".join([encode(item, floats) for item in row])
        text = ", ".join("NULL" if item is None else repr(item) for item in row)
        found.append(Row(exact, floats, f"({_shown(text)})"))
    return found


def _shown(text: str) -> str:
    return text[:SHOWN_CHARACTERS]


def _encoded(value: Any, floats: list[float] | None) -> str:
    try:
        return encode(value, floats)
    except RecursionError as error:
        raise UnhashableResult(type_name(value), where="nested too deeply, or in itself") from error


def same_rows(ours: list[Row], theirs: list[Row], tolerance: float) -> Comparison:
    """Judge two multisets of rows."""
    groups: dict[str, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate((ours, theirs)):
        for row in sorted(rows, key=lambda row: row.floats):
            groups[row.exact][side].append(row)
    wrong: list[tuple[Row | None, Row | None]] = []
    unpaired = 0
    proven = False
    for left, right in groups.values():
        apart = [
            (our, their)
            for our, their in zip_longest(left, right)
            if our is None or their is None or not _agree(our.floats, their.floats, tolerance)
        ]
        unpaired += abs(len(left) - len(right))
        if apart and not proven and len(left) == len(right):
            proven = _proven_apart(left, right, apart[0], tolerance)
        wrong += apart
    if not wrong:
        return Comparison(Equality.EQUAL_WITHIN_TOLERANCE, f"floats differ by at most {tolerance:g}, relatively")
    shown = tuple(_told(our, their) for our, their in wrong[:SHOWN_ROWS])
    if unpaired:
        reason = f"rows without a counterpart that equals them in all but floats: {unpaired}"
        if len(ours) != len(theirs):
            reason = f"the baseline has {len(ours)} rows, the variant {len(theirs)}"
        return Comparison(Equality.DIFFERENT, reason, shown)
    reason = f"floats differ by more than {tolerance:g}, relatively, in {len(wrong)} of {len(ours)} rows"
    if proven:
        return Comparison(Equality.DIFFERENT, reason, shown)
    return Comparison(
        Equality.INCONCLUSIVE, f"paired in sorted order, {reason}; but nearly equal floats allow other pairings", shown
    )


def _agree(ours: list[float], theirs: list[float], tolerance: float) -> bool:
    pairs = zip(ours, theirs, strict=True)
    return all(a == b or abs(a - b) <= tolerance * max(abs(a), abs(b)) for a, b in pairs)


def _proven_apart(left: list[Row], right: list[Row], apart: tuple[Any, Any], tolerance: float) -> bool:
    """Whether no pairing of the group can match; the reasoning is that of ``comparing._proven_apart``."""
    if len(left) == 1 or len(apart[0].floats) == 1:
        return True

    def near(rows: list[Row], point: Row, reach: float) -> int:
        return sum(_agree(row.floats, point.floats, reach * tolerance) for row in rows)

    our, their = apart
    return near(left, our, 1) > near(right, our, 3) or near(right, their, 1) > near(left, their, 3)


def _told(our: Row | None, their: Row | None) -> str:
    if their is None:
        return f"only in the baseline: {our.text if our else ''}"
    if our is None:
        return f"only in the variant: {their.text}"
    return f"baseline {our.text}, variant {their.text}"
