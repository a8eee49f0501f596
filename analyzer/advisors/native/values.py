"""Values of a translation: a piece of Spark SQL with the Python type that it stands for."""

from __future__ import annotations

import math
import string
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Refused(Exception):
    """The function cannot be translated; the message says what is in the way."""


class PythonType(StrEnum):
    """What a value is in Python. Whole numbers are ``bigint`` in SQL, whatever they were."""

    INT = "int"
    FLOAT = "float"
    TEXT = "str"
    BOOL = "bool"
    NONE = "None"
    MATCH = "re.Match"
    """What a regular expression's search gives; ``sql`` is whether it matched."""


LARGEST_BIGINT = 2**63
EXACT_IN_DOUBLE = 2**53


@dataclass(frozen=True, slots=True)
class Value:
    """``bound`` is the largest magnitude of a whole number; ``never_null`` holds for SQL, not only for Python."""

    sql: str
    type: PythonType
    bound: int = LARGEST_BIGINT
    never_null: bool = False
    is_literal: bool = False

    @property
    def exact_as_double(self) -> bool:
        """Whether the value becomes a double without rounding."""
        return self.type is PythonType.FLOAT or (self.type is PythonType.INT and self.bound <= EXACT_IN_DOUBLE)


NOTHING = Value("null", PythonType.NONE, is_literal=True)


def boolean(sql: str, *, never_null: bool = True) -> Value:
    """A truth value."""
    return Value(sql, PythonType.BOOL, never_null=never_null)


def literal(value: Any) -> Value:
    """A Python constant.

    Raises:
        Refused: SQL has no such constant.
    """
    match value:
        case None:
            return NOTHING
        case bool():
            return Value("true" if value else "false", PythonType.BOOL, never_null=True, is_literal=True)
        case int() if abs(value) < LARGEST_BIGINT:
            text = f"{value}L" if value >= 0 else f"({value}L)"
            return Value(text, PythonType.INT, abs(value), never_null=True, is_literal=True)
        case float() if math.isfinite(value):
            text = f"{value!r}D" if math.copysign(1, value) > 0 else f"({value!r}D)"
            return Value(text, PythonType.FLOAT, never_null=True, is_literal=True)
        case str():
            return Value(text_literal(value), PythonType.TEXT, never_null=True, is_literal=True)
        case _:
            raise Refused(f"the constant {value!r:.60}")


_PLAIN = frozenset(string.ascii_letters + string.digits + " !#%&()*+,-./:;<=>?@[]^_`{|}~")


def text_literal(text: str) -> str:
    """A SQL text constant. ``$`` is written by its number, since Spark replaces ``${...}`` even inside a text.

    Raises:
        Refused: a NUL or half a surrogate pair, which not every side can hold.
    """
    written = []
    for character in text:
        code = ord(character)
        if code == 0 or 0xD800 <= code <= 0xDFFF:
            raise Refused(f"the character {code:#x} in a text")
        if character in _PLAIN:
            written.append(character)
        elif code <= 0xFFFF:
            written.append(f"\\u{code:04x}")
        else:
            written.append(f"\\U{code:08x}")
    return "'" + "".join(written) + "'"


def as_double(value: Value) -> str:
    """The value as a double, the way Python converts an int."""
    return value.sql if value.type is PythonType.FLOAT else f"cast({value.sql} as double)"


def truth(value: Value) -> str:
    """SQL condition, never NULL: whether Python takes the value for true."""
    match value.type:
        case PythonType.BOOL | PythonType.MATCH:
            return value.sql if value.never_null else f"coalesce({value.sql}, false)"
        case PythonType.INT:
            return f"coalesce({value.sql} <> 0L, false)"
        case PythonType.FLOAT:
            return f"coalesce({value.sql} <> 0.0D, false)"
        case PythonType.TEXT:
            return f"coalesce({value.sql} <> '', false)"
        case PythonType.NONE:
            return "false"


def choose(condition: str, yes: Value, no: Value) -> Value:
    """``yes if condition else no``.

    Raises:
        Refused: the two are of different types, so that the result's type would depend on the row.
    """
    if PythonType.MATCH in (yes.type, no.type):
        raise Refused("a match object as a value")
    if PythonType.NONE not in (yes.type, no.type) and yes.type is not no.type:
        raise Refused(f"a value that is now {yes.type.value}, now {no.type.value}")
    kind = no.type if yes.type is PythonType.NONE else yes.type
    return Value(
        f"case when {condition} then {yes.sql} else {no.sql} end",
        kind,
        max(value.bound for value in (yes, no) if value.type is not PythonType.NONE or kind is PythonType.NONE),
        never_null=yes.never_null and no.never_null,
    )
