"""A snippet's Python code -> a callable, in a fresh module of its own, with tracebacks that show the user's lines."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from types import CodeType, ModuleType
from typing import Any

from pyspark import cloudpickle

from executor.session.rules import RuleBroken
from snipbench.domain.order import Snippet

MODULE_NAME = "snipbench_snippet"
"""Name of the module that a snippet's code becomes, with a number where two are compared. It is there only while the
snippet is."""

Compiled = tuple[CodeType, dict[str, Any]]
"""Code to execute, and what it must find in its namespace besides."""


def _plain(source: str, name: str) -> Compiled:
    return compile(source, name, "exec", dont_inherit=True), {}


compiler: ContextVar[Callable[[str, str], Compiled]] = ContextVar("compiler", default=_plain)
"""How source becomes code; a profile pass has every function of it profiled."""


def file_name(snippet: Snippet) -> str:
    """The name that tracebacks show: the snippet's file, or ``<name>`` for inline code."""
    return snippet.file or f"<{snippet.name}>"


@contextmanager
def loaded(snippet: Snippet) -> Iterator[Callable[..., Any]]:
    """The function that ``entry`` names, from a module executed for this call alone.

    Workers get the module's functions by value, since they cannot import it.

    Raises:
        RuleBroken: ``MissingEntry``, the code defines no such function.
        Exception: whatever the module's own code raises.
    """
    module = ModuleType(next(free for free in _names() if free not in sys.modules))
    name = file_name(snippet)
    module.__file__ = name
    linecache.cache[name] = (len(snippet.code), None, snippet.code.splitlines(keepends=True), name)
    sys.modules[module.__name__] = module
    cloudpickle.register_pickle_by_value(module)
    try:
        code, names = compiler.get()(snippet.code, name)
        module.__dict__.update(names)
        exec(code, module.__dict__)
        entry = getattr(module, snippet.entry, None)
        if not callable(entry):
            raise RuleBroken(
                "MissingEntry", f"{name} defines no function {snippet.entry}(); `entry:` names the function to call"
            )
        yield entry
    finally:
        cloudpickle.unregister_pickle_by_value(module)
        sys.modules.pop(module.__name__, None)
        linecache.cache.pop(name, None)


def _names() -> Iterator[str]:
    yield MODULE_NAME
    yield from (f"{MODULE_NAME}_{number}" for number in count(2))
