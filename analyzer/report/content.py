"""What the report shows, gathered from the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analyzer import words
from analyzer.outcome import task_outcome
from analyzer.report.failures import Failed, all_well, doubtful_results, failed_runs, unmade_runs
from analyzer.report.groups import Group, groups
from analyzer.report.overview import Answer, answers
from analyzer.report.suggestions import Improvement, improvements
from analyzer.report.timelines import Timelines, timelines
from analyzer.report.trainings import Training, trainings
from analyzer.report.watching import watching
from snipbench import records
from snipbench.clock import from_text
from snipbench.domain.plan import Phase
from snipbench.domain.run import Run
from snipbench.domain.task import OrderRecord, Task
from snipbench.store.port import DocumentStore


@dataclass(frozen=True, slots=True)
class ExperimentPage:
    """One experiment."""

    name: str
    database: str
    measured: str
    """Source of its tables, number of sessions."""
    snippets: list[dict[str, Any]]
    groups: list[Group]
    timelines: Timelines
    watching: str | None
    """What watching cost."""


@dataclass(frozen=True, slots=True)
class Report:
    """All of a page."""

    task: Task
    order: OrderRecord
    outcome: dict[str, Any]
    seconds: float | None
    measured: int
    answers: list[Answer]
    experiments: list[ExperimentPage]
    failures: list[Failed]
    doubtful: list[Failed]
    unmade: int
    all_well: str | None
    """A sentence; ``None`` where a run failed or was not made, or a result is not known to be what it should be."""
    environment: dict[str, dict[str, Any]]
    trainings: list[Training]
    """What the task's analyses of kind ``classify`` learned."""
    improvements: list[Improvement]
    """The task's analyses of kind ``optimize``."""
    events: list[dict[str, Any]]
    code: list[tuple[str, str, str]]


def gather(store: DocumentStore, task_id: str) -> Report:
    """Everything the page needs."""
    outcome = task_outcome(store, task_id)
    task = records.task_from_document(_one(store, "tasks", task_id))
    order = records.order_from_document(_one(store, "orders", task.order_id))
    runs = [records.run_from_document(d) for d in store.find("runs", {"task_id": task_id}, order_by=("position",))]
    measured = [run for run in runs if run.phase is Phase.MEASURED]
    document = store.get("environments", task.environment_id) if task.environment_id else None
    environment = {} if document is None else records.environment_from_document(document).facts
    events = list(store.find("events", {"task_id": task_id}))
    results = [records.result_from_document(d) for d in store.find("results", {"task_id": task_id})]
    plan = store.get("plans", task_id)
    failures, doubtful = failed_runs(runs), doubtful_results(order.order, results)
    unmade = unmade_runs(None if plan is None else records.plan_from_document(plan), runs)
    return Report(
        task=task,
        order=order,
        outcome=outcome,
        seconds=_seconds(task),
        measured=len(measured),
        answers=answers(outcome["experiments"]),
        experiments=[_experiment(store, task_id, found, measured, events) for found in outcome["experiments"]],
        failures=failures,
        doubtful=doubtful,
        unmade=unmade,
        all_well=None if failures or doubtful or unmade else all_well(order.order, runs),
        environment=environment,
        trainings=trainings(store, task_id),
        improvements=improvements(store, task_id, order.order),
        events=[event for event in events if event["stage"] not in {14, 15, 16}],
        code=[
            (f"{experiment.name}/{snippet.name}", snippet.kind.value, snippet.code)
            for experiment in order.order.experiments
            for snippet in experiment.snippets
        ],
    )


def _experiment(
    store: DocumentStore, task_id: str, found: dict[str, Any], measured: list[Run], events: list[dict[str, Any]]
) -> ExperimentPage:
    mine = [run for run in measured if run.experiment == found["name"]]
    return ExperimentPage(
        name=found["name"],
        database=found["database"],
        measured=words.measured(found),
        snippets=found["snippets"],
        groups=groups(found["snippets"], mine),
        timelines=timelines(store, task_id, found["name"], mine),
        watching=watching(events, found["name"]),
    )


def _seconds(task: Task) -> float | None:
    if task.started_at is None or task.ended_at is None:
        return None
    return (from_text(task.ended_at) - from_text(task.started_at)).total_seconds()


def _one(store: DocumentStore, collection: str, document_id: str) -> dict[str, Any]:
    document = store.get(collection, document_id)
    if document is None:
        raise LookupError(f"{collection} has no {document_id}")
    return document
