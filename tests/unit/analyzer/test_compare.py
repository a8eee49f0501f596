"""Comparing two tasks, and what counts as a regression."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from analyzer.compare import compare_tasks
from analyzer.regressions import Threshold, judge, judge_against_previous
from benchmarks.synthetic import write_task
from orchestrator.cli import cli
from snipbench import records
from snipbench.domain.event import ENVIRONMENT_DIFFERS, Event
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
    worse = judge(found, WALL).regressions
    assert len(worse) == 6
    assert worse[0].startswith("exchange/row (limit=10): wall_seconds 1.3")
    assert judge(found, Threshold.parse("wall_seconds:40%")).regressions == ()
    assert judge(compare_tasks(store, "task-2", "task-1"), WALL).regressions == ()


def test_equal_tasks_show_no_difference(store: SqliteStore) -> None:
    write_task(store, "task-1", samples=0)
    write_task(store, "task-2", samples=0)
    found = compare_tasks(store, "task-1", "task-2")
    assert judge(found, WALL).regressions == ()
    assert found.same_plan
    assert not found.other_code
    assert found.environment == ()
    assert "the environments have the same fingerprint" in found.lines()
    verdicts = {change.ratio.verdict.value for change in found.changes if change.measure == "wall_seconds"}
    assert "slower" not in verdicts


def test_few_runs_still_show_a_great_regression(store: SqliteStore) -> None:
    write_task(store, "task-1", repetitions=5, samples=0)
    write_task(store, "task-2", repetitions=5, samples=0, slowdown=2.0)
    assert len(judge(compare_tasks(store, "task-1", "task-2"), WALL).regressions) == 6


def test_without_an_interval_nothing_is_a_regression(store: SqliteStore) -> None:
    write_task(store, "task-1", repetitions=3, samples=0)
    write_task(store, "task-2", repetitions=3, samples=0, slowdown=2.0)
    found = compare_tasks(store, "task-1", "task-2")
    assert judge(found, WALL).regressions == ()
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
    assert judge(found, Threshold(measure, 0.1)).regressions == ()
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


def test_a_task_whose_sessions_ran_on_different_things_is_told(store: SqliteStore) -> None:
    write_task(store, "task-1", samples=0)
    write_task(store, "task-2", samples=0)
    moved = Event("task-2", 99, "2026-01-31T09:10:00.000000Z", ENVIRONMENT_DIFFERS, text="machine.kernel: 6.1 -> 6.2")
    store.insert("events", [records.event_to_document(moved)])
    found = compare_tasks(store, "task-1", "task-2")
    assert "the sessions of task-2 did not all run on the same: machine.kernel: 6.1 -> 6.2" in found.lines()
    assert "the environments have the same fingerprint" not in found.lines()
    assert found.to_document()["mixed_environments"] == [{"task_id": "task-2", "text": "machine.kernel: 6.1 -> 6.2"}]


def test_a_task_is_held_against_the_previous_one_of_its_name_that_has_results(store: SqliteStore) -> None:
    tasks = [write_task(store, f"task-{n}", samples=0, slowdown=factor) for n, factor in enumerate((1.0, 9.0, 1.3))]
    change_task(store, tasks[1], status=TaskStatus.FAILED)
    assert len(judge_against_previous(store, "task-2", WALL).regressions) == 6
    change_task(store, tasks[0], order_name="another")
    assert judge_against_previous(store, "task-2", WALL).regressions == ()
    with pytest.raises(UsageError, match="task-9"):
        judge_against_previous(store, "task-9", WALL)


@pytest.mark.parametrize("text", ["wall_seconds", "wall_seconds:10", "nope:10%", "wall_seconds:-1%", ""])
def test_a_threshold_in_another_form_is_refused_with_the_valid_measures(text: str) -> None:
    with pytest.raises(UsageError, match="cpu_seconds_executor"):
        Threshold.parse(text)


def test_a_threshold_does_not_guess_whose_cpu_time_is_meant() -> None:
    """Elsewhere ``cpu_seconds`` is executor and database together; here each is judged alone."""
    with pytest.raises(UsageError, match="cpu_seconds_executor, cpu_seconds_database"):
        Threshold.parse("cpu_seconds:2.5%")


def test_what_could_not_be_judged_is_told_by_reason(store: SqliteStore) -> None:
    for number in (1, 2):
        write_task(store, f"task-{number}", samples=0)
    change_runs(store, "task-2", failing)
    found = judge(compare_tasks(store, "task-1", "task-2"), WALL)
    assert (found.judged, found.is_empty) == (4, False)
    assert found.unjudged == (
        "wall_seconds of exchange/row (limit=10), exchange/row (limit=20): 8 of 12 runs after have no such value",
        "wall_seconds of exchange/broken (limit=10), exchange/broken (limit=20): "
        "12 of 12 runs before have no such value and 12 of 12 runs after have no such value",
    )
    database = judge(compare_tasks(store, "task-1", "task-2"), Threshold("cpu_seconds_database", 0.1))
    assert (database.judged, database.is_empty) == (0, True)
    assert "and 5 more: 12 of 12 runs before" in " ".join(database.unjudged)


def test_what_only_one_task_measured_is_not_judged(store: SqliteStore) -> None:
    for number in (1, 2):
        write_task(store, f"task-{number}", samples=0)
    store.delete("runs", {"task_id": "task-2", "snippet": ("pandas", "same", "broken")})
    store.delete("runs", {"task_id": "task-1", "snippet": ("row",)})
    found = judge(compare_tasks(store, "task-1", "task-2"), WALL)
    assert (found.judged, found.is_empty) == (0, True)
    before, after = found.unjudged
    assert before.endswith(" and 3 more: measured only before")
    assert after == "wall_seconds of exchange/row (limit=10), exchange/row (limit=20): measured only after"


def compared(home: Path, *arguments: str) -> Result:
    command = ["compare", "task-1", "task-2", "--home", str(home), "--fail-if", *arguments]
    return CliRunner().invoke(cli, command, standalone_mode=False)


@pytest.mark.parametrize(
    ("measure", "code", "said"),
    [
        ("wall_seconds:10%", 3, "regression: exchange/row"),
        ("wall_seconds:90%", 0, "not judged: wall_seconds of exchange/broken"),
        ("cpu_seconds_database:10%", 4, "not judged: nothing at all"),
    ],
)
def test_a_command_that_could_judge_nothing_does_not_pass(
    store: SqliteStore, tmp_path: Path, measure: str, code: int, said: str
) -> None:
    write_task(store, "task-1", samples=0)
    write_task(store, "task-2", samples=0, slowdown=1.3)
    found = compared(tmp_path, measure)
    assert found.return_value == code
    assert said in found.stderr


def test_without_an_earlier_task_that_is_said_and_no_failure(store: SqliteStore) -> None:
    write_task(store, "task-1", samples=0)
    found = judge_against_previous(store, "task-1", WALL)
    assert (found.regressions, found.is_empty) == ((), False)
    assert found.unjudged == ("there is no earlier task of synthetic with results",)
