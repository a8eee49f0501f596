"""Methods of Python's texts as Spark SQL."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from analyzer.advisors.native.values import PythonType, Refused, Value, boolean, text_literal

Arguments = list[Any]
"""Constant arguments of a call."""


def call_method(text: Value, name: str, arguments: Arguments) -> Value:  # noqa: PLR0911 - one case a method
    """``text.name(*arguments)``.

    Raises:
        Refused: the method is not known here, or differs between Python and Spark for these arguments.
    """
    match name, arguments:
        case (("lower" | "upper"), []):
            return _text(f"{name}({text.sql})")
        case (("strip" | "lstrip" | "rstrip"), ([] | [None])):
            return _strip(text, name, whitespace())
        case (("strip" | "lstrip" | "rstrip"), [str() as characters]) if characters:
            return _strip(text, name, characters)
        case (("startswith" | "endswith"), [str() as part]):
            return boolean(f"{name}({text.sql}, {text_literal(part)})", never_null=text.never_null)
        case (("startswith" | "endswith"), [tuple() as parts]) if parts and all(
            isinstance(part, str) for part in parts
        ):
            tests = " or ".join(f"{name}({text.sql}, {text_literal(part)})" for part in parts)
            return boolean(f"({tests})", never_null=text.never_null)
        case "replace", [str() as old, str() as new] if old:
            return _text(f"replace({text.sql}, {text_literal(old)}, {text_literal(new)})")
        case "find", [str() as part] if part:
            found = f"(cast(instr({text.sql}, {text_literal(part)}) as bigint) - 1L)"
            return Value(found, PythonType.INT, 2**31)
        case _:
            raise Refused(f"the text method {name} with these arguments")


def slice_of(text: Value, low: int | None, high: int | None) -> Value:
    """``text[low:high]``.

    Raises:
        Refused: bounds from the end, but for the last few characters.
    """
    if low is not None and low < 0 and high is None:
        return _text(f"right({text.sql}, {-low})")
    if (low or 0) < 0 or (high or 0) < 0 or max(low or 0, high or 0) >= 2**31:
        raise Refused("a slice that counts from the end")
    start = low or 0
    if high is None:
        return _text(f"substring({text.sql}, {start + 1})")
    return _text(f"substring({text.sql}, {start + 1}, {max(high - start, 0)})")


@cache
def whitespace() -> str:
    """The characters that Python's ``strip()`` removes; Spark's ``trim`` removes spaces only."""
    return "".join(chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace())


def _strip(text: Value, name: str, characters: str) -> Value:
    side = {"strip": "both", "lstrip": "leading", "rstrip": "trailing"}[name]
    return _text(f"trim({side} {text_literal(characters)} from {text.sql})")


def _text(sql: str) -> Value:
    return Value(sql, PythonType.TEXT)
