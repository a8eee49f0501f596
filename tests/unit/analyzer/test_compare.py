"""Comparing two tasks, and what counts as a regression."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from analyzer.compare import Threshold, compare_tasks, regressions
from benchmarks.synthetic import write_task
from snipbench import records
from snipbench.domain.run import Run, RunStatus, TaskStatus
from snipbench.domain.task import Environment, Task
from snipbench.errors import UsageError
from snipbench.store.sqlite import SqliteStore

WALL = Threshold.parse("wall_seconds:10%")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "store.sqlite")
    yield opened
    opened.close()


def change_task(store: SqliteStore, task: Task, **changes: object) -> None:
    stored = store.get("tasks", task.task_id)
    assert stored is not None
    changed = replace(records.task_from_document(stored), **changes)  # type: ignore[arg-type]
    assert store.replace("tasks", records.task_to_document(changed), expected_version=stored["version"])


def test_a_slower_task_is_a_regression_by_the_lower_bound(store: SqliteStore) -> None:
    write_task(store, "task-1", samples=0)
    write_task(store, "task-2", samples=0, slowdown=1.3)
    found = compare_tasks(store, "task-1", "task-2")
    worse = found.regressions(WALL)
    assert len(worse) == 6
    assert worse[0].startswith("exchange/row (limit=10): wall_seconds 1.3")
    assert found.regressions(Threshold.parse("wall_seconds:40%")) == []
    assert compare_tasks(store, "task-2", "task-1").regressions(WALL) == []


def test_equal_tasks_show_no_difference(store: SqliteStore) -> None:
    write_task(store, "task-1", samples=0)
    write_task(store, "task-2", samples=0)
    found = compare_tasks(store, "task-1", "task-2")
    assert found.regressions(WALL) == []
    assert found.same_plan
    assert not found.other_code
    assert found.environment == ()
    assert "the environments have the same fingerprint" in found.lines()
    verdicts = {change.ratio.verdict.value for change in found.changes if change.measure == "wall_seconds"}
    assert "slower" not in verdicts


def test_few_runs_still_show_a_great_regression(store: SqliteStore) -> None:
    write_task(store, "task-1", repetitions=5, samples=0)
    write_task(store, "task-2", repetitions=5, samples=0, slowdown=2.0)
    assert len(compare_tasks(store, "task-1", "task-2").regressions(WALL)) == 6


def test_without_an_interval_nothing_is_a_regression(store: SqliteStore) -> None:
    write_task(store, "task-1", repetitions=3, samples=0)
    write_task(store, "task-2", repetitions=3, samples=0, slowdown=2.0)
    found = compare_tasks(store, "task-1", "task-2")
    assert found.regressions(WALL) == []
    assert any("too few runs" in line for line in found.lines())


def change_runs(store: SqliteStore, task_id: str, change: Callable[[Run], Run]) -> None:
    """Change the measured runs of ``row``."""
    where = {"task_id": task_id, "snippet": "row", "phase": "measured"}
    found = [records.run_from_document(document) for document in store.find("runs", where)]
    store.delete("runs", where)
    store.insert("runs", [records.run_to_document(change(run)) for run in found])


def too_short(run: Run) -> Run:
    """The first eight of twelve runs too short for the source, the others twice as long."""
    costs = tuple(
        replace(cost, too_short=True) if run.repetition < 8 else replace(cost, cpu_seconds=2 * (cost.cpu_seconds or 0))
        for cost in run.outcome.costs
    )
    return replace(run, outcome=replace(run.outcome, costs=costs))


def failing(run: Run) -> Run:
    """The first eight of twelve runs failed, the others took twice as long."""
    wall = 2 * (run.outcome.wall_seconds or 0)
    changed = {"status": RunStatus.TIMEOUT} if run.repetition < 8 else {"wall_seconds": wall}
    return replace(run, outcome=replace(run.outcome, **changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "measure"), [(too_short, "cpu_seconds_executor"), (failing, "wall_seconds")], ids=["short", "failed"]
)
def test_the_few_runs_that_are_left_show_no_regression(
    store: SqliteStore, change: Callable[[Run], Run], measure: str
) -> None:
    write_task(store, "task-1", samples=0)
    write_task(store, "task-2", samples=0)
    change_runs(store, "task-2", change)
    found = compare_tasks(store, "task-1", "task-2")
    assert found.regressions(Threshold(measure, 0.1)) == []
    row = found.to_document()["snippets"][0]["measures"][measure]
    assert (row["after"]["median"], row["ratio"]["median"], row["ratio"]["low"]) == (None, None, None)
    assert row["unjudged"] == "8 of 12 runs after have no such value"
    if measure == "wall_seconds":
        assert any("no ratio (8 of 12 runs after have no such value)" in line for line in found.lines())


def test_the_document_can_be_printed_as_json(store: SqliteStore) -> None:
    write_task(store, "task-1", samples=0)
    write_task(store, "task-2", samples=0)
    document = compare_tasks(store, "task-1", "task-2").to_document()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    row = document["snippets"][0]
    assert (row["snippet"], row["parameters"], row["code_changed"]) == ("row", {"limit": 10}, False)
    assert set(row["measures"]) == {"wall_seconds", "cpu_seconds_executor", "cpu_seconds_database", "memory_peak_bytes"}
    assert row["measures"]["cpu_seconds_database"]["ratio"]["median"] is None


def test_differences_of_the_environments_are_listed(store: SqliteStore) -> None:
    write_task(store, "task-1", samples=0)
    task = write_task(store, "task-2", samples=0)
    other = Environment({"cpu": {"model": "another", "count": 2}}, "2026-01-31T09:00:00.000000Z")
    store.insert("environments", [records.environment_to_document(other)])
    change_task(store, task, environment_id=other.environment_id)
    found = compare_tasks(store, "task-1", "task-2").environment
    assert [(d.area, d.name, d.before, d.after) for d in found] == [
        ("cpu", "model", "made up", "another"),
        ("libraries", "pyspark", "4.1.4", None),
    ]


def test_a_task_is_held_against_the_previous_one_of_its_name_that_has_results(store: SqliteStore) -> None:
    tasks = [write_task(store, f"task-{n}", samples=0, slowdown=factor) for n, factor in enumerate((1.0, 9.0, 1.3))]
    change_task(store, tasks[1], status=TaskStatus.FAILED)
    assert len(regressions(store, "task-2", WALL)) == 6
    change_task(store, tasks[0], order_name="another")
    assert regressions(store, "task-2", WALL) == []
    with pytest.raises(UsageError, match="task-9"):
        regressions(store, "task-9", WALL)


@pytest.mark.parametrize("text", ["wall_seconds", "wall_seconds:10", "nope:10%", "wall_seconds:-1%", ""])
def test_a_threshold_in_another_form_is_refused_with_the_valid_measures(text: str) -> None:
    with pytest.raises(UsageError, match="cpu_seconds_executor"):
        Threshold.parse(text)


def test_a_threshold_takes_the_short_name_of_the_executors_time() -> None:
    assert Threshold.parse("cpu_seconds:2.5%") == Threshold("cpu_seconds_executor", 0.025)
