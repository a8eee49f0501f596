"""Canonical encodings of local values: the same text that ``executor.results.columns`` writes in Spark."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from executor.results.cells import Entries, Fields, Ticks, type_name
from executor.results.digest import frame_hash, sum_lanes, utf8
from executor.results.tables import FRAME_TYPES, local_frame, python_values
from snipbench.errors import UnhashableResult

NULL = "N;"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the origin of readings without a zone
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MICROSECOND = timedelta(microseconds=1)


def encode(value: Any, floats: list[float] | None = None) -> str:
    """Canonical encoding of one value.

    With a list ``floats``, finite floats go there, in the order in which they are met, and leave a mark in the text, so
    that the text is the value's exact part. Keys of maps and elements of sets are always exact.

    :raises UnhashableResult: for a type, here or inside, without a defined hash.
    """
    encoder = _BY_TYPE.get(type(value))
    if encoder is None:
        encoder = next((found for kind, found in _BY_KIND if isinstance(value, kind)), None)
    if encoder is None:
        raise UnhashableResult(type_name(value))
    return encoder(value, floats)


_Floats = list[float] | None


def _null(_: Any, __: _Floats) -> str:
    return NULL


def _boolean(value: Any, _: _Floats) -> str:
    return "b1;" if value else "b0;"


def _integer(value: Any, _: _Floats) -> str:
    return f"i{int(value)};"


def _float(value: Any, floats: _Floats) -> str:
    number = float(value)
    if floats is not None and math.isfinite(number):
        floats.append(number + 0.0)
        return "f?;"
    return f"f{_xxhash64(number)};"


def _wide_float(value: Any, _: _Floats) -> str:
    raise UnhashableResult(type_name(value), where="wider than a double")


def _complex(value: Any, floats: _Floats) -> str:
    return "c" + _float(value.real, floats) + _float(value.imag, floats)


def _decimal(value: Decimal, _: _Floats) -> str:
    if not value.is_finite():
        return f"d{'NaN' if value.is_nan() else str(value)};"
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"d{'0' if text == '-0' else text};"


def _string(value: str, _: _Floats) -> str:
    return f"s{len(value) if value.isascii() else len(utf8(value))}:{value};"


def _binary(value: Any, _: _Floats) -> str:
    return f"x{bytes(value).hex().upper()};"


def _date(value: date, _: _Floats) -> str:
    return f"D{value.toordinal() - _EPOCH_DAY};"


def _ticks(value: Ticks, _: _Floats) -> str:
    micros, rest = divmod(value.nanoseconds, 1000)
    # Spark has no nanoseconds; a local value that does must not equal its truncation.
    return f"{value.tag}{micros};" if not rest else f"{value.tag}{micros}:{rest};"


def _datetime(value: datetime, floats: _Floats) -> str:
    if isinstance(value, pd.Timestamp):
        tag = "Z" if value.tz is None else "T"
        return _ticks(Ticks(tag, _nanoseconds(np.datetime64(value.asm8))), floats)
    if value.utcoffset() is None:
        return f"Z{(value.replace(tzinfo=None) - _EPOCH) // _MICROSECOND};"
    return f"T{(value - _EPOCH_UTC) // _MICROSECOND};"


def _time(value: time, _: _Floats) -> str:
    if value.tzinfo is not None:
        raise UnhashableResult("datetime.time", where="with a zone")
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return f"t{seconds * 1_000_000 + value.microsecond};"


def _timedelta(value: timedelta, floats: _Floats) -> str:
    if isinstance(value, pd.Timedelta):
        return _ticks(Ticks("u", _nanoseconds(value.asm8)), floats)
    return f"u{value // _MICROSECOND};"


def _numpy_time(value: Any, floats: _Floats) -> str:
    if np.isnat(value):
        return NULL
    return _ticks(Ticks("Z" if value.dtype.kind == "M" else "u", _nanoseconds(value)), floats)


def _nanoseconds(value: Any) -> int:
    """Of a numpy time in any unit from days to nanoseconds, without the range of 64 bits of nanoseconds."""
    unit, _ = np.datetime_data(value.dtype)
    if unit in {"ps", "fs", "as"}:
        raise UnhashableResult(f"numpy {value.dtype}", where="finer than nanoseconds")
    if unit == "ns":
        return int(value.astype("int64"))
    if value.dtype.kind == "m" and unit in {"Y", "M"}:
        raise UnhashableResult(f"numpy {value.dtype}", where="years and months have no fixed length")
    return int(value.astype(f"{value.dtype.kind}8[us]").astype("int64")) * 1000


def _array(value: Any, floats: _Floats) -> str:
    return f"[{len(value)}:{''.join([encode(item, floats) for item in value])}]"


def _numpy_array(value: Any, floats: _Floats) -> str:
    if value.dtype.kind == "V":
        raise UnhashableResult(f"numpy.ndarray of {value.dtype}")
    # Python's own numbers encode faster; times and wide floats would lose their type that way.
    plain = value.dtype.kind in "biuUSO" or (value.dtype.kind == "f" and value.dtype.itemsize <= 8)
    if plain or value.ndim == 0:
        return encode(value.tolist() if plain else value[()], floats)
    return _array(list(value), floats)


def _struct(value: Fields, floats: _Floats) -> str:
    return f"({''.join([encode(item, floats) for item in value.values])})"


def _mapping(value: Mapping[Any, Any], floats: _Floats) -> str:
    return _entries(Entries(tuple(value.items())), floats)


def _entries(value: Entries, floats: _Floats) -> str:
    keyed = [(encode(key), item) for key, item in value.pairs]
    # In the order of keys, so that floats are met in one order on both sides of a comparison.
    keyed.sort(key=lambda pair: utf8(pair[0]))
    entries = [key + encode(item, floats) for key, item in keyed]
    return f"{{{len(entries)}:{''.join(sorted(entries, key=utf8))}}}"


def _set(value: AbstractSet[Any], _: _Floats) -> str:
    return f"<{len(value)}:{''.join(sorted(map(encode, value), key=utf8))}>"


def _frame(value: Any, floats: _Floats) -> str:
    """A frame inside another value: its own hash, or its exact parts in the order in which its floats are met."""
    frame = local_frame(value)
    if floats is None:
        lanes = sum_lanes("".join([encode(item) for item in row]) for row in frame.rows())
        return f"R{frame_hash(frame.classes, frame.height, lanes)};"
    rows: list[tuple[str, list[float]]] = []
    for row in frame.rows():
        found: list[float] = []
        rows.append(("".join([encode(item, found) for item in row]), found))
    rows.sort()
    for _, found in rows:
        floats.extend(found)
    return f"R{','.join(frame.classes)}:{len(rows)}:{''.join([exact for exact, _ in rows])};"


def _arrow_array(value: Any, floats: _Floats) -> str:
    return _array(python_values(value.combine_chunks() if isinstance(value, pa.ChunkedArray) else value), floats)


_MASK = (1 << 64) - 1
_P1, _P2, _P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P4, _P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
_SEED = 42
_BITS = struct.Struct("<d")
_WORD = struct.Struct("<Q")
_NAN_BITS = 0x7FF8000000000000


def _xxhash64(number: float) -> int:
    """What Spark's ``xxhash64`` gives for a double: XXH64 of its 8 bytes, seed 42, as a signed number."""
    bits = _NAN_BITS if number != number else _WORD.unpack(_BITS.pack(number + 0.0))[0]  # noqa: PLR0124 - NaN
    mixed = (_SEED + _P5 + 8) & _MASK
    mixed ^= (_rotated(bits * _P2 & _MASK, 31) * _P1) & _MASK
    mixed = (_rotated(mixed, 27) * _P1 + _P4) & _MASK
    mixed = ((mixed ^ (mixed >> 33)) * _P2) & _MASK
    mixed = ((mixed ^ (mixed >> 29)) * _P3) & _MASK
    mixed ^= mixed >> 32
    return mixed - (1 << 64) if mixed >> 63 else mixed


def _rotated(word: int, by: int) -> int:
    return ((word << by) | (word >> (64 - by))) & _MASK


_Encoder = Callable[[Any, _Floats], str]

_BY_TYPE: dict[type, _Encoder] = {
    type(None): _null,
    type(pd.NA): _null,
    type(pd.NaT): _null,
    bool: _boolean,
    int: _integer,
    float: _float,
    str: _string,
    bytes: _binary,
    Decimal: _decimal,
    date: _date,
    datetime: _datetime,
    Ticks: _ticks,
    Fields: _struct,
    Entries: _entries,
    np.longdouble: _wide_float,
    np.clongdouble: _wide_float,
}

_BY_KIND: tuple[tuple[Any, _Encoder], ...] = (
    ((bool, np.bool_), _boolean),
    # numpy's timedelta64 calls itself an integer.
    ((np.datetime64, np.timedelta64), _numpy_time),
    ((int, np.integer), _integer),
    ((float, np.floating), _float),
    ((complex, np.complexfloating), _complex),
    (str, _string),
    ((bytes, bytearray, memoryview), _binary),
    (Decimal, _decimal),
    (datetime, _datetime),
    (date, _date),
    (time, _time),
    (timedelta, _timedelta),
    (np.ndarray, _numpy_array),
    (FRAME_TYPES, _frame),
    ((pa.Array, pa.ChunkedArray), _arrow_array),
    ((list, tuple), _array),
    (Mapping, _mapping),
    (AbstractSet, _set),
)
