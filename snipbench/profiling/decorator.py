"""The decorator: what it takes, and which wrapper that gets."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, TypeVar, overload

from snipbench.profiling.plain import plain
from snipbench.profiling.probe import Probe, probe_of
from snipbench.profiling.stepping import stepping_async_generator, stepping_coroutine, stepping_generator
from snipbench.profiling.texts import DEFAULT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

_F = TypeVar("_F")

_GENERATOR, _COROUTINE, _AWAITABLE_GENERATOR, _ASYNC_GENERATOR = 0x20, 0x80, 0x100, 0x200
_MARK = "__snipbench_probe__"


@overload
def profile(function: _F, /) -> _F: ...
@overload
def profile(
    *,
    always: bool = False,
    texts: bool = True,
    text_limit: int = DEFAULT_LIMIT,
    class_name: str | None = None,
    name: str | None = None,
) -> Callable[[_F], _F]: ...
def profile(
    function: Any = None,
    /,
    *,
    always: bool = False,
    texts: bool = True,
    text_limit: int = DEFAULT_LIMIT,
    class_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Record every call of a function: ``@profile``, or ``@profile(always=True, …)``.

    Works on functions, methods (also above or below ``@staticmethod`` and ``@classmethod``), coroutines, generators and
    asynchronous generators. Wall time, parent and exception are recorded for every call; CPU time, memory and the
    texts of arguments and return value where they cost little beside the call: at a function's first call, while its
    running mean wall time is above 200 µs, and for about one call in 4,096. They are null for other calls; so a rare
    slow call of a fast function has none. A function that is profiled already is not profiled twice; the later
    options hold.

    A wrapped function takes two interpreter frames a call, which halves the depth that the recursion limit allows.

    Args:
        function: what to profile.
        always: read CPU time, memory and texts at every call (some microseconds each).
        texts: keep texts of arguments and return value at all.
        text_limit: characters kept of one text.
        class_name: the class to record; default: the class in which the function was defined.
        name: the function name to record.

    Returns:
        A function of the same kind and signature, or a decorator that makes one.

    Raises:
        TypeError: a class, a property, or something that cannot be called.
        ValueError: ``text_limit`` is below 1.
    """
    if text_limit < 1:
        raise ValueError(f"text_limit is {text_limit}; it is a number of characters, at least 1")

    def decorate(target: Any) -> Any:
        if isinstance(target, (staticmethod, classmethod)):
            return type(target)(decorate(target.__func__))
        if isinstance(target, type):
            raise TypeError(
                f"@profile takes functions and methods, not the class {target.__qualname__}: decorate its methods"
            )
        if not callable(target):
            raise TypeError(f"@profile takes functions and methods, not {type(target).__name__}")
        inner = _already_profiled(target)
        if inner is not None:
            target = inner
        probe = probe_of(target, always=always, texts=texts, limit=text_limit, class_name=class_name, name=name)
        wrapped = _wrapper(target, probe)
        setattr(wrapped, _MARK, probe)
        for own in ("cache_info", "cache_clear"):  # of `lru_cache`, whose attributes are its type's
            if hasattr(target, own) and not hasattr(wrapped, own):
                setattr(wrapped, own, getattr(target, own))
        return wrapped

    return decorate if function is None else decorate(function)


def _already_profiled(target: Any) -> Any:
    """The function inside one of our wrappers; null for anything else, also a wrapper that copied our attributes."""
    is_ours = isinstance(getattr(target, _MARK, None), Probe) and _MARK not in getattr(
        target.__wrapped__, "__dict__", {}
    )
    return target.__wrapped__ if is_ours else None


def _wrapper(function: Any, probe: Probe) -> Any:
    code = getattr(function, "__code__", None)
    flags = code.co_flags if code is not None else 0
    if flags & _COROUTINE:
        return stepping_coroutine(function, probe)
    if flags & _ASYNC_GENERATOR:
        return stepping_async_generator(function, probe)
    if flags & _GENERATOR:
        wrapper = stepping_generator(function, probe)
        return types.coroutine(wrapper) if flags & _AWAITABLE_GENERATOR else wrapper
    return plain(function, probe)
