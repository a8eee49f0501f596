"""Coroutines, generators and asynchronous generators: counts, parents, CPU time of their own steps."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections import Counter

import pytest

from snipbench.profiling import profile


@profile
def leaf(n):
    return n


@profile
async def child(n):
    leaf(n)
    await asyncio.sleep(0.001 * (n % 3))
    leaf(n)
    return n


@profile
async def parent(n):
    first = await child(n)
    rest = await asyncio.gather(child(n + 1), child(n + 2))
    return first + sum(rest)


def by_id(rows):
    return {row["call_id"]: row for row in rows}


def test_the_kind_of_function_stays():
    assert inspect.iscoroutinefunction(child)
    assert inspect.isgeneratorfunction(profile(lambda: (yield)))

    @profile
    async def stream():
        yield 1

    assert inspect.isasyncgenfunction(stream)


def test_interleaved_coroutines_keep_count_and_parents(drain):
    @profile
    async def main():
        return await asyncio.gather(*(parent(n) for n in range(100)))

    assert asyncio.run(main()) == [3 * n + 3 for n in range(100)]
    rows = drain()
    assert Counter(row["function_name"] for row in rows) == {"main": 1, "parent": 100, "child": 300, "leaf": 600}
    known = by_id(rows)
    above = {"leaf": "child", "child": "parent", "parent": "main"}
    for row in rows:
        if row["function_name"] == "main":
            assert row["parent_id"] is None
        else:
            assert known[row["parent_id"]]["function_name"] == above[row["function_name"]]
    children = Counter(row["parent_id"] for row in rows if row["function_name"] == "child")
    assert set(children.values()) == {3}
    leaves = Counter(row["parent_id"] for row in rows if row["function_name"] == "leaf")
    assert set(leaves.values()) == {2}


def test_a_task_that_is_not_profiled_hands_its_parent_on(drain):
    async def between(n):
        await asyncio.sleep(0)
        leaf(n)
        await asyncio.to_thread(leaf, n)

    @profile
    async def main():
        await asyncio.gather(*(between(n) for n in range(5)))

    @profile
    def program():
        asyncio.run(main())
        leaf(0)

    program()
    rows = drain()
    known = by_id(rows)
    parents = Counter(known[row["parent_id"]]["function_name"] for row in rows if row["function_name"] == "leaf")
    assert parents == {"main": 10, "program": 1}


def test_cpu_time_of_a_coroutine_is_that_of_its_own_steps(drain):
    burnt = 0.0

    def burn(seconds):
        nonlocal burnt
        start = time.thread_time()
        while time.thread_time() < start + seconds:
            pass
        burnt += time.thread_time() - start

    @profile
    async def idle():
        await asyncio.sleep(0.06)

    @profile
    async def busy():
        for _ in range(3):
            burn(0.02)
            await asyncio.sleep(0)

    async def main():
        await asyncio.gather(idle(), busy())

    asyncio.run(main())
    rows = {row["function_name"]: row for row in drain()}
    assert rows["idle"]["cpu_usage"] < 0.02
    assert rows["idle"]["execution_time"] >= 0.06
    assert burnt - 0.005 < rows["busy"]["cpu_usage"] < burnt + 0.02


def test_a_cancelled_and_a_failing_coroutine_are_recorded(drain):
    @profile
    async def failing():
        await asyncio.sleep(0)
        raise KeyError("gone")

    async def main():
        task = asyncio.create_task(child(2))
        await asyncio.sleep(0)
        task.cancel()
        return await asyncio.gather(task, failing(), return_exceptions=True)

    cancelled, failed = asyncio.run(main())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert isinstance(failed, KeyError)
    rows = {row["function_name"]: row["exception"] for row in drain() if row["function_name"] != "leaf"}
    assert rows == {"child": "CancelledError", "failing": "KeyError: 'gone'"}


def test_a_coroutine_may_catch_what_is_thrown_into_it(drain):
    @profile
    async def patient():
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            return await child(0)

    async def main():
        task = asyncio.create_task(patient())
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert asyncio.run(main()) == 0
    rows = drain()
    known = by_id(rows)
    assert {row["function_name"]: row["exception"] for row in rows} == {"patient": None, "child": None, "leaf": None}
    (one,) = [row for row in rows if row["function_name"] == "child"]
    assert known[one["parent_id"]]["function_name"] == "patient"


def test_two_event_loops_in_two_threads(drain):
    threads = [threading.Thread(target=lambda: asyncio.run(parent(1))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = drain()
    known = by_id(rows)
    assert Counter(row["function_name"] for row in rows) == {"parent": 2, "child": 6, "leaf": 12}
    for row in rows:
        if row["parent_id"] is not None:
            assert known[row["parent_id"]]["thread_id"] == row["thread_id"]


def test_a_generator_is_one_call_and_its_consumer_is_not_its_child(drain):
    @profile
    def numbers(n):
        for i in range(n):
            leaf(i)
            received = yield i
            if received:
                leaf(received)
        return "done"

    @profile
    def consume():
        total = 0
        for i in numbers(3):
            total += leaf(i)
            time.sleep(0.01)
        return total

    assert consume() == 3
    rows = drain()
    known = by_id(rows)
    assert Counter(known[row["parent_id"]]["function_name"] for row in rows if row["function_name"] == "leaf") == {
        "numbers": 3,
        "consume": 3,
    }
    (generator,) = [row for row in rows if row["function_name"] == "numbers"]
    assert known[generator["parent_id"]]["function_name"] == "consume"
    lifetime = (generator["end_time"] - generator["start_time"]).total_seconds()
    assert generator["execution_time"] < lifetime - 0.029
    assert generator["return_value"] == "'done'"


def test_a_generator_passes_send_throw_and_close_through(drain):
    log = []

    @profile
    def echo():
        value = None
        try:
            while True:
                try:
                    value = yield value
                except ValueError as error:
                    value = f"caught {error}"
        finally:
            log.append("closed")

    generator = echo()
    next(generator)
    assert generator.send(5) == 5
    assert generator.throw(ValueError("x")) == "caught x"
    generator.close()
    assert log == ["closed"]
    failing = echo()
    next(failing)
    with pytest.raises(KeyError):
        failing.throw(KeyError("y"))
    never_started = echo()
    never_started.close()
    closed, failed = drain()
    assert (closed["exception"], closed["return_value"]) == (None, None)
    assert failed["exception"] == "KeyError: 'y'"


def test_an_asynchronous_generator_is_one_call(drain):
    @profile
    async def stream(n):
        try:
            for i in range(n):
                await asyncio.sleep(0)
                leaf(i)
                yield i
        except ValueError:
            yield -1

    @profile
    async def main():
        seen = [i async for i in stream(3)]
        broken_off = stream(5)
        async for i in broken_off:
            leaf(i)
            break
        await broken_off.aclose()
        thrown = stream(5)
        await thrown.asend(None)
        assert await thrown.athrow(ValueError) == -1
        await thrown.aclose()
        return seen

    assert asyncio.run(main()) == [0, 1, 2]
    rows = drain()
    known = by_id(rows)
    assert Counter(row["function_name"] for row in rows) == {"stream": 3, "main": 1, "leaf": 6}
    assert Counter(known[row["parent_id"]]["function_name"] for row in rows if row["function_name"] == "leaf") == {
        "stream": 5,
        "main": 1,
    }
    assert all(row["exception"] is None for row in rows)
