"""The lease of a task: one leader at a time, the next one when it died, nobody for ever (decision 0160).

It stands in the task's own document and changes by compare and set. A thread renews it, and looks whether somebody
asked for the task's end. Whoever wants to write about the task asks :meth:`TaskLease.check` first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import TracebackType

from orchestrator.leading.ending import Ending
from orchestrator.leading.holder import describe, surely_dead, this_holder
from snipbench import records
from snipbench.clock import Clock, from_text, to_text
from snipbench.domain.order import Order
from snipbench.domain.run import Failure, TaskStatus
from snipbench.domain.task import Lease, Task
from snipbench.errors import LeaderStopped, LeaseLost, SnipbenchError, StoreError, TaskCancelled, UsageError
from snipbench.store.port import DocumentStore

LEASE_SECONDS = 12.0
"""Longer than FerretDB's window of ten (decision 0061); a leader that died on this machine is overtaken at once."""

POLL_SECONDS = 0.5
"""How often the thread looks at the task: a cancelled one ends its session within two seconds."""

PATIENCE_SECONDS = 4 * 3600.0
"""A leader that wrote nothing for so long does not get on: it lets go, and another one may try."""

FRUITLESS_CAP = 5
"""So often in a row may a task be taken up without one more run recorded before it is given up (decision 0160)."""


class TaskHeld(UsageError):
    """Another leader, alive as far as can be told, holds the task."""


class TaskSettled(UsageError):
    """Nothing is left to do for the task; a retry would change that."""


class TaskLease:
    """A taken lease; a context that renews it and gives it back.

    ``settled`` says at the end whether anything is left to do; the leader sets it. ``patience_seconds`` is how long it
    may go without asking :meth:`check`; the leader makes it fit the order's time-outs. ``token`` fences others off.
    """

    def __init__(self, store: DocumentStore, clock: Clock, task: Task, seconds: float) -> None:
        assert task.lease is not None
        self._store = store
        self._clock = clock
        self._task_id = task.task_id
        self.token = task.lease.token
        self._seconds = seconds
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease of {task.task_id}", daemon=True)
        self._ending = Ending(clock)
        self.patience_seconds = PATIENCE_SECONDS
        self.settled = False
        self.assignment_id: str | None = None

    @classmethod
    def take(cls, store: DocumentStore, clock: Clock, task_id: str, *, seconds: float = LEASE_SECONDS) -> TaskLease:
        """Take the lease of a task that nobody holds.

        Raises:
            TaskHeld: somebody does.
            TaskSettled: it has ended.
            UsageError: there is no such task.
            SnipbenchError: the task was taken up too often without a new run, and is given up now.
        """
        recorded = sum(store.count(name, {"task_id": task_id}) for name in ("runs", "attempts"))

        def taken(task: Task) -> Task:
            former = task.lease
            if task.settled:
                raise TaskSettled(f"task {task_id} has ended: {task.status.value}")
            if former is not None and is_held(former, clock):
                raise TaskHeld(f"task {task_id} is led by {describe(former.holder)}")
            # Only a leader that vanished counts; one that gave the lease back came to an end of its own.
            vanished = former is not None and former.holder != ""
            fruitless = former.fruitless + 1 if former and vanished and recorded <= former.recorded else 0
            lease = Lease(
                holder=this_holder(task_id),
                token=(former.token if former else 0) + 1,
                expires_at=_after(clock, seconds),
                recorded=recorded,
                fruitless=fruitless,
            )
            if fruitless < FRUITLESS_CAP:
                return replace(task, lease=lease, settled=False)
            message = f"its leader died {fruitless} times in a row before one more run was recorded"
            return replace(
                task,
                status=TaskStatus.FAILED,
                failure=Failure("Quarantined", message),
                ended_at=to_text(clock.now()),
                lease=replace(lease, holder="", fruitless=0),
                settled=True,
            )

        task = change_task(store, task_id, taken)
        if task.settled:
            raise SnipbenchError(f"task {task_id} was given up: {task.failure.message if task.failure else ''}")
        return cls(store, clock, task, seconds)

    def __enter__(self) -> TaskLease:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()
        if isinstance(error, LeaseLost):
            return
        try:
            foreseen = error is None or isinstance(error, SnipbenchError | KeyboardInterrupt)
            change_task(self._store, self._task_id, partial(self._given_back, foreseen=foreseen))
        except (LeaseLost, StoreError):
            if error is None:
                raise
            # What ended the leader says more; the lease runs out by itself.

    def check(self, *, cancel: bool = True) -> None:
        """Ask before writing about the task.

        Args:
            cancel: whether a wish for the task's end counts too; it does not for what is told about that end.

        Raises:
            LeaseLost: another leader holds the task.
            TaskCancelled, LeaderStopped: the task, or this leader, is to end.
        """
        task = self._read()
        self._ending.raise_if_told(cancel=cancel)
        if cancel and task.cancel_requested:
            raise TaskCancelled(f"task {self._task_id} was cancelled")

    def raise_if_ended(self) -> None:
        """What :meth:`check` would raise, as far as the thread knows; asks no store, for whoever waits.

        Raises:
            LeaseLost, TaskCancelled, LeaderStopped: as there.
        """
        self._ending.raise_if_told()

    def fence(self, task: Task) -> None:
        """LeaseLost unless ``task``, as read from the store, is still led by this leader."""
        if task.lease is None or task.lease.token != self.token or not task.lease.holder:
            raise LeaseLost(f"task {self._task_id} is led by somebody else")

    def at_the_end(self, call: Callable[[], None] | None) -> None:
        """What to call, from another thread, when the task is cancelled, lost or this leader told to stop."""
        self._ending.at_the_end(call)

    def stop(self) -> None:
        """Have the leader end as soon as it can; the task stays as it is. From any thread."""
        self._ending.tell(LeaderStopped(f"the leader of {self._task_id} was told to stop"))

    def _keep(self) -> None:
        renewed = self._clock.monotonic()
        while not self._end.wait(POLL_SECONDS):
            try:
                task = self._read()
                if task.cancel_requested:
                    self._ending.tell(TaskCancelled(f"task {self._task_id} was cancelled"))
                quiet = self._ending.quiet_seconds
                if quiet > self.patience_seconds:
                    self._ending.tell(LeaderStopped(f"task {self._task_id} got no further for {quiet:.0f} s"))
                    return  # not renewed any more: progress is what counts, not that a process is there
                if self._clock.monotonic() - renewed >= self._seconds / 3:
                    change_task(self._store, self._task_id, self._renewed)
                    renewed = self._clock.monotonic()
            except LeaseLost as error:
                self._ending.tell(error)
                return
            except StoreError:
                continue  # away for now: the lease may run out, and then `check` says so

    def _read(self) -> Task:
        document = self._store.get("tasks", self._task_id)
        if document is None:
            raise LeaseLost(f"task {self._task_id} is no longer in the store")
        task = records.task_from_document(document)
        self.fence(task)
        return task

    def _renewed(self, task: Task) -> Task:
        self.fence(task)
        assert task.lease is not None
        return replace(task, lease=replace(task.lease, expires_at=_after(self._clock, self._seconds)))

    def _given_back(self, task: Task, *, foreseen: bool) -> Task:
        """What nobody foresaw counts as a leader that vanished, so that it cannot go on for ever."""
        self.fence(task)
        assert task.lease is not None
        lease = replace(task.lease, expires_at=to_text(self._clock.now()))
        if foreseen:
            lease = replace(lease, holder="", fruitless=0)
        return replace(task, settled=self.settled, lease=lease)


def patience_for(order: Order) -> float:
    """How long a good leader of the order may be silent, in seconds."""
    # Loading, running and an untimed comparison of two: five time-outs is the longest.
    return PATIENCE_SECONDS + 5 * max((experiment.timeout_seconds for experiment in order.experiments), default=0.0)


def is_held(lease: Lease, clock: Clock) -> bool:
    """Whether its holder lives, as far as can be told."""
    return lease.holder != "" and from_text(lease.expires_at) > clock.now() and not surely_dead(lease.holder)


def change_task(store: DocumentStore, task_id: str, change: Callable[[Task], Task]) -> Task:
    """Read a task, change it, write it by compare and set; again when somebody else was first.

    Raises:
        UsageError: there is no such task.
        StoreError: the store refused or is away. What ``change`` raises is passed on.
    """
    while True:
        document = store.get("tasks", task_id)
        if document is None:
            raise UsageError(f"there is no task {task_id!r}; `snipbench list` shows all")
        task = records.task_from_document(document)
        changed = change(task)
        if changed == task:
            return task
        if store.replace("tasks", records.task_to_document(changed), expected_version=task.version):
            return replace(changed, version=task.version + 1)


def _after(clock: Clock, seconds: float) -> str:
    return to_text(clock.now() + timedelta(seconds=seconds))
