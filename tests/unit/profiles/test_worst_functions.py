"""The kept query ``worst_functions``: orders by their sums, other calls one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from snipbench.lake.reader import run_kept
from snipbench.lake.tables import TABLES


def write(lake: Path, name: str, *rows: dict[str, Any]) -> None:
    columns = dict.fromkeys(TABLES[name].column_names)
    table = pa.Table.from_pylist([columns | row for row in rows], schema=TABLES[name].arrow_schema())
    write_deltalake(str(lake / name), table, partition_by=["task_id"])


def test_sums_of_orders_and_single_calls_are_ranked_together_and_counted_once(tmp_path: Path) -> None:
    point = {"task_id": "task-1", "slot_id": "profile-1", "experiment": "e", "snippet": "s", "parameters": "{}"}
    sums = {"calls": 50_000, "uncounted_calls": 0, "observed_calls": 0, "exceptions": 4, "longest_seconds": 1.0}
    write(tmp_path, "functions", point | sums | {"function_name": "slow", "own_seconds": 6.0, "total_seconds": 8.0})
    call = {"task_id": "task-2", "slot_id": None, "exception": None}
    write(
        tmp_path,
        "function_calls",
        {"task_id": "task-1", "slot_id": "profile-1", "function_name": "slow", "call_id": "a", "execution_time": 0.5},
        call | {"function_name": "outer", "call_id": "b", "execution_time": 3.0},
        call | {"function_name": "inner", "call_id": "c", "parent_id": "b", "execution_time": 1.5, "exception": "E"},
        call | {"function_name": "inner", "call_id": "d", "parent_id": "b", "execution_time": 1.0},
    )
    found = run_kept(tmp_path, "worst_functions", {"n": 3}).to_pylist()
    facts = [(row["function_name"], row["calls"], row["own_seconds"], row["exceptions"]) for row in found]
    assert facts == [("slow", 50_000, 6.0, 4), ("inner", 2, 2.5, 1), ("outer", 1, 0.5, 0)]
    assert [row["share_of_time"] for row in found] == pytest.approx([6 / 9, 2.5 / 9, 0.5 / 9])
    assert [row["total_seconds"] for row in found] == [8.0, 2.5, 3.0]
