"""A wrapper changes its form once its calls are no longer observed: nothing of that is to be noticed."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from pyspark import cloudpickle

from snipbench import profiling
from snipbench.profiling import recorder


def test_every_way_to_pass_arguments_goes_on_working(drain: Callable[[], list[profiling.CallRow]]) -> None:
    @profiling.profile
    def difference(left: int, right: int) -> int:
        return left - right

    for _ in range(3):
        assert difference(5, 3) == difference(5, right=3) == difference(right=3, left=5) == 2
    assert [row["function_name"] for row in drain()] == ["difference"] * 9


def test_a_call_observed_later_is_recorded_as_it_was_made(drain: Callable[[], list[profiling.CallRow]]) -> None:
    seconds = 0.0

    @profiling.profile
    def wait(first: str, second: str) -> None:
        time.sleep(seconds)

    wait("a", "b")
    wait("a", "b")
    seconds = 0.01
    wait("a", "b")  # so the next one is observed
    wait("a", second="b")
    *_, last = drain()
    assert (last["arguments"], last["keyword_arguments"]) == ("('a',)", "{'second': 'b'}")


def test_wrong_arguments_are_told_as_python_does() -> None:
    def add(left: int, right: int) -> int:
        return left + right

    profiled = profiling.profile(add)
    for _ in range(3):
        assert profiled(1, 2) == 3
        with pytest.raises(TypeError) as plain:
            add(1)  # type: ignore[call-arg]
        with pytest.raises(TypeError) as wrapped:
            profiled(1)  # type: ignore[call-arg]
        assert str(wrapped.value) == str(plain.value)


@pytest.mark.parametrize("name", ["state", "probe", "function", "call", "recorder", "perf_counter", "error", "größe"])
def test_a_parameter_may_have_any_name(drain: Callable[[], list[profiling.CallRow]], name: str) -> None:
    found: dict[str, Any] = {}
    exec(f"def twice({name}):\n    return 2 * {name}", found)
    twice = profiling.profile(found["twice"])
    assert [twice(3), twice(4), twice(**{name: 5})] == [6, 8, 10]
    assert len(drain()) == 3


def test_defaults_changed_later_hold(drain: Callable[[], list[profiling.CallRow]]) -> None:
    def add(left: int, right: int = 1) -> int:
        return left + right

    profiled = profiling.profile(add)
    assert profiled(1) == profiled(1) == 2
    add.__defaults__ = (10,)
    assert profiled(1) == 11
    assert len(drain()) == 3


def test_it_is_pickled_by_value_in_either_form(drain: Callable[[], list[profiling.CallRow]]) -> None:
    @profiling.profile
    def double(value: int) -> int:
        return 2 * value

    copies = []
    for _ in range(2):
        copies.append(cloudpickle.loads(cloudpickle.dumps(double)))
        assert double(1) == 2
    for copy in copies:
        assert [copy(4), copy(value=5), copy(6)] == [8, 10, 12]
    assert len(drain()) == 2 + 6


def test_it_changes_back_after_each_full_buffer(drain: Callable[[], list[profiling.CallRow]]) -> None:
    @profiling.profile
    def same(value: int) -> int:
        return value

    for number in range(3 * recorder.SPILL_EVERY):
        same(value=number)
    observed = [row["keyword_arguments"] for row in drain() if row["keyword_arguments"] is not None]
    assert observed[0] == "{'value': 0}"
    assert len(observed) >= 3
    assert all(text.startswith("{'value': ") for text in observed)


def test_nothing_keeps_it_alive() -> None:
    @profiling.profile
    def same(value: int) -> int:
        return value

    same(1)
    gone = weakref.ref(same)
    gc.disable()
    try:
        del same
        assert gone() is None
    finally:
        gc.enable()


def test_a_process_that_becomes_asynchronous_finds_parents_in_contexts(
    program: Callable[..., Any], spooled: Callable[[], list[profiling.CallRow]]
) -> None:
    program("""
        import asyncio, threading
        from pyspark import cloudpickle
        from snipbench import profiling

        @profiling.profile
        def leaf(number):
            return number

        @profiling.profile
        async def outer(function, number):
            return await asyncio.to_thread(function, number)

        assert [leaf(number) for number in range(3)] == [0, 1, 2]
        by_value = cloudpickle.dumps(leaf)  # in the form that looks for no context
        thread = threading.Thread(target=lambda: [leaf(number) for number in range(3)])
        thread.start()
        thread.join()
        assert asyncio.run(outer(leaf, 10)) == 10
        assert [leaf(number) for number in range(3)] == [0, 1, 2]
        for _ in range(3):
            assert asyncio.run(outer(leaf, 20)) == 20
            assert asyncio.run(outer(cloudpickle.loads(by_value), 30)) == 30
    """)
    rows = spooled()
    outer = [row["call_id"] for row in rows if row["function_name"] == "outer"]
    parents = [row["parent_id"] for row in rows if row["function_name"] == "leaf"]
    assert parents.count(None) == 9
    assert sorted(parent for parent in parents if parent is not None) == sorted(outer)
    assert len(set(outer)) == 7


def test_calls_restored_from_a_pickle_are_observed_again(
    drain: Callable[[], list[profiling.CallRow]],
) -> None:
    @profiling.profile
    def wait(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    wait(0.0)
    wait(0.0)
    restored = cloudpickle.loads(cloudpickle.dumps(wait))
    drain()
    assert [restored(seconds) for seconds in (0.0, 0.0, 0.01, 0.1)] == [0.0, 0.0, 0.01, 0.1]
    first, *_, last = drain()
    assert (first["arguments"], last["arguments"]) == ("(0.0,)", "(0.1,)")
