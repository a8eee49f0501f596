"""The book of one task in the document store: everything that happens is written here, when it happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from snipbench import records
from snipbench.clock import Clock, to_text
from snipbench.domain.event import Event, Stage
from snipbench.domain.order import Database
from snipbench.domain.plan import Plan
from snipbench.domain.run import Failure, Run, RunStatus, TaskStatus
from snipbench.domain.table_facts import TableFacts
from snipbench.domain.task import Environment, OrderRecord, SnippetResult, Task
from snipbench.errors import StoreError, UsageError
from snipbench.identity import new_id
from snipbench.records import AttemptReason
from snipbench.store.port import DocumentStore


class TaskBook:
    """Reads and writes one task. Recording is idempotent on ``(task_id, slot_id)``."""

    def __init__(self, store: DocumentStore, clock: Clock, task: Task) -> None:
        self._store = store
        self._clock = clock
        self._task = task
        self._sequence = store.count("events", {"task_id": task.task_id})

    @classmethod
    def create(cls, store: DocumentStore, clock: Clock, order: OrderRecord, *, mode: str) -> TaskBook:
        """Store the order and a new, queued task for it."""
        task = Task(
            task_id=new_id("task", clock.now()),
            order_id=order.order_id,
            order_name=order.order.name,
            status=TaskStatus.QUEUED,
            requested_at=to_text(clock.now()),
            mode=mode,
            seed=order.order.seed,
        )
        store.insert("orders", [records.order_to_document(order)])
        book = cls(store, clock, task)
        book.update()
        return book

    @classmethod
    def open(cls, store: DocumentStore, clock: Clock, task_id: str) -> TaskBook:
        """The book of a task that is there.

        Raises:
            UsageError: there is no such task.
        """
        document = store.get("tasks", task_id)
        if document is None:
            raise UsageError(f"there is no task {task_id!r}; `snipbench list` shows all")
        return cls(store, clock, records.task_from_document(document))

    @property
    def task(self) -> Task:
        """The task as last written."""
        return self._task

    def order(self) -> OrderRecord:
        """The task's order, as submitted."""
        document = self._store.get("orders", self._task.order_id)
        if document is None:
            raise StoreError(f"order {self._task.order_id} of task {self._task.task_id} is not in the store")
        return records.order_from_document(document)

    def plan(self) -> Plan | None:
        """The stored plan, or ``None`` before planning."""
        document = self._store.get("plans", self._task.task_id)
        return None if document is None else records.plan_from_document(document)

    def keep_plan(self, plan: Plan) -> None:
        """Store the plan and its hash in the task."""
        self._store.insert("plans", [records.plan_to_document(self._task.task_id, plan)])
        self.update(plan_hash=plan.plan_hash)

    def keep_environment(self, environment: Environment) -> None:
        """Store the fingerprint and name it in the task."""
        self._store.insert("environments", [records.environment_to_document(environment)])
        self.update(environment_id=environment.environment_id)

    def keep_table_facts(self, experiment: str, database: Database, tables: Sequence[TableFacts]) -> None:
        """Store what the planner knows of the tables before the experiment's first run; the first time counts."""
        now = to_text(self._clock.now())
        self._store.insert(
            "table_facts", [records.table_facts_to_document(self.task.task_id, experiment, database, tables, now)]
        )

    def update(self, **changes: Any) -> None:
        """Change fields of the task.

        Raises:
            StoreError: somebody else changed the task since it was read.
        """
        changed = replace(self._task, **changes)
        version = self._task.version or None
        if not self._store.replace("tasks", records.task_to_document(changed), expected_version=version):
            raise StoreError(f"task {self._task.task_id} was changed by somebody else")
        self._task = replace(changed, version=self._task.version + 1)

    def finish(self, status: TaskStatus, failure: Failure | None = None) -> None:
        """Write how the task ended."""
        self.update(status=status, ended_at=to_text(self._clock.now()), failure=failure)

    def log(
        self,
        name: str | Stage,
        *,
        experiment: str | None = None,
        slot_id: str | None = None,
        status: str = "ok",
        text: str = "",
        data: dict[str, Any] | None = None,
    ) -> None:
        """Add an event; a :class:`Stage` is logged by number and name."""
        self._sequence += 1
        stage = name if isinstance(name, Stage) else None
        event = Event(
            task_id=self._task.task_id,
            sequence=self._sequence,
            at=to_text(self._clock.now()),
            name=stage.title if stage else str(name),
            stage=stage,
            status=status,
            experiment=experiment,
            slot_id=slot_id,
            text=text,
            data=data or {},
        )
        self._store.insert("events", [records.event_to_document(event)])

    def accepted(self) -> dict[str, Run]:
        """Accepted runs by slot id."""
        found = self._store.find("runs", {"task_id": self._task.task_id})
        runs = (records.run_from_document(document) for document in found)
        return {run.slot_id: run for run in runs if run.slot_id is not None}

    def attempts(self, slot_id: str) -> int:
        """How many attempts at a slot were set aside."""
        return self._store.count("attempts", {"task_id": self._task.task_id, "slot_id": slot_id})

    def record(self, run: Run) -> None:
        """Accept a run for its slot; a second one for the same slot goes to the attempts."""
        if run.slot_id is None:
            self._store.insert("attempts", [records.attempt_to_document(run, AttemptReason.REPEATED_WARMUP)])
        elif not self._store.insert("runs", [records.run_to_document(run)]):
            self._store.insert("attempts", [records.attempt_to_document(run, AttemptReason.SUPERSEDED)])

    def withdraw(self, runs: list[Run], reason: AttemptReason) -> None:
        """Move accepted runs to the attempts."""
        self._store.insert("attempts", [records.attempt_to_document(run, reason) for run in runs])
        ids = [records.run_id(run.task_id, run.slot_id) for run in runs if run.slot_id is not None]
        if ids:
            self._store.delete("runs", {"_id": ids})

    def keep_result(self, result: SnippetResult) -> None:
        """Store what a snippet computed. A hash that differs from an earlier pass is added to ``changed_hashes``."""
        document = records.result_to_document(result)
        if self._store.insert("results", [document]):
            return
        earlier_document = self._store.get("results", document["_id"])
        if earlier_document is None:
            raise StoreError(f"result {document['_id']} vanished")
        earlier = records.result_from_document(earlier_document)
        if earlier.facts is None:
            merged = result
        elif result.comparison is not None:
            merged = replace(earlier, comparison=result.comparison)
        elif result.facts is None or result.facts.result_hash in {earlier.facts.result_hash, *earlier.changed_hashes}:
            return
        else:
            changed = (*earlier.changed_hashes, result.facts.result_hash)
            merged = replace(earlier, changed_hashes=changed)
        self._store.delete("results", {"_id": document["_id"]})
        self._store.insert("results", [records.result_to_document(merged)])

    def results(self) -> list[SnippetResult]:
        """All kept results."""
        found = self._store.find("results", {"task_id": self._task.task_id})
        return [records.result_from_document(document) for document in found]


def final_slots(runs: dict[str, Run]) -> frozenset[str]:
    """Slots whose accepted run itself ended its session: they are not run again when their block is cut."""
    return frozenset(slot for slot, run in runs.items() if run.outcome.status is RunStatus.KILLED)
