"""What may be asked of a task from outside its leader: its end, and to go on. Both stand in the store."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.leading.lease import TaskHeld, change_task, is_held
from orchestrator.leading.taskbook import TaskBook
from snipbench.clock import Clock, to_text
from snipbench.domain.run import TaskStatus
from snipbench.domain.task import Lease, Task
from snipbench.errors import UsageError
from snipbench.store.port import DocumentStore


def is_left(task: Task, clock: Clock) -> bool:
    """Whether it has not ended and nobody leads it, nor will unasked: the command that ran it was killed."""
    led = task.lease is not None and is_held(task.lease, clock)
    return not (task.settled or led or task.mode == "services")


def cancel(store: DocumentStore, clock: Clock, task_id: str) -> Task:
    """Ask for a task's end. A leader ends within seconds; a task that waits for one ends when one takes it up, and one
    that nobody will take up ends here.

    Raises:
        UsageError: there is no such task, or it has ended.
    """

    def cancelled(task: Task) -> Task:
        if task.settled:
            raise UsageError(f"task {task_id} has ended already: {task.status.value}")
        return replace(task, cancel_requested=True)

    def ended(task: Task) -> Task:
        if not is_left(task, clock):
            return task
        now = to_text(clock.now())
        return replace(task, status=TaskStatus.CANCELLED, ended_at=now, settled=True, lease=_freed(task.lease))

    task = change_task(store, task_id, cancelled)
    if not is_left(task, clock):
        return task
    TaskBook.open(store, clock, task_id).log("task cancelled", status="cancelled", text="nobody led it")
    return change_task(store, task_id, ended)


def retry(store: DocumentStore, clock: Clock, task_id: str) -> Task:
    """Have a task go on after its last recorded run, when the next leader takes it up.

    Raises:
        TaskHeld: a leader is at it.
        UsageError: there is no such task, or it is completed.
    """

    def queued(task: Task) -> Task:
        if task.lease is not None and is_held(task.lease, clock):
            raise TaskHeld(f"task {task_id} is being led")
        if task.settled and task.status is TaskStatus.COMPLETED:
            raise UsageError(f"task {task_id} is completed; submit the order again for a new one")
        return replace(
            task,
            status=TaskStatus.QUEUED,
            cancel_requested=False,
            settled=False,
            failure=None,
            ended_at=None,
            lease=_freed(task.lease),
        )

    return change_task(store, task_id, queued)


def reopen(store: DocumentStore, clock: Clock, task_id: str) -> Task:
    """Let the task be led again, now, by whoever asks: what is left of its runs, its analyses, its report.

    Raises:
        TaskHeld: a leader is at it.
        UsageError: there is no such task.
    """

    def open_again(task: Task) -> Task:
        if task.lease is not None and is_held(task.lease, clock):
            raise TaskHeld(f"task {task_id} is being led")
        return replace(task, cancel_requested=False, settled=False)

    return change_task(store, task_id, open_again)


def _freed(lease: Lease | None) -> Lease | None:
    """Held by nobody, whatever became of those who held it."""
    return None if lease is None else replace(lease, fruitless=0, holder="")
