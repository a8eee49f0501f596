"""The quickstart's small sibling through the whole path: PostgreSQL, Spark over JDBC, store, Delta, report."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from snipbench.lake import reader
from snipbench.store.sqlite import SqliteStore

from .conftest import environment, json_of, run_command

pytestmark = [pytest.mark.spark, pytest.mark.postgres, pytest.mark.timeout(1800)]


PROGRAM = """
import json, sys
import snipbench
result = snipbench.run(sys.argv[1], home=sys.argv[2], warmups=1)
frame = result.runs().to_pandas()
timed = bool(frame.wall_seconds.min() > 0)
print(json.dumps([result.outcome, len(frame), result.summaries().to_arrow().num_rows, timed]))
"""


@pytest.fixture(scope="module")
def earlier(home: Path, sibling: Path) -> list[Any]:
    """What a program sees that runs the order before the command does: the outcome and its tables' sizes."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(sibling), str(home)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    found: list[Any] = json_of(done)
    return found


@pytest.fixture(scope="module")
def first(earlier: list[Any], home: Path, sibling: Path) -> dict[str, Any]:
    """The outcome of the command, which compares it with the task before."""
    done = run_command("run", sibling, "--home", home, "--json", "--fail-if", "wall_seconds:100000%")
    outcome = json_of(done)
    assert done.returncode == 0, done.stderr
    return outcome


def snippets(outcome: dict[str, Any], experiment: str) -> dict[str, dict[str, Any]]:
    (found,) = [e for e in outcome["experiments"] if e["name"] == experiment]
    return {snippet["name"]: snippet for snippet in found["snippets"]}


def test_every_planned_run_is_measured_and_ends_well(first: dict[str, Any]) -> None:
    assert first["status"] == "completed"
    exchange = snippets(first, "exchange")
    assert set(exchange) == {"row", "row.input", "arrow-row", "pandas", "arrow", "native"}
    assert all(s["runs"] == 10 and s["failed"] == 0 and not s["errors"] for s in exchange.values())
    for snippet in exchange.values():
        wall = snippet["wall_seconds"]
        assert 0 < wall["low"] <= wall["median"] <= wall["high"]
        assert snippet["cpu_seconds"]["executor"]["median"] > 0
        assert snippet["memory_peak_bytes"] > 0


def test_every_form_of_a_udf_computes_the_same(first: dict[str, Any]) -> None:
    exchange = snippets(first, "exchange")
    forms = ("arrow-row", "pandas", "arrow", "native")
    assert [exchange[name]["equal_to_baseline"] for name in forms] == [True] * 4
    assert len({exchange[name]["result_hash"] for name in ("row", *forms)}) == 1


def test_ratios_stand_on_ten_pairs_and_native_is_faster_than_row(first: dict[str, Any]) -> None:
    ratio = snippets(first, "exchange")["native"]["ratio_to_baseline"]
    assert ratio["pairs"] == 10
    assert ratio["verdict"] == "faster"
    assert ratio["high"] < 1


def test_a_final_order_by_belongs_to_the_result(first: dict[str, Any]) -> None:
    assert snippets(first, "queries")["unsorted"]["equal_to_baseline"] is False


def test_fewer_than_ten_pairs_are_always_inconclusive(first: dict[str, Any]) -> None:
    ratio = snippets(first, "queries")["unsorted"]["ratio_to_baseline"]
    assert ratio["pairs"] == 2
    assert ratio["verdict"] == "inconclusive"


def test_the_event_log_has_all_stages_in_order(first: dict[str, Any], home: Path) -> None:
    store = SqliteStore(home / "store.sqlite")
    events = list(store.find("events", {"task_id": first["task_id"]}))
    store.close()
    stages = [event["stage"] for event in events if event["stage"] is not None]
    assert sorted(set(stages), key=stages.index) == list(range(1, 22))
    assert stages.count(14) == stages.count(15) == stages.count(16) == 6 * 10 + 3 * 2
    first_experiment = [event["stage"] for event in events if event["experiment"] == "exchange"]
    assert first_experiment.index(12) < first_experiment.index(14) < first_experiment.index(17)


def test_measured_runs_are_watched_and_warmups_are_not(first: dict[str, Any], home: Path) -> None:
    store = SqliteStore(home / "store.sqlite")
    task = {"task_id": first["task_id"]}
    samples = list(store.find("samples", task | {"experiment": "exchange"}, order_by=("at",)))
    warmups = list(store.find("runs", task | {"experiment": "exchange", "phase": "warmup"}, order_by=("ended_at",)))
    store.close()
    assert {sample["target"] for sample in samples} == {"executor", "database:shop"}
    assert warmups[-1]["ended_at"] <= samples[0]["at"]


def test_the_lake_holds_what_the_store_held(first: dict[str, Any], home: Path) -> None:
    task = first["task_id"]
    runs = reader.query(home / "lake", f"select * from runs where task_id = '{task}'")
    assert runs.num_rows == 6 * 11 + 3 * 3
    assert runs.column_names[:6] == ["slot_id", "experiment", "snippet", "parameters", "phase", "repetition"]
    assert len(set(runs["slot_id"].to_pylist())) == runs.num_rows


def test_the_report_is_one_file_that_needs_no_network(first: dict[str, Any]) -> None:
    page = Path(first["report"]).read_text("utf-8")
    assert "sibling" in page
    assert page.count("<svg") >= 4
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#)""", page)
    assert "@import" not in page


def test_the_same_order_again_has_the_same_plan_and_the_same_results(
    earlier: list[Any], first: dict[str, Any], home: Path
) -> None:
    before = earlier[0]
    assert before["plan_hash"] == first["plan_hash"]
    assert before["task_id"] != first["task_id"]
    for experiment in ("exchange", "queries"):
        hashes = {name: s["result_hash"] for name, s in snippets(before, experiment).items()}
        assert hashes == {name: s["result_hash"] for name, s in snippets(first, experiment).items()}
        assert None not in hashes.values()
    compared = json_of(run_command("compare", "previous", "latest", "--home", home, "--json"))
    assert compared


def test_what_was_run_can_be_listed_shown_queried_and_exported(
    first: dict[str, Any], home: Path, tmp_path: Path
) -> None:
    task = first["task_id"]
    listed = json_of(run_command("list", "--home", home, "--json"))
    assert task in [row["task_id"] for row in listed]
    assert json_of(run_command("show", task, "--home", home, "--json")) == first
    status = json_of(run_command("status", task, "--home", home, "--json"))
    assert status["runs_recorded"] == status["runs_planned"] == 6 * 11 + 3 * 3
    asked = f"select count(*) as n from runs where task_id = '{task}' and phase = 'measured'"
    assert json_of(run_command("query", asked, "--home", home, "--json")) == [{"n": 6 * 10 + 3 * 2}]
    target = tmp_path / "runs.csv"
    done = run_command("export", task, "--home", home, "--table", "runs", "--format", "csv", "--to", target)
    assert done.returncode == 0, done.stderr
    with target.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 6 * 11 + 3 * 3


def test_from_python_results_come_as_pandas_and_arrow(earlier: list[Any]) -> None:
    outcome, runs, summaries, timed = earlier
    assert outcome["status"] == "completed"
    assert (runs, summaries, timed) == (6 * 11 + 3 * 3, 9, True)
