"""Arithmetic and comparisons of Python as Spark SQL."""

from __future__ import annotations

import ast

from analyzer.advisors.native.values import (
    LARGEST_BIGINT,
    PythonType,
    Refused,
    Value,
    as_double,
    boolean,
)

_SIGNS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_NUMBERS = (PythonType.INT, PythonType.FLOAT)


def arithmetic(operator: ast.operator, left: Value, right: Value) -> Value:  # noqa: PLR0911 - one case an operator
    """``left operator right``.

    Raises:
        Refused: the operation is unknown here, or Python and Spark differ in it.
    """
    types = (left.type, right.type)
    if types == (PythonType.TEXT, PythonType.TEXT) and isinstance(operator, ast.Add):
        return Value(f"concat({left.sql}, {right.sql})", PythonType.TEXT)
    if any(kind not in _NUMBERS for kind in types):
        raise Refused(f"{type(operator).__name__} of {left.type.value} and {right.type.value}")
    whole = types == (PythonType.INT, PythonType.INT)
    match operator:
        case ast.Add() | ast.Sub() | ast.Mult():
            sign = _SIGNS[type(operator)]
            if not whole:
                return Value(f"({as_double(left)} {sign} {as_double(right)})", PythonType.FLOAT)
            bound = left.bound * right.bound if isinstance(operator, ast.Mult) else left.bound + right.bound
            return Value(f"({left.sql} {sign} {right.sql})", PythonType.INT, bound)
        case ast.Div():
            if whole and not (left.exact_as_double and right.exact_as_double):
                raise Refused("a division of whole numbers that a double cannot hold exactly")
            return Value(f"({as_double(left)} / {as_double(right)})", PythonType.FLOAT)
        case ast.Mod() | ast.FloorDiv() if whole and right.is_literal and _is_positive(right):
            # Spark's sign of a remainder follows the dividend, Python's the divisor; for a positive one pmod is right.
            rest = f"pmod({left.sql}, {right.sql})"
            if isinstance(operator, ast.Mod):
                return Value(rest, PythonType.INT, right.bound)
            return Value(f"(({left.sql} - {rest}) div {right.sql})", PythonType.INT, left.bound)
        case ast.Pow() if whole and right.is_literal and right.sql in ("2L", "3L"):
            factors = " * ".join([left.sql] * (2 if right.sql == "2L" else 3))
            return Value(f"({factors})", PythonType.INT, LARGEST_BIGINT)
        case _:
            raise Refused(f"{type(operator).__name__}, in which Python and Spark differ")


def compare(operator: ast.cmpop, left: Value, right: Value) -> Value:
    """``left operator right`` for ``== != < <= > >=``. NaN is equal to nothing and in no order, as in Python.

    Raises:
        Refused: the types cannot be compared alike.
    """
    equality = isinstance(operator, ast.Eq | ast.NotEq)
    if PythonType.NONE in (left.type, right.type):
        return _with_none(operator, left, right)
    numbers = left.type in _NUMBERS and right.type in _NUMBERS
    if not numbers and (left.type is not right.type or left.type is PythonType.MATCH):
        raise Refused(f"a comparison of {left.type.value} with {right.type.value}")
    if not equality and left.type is PythonType.BOOL:
        raise Refused("an order of truth values")
    floats = PythonType.FLOAT in (left.type, right.type)
    if floats and not (left.exact_as_double and right.exact_as_double):
        raise Refused("a comparison of a float with whole numbers that a double cannot hold exactly")
    first, second = (as_double(left), as_double(right)) if floats else (left.sql, right.sql)
    unordered = [f"isnan({as_double(side)})" for side in (left, right) if _can_be_nan(side)]
    match operator:
        case ast.Eq():
            return boolean("(" + " and ".join([f"{first} <=> {second}", *(f"not {nan}" for nan in unordered)]) + ")")
        case ast.NotEq():
            return boolean("(" + " or ".join([f"not ({first} <=> {second})", *unordered]) + ")")
        case ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE():
            tests = [f"{first} {_SIGNS[type(operator)]} {second}", *(f"not {nan}" for nan in unordered)]
            return boolean("(" + " and ".join(tests) + ")", never_null=left.never_null and right.never_null)
        case _:
            raise Refused(f"the comparison {type(operator).__name__}")


def _with_none(operator: ast.cmpop, left: Value, right: Value) -> Value:
    other = left if right.type is PythonType.NONE else right
    if other.type is PythonType.MATCH or not isinstance(operator, ast.Eq | ast.NotEq):
        raise Refused("a comparison with None")
    return boolean(f"({other.sql} is {'not ' if isinstance(operator, ast.NotEq) else ''}null)")


def _can_be_nan(value: Value) -> bool:
    return value.type is PythonType.FLOAT and not value.is_literal


def _is_positive(value: Value) -> bool:
    return not value.sql.startswith("(") and value.bound > 0
