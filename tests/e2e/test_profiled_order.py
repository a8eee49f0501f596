"""An order with `profile: true`: its functions in store, lake, queries and report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from snipbench import records
from snipbench.lake import reader
from snipbench.lake.tables import THREAD_ZEPPELIN_COLUMNS
from snipbench.store.sqlite import SqliteStore

from .conftest import ROOT, json_of, run_command

pytestmark = [pytest.mark.spark, pytest.mark.postgres, pytest.mark.timeout(900)]

ORDERS = 7_500
"""Rows of ``orders`` at scale 0.005."""


@pytest.fixture(scope="module")
def outcome(home: Path) -> dict[str, Any]:
    done = run_command(
        "run", ROOT / "configs" / "profile.yaml", "--home", home, "--warmups", "0", "--repetitions", "1", "--json"
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json_of(done)
    return found


def asked(home: Path, sql: str) -> list[dict[str, Any]]:
    return reader.query(home / "lake", sql).to_pylist()


def test_every_call_of_every_function_is_counted_and_measured_runs_are_left_alone(
    outcome: dict[str, Any], home: Path
) -> None:
    store = SqliteStore(home / "store.sqlite")
    mine = {"task_id": outcome["task_id"]}
    profiles = [records.profile_from_document(found) for found in store.find("profiles", mine)]
    events = [event["name"] for event in store.find("events", mine)]
    store.close()
    counts = {found.snippet: {cost.name: cost.calls for cost in found.functions} for found in profiles}
    assert counts == {
        "row": {"run": ORDERS, "lowered": ORDERS, "spaced": ORDERS},
        "pandas": {"run": counts["pandas"]["run"]},
        "highest": {"run": 1, "Window.__init__": 1, "Window.add": ORDERS},
    }
    assert all(found.failure is None and found.seconds is not None for found in profiles)
    assert [name for name in events if name in {"monitoring stopped", "snippet profiled", "experiment finished"}] == [
        "monitoring stopped",
        *["snippet profiled"] * 3,
        "experiment finished",
    ]
    (experiment,) = outcome["experiments"]
    assert {(found["name"], found["runs"], found["failed"]) for found in experiment["snippets"]} >= {("row", 1, 0)}


def test_calls_are_in_the_lake_with_the_published_columns(outcome: dict[str, Any], home: Path) -> None:
    task = outcome["task_id"]
    calls = asked(home, f"select function_name, count(*) as n from function_calls where task_id = '{task}' group by 1")
    by_name = Counter({row["function_name"]: row["n"] for row in calls})
    assert by_name["add"] == ORDERS
    assert by_name["lowered"] + by_name["spaced"] <= 20_000
    (first,) = asked(home, "select * from thread_zeppelin limit 1")
    assert tuple(first) == THREAD_ZEPPELIN_COLUMNS
    joined = asked(
        home,
        "select distinct f.snippet, f.function_name from function_calls c join functions f "
        "on f.task_id = c.task_id and f.slot_id = c.slot_id and f.function_name = c.function_name "
        f"where c.task_id = '{task}'",
    )
    assert {(row["snippet"], row["function_name"]) for row in joined} >= {("highest", "add"), ("row", "spaced")}


def test_the_worst_functions_can_be_asked_for(outcome: dict[str, Any], home: Path) -> None:
    worst = json_of(run_command("query", "--name", "worst_functions", "--param", "n=99", "--home", home, "--json"))
    assert worst == sorted(worst, key=lambda row: -row["own_seconds"])
    assert sum(row["share_of_time"] for row in worst) == pytest.approx(1)
    assert {row["function_name"]: row["calls"] for row in worst}["add"] == ORDERS
    assert len(reader.run_kept(home / "lake", "worst_functions", {"n": 3})) == 3


def test_the_report_ranks_the_functions(outcome: dict[str, Any]) -> None:
    page = Path(outcome["report"]).read_text("utf-8")
    section = page[page.index('id="functions"') :]
    for name in ("Window.add", "spaced", "lowered"):
        assert f'<code>{name}</code></td><td class="n">{ORDERS:,}</td>' in section
    assert "of the functions&#39; time itself: called" in section
    assert "the lake keeps the first 20,000 of 22,500 calls" in page


def test_what_was_spilled_is_gone(outcome: dict[str, Any], home: Path) -> None:
    assert not list((home / "work").rglob("calls-*.jsonl"))
    assert not list((home / "profiles").rglob("*.parquet"))
