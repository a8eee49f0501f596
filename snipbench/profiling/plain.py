"""The wrapper of plain functions: the hot path."""

from __future__ import annotations

import functools
import weakref
from time import perf_counter
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from snipbench.profiling import recorder
from snipbench.profiling.observation import RAISED, astray, failed, observe
from snipbench.profiling.probe import OBSERVE_SECONDS, Probe

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES: dict[str, Any] = {
    "__name__": __name__,  # libraries ask frames for it
    "RAISED": RAISED,
    "astray": astray,
    "failed": failed,
    "ids": recorder.ids,
    "observe": observe,
    "perf_counter": perf_counter,
    "recorder": recorder,
}
"""What the text below knows by name: modules, and what modules hold, so that a wrapper can be pickled by value."""
_TEXT = """\
def make(function, probe):
    def profiled({parameters}):
        if probe.close:
            return observe(probe, function, {received})
        try:
            state = recorder.{states}.state
        except AttributeError:
            return astray(probe, function, {received})
        before = state.current
{look}        call = next(ids)
        start = perf_counter()
        state.current = call
        try:
            result = function({passed})
            end = perf_counter()
        except BaseException as error:
            end = perf_counter()
            state.current = before
            observed = RAISED
            try:
                observed = failed(probe, error)
            finally:
                state.extend(((probe.key, observed), call, {parent}, start, end))
            if call >= state.flush_at:
                recorder.spill(state, call)
            raise
        state.current = before
        state.extend((probe.key, call, {parent}, start, end))
        if end - start > {observe_seconds}:
            probe.woken_by(end - start)
        if call >= state.flush_at:
            recorder.spill(state, call)
            probe.look(closely=True)
        return result
    return profiled
"""
"""Each line is paid at every call: measure before adding one.

A signal's handler may raise wherever a call returns: what lies between the function's return and the record is in the
``try`` for that.
"""
_GENERAL = {"parameters": "*args, **kwargs", "received": "args, kwargs", "passed": "*args, **kwargs"}
_ANYWHERE = {
    "states": "local",
    "look": "        parent = recorder.innermost(before) if recorder.asynchronous else before\n",
    "parent": "parent",
}
_QUICK = {"states": "quick", "look": "", "parent": "before"}
"""For a process that has not become asynchronous: once it has, calls go astray, and the form is exchanged."""
_VARIABLE = 0x04 | 0x08
"""Flags of code that takes ``*args`` or ``**kwargs``."""


def plain(function: Callable[..., Any], probe: Probe) -> Callable[..., Any]:
    """The profiled form of a plain function.

    It takes whatever it is given, so that a call that is observed is recorded as it was made. While calls are not
    observed it has the function's own parameters, if these are few and simple: collecting arguments in a tuple and a
    dictionary, and handing them on, is a quarter of what a call costs.
    """
    wrapper: FunctionType = _made(**_GENERAL, **_ANYWHERE)(function, probe)
    own = _own_parameters(function, wrapper.__code__)
    if own is not None:
        probe.on_look = _Forms(wrapper, own).change
    return functools.wraps(function)(wrapper)


class _Forms:
    """The code of one wrapper, in all its forms."""

    __slots__ = ("_exact", "_general", "_parameters", "_wrapper")

    def __init__(self, wrapper: FunctionType, parameters: tuple[str, ...]) -> None:
        self._wrapper = weakref.ref(wrapper)  # it holds the probe, which holds this: no circle
        self._parameters = parameters
        self._general = wrapper.__code__
        self._exact: dict[bool, CodeType] = {}
        """By whether the process is asynchronous."""

    def change(self, closely: bool) -> None:
        """From the next call on, calls are observed, or not."""
        wrapper = self._wrapper()
        if wrapper is None:
            return
        if closely:
            wrapper.__code__ = self._general
            return
        asynchronous = recorder.asynchronous
        if asynchronous not in self._exact:
            names = ", ".join(self._parameters)
            received = f"({names}{',' * (len(self._parameters) == 1)}), {{}}"
            ways = _ANYWHERE if asynchronous else _QUICK
            made = _made(parameters=names, received=received, passed=names, **ways)
            # A copy: the interpreter adapts code to the one function that it calls.
            self._exact[asynchronous] = made(None, None).__code__.replace(co_name=self._general.co_name)
        wrapper.__code__ = self._exact[asynchronous]


@functools.lru_cache(maxsize=256)
def _made(**parts: str) -> Callable[..., Any]:
    """``make`` of the text with these parts."""
    found: dict[str, Any] = {}
    text = _TEXT.format(observe_seconds=OBSERVE_SECONDS, **parts)
    exec(compile(text, "<snipbench.profiling>", "exec"), _NAMES, found)
    made: Callable[..., Any] = found["make"]
    return made


def _own_parameters(function: Callable[..., Any], general: CodeType) -> tuple[str, ...] | None:
    """Names of a function's parameters where they are all one can say of them, and none is a name of the wrapper's."""
    if not isinstance(function, FunctionType) or function.__defaults__ or function.__kwdefaults__:
        return None
    code = function.__code__
    if code.co_flags & _VARIABLE or code.co_kwonlyargcount or code.co_posonlyargcount:
        return None
    names = code.co_varnames[: code.co_argcount]
    taken = {*general.co_varnames, *general.co_freevars, *general.co_names, *general.co_cellvars}
    usable = taken.isdisjoint(names) and all(name.isidentifier() for name in names)
    return names if usable else None
