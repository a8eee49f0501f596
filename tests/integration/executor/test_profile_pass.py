"""The profile pass: calls of every kind counted exactly, and nothing of it left in the runs that follow."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from executor.calls import ProfileFacts, ProfileRequest
from snipbench.profiling import CallRow, read_directory

pytestmark = [pytest.mark.spark, pytest.mark.postgres]

INPUT = "select cast(l_quantity as double) as quantity from lineitem where l_orderkey <= :most"
MOST = {"most": 2000}
UDF = {"input": INPUT, "returns": "double"}

CODE = {
    "python_udf": "def plus(x):\n    return x + 1\n\ndef run(quantity):\n    return plus(quantity)\n",
    "arrow_python_udf": "class Adder:\n    def plus(self, x):\n        return x + 1\n\nadder = Adder()\n\n"
    "def run(quantity):\n    return adder.plus(quantity)\n",
    "pandas_udf": "import pandas as pd\n\ndef run(quantity: pd.Series) -> pd.Series:\n    return quantity + 1\n",
    "arrow_udf": "import pyarrow as pa\nimport pyarrow.compute as pc\n\ndef run(quantity: pa.Array) -> pa.Array:\n"
    "    return pc.add(quantity, 1)\n",
}


def profiled(
    runner: Any, call: Any, folder: Path, *, max_bytes: int = 1 << 26, timeout_seconds: float = 60.0
) -> tuple[ProfileFacts, list[CallRow], int]:
    request = ProfileRequest(folder, "task-1", f"profile-{call.snippet.name}", max_bytes)
    facts = runner.engine.profile(call, request, timeout_seconds, cancel_statements=runner.cancel_statements)
    found = read_directory(folder)
    assert found.broken_lines == 0
    assert facts.lost_calls == 0
    assert {(row["task_id"], row["slot_id"]) for row in found.rows} <= {("task-1", request.slot_id)}
    return facts, found.rows, found.overflow_calls


def counts(rows: list[CallRow]) -> Counter[str]:
    return Counter(row["function_name"] for row in rows)


def rows_of_input(database: Any, most: int) -> int:
    with psycopg.connect(**database.admin.parameters) as session:
        row = session.execute("select count(*) from lineitem where l_orderkey <= %s", [most]).fetchone()
    assert row is not None
    return int(row[0])


def test_calls_in_spark_s_workers_are_those_of_the_rows(runner: Any, database: Any, tmp_path: Path) -> None:
    there = rows_of_input(database, 2000)
    for kind, code in CODE.items():
        facts, rows, overflow = profiled(runner, runner.call(kind, code, MOST, **UDF), tmp_path / kind)
        assert facts.failure is None
        assert facts.seconds is not None
        assert counts(rows) == ({"run": there, "plus": there} if kind.endswith("python_udf") else {"run": 1}), kind
        assert overflow == 0
        assert all(row["source_code_md5_hash"] for row in rows)
        names = {row["call_id"]: row["function_name"] for row in rows}
        assert all(names[row["parent_id"] or ""] == "run" for row in rows if row["function_name"] == "plus")


def daemons_and_workers(pid: int) -> list[int]:
    return [process.pid for process in psutil.Process(pid).children(recursive=True)]


def is_of_a_pass(pid: int) -> bool:
    """Of a process that has ended meanwhile nothing is left to be read."""
    try:
        return b"SNIPBENCH_PROFILE_PASS=" in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def test_a_function_is_counted_with_recursion_and_exceptions(runner: Any, tmp_path: Path) -> None:
    code = """
        def fib(n):
            return n if n < 2 else fib(n - 1) + fib(n - 2)

        def careful(n):
            if n % 10 == 0:
                raise ValueError("ten")
            return n

        def down(n):
            return n and down(n - 1)

        def run(frame, most):
            total = fib(12) + down(700)
            for n in range(100):
                try:
                    total += careful(n)
                except ValueError:
                    pass
            return total
        """
    facts, rows, _ = profiled(runner, runner.call("function", code, MOST, input=INPUT), tmp_path)
    assert facts.failure is None, facts.failure
    assert counts(rows) == {"run": 1, "fib": 465, "careful": 100, "down": 701}
    assert sum(row["exception"] == "ValueError: ten" for row in rows) == 10


def test_what_fails_half_way_leaves_its_calls_and_the_session_goes_on(runner: Any, tmp_path: Path) -> None:
    code = "def run(quantity):\n    if quantity > 49:\n        raise ValueError(f'{quantity}')\n    return quantity\n"
    facts, rows, _ = profiled(runner, runner.call("python_udf", code, MOST, **UDF), tmp_path)
    assert facts.seconds is None
    assert facts.failure is not None
    assert facts.failure.kind == "ValueError"
    assert sum(row["exception"] is not None for row in rows) >= 1
    assert runner.engine.lost is None


def test_calls_beyond_the_bound_are_counted(runner: Any, database: Any, tmp_path: Path) -> None:
    made = 2 * rows_of_input(database, 12_000)
    call = runner.call("python_udf", CODE["python_udf"], {"most": 12_000}, **UDF)
    _, rows, overflow = profiled(runner, call, tmp_path, max_bytes=1)
    assert 0 < len(rows) < made
    assert len(rows) + overflow == made


def test_calls_that_workers_cannot_write_are_counted_as_lost(runner: Any, database: Any, tmp_path: Path) -> None:
    """A file stands where the folder should be: root writes wherever it may not."""
    (tmp_path / "file").touch()
    request = ProfileRequest(tmp_path / "file", "task-1", "profile-lost", 1 << 26)
    call = runner.call("python_udf", CODE["python_udf"], MOST, **UDF)
    for _ in range(2):  # the second time by workers that have lost calls before
        facts = runner.engine.profile(call, request, 60.0)
        assert facts.failure is None
        assert facts.lost_calls == 2 * rows_of_input(database, 2000)
    raising = runner.call("python_udf", "def run(quantity):\n    raise ValueError(quantity)\n", MOST, **UDF)
    facts = runner.engine.profile(raising, request, 60.0)
    assert facts.failure is not None
    assert facts.failure.kind == "ValueError"
    assert facts.lost_calls >= 1
    _, rows, _ = profiled(runner, call, tmp_path / "calls")
    assert len(rows) == 2 * rows_of_input(database, 2000)


def test_workers_of_a_pass_are_gone_before_the_next_run_and_nothing_is_profiled_there(
    runner: Any, tmp_path: Path
) -> None:
    call = runner.call("python_udf", CODE["python_udf"], MOST, **UDF)
    profiled(runner, call, tmp_path / "calls")
    before = {path: path.stat().st_size for path in (tmp_path / "calls").iterdir()}
    runner.ok(call)
    assert [pid for pid in daemons_and_workers(runner.engine.target.pid) if is_of_a_pass(pid)] == []
    assert {path: path.stat().st_size for path in (tmp_path / "calls").iterdir()} == before


def test_a_pass_that_takes_too_long_is_cancelled_and_told(runner: Any, tmp_path: Path) -> None:
    code = "import time\n\ndef run(quantity):\n    time.sleep(0.05)\n    return quantity\n"
    request = ProfileRequest(tmp_path, "task-1", "profile-slow", 1 << 26)
    facts = runner.engine.profile(runner.call("python_udf", code, MOST, **UDF), request, 1.5)
    assert facts.failure is not None
    assert facts.failure.kind == "Timeout"
    assert runner.engine.lost is None
