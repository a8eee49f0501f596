"""Quantities as people write them in an order: ``500ms``, ``256MB``, ``5%``.

Each field type takes the written text, or the plain number in the base unit (seconds, bytes, a fraction of 1), so
that a model dumped as JSON reads back as the same model.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_BYTES = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
MAX_BYTES = 2**60
_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION = re.compile(rf"^{_NUMBER}\s?(us|ms|s|min|m|h)$")
_SIZE = re.compile(rf"^{_NUMBER}\s?([kKmMgGtT]?)(?:i?[bB])?$")
_PERCENT = re.compile(rf"^{_NUMBER}\s?%$")


def parse_duration(text: str) -> float:
    """``60s``, ``500ms``, ``2m``, ``1.5h`` -> seconds.

    Raises:
        ValueError: no such duration.
    """
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration; write a number with us, ms, s, m or h, such as 500ms or 60s")
    return float(match[1]) * _SECONDS[match[2]]


def parse_size(text: str) -> int:
    """``256MB``, ``1g``, ``64KiB`` -> bytes. Steps are of 1024, as in PostgreSQL and Docker.

    Raises:
        ValueError: no such size.
    """
    match = _SIZE.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no size; write a number with kB, MB, GB or TB (or k, m, g, t), such as 256MB")
    size = float(match[1]) * _BYTES[match[2].lower()]
    if size > MAX_BYTES:
        raise ValueError(f"{text!r} is out of range: at most 1048576TB")
    return round(size)


def parse_percent(text: str) -> float:
    """``5%`` -> 0.05.

    Raises:
        ValueError: no percentage.
    """
    match = _PERCENT.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no percentage; write a number with %, such as 5%")
    return float(match[1]) / 100


def _seconds(value: Any) -> Any:
    return _read(value, parse_duration, "a duration such as 500ms or 60s")


def _bytes(value: Any) -> Any:
    return _read(value, parse_size, "a size such as 256MB or 1g")


def _fraction(value: Any) -> Any:
    return _read(value, parse_percent, "a percentage such as 5%")


def _read(value: Any, parse: Any, wanted: str) -> Any:
    if isinstance(value, str):
        try:
            return parse(value)
        except ValueError as error:
            raise PydanticCustomError("quantity", "{reason}", {"reason": str(error)}) from error
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise PydanticCustomError("quantity", "{shown} is not {wanted}", {"shown": repr(value), "wanted": wanted})
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of more digits than a float takes
        return False


def _json_schema(pattern: re.Pattern[str]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": pattern.pattern}]})


Seconds = Annotated[float, BeforeValidator(_seconds), _json_schema(_DURATION)]
"""Seconds; written ``1s``, ``500ms``, ``2m`` or as a plain number."""
Bytes = Annotated[int, BeforeValidator(_bytes), _json_schema(_SIZE)]
"""Bytes; written ``256MB``, ``1g`` or as a plain number."""
Fraction = Annotated[float, BeforeValidator(_fraction), _json_schema(_PERCENT)]
"""A fraction of 1; written ``5%`` or as a plain number."""
