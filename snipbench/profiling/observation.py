"""The closer look at a call: CPU time, memory, texts. :mod:`~snipbench.profiling.probe` says when."""

from __future__ import annotations

from time import perf_counter, thread_time
from typing import TYPE_CHECKING, Any

from snipbench.profiling import recorder, texts
from snipbench.profiling.resources import resident_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from snipbench.profiling.probe import Probe


RAISED = (None, None, None, None, None, "BaseException", None)
"""In place of what :func:`failed` answers, where that is interrupted."""


def text_of_arguments(probe: Probe, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str | None, str | None]:
    """Texts of positional and keyword arguments, taken before the call, which may change them."""
    if not probe.texts:
        return None, None
    return (
        texts.describe_arguments(probe.names, probe.rest, args, probe.limit),
        texts.describe_keywords(kwargs, probe.limit),
    )


def observe(probe: Probe, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Make the call with everything read."""
    if recorder is None:  # the interpreter, ending, has taken the modules apart
        return function(*args, **kwargs)
    state = recorder.current_state()
    if state.extend is recorder.discard:
        return function(*args, **kwargs)
    call = next(recorder.ids)
    before = state.current
    parent = recorder.innermost(before) if recorder.asynchronous else before
    arguments, keywords = text_of_arguments(probe, args, kwargs)
    end: float | None = None
    used: float | None = None
    grown: int | None = None
    returned: str | None = None
    failure: str | None = None
    resident = resident_bytes()
    cpu = thread_time()
    start = perf_counter()
    state.current = call
    try:
        result = function(*args, **kwargs)
        end = perf_counter()
        used = thread_time() - cpu
        grown = growth(resident)
        if probe.texts:
            returned = text_of(result, probe.limit)
        return result
    except BaseException as error:
        if end is None:  # else it was interrupted while it was looked at
            end = perf_counter()
            used = thread_time() - cpu
            grown = growth(resident)
        returned, failure = None, text_of_failure(error, probe.limit)
        raise
    finally:
        state.current = before
        if end is None:
            end = perf_counter()
        observed = (used, grown, arguments, keywords, returned, failure, None)
        state.extend(((probe.key, observed), call, parent, start, end))
        probe.settle(end - start)
        if call >= state.flush_at:
            recorder.spill(state, call)


def astray(probe: Probe, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Make a call for which the quick way is closed: a thread's first one, or calls are looked for in contexts now."""
    if recorder is None:  # the interpreter, ending, has taken the modules apart
        return function(*args, **kwargs)
    probe.look(closely=True)
    return observe(probe, function, args, kwargs)


def failed(probe: Probe, error: BaseException) -> tuple[Any, ...]:
    """What is recorded of a call that was not observed and raised."""
    try:
        failure = text_of_failure(error, probe.limit)
    except RecursionError:  # not even room to call that, nor anything else
        failure = error.__class__.__qualname__
    return (None, None, None, None, None, failure, None)


def text_of(value: Any, limit: int) -> str | None:
    """Text of a returned value; null where the stack has no room left to make one."""
    try:
        return texts.describe(value, limit)
    except RecursionError:
        return None


def text_of_failure(error: BaseException, limit: int) -> str:
    """``Type: message``; the type alone where the stack has no room left to ask for more."""
    try:
        return texts.describe_exception(error, limit)
    except RecursionError:
        return type(error).__qualname__


def growth(resident: int | None) -> int | None:
    """Bytes by which resident memory has grown since it was ``resident``; null where it cannot be read."""
    now = resident_bytes() if resident is not None else None
    return now - resident if now is not None and resident is not None else None
