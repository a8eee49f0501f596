"""Coroutines, generators and asynchronous generators: one call, run in steps with other calls between them.

Each step is run by hand: while it runs, the call is the current one of its thread and of its asyncio context, and its
CPU time is read; between steps it is not. So calls interleaved by an event loop keep their parents, and CPU time is
that of a call's own steps.
"""

from __future__ import annotations

import functools
from time import perf_counter, thread_time
from types import coroutine
from typing import TYPE_CHECKING, Any

from snipbench.profiling import recorder
from snipbench.profiling.observation import growth, text_of, text_of_arguments, text_of_failure
from snipbench.profiling.probe import OBSERVE_SECONDS
from snipbench.profiling.resources import resident_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator

    from snipbench.profiling.probe import Probe


CLOSED = object()
"""In place of a return value: closed before its end."""


class _Steps:
    """One call under way."""

    __slots__ = (
        "active",
        "arguments",
        "call",
        "cpu",
        "grown",
        "keywords",
        "observed",
        "parent",
        "probe",
        "silent",
        "start",
    )

    def __init__(self, probe: Probe, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        state = recorder.current_state()
        recorder.turn_asynchronous()
        self.probe = probe
        self.silent = state.extend is recorder.discard
        self.observed = probe.close and not self.silent
        self.call = next(recorder.ids)
        self.parent = recorder.innermost(state.current)
        self.active = 0.0
        self.cpu: float | None = 0.0 if self.observed else None
        self.grown: int | None = 0 if self.observed else None
        self.arguments: str | None = None
        self.keywords: str | None = None
        if self.observed:
            self.arguments, self.keywords = text_of_arguments(probe, args, kwargs)
        self.start = perf_counter()

    def step(self, resume: Callable[..., Any], *value: Any) -> Any:
        """Run the body up to its next suspension or its end."""
        state = recorder.current_state()
        before = state.current
        outer = recorder.in_context.get()
        state.current = self.call
        recorder.in_context.set(self.call)
        resident = resident_bytes() if self.observed else None
        cpu = thread_time() if self.observed else 0.0
        start = perf_counter()
        try:
            return resume(*value)
        finally:
            self.active += perf_counter() - start
            if self.cpu is not None:
                self.cpu += thread_time() - cpu
                grown = growth(resident)
                self.grown = self.grown + grown if self.grown is not None and grown is not None else None
            state.current = before
            recorder.in_context.set(outer)

    def finish(self, error: BaseException | None, returned: Any = None, *, only_active: bool = False) -> None:
        """The call has ended: record it."""
        end = perf_counter()
        if self.silent:
            return
        state = recorder.current_state()
        probe = self.probe
        failure = result = None
        if error is not None:
            failure = text_of_failure(error, probe.limit)
        elif self.observed and probe.texts and returned is not CLOSED:
            result = text_of(returned, probe.limit)
        active = self.active if only_active else None
        observed = (self.cpu, self.grown, self.arguments, self.keywords, result, failure, active)
        state.extend(((probe.key, observed), self.call, self.parent, self.start, end))
        seconds = end - self.start if active is None else active
        if self.observed:
            probe.settle(seconds)
        elif seconds > OBSERVE_SECONDS:
            probe.woken_by(seconds)
        if self.call >= state.flush_at:
            recorder.spill(state, self.call)
            probe.look(closely=True)


@coroutine
def _run(steps: _Steps, body: Any) -> Generator[Any, Any, Any]:
    """Drive ``body`` (it has ``send``, ``throw`` and ``close``) step by step, passing everything through both ways."""
    resume: Callable[..., Any] = body.send
    value: Any = None
    while True:
        try:
            suspended = steps.step(resume, value)
        except StopIteration as end:
            return end.value
        try:
            value = yield suspended
            resume = body.send
        except GeneratorExit:
            steps.step(body.close)
            raise
        except BaseException as error:  # noqa: BLE001 - belongs to the body, which decides
            resume, value = body.throw, error


def stepping_coroutine(function: Callable[..., Coroutine[Any, Any, Any]], probe: Probe) -> Callable[..., Any]:
    """The profiled form of an ``async def`` function."""

    @functools.wraps(function)
    async def profiled(*args: Any, **kwargs: Any) -> Any:
        steps = _Steps(probe, args, kwargs)
        try:
            result = await _run(steps, function(*args, **kwargs))
        except BaseException as error:
            steps.finish(error)
            raise
        steps.finish(None, result)
        return result

    return profiled


def stepping_generator(function: Callable[..., Generator[Any, Any, Any]], probe: Probe) -> Callable[..., Any]:
    """The profiled form of a generator function."""

    @functools.wraps(function)
    def profiled(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        steps = _Steps(probe, args, kwargs)
        try:
            result = yield from _run(steps, function(*args, **kwargs))
        except GeneratorExit:  # closed before its end, which is no failure
            steps.finish(None, CLOSED, only_active=True)
            raise
        except BaseException as error:
            steps.finish(error, only_active=True)
            raise
        steps.finish(None, result, only_active=True)
        return result

    return profiled


def stepping_async_generator(function: Callable[..., AsyncGenerator[Any, Any]], probe: Probe) -> Callable[..., Any]:
    """The profiled form of an asynchronous generator function."""

    @functools.wraps(function)
    async def profiled(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        steps = _Steps(probe, args, kwargs)
        body = function(*args, **kwargs)
        resume: Any = body.__anext__()
        try:
            while True:
                try:
                    item = await _run(steps, resume)
                except StopAsyncIteration:
                    break
                try:
                    sent = yield item
                except GeneratorExit:
                    await _run(steps, body.aclose())
                    raise
                except BaseException as error:  # noqa: BLE001 - belongs to the body, which decides
                    resume = body.athrow(error)
                else:
                    resume = body.asend(sent)
        except GeneratorExit:
            steps.finish(None, CLOSED, only_active=True)
            raise
        except BaseException as error:
            steps.finish(error, only_active=True)
            raise
        steps.finish(None, only_active=True)

    return profiled
