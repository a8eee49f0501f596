"""Figures and comparisons from runs, and the document that ``--json`` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analyzer.material import TaskMaterial, load_material
from analyzer.outcome import outcome_of, task_outcome
from analyzer.report.overview import answers
from analyzer.summaries import Summary, outlier_slots, summarise
from benchmarks.synthetic import write_task
from snipbench.domain.order import Schedule
from snipbench.domain.plan import Phase
from snipbench.domain.result import Comparison, Equality
from snipbench.domain.run import Run, RunStatus
from snipbench.errors import UsageError
from snipbench.statistics import RatioVerdict
from snipbench.store.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "store.sqlite")
    write_task(opened, "task-1", samples=0)
    yield opened
    opened.close()


@pytest.fixture
def material(store: SqliteStore) -> TaskMaterial:
    return load_material(store, "task-1")


def summary_of(summaries: tuple[Summary, ...], snippet: str, limit: int = 10) -> Summary:
    return next(
        found
        for found in summaries
        if found.place.snippet == snippet and dict(found.place.parameters) == {"limit": limit}
    )


def verdict_of(summary: Summary, measure: str = "wall_seconds") -> RatioVerdict:
    return next(found for found in summary.comparisons if found.measure == measure).ratio.verdict


def changed(runs: tuple[Run, ...], snippet: str, count: int, **outcome: Any) -> tuple[Run, ...]:
    """``runs`` with the outcome of the first ``count`` measured runs of ``snippet`` changed."""
    found = [run for run in runs if run.snippet == snippet and run.phase is Phase.MEASURED][:count]
    ids = {run.slot_id for run in found}
    return tuple(replace(run, outcome=replace(run.outcome, **outcome)) if run.slot_id in ids else run for run in runs)


def test_every_snippet_has_figures_at_every_point_in_the_order_of_the_file(material: TaskMaterial) -> None:
    summaries = summarise(material.order, material.runs, material.results)
    names = [(found.place.snippet, dict(found.place.parameters)["limit"]) for found in summaries]
    assert names == [(name, limit) for limit in (10, 20) for name in ("row", "pandas", "same", "broken")]
    row = summary_of(summaries, "row")
    assert (row.runs, row.failed, row.sessions, row.comparisons) == (12, 0, 1, ())
    wall = row.figures["wall_seconds"]
    assert wall.n == 12
    assert wall.low is not None
    assert wall.low <= 0.1 * 1.02


def test_verdicts_follow_the_pairs(material: TaskMaterial) -> None:
    summaries = summarise(material.order, material.runs, material.results)
    assert verdict_of(summary_of(summaries, "pandas")) is RatioVerdict.FASTER
    assert verdict_of(summary_of(summaries, "same")) is not RatioVerdict.FASTER
    broken = summary_of(summaries, "broken")
    assert (broken.runs, broken.failed, broken.figures["wall_seconds"].median) == (12, 12, None)
    assert verdict_of(broken) is RatioVerdict.INCONCLUSIVE


@pytest.mark.parametrize("equality", [Equality.DIFFERENT, Equality.INCONCLUSIVE, None])
def test_without_an_equal_result_the_ratio_is_measured_and_nothing_claimed(
    store: SqliteStore, material: TaskMaterial, equality: Equality | None
) -> None:
    judged = None if equality is None else Comparison(equality, "made up")
    results = tuple(replace(found, comparison=judged) for found in material.results)
    pandas = summary_of(summarise(material.order, material.runs, results), "pandas")
    assert {found.ratio.verdict for found in pandas.comparisons} == {RatioVerdict.INCONCLUSIVE}
    assert pandas.comparisons[0].ratio.high is not None
    assert pandas.comparisons[0].ratio.high < 1
    snippets = outcome_of(replace(material, results=results))["experiments"][0]["snippets"]
    told = next(found for found in snippets if found["name"] == "pandas")
    assert told["equal_to_baseline"] is (False if equality is Equality.DIFFERENT else None)
    assert told["ratio_to_baseline"]["verdict"] == "inconclusive"
    (answer, _) = answers([{"name": "exchange", "source": "jdbc", "snippets": snippets}])
    assert (answer.name, answer.measured) == (None, "source jdbc, one session")


def test_what_was_measured_one_after_the_other_is_shown_and_nothing_claimed(material: TaskMaterial) -> None:
    order = material.order.model_copy(update={"schedule": Schedule.SEQUENTIAL})
    outcome = outcome_of(replace(material, record=replace(material.record, order=order)))
    pandas = next(found for found in outcome["experiments"][0]["snippets"] if found["name"] == "pandas")
    assert (pandas["equal_to_baseline"], pandas["ratio_to_baseline"]["verdict"]) == (True, "inconclusive")
    assert pandas["ratio_to_baseline"]["high"] < 1
    (note,) = outcome["notes"]
    assert "a drift of the machine is in every ratio" in note
    assert outcome_of(material)["notes"] == []


def test_what_the_source_could_not_resolve_is_missing_not_zero(material: TaskMaterial) -> None:
    row = summary_of(summarise(material.order, material.runs, material.results), "row")
    assert row.figures["cpu_seconds_database"].median is None
    assert row.figures["cpu_seconds_executor"].median is not None


def test_no_pair_spans_two_sessions(material: TaskMaterial) -> None:
    runs = changed(material.runs, "pandas", 24, session_id="session-2")
    comparison = summary_of(summarise(material.order, runs, material.results), "pandas").comparisons[0]
    assert (comparison.ratio.pairs, comparison.pairs_unusable) == (0, 12)
    assert comparison.ratio.verdict is RatioVerdict.INCONCLUSIVE


def test_the_median_of_the_survivors_is_no_claim_when_many_runs_failed(material: TaskMaterial) -> None:
    runs = changed(material.runs, "pandas", 4, status=RunStatus.TIMEOUT, wall_seconds=None)
    summaries = summarise(material.order, runs, material.results)
    lossy = [
        found.comparisons[0]
        for found in summaries
        if found.place.snippet == "pandas" and found.comparisons[0].pairs_unusable
    ]
    assert sum(found.pairs_unusable for found in lossy) == 4
    assert any(found.ratio.verdict is RatioVerdict.INCONCLUSIVE and found.pairs_unusable > 1 for found in lossy)


def test_outliers_are_labelled_and_stay_in_the_figures(material: TaskMaterial) -> None:
    runs = changed(material.runs, "row", 1, wall_seconds=9.0)
    summaries = summarise(material.order, runs, material.results)
    assert sum(found.outliers for found in summaries if found.place.snippet == "row") == 1 + sum(
        run.snippet == "row" for run in material.runs if run.slot_id in outlier_slots(material.runs)
    )
    assert {found.figures["wall_seconds"].n for found in summaries if found.place.snippet == "row"} == {12}


def test_times_that_grow_from_run_to_run_are_not_steady(material: TaskMaterial) -> None:
    hour = iter(range(1000))
    runs = [
        replace(
            run,
            outcome=replace(
                run.outcome,
                started_at=f"2026-01-31T{number // 60:02}:{number % 60:02}:00.000000Z",
                wall_seconds=run.outcome.wall_seconds and 0.1 * (1.0 + 0.001 * number),
            ),
        )
        for run, number in zip(material.runs, hour, strict=False)
    ]
    found = summary_of(summarise(material.order, runs, material.results), "row").steadiness
    assert found.steady is False
    assert found.drift is not None
    assert found.drift > 1.05
    assert summary_of(summarise(material.order, runs[::-1], material.results), "row").steadiness == found


def test_the_outcome_has_the_keys_of_the_design(store: SqliteStore) -> None:
    outcome = task_outcome(store, "task-1")
    assert json.loads(json.dumps(outcome, allow_nan=False)) == outcome
    assert list(outcome) == ["order_id", "task_id", "status", "plan_hash", "experiments", "report", "notes", "analyses"]
    (experiment,) = outcome["experiments"]
    assert list(experiment) == ["name", "database", "source", "snippets"]
    pandas = next(found for found in experiment["snippets"] if found["name"] == "pandas")
    promised = (
        "name kind parameters runs failed wall_seconds cpu_seconds memory_peak_bytes result_hash equal_to_baseline "
        "steady ratio_to_baseline errors"
    )
    assert [key for key in pandas if key not in {"role", "baseline", "sessions", "drift"}] == promised.split()
    assert set(pandas["ratio_to_baseline"]) == {"median", "low", "high", "pairs", "verdict"}
    assert set(pandas["cpu_seconds"]) == {"executor", "database"}
    assert set(pandas["wall_seconds"]) == {"median", "low", "high"}
    assert (pandas["parameters"], pandas["equal_to_baseline"]) == ({"limit": 10}, True)
    assert (experiment["source"], pandas["sessions"]) == ("jdbc", 1)
    assert (pandas["memory_peak_bytes"], pandas["steady"]) == (380_000_000, True)


def test_the_outcome_tells_each_error_once(store: SqliteStore) -> None:
    snippets = task_outcome(store, "task-1")["experiments"][0]["snippets"]
    broken = next(found for found in snippets if found["name"] == "broken")
    assert broken["errors"] == ["ValueError: it is broken (13 runs)", "result: ValueError: it is broken"]
    assert (broken["result_hash"], broken["equal_to_baseline"]) == (None, None)
    assert next(found for found in snippets if found["name"] == "row")["ratio_to_baseline"] is None


def test_a_task_that_has_not_begun_has_an_outcome(material: TaskMaterial) -> None:
    outcome = outcome_of(replace(material, runs=(), results=(), plan=None, environment=None))
    first = outcome["experiments"][0]["snippets"][0]
    assert (first["runs"], first["wall_seconds"]) == (0, {"median": None, "low": None, "high": None})


def test_an_unknown_task_is_named(store: SqliteStore) -> None:
    with pytest.raises(UsageError, match="task-9"):
        task_outcome(store, "task-9")
