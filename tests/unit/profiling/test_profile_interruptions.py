"""Signals' handlers, destructors and deep stacks meet the profiler at any step: the program must not notice."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from snipbench import profiling, redaction
from snipbench.profiling import delivery, observation, plain, recorder
from tests.unit.profiling.conftest import Drain


class TimeIsUp(Exception):
    """What handlers of the tests raise."""


class Keeping:
    flush_seconds: float | None = None

    def __init__(self) -> None:
        self.calls = 0

    def write(self, batch: profiling.Batch) -> None:
        self.calls += batch.call_count

    def forked(self) -> None:
        pass


@profiling.profile
def leaf(number: int) -> int:
    return number


@pytest.fixture
def handler() -> Iterator[Callable[[Callable[..., Any]], None]]:
    """Sets the handler of SIGUSR1."""
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda function: signal.signal(signal.SIGUSR1, function) and None
    signal.signal(signal.SIGUSR1, before)


def raises(*_: object) -> None:
    raise TimeIsUp


def test_a_handler_may_raise_while_calls_are_delivered(drain: Drain, handler: Any) -> None:
    class Interrupted(Keeping):
        def write(self, batch: profiling.Batch) -> None:
            os.kill(os.getpid(), signal.SIGUSR1)
            super().write(batch)

    sink = Interrupted()
    profiling.configure(sink=sink)
    lost = profiling.lost_calls()
    handler(raises)
    made = 0

    def go_on() -> None:
        nonlocal made
        while made < 10 * recorder.SPILL_EVERY:
            made += 1
            leaf(made)

    with pytest.raises(TimeIsUp):
        go_on()
    assert made < 3 * recorder.SPILL_EVERY
    handler(lambda *_: None)
    profiling.flush()
    assert sink.calls == made
    assert profiling.lost_calls() == lost


def test_every_time_out_reaches_the_program_and_no_call_is_lost_or_kept_twice(drain: Drain) -> None:
    raised = caught = ran = 0

    def time_is_up(*_: object) -> None:
        nonlocal raised
        raised += 1
        raise TimeIsUp

    @profiling.profile
    def step() -> None:
        nonlocal ran
        ran += 1

    before = signal.signal(signal.SIGALRM, time_is_up)
    try:
        while caught < 100:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.001 + 0.000_007 * (caught % 100))
                while True:
                    step()
            except TimeIsUp:
                caught += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    assert caught == raised
    rows = drain()
    assert ran <= len(rows) <= ran + raised
    assert len({row["call_id"] for row in rows}) == len(rows)


def test_a_handler_may_raise_where_a_delivery_begins(drain: Drain, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does when the signal comes while the delivering thread asks for its number."""
    asked = 0
    get_ident = threading.get_ident

    def interrupted() -> int:
        nonlocal asked
        asked += 1
        if sys._getframe(1).f_code.co_name not in {"is_main_thread", "main_thread"}:
            raise TimeIsUp
        return get_ident()

    leaf(1)
    with monkeypatch.context() as patched:
        patched.setattr(delivery.threading, "get_ident", interrupted)
        with pytest.raises(TimeIsUp):
            profiling.flush()
    assert asked
    leaf(2)
    assert [row["function_name"] for row in drain()] == ["leaf", "leaf"]


def test_a_handler_may_raise_while_texts_are_made(drain: Drain, handler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(text: str) -> str:
        signal.raise_signal(signal.SIGUSR1)
        return text

    handler(raises)
    same = profiling.profile(always=True)(lambda value: value)
    monkeypatch.setattr(redaction, "hide_shapes", interrupted)
    with pytest.raises(TimeIsUp):
        same(1)


def test_a_handler_s_calls_count_while_texts_are_made(
    drain: Drain, handler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(text: str) -> str:
        signal.raise_signal(signal.SIGUSR1)
        return text

    handler(lambda *_: leaf(1))
    same = profiling.profile(always=True)(lambda value: value)
    leaf(0)
    drain()
    monkeypatch.setattr(redaction, "hide_shapes", interrupted)
    same(1)
    monkeypatch.undo()
    assert [row["function_name"] for row in drain()].count(
        "leaf"
    ) == 2  # one text of arguments, one of what is returned


@pytest.mark.parametrize("observed", [True, False])
def test_a_call_interrupted_at_its_end_is_recorded_and_raises_what_interrupted_it(
    drain: Drain, monkeypatch: pytest.MonkeyPatch, *, observed: bool
) -> None:
    instants = iter([1.0])

    def interrupted() -> float:
        try:
            return next(instants)
        except StopIteration:
            monkeypatch.undo()
            raise TimeIsUp from None

    @profiling.profile
    def same(value: int) -> int:
        return value

    if not observed:
        same(0)
        same(1)
    drain()
    monkeypatch.setitem(plain._NAMES, "perf_counter", interrupted)
    monkeypatch.setattr(observation, "perf_counter", interrupted)
    with pytest.raises(TimeIsUp):
        same(2)
    (row,) = drain()
    assert row["exception"] == "TimeIsUp"
    same(3)
    assert drain()[0]["parent_id"] is None


def test_calls_that_raise_are_delivered_when_the_buffer_is_full(drain: Drain) -> None:
    @profiling.profile
    def refuse() -> None:
        raise TimeIsUp

    sink = Keeping()
    profiling.configure(sink=sink)
    for _ in range(2 * recorder.SPILL_EVERY + 10):
        with pytest.raises(TimeIsUp):
            refuse()
    assert sink.calls >= recorder.SPILL_EVERY


def test_the_deepest_calls_of_a_recursion_without_end_are_recorded(drain: Drain) -> None:
    entered = 0

    @profiling.profile
    def descend(depth: int, stop: int) -> int:
        nonlocal entered
        entered += 1
        return descend(depth + 1, stop) if depth < stop else 0

    limit = sys.getrecursionlimit()
    descend(0, 3)
    drain()
    for extra in range(4):  # each place at which the last frame may lie
        entered = 0
        sys.setrecursionlimit(200 + extra + len(list(_frames())))
        try:
            with pytest.raises(RecursionError):
                descend(0, 1_000_000)
        finally:
            sys.setrecursionlimit(limit)
        assert len(drain()) == entered


def _frames() -> Iterator[types.FrameType]:
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def test_a_child_forked_in_a_thread_ends_with_it_and_loses_nothing(program: Any, spooled: Drain) -> None:
    program(
        """
import os, threading
from snipbench import profile

@profile
def leaf(n):
    return n

def work():
    child = os.fork()
    if not child:
        for n in range(3000):
            leaf(n)
        return  # with its only thread the child ends
    assert os.waitpid(child, 0)[1] == 0

thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    )
    assert len(spooled()) == 3000


@pytest.mark.parametrize("earlier", [True, False])
def test_destructors_run_while_the_interpreter_ends(program: Any, spooled: Drain, *, earlier: bool) -> None:
    done = program(
        f"""
import builtins, os
from snipbench import profile

class Thing:
    @profile
    def __del__(self):
        write(1, b"gone ")

write = os.write
if {earlier}:
    Thing()
circle = Thing()
circle.itself = circle
builtins.kept = Thing()
"""
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["gone"] * (2 + earlier)
    assert len(spooled()) >= (2 if earlier else 0)


def test_what_wraps_a_function_keeps_what_it_offers(drain: Drain) -> None:
    @profiling.profile
    @functools.lru_cache
    def cached(value: int) -> int:
        return value

    assert [cached(1), cached(1)] == [1, 1]
    assert cached.cache_info().hits == 1
    cached.cache_clear()
    assert cached.cache_info().hits == 0
    assert len(drain()) == 2


def test_a_generator_that_can_be_awaited_still_can(drain: Drain) -> None:
    @profiling.profile
    @types.coroutine
    def five() -> Any:
        yield
        return 5

    async def wait() -> int:
        answer: int = await five()
        return answer

    waiting = wait()
    waiting.send(None)
    with pytest.raises(StopIteration) as end:
        waiting.send(None)
    assert end.value.value == 5
    assert [row["function_name"] for row in drain()] == ["five"]
