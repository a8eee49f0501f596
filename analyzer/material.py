"""Everything the store knows of one task, as domain values: what summaries, outcome and landing start from."""

from __future__ import annotations

from dataclasses import dataclass

from snipbench.domain.event import Event
from snipbench.domain.order import Order
from snipbench.domain.plan import Plan
from snipbench.domain.run import Run
from snipbench.domain.task import Environment, OrderRecord, SnippetResult, Task
from snipbench.errors import UsageError
from snipbench.records import (
    environment_from_document,
    event_from_document,
    order_from_document,
    plan_from_document,
    result_from_document,
    run_from_document,
    task_from_document,
)
from snipbench.store.port import DocumentStore


@dataclass(frozen=True, slots=True)
class TaskMaterial:
    """A task with what belongs to it, samples apart. ``runs`` are the accepted ones, in the order of the plan."""

    task: Task
    record: OrderRecord
    plan: Plan | None
    runs: tuple[Run, ...]
    attempts: tuple[tuple[str, Run], ...]
    """``(reason, run)``."""
    results: tuple[SnippetResult, ...]
    environment: Environment | None
    events: tuple[Event, ...]

    @property
    def order(self) -> Order:
        """The order's model."""
        return self.record.order


def load_material(store: DocumentStore, task_id: str) -> TaskMaterial:
    """Read a task.

    Raises:
        UsageError: the store has no such task.
        StoreError: the store is away.
    """
    document = store.get("tasks", task_id)
    if document is None:
        raise UsageError(f"there is no task {task_id!r}")
    task = task_from_document(document)
    order = store.get("orders", task.order_id)
    if order is None:
        raise UsageError(f"task {task_id} belongs to order {task.order_id}, which is not in the store")
    plan = store.get("plans", task_id)
    environment = store.get("environments", task.environment_id) if task.environment_id else None
    mine = {"task_id": task_id}
    return TaskMaterial(
        task=task,
        record=order_from_document(order),
        plan=None if plan is None else plan_from_document(plan),
        runs=tuple(run_from_document(found) for found in store.find("runs", mine, order_by=("position", "_id"))),
        attempts=tuple(
            (found["reason"], run_from_document(found))
            for found in store.find("attempts", mine, order_by=("started_at", "_id"))
        ),
        results=tuple(result_from_document(found) for found in store.find("results", mine)),
        environment=None if environment is None else environment_from_document(environment),
        events=tuple(event_from_document(found) for found in store.find("events", mine)),
    )
