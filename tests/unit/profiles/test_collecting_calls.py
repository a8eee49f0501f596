"""From spilled calls to rows of the lake and the cost of each function."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from analyzer.profiles import collect
from analyzer.profiles.calls import read_calls
from analyzer.profiles.costs import costs_of
from snipbench.domain.profile import FunctionCost
from snipbench.lake.tables import TABLES
from snipbench.profiling import COLUMNS, read_directory

ROOT = Path(__file__).parents[3]

PROGRAM = """
import asyncio, os, sys, threading
from snipbench.profiling import DirectorySink, configure, flush, profile
configure(sink=DirectorySink(sys.argv[1]), task_id="task-1", slot_id="point-1", app_id="app")

class Thing:
    @profile
    def twice(self, n):
        return leaf(n) + leaf(n)

@profile
def leaf(n):
    return n

@profile
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

@profile
def fails():
    raise ValueError("no")

@profile
def items(n):
    yield from range(n)

@profile
async def later():
    await asyncio.sleep(0.01)

@profile
async def both():
    await asyncio.gather(later(), later())

for n in range(5_000):
    Thing().twice(n)
fib(10)
list(items(3))
asyncio.run(both())
try:
    fails()
except ValueError:
    pass
threads = [threading.Thread(target=leaf, args=(n,)) for n in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
if os.fork() == 0:
    leaf(1)
    flush()
    os._exit(0)
os.wait()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("calls")
    script = place / "program.py"
    script.write_text(textwrap.dedent(PROGRAM))
    subprocess.run([sys.executable, script, place / "calls"], check=True, env={"PYTHONPATH": str(ROOT)}, timeout=240)
    return place / "calls"


def by_name(costs: tuple[FunctionCost, ...]) -> dict[str, FunctionCost]:
    return {cost.name: cost for cost in costs}


def test_rows_are_those_that_the_profiler_itself_gives(folder: Path, tmp_path: Path) -> None:
    found = collect(folder, tmp_path / "rows" / "point.parquet", kept_calls=1_000_000)
    rows = pq.read_table(tmp_path / "rows").to_pylist()
    expected: list[dict[str, Any]] = [dict(row) for row in read_directory(folder).rows]
    assert found.kept_calls == len(rows) == len(expected)
    assert tuple(rows[0]) == COLUMNS == TABLES["function_calls"].column_names
    ordered = [sorted(some, key=lambda row: row["call_id"]) for some in (rows, expected)]
    rounded = ("start_time", "end_time")
    for mine, its in zip(*ordered, strict=True):
        assert mine == its | {name: mine[name] for name in ("ingestion_date", *rounded)}
        assert all(abs(mine[name] - its[name]) <= timedelta(microseconds=1) for name in rounded)


def test_calls_are_counted_exactly_whatever_number_of_rows_is_kept(folder: Path, tmp_path: Path) -> None:
    found = collect(folder, tmp_path / "point.parquet", kept_calls=100)
    assert found.kept_calls == pq.read_table(tmp_path / "point.parquet").num_rows == 100
    assert {name: cost.calls for name, cost in by_name(found.functions).items()} == {
        "Thing.twice": 5_000,
        "leaf": 10_004,
        "fib": 177,
        "items": 1,
        "later": 2,
        "both": 1,
        "fails": 1,
    }
    kept = pq.read_table(tmp_path / "point.parquet", columns=["start_time"]).column(0).to_pylist()
    assert max(kept) <= sorted(row["start_time"] for row in read_directory(folder).rows)[100]


def test_own_time_is_that_without_the_calls_made_and_recursion_counts_once(folder: Path) -> None:
    rows = read_directory(folder).rows
    costs = by_name(costs_of(read_calls(folder)))
    twice = [row for row in rows if row["function_name"] == "twice"]
    within = {row["call_id"] for row in twice}
    leaves = sum(row["execution_time"] for row in rows if row["parent_id"] in within)
    total = sum(row["execution_time"] for row in twice)
    assert costs["Thing.twice"].total_seconds == pytest.approx(total)
    assert costs["Thing.twice"].own_seconds == pytest.approx(total - leaves)
    assert costs["leaf"].own_seconds == pytest.approx(costs["leaf"].total_seconds)
    (outermost,) = [row for row in rows if row["function_name"] == "fib" and row["parent_id"] is None]
    assert costs["fib"].total_seconds == pytest.approx(outermost["execution_time"])
    assert costs["fib"].own_seconds == pytest.approx(outermost["execution_time"])
    assert costs["both"].own_seconds < costs["both"].total_seconds
    assert all(cost.own_seconds >= 0 for cost in costs.values())


def test_a_cost_tells_its_spread_its_readings_and_its_source(folder: Path) -> None:
    cost = by_name(costs_of(read_calls(folder)))["leaf"]
    assert cost.median_seconds is not None
    assert cost.p95_seconds is not None
    assert cost.longest_seconds is not None
    assert 0 < cost.median_seconds <= cost.p95_seconds <= cost.longest_seconds
    assert cost.source == "@profile\ndef leaf(n):\n    return n\n"
    assert 1 <= cost.observed_calls < cost.calls
    assert cost.cpu_seconds is not None
    fails = by_name(costs_of(read_calls(folder)))["fails"]
    assert fails.exceptions == 1


def test_a_folder_that_is_not_there_has_no_calls(tmp_path: Path) -> None:
    found = collect(tmp_path / "absent", tmp_path / "point.parquet")
    assert (found.functions, found.kept_calls, found.broken_lines) == ((), 0, 0)
    assert not (tmp_path / "point.parquet").exists()


def test_what_cannot_be_read_is_counted_and_calls_beyond_the_bound_belong_to_their_function(tmp_path: Path) -> None:
    lines = [
        {"process": {"process_id": 1, "app_id": "a", "epochs": [[1, "t"]]}},
        {"function": {"key": 4, "class_name": None, "function_name": "f", "source": None, "md5": None}},
        {"calls": _calls([4, 2, 0, 1.0, 1.5])},
        {"calls": _calls([9, 3, 0, 1.0, 1.5])},
        {"overflow": 7, "by_function": [[4, 7]]},
    ]
    text = "\n".join(json.dumps(line) for line in lines) + '\n{"calls": '
    (tmp_path / "calls-1-t-1.jsonl").write_text(text)
    found = collect(tmp_path, tmp_path / "rows.parquet")
    assert found.broken_lines == 2
    (cost,) = found.functions
    assert (cost.calls, cost.uncounted_calls, cost.total_seconds, cost.source) == (8, 7, 0.5, None)
    assert (cost.cpu_seconds, cost.memory_growth_bytes, cost.observed_calls) == (None, None, 0)


def _calls(records: list[float]) -> dict[str, Any]:
    shared = {"thread_id": 1, "clock_offset": 0.0, "recursion_limit": 1000, "task_id": "task", "slot_id": "point"}
    return shared | {"records": records}


def test_sources_of_rows_are_compressed_as_the_profiler_left_them(folder: Path, tmp_path: Path) -> None:
    collect(folder, tmp_path / "point.parquet")
    row = pq.read_table(tmp_path / "point.parquet").slice(0, 1).to_pylist()[0]
    assert zlib.decompress(row["source_code_compressed"]).startswith(b"@profile\n")
