"""What is known once per function, kept apart from its calls: names and source text."""

from __future__ import annotations

import threading
from types import CodeType
from typing import Any

from snipbench import redaction


class FunctionFacts:
    """Names and source of one function. ``key`` is its number in this process; calls carry only that."""

    __slots__ = ("_code", "_source", "class_name", "function_name", "key")

    def __init__(
        self,
        key: int,
        class_name: str | None,
        function_name: str,
        *,
        code: CodeType | None = None,
        source: tuple[bytes | None, str | None] | None = None,
    ) -> None:
        self.key = key
        self.class_name = class_name
        self.function_name = function_name
        self._code = code
        self._source = source

    @property
    def source(self) -> tuple[bytes | None, str | None]:
        """zlib-compressed UTF-8 source, and the MD5 (hexadecimal) of the text uncompressed; nulls where there is none.

        Read when first asked for, never while a call is being measured. Known secret values are redacted first.
        """
        if self._source is None:
            self._source = _compressed(self._code)
        return self._source


def _compressed(code: CodeType | None) -> tuple[bytes | None, str | None]:
    if code is None:
        return None, None
    try:
        import hashlib
        import inspect
        import textwrap
        import zlib

        text = textwrap.dedent(inspect.getsource(code))
    except (OSError, TypeError, IndexError, SyntaxError, ImportError):  # the last where the interpreter is ending
        return None, None
    try:
        data = redaction.hide_values(text).encode("utf-8", "backslashreplace")
    except redaction.SecretsUnreadable:
        return None, None
    return zlib.compress(data), hashlib.md5(data, usedforsecurity=False).hexdigest()


class _Registry:
    def __init__(self) -> None:
        self._known: list[FunctionFacts] = []
        self._index: dict[tuple[Any, ...], FunctionFacts] = {}
        self._lock = threading.RLock()

    def register(
        self,
        class_name: str | None,
        function_name: str,
        *,
        code: CodeType | None = None,
        source: tuple[bytes | None, str | None] | None = None,
    ) -> FunctionFacts:
        """The facts of a function, made once per code object (or, for one that came pickled, per source)."""
        identity = (class_name, function_name, code if code is not None else source)
        with self._lock:
            facts = self._index.get(identity)
            if facts is None:
                facts = FunctionFacts(len(self._known), class_name, function_name, code=code, source=source)
                self._known.append(facts)
                self._index[identity] = facts
            return facts

    def by_key(self, key: int) -> FunctionFacts:
        """The facts that ``key`` stands for in this process."""
        return self._known[key]

    def forked(self) -> None:
        """In a new child process: another thread of the parent may have held the lock."""
        self._lock = threading.RLock()


_registry = _Registry()
register = _registry.register
by_key = _registry.by_key
forked = _registry.forked
