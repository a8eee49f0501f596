"""Bounded, safe, redacted texts of arguments, return values and exceptions.

Formatting a value must neither fail, nor take long, nor run a job. Built-in values are written out within bounds of
depth, items and characters; arrays and frames by type and shape only; another object's own ``__repr__`` is asked,
until it takes long. What a value's own functions call is not recorded: it is not the program's call. What a signal's
handler raises meanwhile is not the value's failure: it passes through.
"""

from __future__ import annotations

import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

from snipbench import redaction
from snipbench.profiling import recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

DEFAULT_LIMIT = 500
"""Characters kept of one text."""
ITEMS = 12
"""Items written of one container."""
DEPTH = 4
"""Containers within containers written."""
SLOW_REPR_SECONDS = 0.001
"""A type whose ``__repr__`` once took longer is written by its name from then on."""
_BIG_INTEGER_BITS = 512
_BULK_LIBRARIES = frozenset(
    {"cupy", "dask", "django", "duckdb", "jax", "numpy", "pandas", "polars", "py4j", "pyarrow", "pyspark", "scipy"}
    | {"sqlalchemy", "tensorflow", "torch", "xarray"}
)
"""Libraries whose objects hold data or run jobs when written out; never asked for a repr."""

_OWN_MODULES = sys.stdlib_module_names | {"snipbench"}

_NO_REPR: Any = object.__repr__
_slow_types: set[type] = set()


class _Full(Exception):
    """The text has reached its limit."""


class _Writer:
    """Collects pieces of one text up to a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        # A secret that begins before the cut must be seen whole to be found.
        self.room = limit + redaction.longest_value()
        self.pieces: list[str] = []
        self.open: set[int] = set()

    def add(self, piece: str) -> None:
        self.pieces.append(piece)
        self.room -= len(piece)
        if self.room < 0:
            raise _Full

    def text(self) -> str:
        text = redaction.hide_values("".join(self.pieces))
        if cut := len(text) > self.limit:
            text = text[: self.limit]
        text = redaction.hide_shapes(text)
        if not text.isascii():  # a lone surrogate has no place in a file
            text = text.encode("utf-8", "backslashreplace").decode("utf-8")
        return text[: self.limit] + "…" if cut or len(text) > self.limit else text

    def value(self, value: Any, depth: int = 0) -> None:
        kind = type(value)
        if value is None or kind is bool or kind is float or kind is complex:
            self.add(repr(value))
        elif kind is int:
            bits = value.bit_length()
            self.add(repr(value) if bits <= _BIG_INTEGER_BITS else f"<int of {bits} bits>")
        elif kind is str:
            self.string(value)
        elif kind is bytes:
            self.binary(value)
        elif kind is bytearray:
            self.add(f"<bytearray of {len(value)} bytes>")
        elif kind is memoryview:
            self.add(f"<memoryview of {value.nbytes} bytes>")
        elif issubclass(kind, (tuple, list, dict, set, frozenset)):
            self.container(value, depth)
        elif issubclass(kind, type):
            self.foreign(_asked(_class_text, value))
        elif (members := _asked(_dataclass_members, value)) is not None:
            self.nested(value, depth, kind.__name__ + "(", ")", lambda: self.keywords(members, depth))
        else:
            self.foreign(_asked(_object_text, value))

    def foreign(self, text: str) -> None:
        """A text that others made, of any length."""
        if len(text) <= self.room:
            self.add(text)
        else:
            self.add(redaction.hide_values_cut(text, self.room + 1))
            raise _Full

    def string(self, value: str) -> None:
        if len(value) <= self.room:
            self.add(repr(redaction.hide_values(value)))
        else:
            self.add(repr(redaction.hide_values_cut(value, self.room + 1)))
            raise _Full

    def binary(self, value: bytes) -> None:
        if len(value) <= min(self.room, 64):
            text = redaction.hide_values(value.decode("utf-8", "surrogateescape"))
            self.add(repr(text.encode("utf-8", "surrogateescape")))
        else:
            self.add(f"<bytes of {len(value)} bytes>")

    def container(self, value: Any, depth: int) -> None:
        # The methods of the built-in base are called, so that a subclass cannot run code of its own here.
        kind = type(value)
        if issubclass(kind, dict):
            self.nested(value, depth, "{", "}", lambda: self.pairs(dict.items(value), dict.__len__(value), depth))
        elif issubclass(kind, list):
            self.nested(value, depth, "[", "]", lambda: self.items(list.__iter__(value), list.__len__(value), depth))
        elif issubclass(kind, tuple):
            names = _asked(getattr, kind, "_fields", None)
            if isinstance(names, tuple) and len(names) == tuple.__len__(value):
                members = dict(zip(names, tuple.__iter__(value), strict=True))
                self.nested(value, depth, kind.__name__ + "(", ")", lambda: self.keywords(members, depth))
            else:
                end = ",)" if tuple.__len__(value) == 1 else ")"
                self.nested(
                    value, depth, "(", end, lambda: self.items(tuple.__iter__(value), tuple.__len__(value), depth)
                )
        else:
            base = set if issubclass(kind, set) else frozenset
            self.nested(value, depth, "{", "}", lambda: self.items(base.__iter__(value), base.__len__(value), depth))

    def nested(self, value: Any, depth: int, start: str, end: str, body: Any) -> None:
        if depth >= DEPTH or id(value) in self.open:
            self.add(start + "..." + end)
            return
        self.open.add(id(value))
        try:
            self.add(start)
            body()
            self.add(end)
        finally:
            self.open.discard(id(value))

    def items(self, items: Iterable[Any], count: int, depth: int) -> None:
        for position, item in enumerate(items):
            if position:
                self.add(", ")
            if position == ITEMS:
                self.add(f"... {count - ITEMS} more")
                return
            self.value(item, depth + 1)

    def pairs(self, items: Iterable[tuple[Any, Any]], count: int, depth: int) -> None:
        for position, (key, item) in enumerate(items):
            if position:
                self.add(", ")
            if position == ITEMS:
                self.add(f"... {count - ITEMS} more")
                return
            self.value(key, depth + 1)
            self.add(": ")
            self.named(key, item, depth)

    def keywords(self, members: dict[str, Any], depth: int) -> None:
        for position, (name, item) in enumerate(members.items()):
            self.add(f", {name}=" if position else f"{name}=")
            self.named(name, item, depth)

    def named(self, name: Any, item: Any, depth: int) -> None:
        if redaction.is_secret_name(_plain_name(name)):
            self.add(redaction.HIDDEN)
        else:
            self.value(item, depth + 1)


def _plain_name(name: Any) -> str:
    """A key's or parameter's text, without running anything of its own; empty for what is no text."""
    kind = type(name)
    if issubclass(kind, str):
        return name if kind is str else str.__str__(name)
    return bytes.decode(name, "utf-8", "replace") if issubclass(kind, bytes) else ""


def _asked(ask: Callable[..., Any], *values: Any) -> Any:
    """What ``ask`` answers, which may run functions of the value's own: no call that they make is recorded."""
    state = recorder.current_state()
    before = state.extend
    state.extend = recorder.discard
    try:
        return ask(*values)
    finally:
        state.extend = before


def _class_text(value: Any) -> str:
    return f"<class {value.__module__}.{value.__qualname__}>"


def _dataclass_members(value: Any) -> dict[str, Any] | None:
    """Name -> value of what a dataclass shows of itself; null for an instance of another class."""
    fields = getattr(type(value), "__dataclass_fields__", None)
    if fields is None:
        return None
    return {name: getattr(value, name, None) for name, field in fields.items() if field.repr}


def _object_text(value: Any) -> str:
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    library = kind.__module__.partition(".")[0]
    if library in _BULK_LIBRARIES:
        shape = getattr(value, "shape", None) if library != "pyspark" else None
        return f"<{name} shape={shape!r}>" if type(shape) is tuple else f"<{name}>"
    if kind.__repr__ is _NO_REPR or kind in _slow_types:
        return f"<{name}>"
    start = perf_counter()
    try:
        text = repr(value)
    finally:
        if perf_counter() - start > SLOW_REPR_SECONDS:
            _slow_types.add(kind)
    return text


def _written(write: Any, limit: int) -> str | None:
    writer = None
    try:
        writer = _Writer(limit)
        write(writer)
    except _Full:
        pass
    except redaction.SecretsUnreadable as error:
        _warn(str(error))
        return None
    except Exception as error:
        if _came_between(error):
            raise
        return f"<unprintable: {type(error).__name__}>"
    try:
        return writer.text() if writer is not None else None
    except Exception as error:
        if _came_between(error):
            raise
        return f"<unprintable: {type(error).__name__}>"


def _came_between(error: Exception) -> bool:
    """Whether neither a value's own function raised this nor we did: then a signal's handler, or a debugger, did."""
    modules = [type(error).__module__]
    place = error.__traceback__
    while place is not None:
        if place.tb_frame.f_code is _asked.__code__:
            return False
        if place.tb_next is None:
            modules.append(place.tb_frame.f_globals.get("__name__", ""))
        place = place.tb_next
    return any(name.partition(".")[0] not in _OWN_MODULES for name in modules)


def describe(value: Any, limit: int = DEFAULT_LIMIT) -> str | None:
    """Text of one value, at most ``limit`` characters and an ellipsis; null when secrets could not be looked up."""
    return _written(lambda writer: writer.value(value), limit)


def describe_arguments(names: Sequence[str], rest: str | None, args: tuple[Any, ...], limit: int) -> str | None:
    """Text of positional arguments, ``(1, 'a', <redacted>)``.

    Args:
        names: parameter names by position; one that looks secret hides its argument.
        rest: name of the ``*`` parameter, if there is one.
        args: the arguments.
        limit: characters.
    """

    if not args:
        return "()"

    def write(writer: _Writer) -> None:
        writer.add("(")
        for position, item in enumerate(args):
            if position:
                writer.add(", ")
            if position == ITEMS + len(names):
                writer.add(f"... {len(args) - position} more")
                break
            writer.named(names[position] if position < len(names) else rest, item, 0)
        writer.add(",)" if len(args) == 1 else ")")

    return _written(write, limit)


def describe_keywords(kwargs: dict[str, Any], limit: int) -> str | None:
    """Text of keyword arguments, ``{'a': 1, 'token': <redacted>}``."""
    return describe(kwargs, limit) if kwargs else "{}"


def describe_exception(error: BaseException, limit: int = DEFAULT_LIMIT) -> str:
    """``Type: message``, bounded and redacted; the type alone where the message cannot be had."""
    name = type(error).__qualname__

    def write(writer: _Writer) -> None:
        writer.foreign(_asked(str, error))

    message = _written(write, limit)
    return f"{name}: {message}" if message else name


def _warn(message: str) -> None:
    import warnings

    warnings.warn(f"@snipbench.profile keeps no texts: {message}", RuntimeWarning, stacklevel=2)
