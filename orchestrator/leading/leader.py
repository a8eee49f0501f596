"""The leader: one task from its order to its report, and on after whatever died (design, section 3)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from orchestrator.leading.analysis import analyse
from orchestrator.leading.asking import WorkerFailed
from orchestrator.leading.bench import Bench
from orchestrator.leading.lease import TaskLease, patience_for
from orchestrator.leading.materials import order_folder
from orchestrator.leading.parts import Parts
from orchestrator.leading.profiles import ProfilePass
from orchestrator.leading.segments import Segment, segments
from orchestrator.leading.stretch import Stretch
from orchestrator.leading.taskbook import TaskBook, final_slots
from orchestrator.planning import make_plan
from snipbench.clock import to_text
from snipbench.domain.event import Stage
from snipbench.domain.order import Experiment
from snipbench.domain.plan import Phase, Plan
from snipbench.domain.run import Failure, RunStatus, TaskStatus
from snipbench.domain.task import OrderRecord
from snipbench.errors import LeaderStopped, LeaseLost, SnipbenchError, StoreAway, TaskCancelled
from snipbench.records import AttemptReason


class Leader:
    """Leads one task to its end. A task that was interrupted goes on after its last recorded run."""

    def __init__(self, parts: Parts, book: TaskBook) -> None:
        self._parts = parts
        self._book = book

    def lead(self) -> TaskStatus:
        """All stages; returns the task's end. Errors of the platform end the task as ``failed`` and are raised."""
        record = self._book.order()
        try:
            self._book.check()
            self._announce(record)
            plan = self._plan(record)
            self._measure(record, plan)
            status = self._judge(plan)
            self._book.finish(status)
            analyse(self._parts, self._book)
        except KeyboardInterrupt:
            self._book.finish(TaskStatus.INTERRUPTED)
            self._book.settle()
            raise
        except (LeaseLost, LeaderStopped, StoreAway):
            raise  # the task is somebody else's, or is left for the next leader as it is
        except TaskCancelled:
            self._book.log("task cancelled", status="cancelled")
            self._book.finish(TaskStatus.CANCELLED)
            self._book.settle()
            return TaskStatus.CANCELLED
        except WorkerFailed as error:
            self._book.finish(TaskStatus.FAILED, error.failure)
            self._book.settle()
            raise
        except SnipbenchError as error:
            self._book.finish(TaskStatus.FAILED, Failure(type(error).__name__, str(error)))
            self._book.settle()
            raise
        finally:
            self._parts.progress.end()
        self._book.settle()
        return status

    def _announce(self, record: OrderRecord) -> None:
        if self._book.task.started_at is None:
            self._book.update(started_at=to_text(self._parts.clock.now()))
        self._book.update(status=TaskStatus.RUNNING, ended_at=None, failure=None)
        self._stage(Stage.TASK_STARTED, detail=self._book.task.task_id)
        self._stage(Stage.CONFIGURATION_LOADED, detail=record.order.name)

    def _plan(self, record: OrderRecord) -> Plan:
        plan = self._book.plan()
        if plan is None:
            base = order_folder(record, self._parts.home)
            hashes = {d.name: self._parts.databases.dataset_hash(d, base) for d in record.order.databases}
            plan = make_plan(record.order, hashes)
            self._book.keep_plan(plan)
        return plan

    def _measure(self, record: OrderRecord, plan: Plan) -> None:
        left = self._left(plan)
        self._parts.progress.begin(self._book.task.task_id, sum(len(s.warmups) + len(s.measured) for s in left))
        stretch = Stretch(self._parts, self._book, record)
        with self._parts.roles.bench(self._parts, self._book, record) as bench, closing(stretch):
            try:
                self._make(record, plan, bench, stretch)
            except BaseException:
                bench.end(abandoned=True)
                raise
            bench.end()

    def _make(self, record: OrderRecord, plan: Plan, bench: Bench, stretch: Stretch) -> None:
        left = self._left(plan)
        while left:
            self._book.check()
            segment = left[0]
            self._withdraw(segment)
            if not stretch.holds(segment.experiment):
                stretch.prepare(segment.experiment)
                bench.expect(segment)
            clone = stretch.enter(segment.experiment)
            self._book.check()
            bench.conduct(segment, clone)
            left = self._left(plan)
            if not left or left[0].experiment != segment.experiment:
                experiment = record.order.experiment(segment.experiment)
                self._profile(bench, stretch, record, experiment, segment.session)
                self._stage(Stage.EXPERIMENT_FINISHED, segment.experiment)
        for experiment in record.order.experiments:  # what an interrupted command left
            self._profile(bench, stretch, record, experiment, record.order.sessions)

    def _profile(
        self, bench: Bench, stretch: Stretch, record: OrderRecord, experiment: Experiment, session: int
    ) -> None:
        """The experiment's profile passes, in the session that is there, and in new ones where one is lost."""
        profiles = ProfilePass(self._parts, self._book, record.order)
        while profiles.left(experiment):
            bench.profile(experiment, session, stretch.enter(experiment.name))
            self._book.check()

    def _left(self, plan: Plan) -> tuple[Segment, ...]:
        accepted = self._book.accepted()
        return segments(plan, accepted, final_slots(accepted))

    def _withdraw(self, segment: Segment) -> None:
        accepted = self._book.accepted()
        runs = [accepted[slot.slot_id] for slot in segment.withdrawn]
        if runs:
            self._book.withdraw(runs, AttemptReason.BLOCK_CUT)
            self._book.log(
                "block cut", experiment=segment.experiment, text=f"{len(runs)} runs are made again in a new session"
            )

    def _judge(self, plan: Plan) -> TaskStatus:
        accepted = self._book.accepted()
        measured = [slot for slot in plan.slots if slot.phase is Phase.MEASURED]
        good = sum(accepted[slot.slot_id].outcome.status is RunStatus.OK for slot in measured)
        if good == len(measured):
            return TaskStatus.COMPLETED
        return TaskStatus.PARTLY_FAILED if good else TaskStatus.FAILED

    def _stage(self, stage: Stage, experiment: str | None = None, detail: str = "") -> None:
        self._book.log(stage, experiment=experiment, text=detail)
        self._parts.progress.stage(stage, experiment, detail)


def lead(parts: Parts, task_id: str, *, taken: Callable[[TaskLease], None] = lambda _: None) -> TaskStatus:
    """Take a task's lease and lead it to its end; ``taken`` is told the lease, to stop the leader with.

    Raises:
        TaskHeld: somebody leads it already.
        SnipbenchError: the task could not be led, or must not be any more.
    """
    with TaskLease.take(parts.store, parts.clock, task_id) as lease:
        taken(lease)
        book = TaskBook.open(parts.store, parts.clock, task_id, lease)
        lease.patience_seconds = patience_for(book.order().order)
        return Leader(parts, book).lead()
