"""Counts and parents with many threads; bounds of memory; sinks that fail."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections import Counter

import pytest

from snipbench import profiling
from snipbench.errors import ProfileError
from snipbench.profiling import MemorySink, configure, lost_calls, profile


@profile
def leaf(n):
    return n


@profile
def branch(n):
    return leaf(n) + leaf(n)


@pytest.fixture
def eager_switching():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_sixteen_threads_lose_nothing_while_others_flush(drain, eager_switching):
    def work():
        for n in range(3_000):
            branch(n)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    rows = []
    while any(thread.is_alive() for thread in threads):
        rows += drain()
    for thread in threads:
        thread.join()
    rows += drain()
    assert Counter(row["function_name"] for row in rows) == {"leaf": 96_000, "branch": 48_000}
    by_id = {row["call_id"]: row for row in rows}
    assert len(by_id) == 144_000
    for row in rows:
        if row["function_name"] == "leaf":
            parent = by_id[row["parent_id"]]
            assert parent["function_name"] == "branch"
            assert parent["thread_id"] == row["thread_id"]
        else:
            assert row["parent_id"] is None
    assert lost_calls() == {}


def test_threads_that_have_ended_leave_their_calls_and_nothing_else(drain):
    for _ in range(300):
        thread = threading.Thread(target=leaf, args=(1,))
        thread.start()
        thread.join()
    assert len(drain()) == 300
    drain()
    from snipbench.profiling.delivery import process

    assert len(process.states) <= threading.active_count() + 1


def test_a_full_memory_sink_counts_what_it_cannot_keep(drain):
    sink = MemorySink(max_bytes=200_000)
    configure(sink=sink)
    for n in range(50_000):
        leaf(n)
    kept = len(drain())
    assert 0 < kept < 50_000
    assert lost_calls() == {"the sink was full": 50_000 - kept}
    assert sink.kept_bytes == 0


class RefusingSink:
    flush_seconds = None

    def __init__(self):
        self.batches = []
        self.refuse = True

    def write(self, batch):
        if self.refuse:
            raise OSError("disk full")
        self.batches.append(batch)

    def forked(self):
        pass


def test_a_sink_that_fails_costs_no_call_of_the_program_and_is_counted(drain):
    sink = RefusingSink()
    configure(sink=sink)
    before = lost_calls().get("refused by the sink", 0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert [leaf(n) for n in range(5_000)] == list(range(5_000))
        with pytest.raises(ProfileError, match="disk full"):
            profiling.flush()
    assert len(caught) == (0 if before else 1)  # said once, however often it happens
    assert all("disk full" in str(each.message) for each in caught)
    assert lost_calls()["refused by the sink"] == before + 5_000
    sink.refuse = False
    leaf(1)
    profiling.flush()
    assert sum(batch.call_count for batch in sink.batches) == 1


def test_drain_with_another_sink_says_where_to_look(drain):
    configure(sink=RefusingSink())
    with pytest.raises(ProfileError, match="RefusingSink"):
        profiling.drain()


def test_a_sink_may_call_profiled_functions(drain):
    class Curious(RefusingSink):
        def write(self, batch):
            leaf(batch.call_count)
            self.batches.append(batch)

    sink = Curious()
    configure(sink=sink)
    for n in range(10_000):
        leaf(n)
    profiling.flush()
    recorded = sum(batch.call_count for batch in sink.batches)
    assert 10_000 <= recorded <= 10_000 + len(sink.batches)


def test_a_signal_handler_may_be_profiled_while_calls_are_delivered(drain):
    class Interrupted(RefusingSink):
        def write(self, batch):
            os.kill(os.getpid(), signal.SIGUSR1)
            self.batches.append(batch)

    sink = Interrupted()
    configure(sink=sink)
    before = signal.signal(signal.SIGUSR1, lambda *_: [leaf(n) for n in range(5_000)])
    try:
        leaf(1)
        profiling.flush()
    finally:
        signal.signal(signal.SIGUSR1, before)
        sink.write = sink.batches.append
    profiling.flush()
    assert sum(batch.call_count for batch in sink.batches) == 5_001


def test_task_and_slot_are_those_of_the_time_of_the_call(drain):
    configure(task_id="task-1", slot_id="a")
    leaf(1)
    configure(slot_id="b")
    leaf(2)
    configure(task_id=None, slot_id=None)
    leaf(3)
    assert [(row["task_id"], row["slot_id"]) for row in drain()] == [("task-1", "a"), ("task-1", "b"), (None, None)]
