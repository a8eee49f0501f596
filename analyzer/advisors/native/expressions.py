"""Python expressions -> Spark SQL."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from analyzer.advisors.native.module import UNKNOWN, Module, constant
from analyzer.advisors.native.numbers import arithmetic, compare
from analyzer.advisors.native.patterns import can_be_empty, java_pattern
from analyzer.advisors.native.texts import call_method, slice_of
from analyzer.advisors.native.values import (
    NOTHING,
    PythonType,
    Refused,
    Value,
    as_double,
    boolean,
    choose,
    literal,
    text_literal,
    truth,
)

LARGEST_TABLE = 200
"""Entries of a dictionary or collection that are written out."""
_INT, _FLOAT, _TEXT = PythonType.INT, PythonType.FLOAT, PythonType.TEXT


class Translator:
    """Translates the expressions of one function. ``names`` are parameters and local variables."""

    def __init__(self, module: Module) -> None:
        self._module = module

    def value(self, node: ast.expr, names: Mapping[str, Value]) -> Value:  # noqa: PLR0911 - one case a construct
        """The expression's value.

        Raises:
            Refused: something in it is unknown, or differs between Python and Spark.
        """
        match node:
            case ast.Constant():
                return literal(node.value)
            case ast.Name():
                return self._name(node.id, names)
            case ast.BinOp():
                return arithmetic(node.op, self.value(node.left, names), self.value(node.right, names))
            case ast.UnaryOp():
                return self._unary(node, names)
            case ast.BoolOp():
                return self._logic(node, names)
            case ast.Compare():
                return self._comparison(node, names)
            case ast.IfExp():
                condition = truth(self.value(node.test, names))
                return choose(condition, self.value(node.body, names), self.value(node.orelse, names))
            case ast.Call():
                return self._call(node, names)
            case ast.Subscript(slice=ast.Slice() as part):
                return self._slice(self.value(node.value, names), part)
            case ast.JoinedStr():
                return self._joined(node, names)
            case _:
                raise Refused(f"the construct {type(node).__name__}")

    def _name(self, name: str, names: Mapping[str, Value]) -> Value:
        if name in names:
            return names[name]
        if name in self._module.constants:
            return literal(self._module.constants[name])
        raise Refused(f"the name {name!r}")

    def _constant(self, node: ast.expr, names: Mapping[str, Value]) -> Any:
        """The constant that the expression is, be it written here or named in the module."""
        if isinstance(node, ast.Name) and node.id not in names:
            return self._module.constants.get(node.id, UNKNOWN)
        return constant(node, self._module.imports)

    def _unary(self, node: ast.UnaryOp, names: Mapping[str, Value]) -> Value:
        value = self.value(node.operand, names)
        match node.op:
            case ast.Not():
                return boolean(f"(not {truth(value)})")
            case ast.USub() if value.type in (_INT, _FLOAT):
                return Value(f"(- {value.sql})", value.type, value.bound)
            case ast.UAdd() if value.type in (_INT, _FLOAT):
                return value
            case _:
                raise Refused(f"{type(node.op).__name__} of {value.type.value}")

    def _logic(self, node: ast.BoolOp, names: Mapping[str, Value]) -> Value:
        values = [self.value(part, names) for part in node.values]
        is_and = isinstance(node.op, ast.And)
        if all(value.type is PythonType.BOOL for value in values):
            # A NULL column is falsy, but `None and x` is None: only what is never NULL may be joined as it is.
            *first, last = values
            if all(value.never_null for value in first):
                joined = (" and " if is_and else " or ").join(value.sql for value in values)
                return boolean(f"({joined})", never_null=last.never_null)
        result = values[-1]
        for value in reversed(values[:-1]):
            result = choose(truth(value), result, value) if is_and else choose(truth(value), value, result)
        return result

    def _comparison(self, node: ast.Compare, names: Mapping[str, Value]) -> Value:
        tests: list[Value] = []
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            tests.append(self._test(operator, left, right, names))
            left = right
        if len(tests) == 1:
            return tests[0]
        joined = " and ".join(test.sql for test in tests)
        return boolean(f"({joined})", never_null=all(test.never_null for test in tests))

    def _test(self, operator: ast.cmpop, left: ast.expr, right: ast.expr, names: Mapping[str, Value]) -> Value:
        match operator:
            case ast.Is() | ast.IsNot():
                if not (isinstance(right, ast.Constant) and right.value is None):
                    raise Refused("a test of identity other than with None")
                value = self.value(left, names)
                if value.type is PythonType.MATCH:
                    found = truth(value)
                    return boolean(f"(not {found})" if isinstance(operator, ast.Is) else found)
                return boolean(f"({value.sql} is {'' if isinstance(operator, ast.Is) else 'not '}null)")
            case ast.In() | ast.NotIn():
                found = self._contained(self.value(left, names), right, names)
                return boolean(f"(not {found})") if isinstance(operator, ast.NotIn) else boolean(found)
            case _:
                return compare(operator, self.value(left, names), self.value(right, names))

    def _contained(self, value: Value, right: ast.expr, names: Mapping[str, Value]) -> str:
        """Condition, never NULL, of ``value in right``."""
        collection = self._constant(right, names)
        if isinstance(collection, tuple | list | set | frozenset | dict):
            if len(collection) > LARGEST_TABLE:
                raise Refused("a collection with very many members")
            keys = sorted((_key(value, item) for item in collection), key=lambda key: key.sql)
            if not keys:
                return "false"
            return f"coalesce({value.sql} in ({', '.join(key.sql for key in keys)}), false)"
        text = self.value(right, names)
        if value.type is _TEXT and text.type is _TEXT:
            return f"coalesce(contains({text.sql}, {value.sql}), false)"
        raise Refused("membership in something that is no constant collection")

    def _call(self, node: ast.Call, names: Mapping[str, Value]) -> Value:
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise Refused("a call with named or starred arguments")
        match node.func:
            case ast.Name(id=name) if name not in names:
                return self._builtin(name, [self.value(argument, names) for argument in node.args])
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner not in names:
                return self._of_module(owner, name, node.args, names)
            case ast.Attribute(value=owner_node, attr=name):
                subject = self.value(owner_node, names)
                if subject.type is not _TEXT:
                    raise Refused(f"the method {name} of {subject.type.value}")
                return call_method(subject, name, [self._constant(argument, names) for argument in node.args])
            case _:
                raise Refused("a call of something that is no name")

    def _builtin(self, name: str, arguments: list[Value]) -> Value:  # noqa: PLR0911 - one case a function
        if name in self._module.bound:
            raise Refused(f"the function {name}, which is the module's own")
        types = [argument.type for argument in arguments]
        first = arguments[0] if arguments else NOTHING
        match name, types:
            case "len", [PythonType.TEXT]:
                return Value(f"cast(char_length({first.sql}) as bigint)", _INT, 2**31)
            case "abs", [PythonType.INT | PythonType.FLOAT]:
                return Value(f"abs({first.sql})", first.type, first.bound)
            case (("min" | "max"), [a, b]) if a is b and a in (_INT, _TEXT):
                function = "least" if name == "min" else "greatest"
                return Value(f"{function}({first.sql}, {arguments[1].sql})", a, max(v.bound for v in arguments))
            case "float", [PythonType.INT | PythonType.FLOAT]:
                return Value(as_double(first), _FLOAT)
            case "int", [PythonType.INT]:
                return first
            case "int", [PythonType.FLOAT]:
                return Value(f"cast({first.sql} as bigint)", _INT)
            case "bool", [_]:
                return boolean(truth(first))
            case "str", [PythonType.INT | PythonType.TEXT]:
                return _shown(first)
            case _:
                raise Refused(f"the function {name} of these arguments")

    def _of_module(self, owner: str, name: str, nodes: list[ast.expr], names: Mapping[str, Value]) -> Value:
        library = self._module.imports.get(owner)
        if library == "re" and name in ("sub", "search", "match", "fullmatch") and nodes:
            pattern = self._constant(nodes[0], names)
            if not isinstance(pattern, str):
                raise Refused("a regular expression that is no constant")
            try:
                return self._matching(re.compile(pattern), name, nodes[1:], names)
            except (re.error, OverflowError) as error:
                raise Refused(f"a regular expression that is none ({error})") from error
        if library == "math" and name == "sqrt" and len(nodes) == 1:
            value = self.value(nodes[0], names)
            if value.exact_as_double:
                return Value(f"sqrt({as_double(value)})", _FLOAT)
        known = self._module.constants.get(owner, UNKNOWN)
        if isinstance(known, re.Pattern):
            return self._matching(known, name, nodes, names)
        if isinstance(known, dict) and name == "get" and len(nodes) in (1, 2):
            default = self.value(nodes[1], names) if len(nodes) == 2 else NOTHING
            return self._looked_up(known, self.value(nodes[0], names), default)
        if isinstance(known, str):
            return call_method(literal(known), name, [self._constant(node, names) for node in nodes])
        raise Refused(f"{owner}.{name}")

    def _matching(
        self, pattern: re.Pattern[str], name: str, nodes: list[ast.expr], names: Mapping[str, Value]
    ) -> Value:
        if name == "sub" and len(nodes) == 2:
            replacement, text = self._constant(nodes[0], names), self.value(nodes[1], names)
            if not isinstance(replacement, str) or "\\" in replacement or can_be_empty(pattern):
                raise Refused("a replacement with references, or of a pattern that can match nothing")
            if text.type is _TEXT:
                written = replacement.replace("$", "\\$")
                java = text_literal(java_pattern(pattern))
                return Value(f"regexp_replace({text.sql}, {java}, {text_literal(written)})", _TEXT)
        if name in ("search", "match", "fullmatch") and len(nodes) == 1:
            text = self.value(nodes[0], names)
            start, end = {"search": ("", ""), "match": (r"\A(?:", ")"), "fullmatch": (r"\A(?:", r")\z")}[name]
            if text.type is _TEXT:
                java = text_literal(start + java_pattern(pattern) + end)
                return Value(f"({text.sql} rlike {java})", PythonType.MATCH)
        raise Refused(f"{name} of a regular expression with these arguments")

    def _looked_up(self, table: dict[Any, Any], key: Value, default: Value) -> Value:
        if len(table) > LARGEST_TABLE:
            raise Refused("a dictionary with very many entries")
        result = default
        for item in table.values():
            result = choose("true", literal(item), result)  # for the common type; the branches are written below
        branches = " ".join(f"when {_key(key, entry).sql} then {literal(item).sql}" for entry, item in table.items())
        sql = f"case {key.sql} {branches} else {default.sql} end" if table else default.sql
        return Value(sql, result.type, result.bound)

    def _slice(self, text: Value, part: ast.Slice) -> Value:
        bounds = [None if node is None else constant(node, {}) for node in (part.lower, part.upper)]
        whole = all(bound is None or type(bound) is int for bound in bounds)
        if text.type is not _TEXT or part.step is not None or not whole:
            raise Refused("a slice of something else than a text, or with bounds that are not constant")
        return slice_of(text, *bounds)

    def _joined(self, node: ast.JoinedStr, names: Mapping[str, Value]) -> Value:
        parts: list[str] = []
        for part in node.values:
            match part:
                case ast.Constant(value=str() as text):
                    parts.append(text_literal(text))
                case ast.FormattedValue(conversion=-1, format_spec=None):
                    parts.append(_shown(self.value(part.value, names)).sql)
                case _:
                    raise Refused("a formatted text with conversions or formats")
        return Value(f"concat({', '.join(parts) or repr('')})", _TEXT, never_null=True)


def _shown(value: Value) -> Value:
    """``str(value)``."""
    if value.type not in (_INT, _TEXT):
        raise Refused(f"the text of {value.type.value}, which Python and Spark write differently")
    text = value.sql if value.type is _TEXT else f"cast({value.sql} as string)"
    return Value(f"coalesce({text}, 'None')", _TEXT, never_null=True)


def _key(value: Value, item: Any) -> Value:
    """A member of a collection, of the same type as what is looked for in it."""
    key = literal(item)
    if key.type is not value.type or value.type not in (_INT, _TEXT):
        raise Refused(f"a look-up of {value.type.value} among {key.type.value}")
    return key
