"""The closer look at a call: CPU time, memory, texts. :mod:`~snipbench.profiling.probe` says when."""

from __future__ import annotations

from time import perf_counter, thread_time
from typing import TYPE_CHECKING, Any

from snipbench.profiling import recorder, texts
from snipbench.profiling.resources import resident_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from snipbench.profiling.probe import Probe
    from snipbench.profiling.recorder import ThreadState


def silently(state: ThreadState, describe: Callable[..., str | None], *values: Any) -> str | None:
    """Format values; what that calls (a profiled ``__repr__``) is not recorded: it is not the program's call."""
    before = state.extend
    state.extend = recorder.discard
    try:
        return describe(*values)
    finally:
        state.extend = before


def text_of_arguments(
    probe: Probe, state: ThreadState, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[str | None, str | None]:
    """Texts of positional and keyword arguments, taken before the call, which may change them."""
    if not probe.texts:
        return None, None
    return (
        silently(state, texts.describe_arguments, probe.names, probe.rest, args, probe.limit),
        silently(state, texts.describe_keywords, kwargs, probe.limit),
    )


def observe(probe: Probe, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Make the call with everything read."""
    state = recorder.current_state()
    if state.extend is recorder.discard:
        return function(*args, **kwargs)
    call = next(recorder.ids)
    before = state.current
    parent = recorder.innermost(before) if recorder.asynchronous else before
    arguments, keywords = text_of_arguments(probe, state, args, kwargs)
    returned = failure = None
    state.current = call
    resident = resident_bytes()
    cpu = thread_time()
    start = perf_counter()
    try:
        result = function(*args, **kwargs)
    except BaseException as error:
        end = perf_counter()
        cpu = thread_time() - cpu
        grown = growth(resident)
        failure = silently(state, texts.describe_exception, error, probe.limit)
        raise
    else:
        end = perf_counter()
        cpu = thread_time() - cpu
        grown = growth(resident)
        if probe.texts:
            returned = silently(state, texts.describe, result, probe.limit)
        return result
    finally:
        state.current = before
        observed = (cpu, grown, arguments, keywords, returned, failure, None)
        state.extend(((probe.key, observed), call, parent, start, end))
        probe.settle(end - start)
        if call >= state.flush_at:
            recorder.spill(state, call)


def astray(probe: Probe, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Make a call for which the quick way is closed: a thread's first one, or calls are looked for in contexts now."""
    probe.look(closely=True)
    return observe(probe, function, args, kwargs)


def failed(
    probe: Probe, state: ThreadState, call: int, parent: int, start: float, end: float, error: BaseException
) -> None:
    """Record a call that was not observed and raised."""
    failure = silently(state, texts.describe_exception, error, probe.limit)
    observed = (None, None, None, None, None, failure, None)
    state.extend(((probe.key, observed), call, parent, start, end))


def growth(resident: int | None) -> int | None:
    """Bytes by which resident memory has grown since it was ``resident``; null where it cannot be read."""
    now = resident_bytes() if resident is not None else None
    return now - resident if now is not None and resident is not None else None
