"""What the decorator takes, leaves unchanged and records."""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
import time
import zlib
from datetime import UTC, datetime, timedelta

import pytest

import snipbench
from snipbench.lake.tables.measured import FUNCTION_CALLS
from snipbench.profiling import COLUMNS, THREAD_ZEPPELIN_COLUMNS, profile


@profile
def add(left, right=1):
    """Sum."""
    return left + right


class Account:
    def __init__(self, balance):
        self.balance = balance

    @profile
    def pay(self, amount):
        return self.balance - amount

    @profile
    @classmethod
    def empty(cls):
        return cls(0)

    @classmethod
    @profile
    def full(cls):
        return cls(100)

    @profile
    @staticmethod
    def fee(amount):
        return amount // 10

    @staticmethod
    @profile
    def tax(amount):
        return amount // 5


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_it_is_the_package_s_public_name():
    assert snipbench.profile is profile


def test_a_row_has_the_seventeen_columns_first(drain):
    add(1)
    (row,) = drain()
    assert tuple(row) == COLUMNS
    published = (
        "ingestion_date, thread_id, process_id, unique_app_id, class_name, function_name, execution_time, start_time, "
        "end_time, memory_usage, cpu_usage, recursion_limit, arguments, keyword_arguments, return_value, "
        "source_code_compressed, source_code_md5_hash"
    )
    assert ", ".join(THREAD_ZEPPELIN_COLUMNS) == published
    assert FUNCTION_CALLS.column_names == COLUMNS
    assert COLUMNS[17:] == ("call_id", "parent_id", "exception", "task_id", "slot_id")


def test_times_are_utc_and_agree(drain):
    before = datetime.now(UTC)
    profile(time.sleep)(0.02)
    after = datetime.now(UTC)
    (row,) = drain()
    assert (
        before - timedelta(milliseconds=5) <= row["start_time"] <= row["end_time"] <= after + timedelta(milliseconds=5)
    )
    assert row["execution_time"] == pytest.approx((row["end_time"] - row["start_time"]).total_seconds(), abs=1e-5)
    assert 0.02 <= row["execution_time"] < 2
    assert row["ingestion_date"] in {before.date(), after.date()}
    assert row["recursion_limit"] == sys.getrecursionlimit()


def test_source_is_kept_once_compressed_with_its_md5(drain):
    add(1)
    add(2)
    first, second = drain()
    source = zlib.decompress(first["source_code_compressed"])
    assert b"return left + right" in source
    assert first["source_code_md5_hash"] == hashlib.md5(source).hexdigest()
    assert second["source_code_compressed"] is first["source_code_compressed"]


def test_methods_of_every_kind_are_recorded_with_their_class(drain):
    account = Account(50)
    assert account.pay(20) == 30
    assert Account.empty().balance == 0
    assert Account.full().balance == 100
    assert Account.fee(100) == 10
    assert account.tax(100) == 20
    rows = drain()
    assert [row["function_name"] for row in rows] == ["pay", "empty", "full", "fee", "tax"]
    assert {row["class_name"] for row in rows} == {"Account"}
    add(1)
    assert drain()[0]["class_name"] is None


def test_class_and_name_can_be_given(drain):
    profile(class_name="Job", name="step")(lambda: None)()
    (row,) = drain()
    assert (row["class_name"], row["function_name"]) == ("Job", "step")


def test_signature_and_documentation_stay():
    assert inspect.signature(add) == inspect.signature(add.__wrapped__)
    assert add.__doc__ == "Sum."
    assert add.__name__ == "add"


def test_builtins_and_callable_objects_are_recorded_without_source(drain):
    assert profile(len)([1, 2]) == 2
    assert profile(functools.partial(add.__wrapped__, 1))(2) == 3
    assert [(row["function_name"], row["source_code_compressed"]) for row in drain()] == [
        ("len", None),
        ("partial", None),
    ]


@pytest.mark.parametrize("wrong", [Account, property(lambda self: 1), 3])
def test_what_is_no_function_is_refused(wrong):
    with pytest.raises(TypeError, match="@profile takes functions and methods"):
        profile(wrong)


def test_a_text_limit_below_one_is_refused():
    with pytest.raises(ValueError, match="text_limit is 0"):
        profile(text_limit=0)


def test_profiling_twice_records_once(drain):
    twice = profile(always=True)(add)
    twice(1)
    twice(2)
    rows = drain()
    assert len(rows) == 2
    assert all(row["cpu_usage"] is not None for row in rows)


def test_a_foreign_wrapper_around_a_profiled_function_is_a_function_of_its_own(drain):
    @functools.wraps(add)
    def outer(*args):
        return add(*args)

    profile(outer)(1)
    inner, outside = drain()
    assert inner["parent_id"] == outside["call_id"]


def test_a_fast_function_is_read_in_full_at_its_first_call_and_then_rarely(drain):
    quick = profile(lambda x: x)
    for number in range(20_000):
        quick(number)
    rows = sorted(drain(), key=lambda row: int(row["call_id"].split("-")[1]))
    assert len(rows) == 20_000
    assert rows[0]["arguments"] == "(0,)"
    read = [row for row in rows if row["cpu_usage"] is not None]
    assert 2 <= len(read) < 400  # the first, one per full buffer, and a few after the machine held a call up
    unread = next(row for row in rows if row["cpu_usage"] is None)
    assert [unread[name] for name in ("memory_usage", "arguments", "keyword_arguments", "return_value")] == [None] * 4


def test_a_slow_function_is_read_at_every_call(drain):
    slow = profile(burn)
    for _ in range(5):
        slow(0.02)
    for row in drain():
        assert row["cpu_usage"] == pytest.approx(0.02, rel=0.5)
        assert row["memory_usage"] is not None
        assert row["arguments"] == "(0.02,)"


def test_a_rare_slow_call_of_a_fast_function_has_no_cpu_reading_and_the_next_has(drain):
    burning = profile(burn)
    for _ in range(50):  # a busy machine may hold up one of the fast calls, which then counts as slow
        for _ in range(200):
            burning(0)
        burning(0.01)
        burning(0)
        *_, slow, following = drain()
        if slow["cpu_usage"] is None:
            break
    assert slow["execution_time"] > 0.009
    assert slow["cpu_usage"] is None
    assert following["cpu_usage"] is not None


def test_always_reads_everything_at_every_call(drain):
    every = profile(always=True)(add.__wrapped__)
    for number in range(50):
        every(number, right=2)
    rows = drain()
    assert [row["arguments"] for row in rows] == [f"({number},)" for number in range(50)]
    assert {row["keyword_arguments"] for row in rows} == {"{'right': 2}"}
    assert [row["return_value"] for row in rows] == [str(number + 2) for number in range(50)]
    assert all(row["cpu_usage"] is not None and row["memory_usage"] is not None for row in rows)


def test_memory_is_the_growth_of_the_process(drain):
    kept = []
    profile(always=True)(lambda: kept.append(bytearray(b"x") * 40_000_000))()
    (row,) = drain()
    assert 35_000_000 < row["memory_usage"] < 60_000_000


def test_cpu_time_of_a_sleeping_call_is_small(drain):
    profile(time.sleep)(0.05)
    (row,) = drain()
    assert row["cpu_usage"] < 0.02 < row["execution_time"]


def test_recursion_is_counted_call_by_call_with_its_parents(drain):
    @profile
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    assert fibonacci(12) == 144
    rows = drain()
    assert len(rows) == 465
    ids = {row["call_id"] for row in rows}
    assert len(ids) == 465
    assert [row["parent_id"] for row in rows].count(None) == 1
    assert all(row["parent_id"] in ids for row in rows if row["parent_id"] is not None)


def test_exceptions_pass_through_and_are_recorded(drain):
    @profile
    def refuse(reason):
        raise LookupError(reason)

    for reason in ("first", "second", "x" * 10_000):
        with pytest.raises(LookupError):
            refuse(reason)
    rows = drain()
    assert [row["exception"] for row in rows[:2]] == ["LookupError: first", "LookupError: second"]
    assert len(rows[2]["exception"]) < 600
    assert all(row["return_value"] is None for row in rows)
    assert all(row["parent_id"] is None for row in rows)


def test_after_an_exception_the_parent_is_right_again(drain):
    @profile
    def failing():
        raise ValueError("no")

    @profile
    def outer():
        for _ in range(3):
            with pytest.raises(ValueError, match="no"):
                failing()
        return add(1)

    outer()
    outer()
    rows = drain()
    outers = {row["call_id"] for row in rows if row["function_name"] == "outer"}
    assert len(rows) == 10
    assert all((row["parent_id"] in outers) == (row["function_name"] != "outer") for row in rows)


def test_a_recursion_error_is_recorded_for_every_call_that_saw_it(drain):
    calls = 0

    @profile
    def endless():
        nonlocal calls
        calls += 1
        endless()

    with pytest.raises(RecursionError):
        endless()
    rows = drain()
    # The innermost wrapper may run out of frames before its function begins.
    assert calls <= len(rows) <= calls + 1
    assert all(row["exception"].startswith("RecursionError") for row in rows)
