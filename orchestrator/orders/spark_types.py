"""Names of Spark SQL types, as ``returns`` states them: is the text one, and if not, why."""

from __future__ import annotations

import re

from orchestrator.orders.mistakes import nearest

_PLAIN = (
    *("boolean", "tinyint", "byte", "smallint", "short", "int", "integer", "bigint", "long"),
    *("float", "real", "double", "decimal", "dec", "numeric"),
    *("string", "char", "character", "varchar", "binary", "void", "variant"),
    *("date", "time", "timestamp", "timestamp_ntz", "timestamp_ltz", "interval"),
)
_NESTED = ("array", "map", "struct")
_DECIMAL = {"decimal", "dec", "numeric"}
_LENGTH = {"char", "character", "varchar"}
_INTERVAL_UNITS = ("year", "month", "day", "hour", "minute", "second")
_TOKEN = re.compile(r"\s*(?:([A-Za-z_][A-Za-z0-9_]*)|(\d+)|(`(?:[^`]|``)+`)|('(?:[^'\\]|\\.)*')|([<>(),:]))")
MAX_LENGTH = 20_000
MAX_NESTING = 50


def type_problem(text: str) -> str | None:
    """Why ``text`` is no Spark SQL type such as ``double`` or ``array<decimal(10,2)>``; ``None`` if it is one."""
    return _problem(text, schema=False)


def schema_problem(text: str) -> str | None:
    """Why ``text`` is no schema such as ``id bigint, total double``; ``None`` if it is one."""
    return _problem(text, schema=True)


class _Unfit(Exception):
    """The text is none; the message says why."""


def _problem(text: str, *, schema: bool) -> str | None:
    try:
        reader = _Reader(_tokens(text))
        if schema:
            reader.fields(closing=None, depth=0)
        else:
            reader.type(depth=0)
            if reader.peek() is not None:
                raise _Unfit(f"{reader.peek()!r} stands behind the type; a result of several columns is a struct<…>")
    except _Unfit as unfit:
        return str(unfit)
    return None


def _tokens(text: str) -> list[str]:
    if len(text) > MAX_LENGTH:
        raise _Unfit(f"the type has {len(text)} characters; at most {MAX_LENGTH}")
    tokens = []
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            raise _Unfit(f"{stripped[position:].strip()[:20]!r} cannot stand in a type")
        tokens.append(match[0].strip())
        position = match.end()
    return tokens


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._next = 0

    def peek(self) -> str | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def take(self, wanted: str | None = None) -> str:
        token = self.peek()
        if token is None:
            raise _Unfit(f"the text ends where {repr(wanted) if wanted else 'a type or a name'} is missing")
        if wanted is not None and token.lower() != wanted:
            raise _Unfit(f"{token!r} stands where {wanted!r} should")
        self._next += 1
        return token

    def skip(self, token: str) -> bool:
        found = (self.peek() or "").lower() == token
        self._next += found
        return found

    def type(self, depth: int) -> None:
        if depth > MAX_NESTING:
            raise _Unfit(f"types are nested more than {MAX_NESTING} deep")
        written = self.take()
        name = written.lower()
        if name == "array":
            self.take("<")
            self.type(depth + 1)
            self.take(">")
        elif name == "map":
            self.take("<")
            self.type(depth + 1)
            self.take(",")
            self.type(depth + 1)
            self.take(">")
        elif name == "struct":
            self.take("<")
            if not self.skip(">"):
                self.fields(closing=">", depth=depth + 1)
        elif name in _PLAIN:
            self._plain(name)
        else:
            near = nearest(written, [*_PLAIN, *_NESTED])
            guess = f"; did you mean {near!r}?" if near else ""
            raise _Unfit(f"{written!r} is no Spark SQL type{guess} (such as double, bigint, string, array<int>)")

    def _plain(self, name: str) -> None:
        if name in _DECIMAL and self.skip("("):
            precision = self._number("precision", 1, 38)
            if self.skip(","):
                self._number("scale", 0, precision)
            self.take(")")
        elif name in _LENGTH:
            if not self.skip("("):
                raise _Unfit(f"{name} needs a length, such as {name}(10)")
            self._number("length", 1, 2**31 - 1)
            self.take(")")
        elif name == "time" and self.skip("("):
            self._number("precision", 0, 6)
            self.take(")")
        elif name == "interval":
            self._interval()
        elif name == "string" and self.skip("collate"):
            self.take()

    def _interval(self) -> None:
        unit = (self.peek() or "").lower()
        if unit not in _INTERVAL_UNITS:
            return
        self.take()
        if self.skip("to"):
            end = self.take().lower()
            if end not in _INTERVAL_UNITS or _INTERVAL_UNITS.index(end) <= _INTERVAL_UNITS.index(unit):
                raise _Unfit(f"interval {unit} to {end} does not exist; such as interval day to second")

    def _number(self, what: str, low: int, high: int) -> int:
        written = self.take()
        if not written.isdigit() or not low <= int(written) <= high:
            raise _Unfit(f"{what} {written!r} is out of range: {low} to {high}")
        return int(written)

    def fields(self, closing: str | None, depth: int) -> None:
        """``name type`` or ``name: type``, by commas, up to ``closing`` or the end."""
        names: set[str] = set()
        while True:
            name = self.take()
            if not re.match(r"[A-Za-z_0-9`]", name):
                raise _Unfit(f"{name!r} stands where a field's name should")
            if self.peek() in {None, ",", ">"}:
                raise _Unfit(f"field {name!r} has no type; write name type, such as total double")
            if name.lower() in names:
                raise _Unfit(f"field {name!r} stands twice")
            names.add(name.lower())
            self.skip(":")
            self.type(depth)
            if self.skip("not"):
                self.take("null")
            if self.skip("comment"):
                self.take()
            if closing is None and self.peek() is None:
                return
            if closing is not None and self.skip(closing):
                return
            self.take(",")
