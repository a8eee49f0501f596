"""The book of one task in the document store: everything that happens is written here, when it happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.leading.hold import Hold
from orchestrator.leading.lease import TaskLease, change_task
from snipbench import records
from snipbench.clock import Clock, to_text
from snipbench.domain.event import Event, Stage
from snipbench.domain.order import Database, Order
from snipbench.domain.plan import Plan
from snipbench.domain.profile import Profile
from snipbench.domain.result import Comparison, Equality
from snipbench.domain.run import Failure, Run, RunStatus, TaskStatus
from snipbench.domain.table_facts import TableFacts
from snipbench.domain.task import Environment, OrderRecord, SnippetResult, Task
from snipbench.errors import StoreError, UsageError
from snipbench.identity import new_id
from snipbench.records import AttemptReason
from snipbench.store.port import DocumentStore

_BEST_FIRST = (Equality.EQUAL, Equality.EQUAL_WITHIN_TOLERANCE, Equality.INCONCLUSIVE, Equality.DIFFERENT)


class TaskBook:
    """Reads and writes one task. Recording is idempotent on ``(task_id, slot_id)``.

    With a hold on the task (a leader's lease, a worker's assignment), nothing is written once another leader holds it
    (LeaseLost), and no run is recorded once the task was cancelled (TaskCancelled).
    """

    def __init__(self, store: DocumentStore, clock: Clock, task: Task, hold: Hold | None = None) -> None:
        self._store = store
        self._clock = clock
        self._task = task
        self._hold = hold
        self._sequence = store.count("events", {"task_id": task.task_id})

    @classmethod
    def create(
        cls, store: DocumentStore, clock: Clock, order: OrderRecord, *, mode: str, task_id: str | None = None
    ) -> TaskBook:
        """Store the order and a new, queued task for it; with stages 1 to 3, which are over then.

        With a ``task_id`` that is there already, nothing is stored again.
        """
        task = Task(
            task_id=task_id or new_id("task", clock.now()),
            order_id=order.order_id,
            order_name=order.order.name,
            status=TaskStatus.QUEUED,
            requested_at=to_text(clock.now()),
            mode=mode,
            seed=order.order.seed,
        )
        store.insert("orders", [records.order_to_document(order)])
        if not store.replace("tasks", records.task_to_document(task), expected_version=None):
            return cls.open(store, clock, task.task_id)
        book = cls(store, clock, replace(task, version=1))
        book.log(Stage.ORDER_RECEIVED, text=_counts(order.order))
        book.log(Stage.CONFIGURATION_DOWNLOADED, text=_origin(order), data=dict(order.source or {}))
        book.log(Stage.SNIPPETS_STORED, text=str(sum(len(e.snippets) for e in order.order.experiments)))
        return book

    @classmethod
    def open(cls, store: DocumentStore, clock: Clock, task_id: str, hold: Hold | None = None) -> TaskBook:
        """The book of a task that is there.

        Raises:
            UsageError: there is no such task.
        """
        document = store.get("tasks", task_id)
        if document is None:
            raise UsageError(f"there is no task {task_id!r}; `snipbench list` shows all")
        return cls(store, clock, records.task_from_document(document), hold)

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

    def environment(self) -> Environment | None:
        """The fingerprint that was kept, or ``None`` before the first session was there."""
        kept = self._task.environment_id
        document = None if kept is None else self._store.get("environments", kept)
        return None if document is None else records.environment_from_document(document)

    def keep_table_facts(self, experiment: str, database: Database, tables: Sequence[TableFacts]) -> None:
        """Store what the planner knows of the tables before the experiment's first run; the first time counts."""
        now = to_text(self._clock.now())
        self._store.insert(
            "table_facts", [records.table_facts_to_document(self.task.task_id, experiment, database, tables, now)]
        )

    def update(self, **changes: Any) -> None:
        """Change fields of the task; what others changed of it meanwhile stays.

        Raises:
            LeaseLost: another leader holds the task.
        """

        def changed(task: Task) -> Task:
            if self._hold is not None:
                self._hold.fence(task)
            return replace(task, **changes)

        self._task = change_task(self._store, self._task.task_id, changed)

    def check(self, *, cancel: bool = True) -> None:
        """See :meth:`orchestrator.leading.hold.Hold.check`."""
        if self._hold is not None:
            self._hold.check(cancel=cancel)

    def raise_if_ended(self) -> None:
        """See :meth:`orchestrator.leading.ending.Ends.raise_if_ended`."""
        if self._hold is not None:
            self._hold.raise_if_ended()

    def place(self) -> tuple[int, str | None]:
        """Fencing token and assignment under which is written here; what is asked of others belongs to them."""
        return (0, None) if self._hold is None else (self._hold.token, self._hold.assignment_id)

    def settle(self) -> None:
        """Nothing is left for a leader to do."""
        if isinstance(self._hold, TaskLease):
            self._hold.settled = True
        else:
            self.update(settled=True)

    def at_the_end(self, call: Callable[[], None] | None) -> None:
        """See :meth:`orchestrator.leading.ending.Ends.at_the_end`."""
        if self._hold is not None:
            self._hold.at_the_end(call)

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
        self.check(cancel=False)
        stage = name if isinstance(name, Stage) else None
        event = Event(
            task_id=self._task.task_id,
            sequence=self._sequence + 1,
            at=to_text(self._clock.now()),
            name=stage.title if stage else str(name),
            stage=stage,
            status=status,
            experiment=experiment,
            slot_id=slot_id,
            text=text,
            data=data or {},
        )
        # Whoever submits, retries, cancels or executes logs too; sequences stay dense, so that they can be followed.
        while not self._store.insert("events", [records.event_to_document(event)]):
            there = self._store.count("events", {"task_id": self._task.task_id})
            event = replace(event, sequence=max(event.sequence, there) + 1)
        self._sequence = event.sequence

    def has_logged(self, name: str, experiment: str, text: str | None = None) -> bool:
        """Whether an event of that name, with that text if one is given, is in the log for the experiment."""
        where = {"task_id": self._task.task_id, "name": name, "experiment": experiment}
        if text is not None:
            where["text"] = text
        return self._store.count("events", where) > 0

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
        self.check()
        if run.slot_id is None:
            self._store.insert("attempts", [records.attempt_to_document(run, AttemptReason.REPEATED_WARMUP)])
        elif not self._store.insert("runs", [records.run_to_document(run)]):
            self._store.insert("attempts", [records.attempt_to_document(run, AttemptReason.SUPERSEDED)])

    def withdraw(self, runs: list[Run], reason: AttemptReason) -> None:
        """Move accepted runs to the attempts."""
        self.check()
        self._store.insert("attempts", [records.attempt_to_document(run, reason) for run in runs])
        ids = [records.run_id(run.task_id, run.slot_id) for run in runs if run.slot_id is not None]
        if ids:
            self._store.delete("runs", {"_id": ids})

    def keep_result(self, result: SnippetResult) -> None:
        """Store what a snippet computed. A hash that differs from an earlier pass is added to ``changed_hashes``."""
        while True:  # a dead leader may have claimed the next version, for some seconds (decision 0061)
            self.check(cancel=False)
            document = records.result_to_document(result)
            if self._store.replace("results", document, expected_version=None):
                return
            kept = self._store.get("results", document["_id"])
            if kept is None:
                raise StoreError(f"result {document['_id']} vanished")
            earlier = records.result_from_document(kept)
            merged = _merged(earlier, result)
            changed = records.result_to_document(merged)
            if merged == earlier or self._store.replace("results", changed, expected_version=kept["version"]):
                return

    def keep_profile(self, profile: Profile) -> None:
        """Store a profile pass; the first one of a point counts. None is stored of a pass cut by the task's end."""
        self.check()
        self._store.insert("profiles", [records.profile_to_document(profile)])

    def profiled(self) -> frozenset[str]:
        """``slot_id`` of the points whose profile pass is over, however it ended."""
        found = self._store.find("profiles", {"task_id": self._task.task_id})
        return frozenset(document["slot_id"] for document in found)

    def results(self) -> list[SnippetResult]:
        """All kept results."""
        found = self._store.find("results", {"task_id": self._task.task_id})
        return [records.result_from_document(document) for document in found]


def _merged(earlier: SnippetResult, result: SnippetResult) -> SnippetResult:
    """What is known of a result after another pass, which makes nothing right that an earlier one found wrong."""
    if earlier.facts is None:
        return result
    if result.facts is None:
        return replace(earlier, failure=earlier.failure or result.failure)
    if result.comparison is not None:
        return replace(earlier, comparison=_worse(earlier.comparison, result.comparison))
    if result.facts.result_hash in {earlier.facts.result_hash, *earlier.changed_hashes}:
        return earlier
    return replace(earlier, changed_hashes=(*earlier.changed_hashes, result.facts.result_hash))


def _worse(earlier: Comparison | None, later: Comparison) -> Comparison:
    """The one that says less for the two results; of two that say the same the earlier."""
    if earlier is None or _BEST_FIRST.index(later.equality) > _BEST_FIRST.index(earlier.equality):
        return later
    return earlier


def _counts(order: Order) -> str:
    counts = sorted({(str(e.warmups), str(e.repetitions)) for e in order.experiments})
    return ", ".join(f"{warmups} warm-ups, {repetitions} repetitions" for warmups, repetitions in counts)


def _origin(order: OrderRecord) -> str:
    source = order.source or {}
    location = str(source.get("location") or order.file)
    return f"{location} at commit {source['commit']}" if source.get("commit") else location


def final_slots(runs: dict[str, Run]) -> frozenset[str]:
    """Slots whose accepted run itself ended its session: they are not run again when their block is cut."""
    return frozenset(slot for slot, run in runs.items() if run.outcome.status is RunStatus.KILLED)
