"""The worker's side of an assignment: one worker takes it, says how it goes, and ends when it must not go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from orchestrator.leading.asking import WorkerFailed
from orchestrator.leading.assignment import (
    ANSWERS,
    ASSIGNMENTS,
    Answer,
    Assignment,
    State,
    answer_from_document,
    answer_to_document,
    assignment_from_document,
)
from orchestrator.leading.ending import Ending
from orchestrator.leading.holder import this_holder
from orchestrator.leading.lease import PATIENCE_SECONDS, is_held
from snipbench import records
from snipbench.clock import Clock, to_text
from snipbench.domain.task import Task
from snipbench.errors import (
    LeaderGone,
    LeaderStopped,
    LeaseLost,
    StoreAway,
    StoreError,
    TaskCancelled,
    UsageError,
)
from snipbench.store.port import Document, DocumentStore

POLL_SECONDS = 0.25
"""How often the thread looks whether the work is still wanted: a cancelled task ends its session within two seconds."""
BEAT_SECONDS = 2.0
REQUEST_SECONDS = 0.1
"""How often the next request is looked for while nothing is to be done."""
LAST_WORD_SECONDS = 15.0
"""How long a store that is away is waited for, to say how the work ended."""


class AssignmentGone(UsageError):
    """Somebody else took the assignment, or nobody wants it any more."""


class Taken:
    """A taken assignment; a context that keeps up its answer. For :class:`TaskBook` it is what a lease is to a leader.

    Nothing is written once the task has another leader, or none, or this assignment or the one that it belongs to was
    given up. ``patience_seconds`` is how long the work may go without asking :meth:`check`.
    """

    def __init__(self, store: DocumentStore, clock: Clock, assignment: Assignment, answer: Answer) -> None:
        self._store = store
        self._clock = clock
        self._assignment = assignment
        self._answer = answer
        self._writing = threading.Lock()
        self._ending = Ending(clock)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"answer to {assignment.assignment_id}", daemon=True)
        self.patience_seconds = PATIENCE_SECONDS

    @classmethod
    def take(cls, store: DocumentStore, clock: Clock, assignment_id: str) -> Taken:
        """Take an assignment that nobody has.

        Raises:
            AssignmentGone: somebody has it, or it is not wanted any more.
        """
        document = store.get(ASSIGNMENTS, assignment_id)
        if document is None:
            raise AssignmentGone(f"there is no assignment {assignment_id!r}")
        assignment = assignment_from_document(document)
        if assignment.state is not State.OPEN:
            raise AssignmentGone(f"assignment {assignment_id} is not wanted any more: {assignment.state.value}")
        answer = Answer(assignment_id, assignment.task_id, this_holder(assignment.task_id), to_text(clock.now()))
        if not store.replace(ANSWERS, answer_to_document(answer), expected_version=None):
            raise AssignmentGone(f"assignment {assignment_id} was taken by somebody else")
        return cls(store, clock, assignment, replace(answer, version=1))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        said: Document = {}
        if error is not None:
            failure = error.failure if isinstance(error, WorkerFailed) else None
            name = type(error).__name__ if failure is None else failure.kind
            said["failure"] = {"kind": name, "message": str(error) or name}
        deadline = self._clock.monotonic() + LAST_WORD_SECONDS
        while True:
            try:
                self._write(said, ended=True)
                return
            except StoreAway:
                # Whoever asked hears no more beats, and gives the rest to another worker.
                if self._clock.monotonic() > deadline:
                    if error is None:
                        raise
                    return
                self._clock.sleep(POLL_SECONDS)

    @property
    def task_id(self) -> str:
        """The task that the work belongs to."""
        return self._assignment.task_id

    @property
    def token(self) -> int:
        """Fencing token of the leader on whose behalf the work is done."""
        return self._assignment.token

    @property
    def assignment_id(self) -> str:
        """Of the document."""
        return self._assignment.assignment_id

    def requests(self) -> Iterator[Document]:
        """What is asked, one after the other, until nothing more is. After each, :meth:`done` is to be called.

        Raises: as :meth:`check`, between two of them.
        """
        number = 0
        while True:
            self.check()
            assignment = self._read_assignment()
            if int(assignment.request["number"]) > number:
                number = int(assignment.request["number"])
                yield assignment.request
            elif assignment.state is State.DONE:
                return
            else:
                self._clock.sleep(REQUEST_SECONDS)

    @property
    def wanted(self) -> bool:
        """Whether more may be asked; a look at the store. Raises as :meth:`check` does."""
        self.check()
        return self._read_assignment().state is State.OPEN

    def say(self, **said: Any) -> None:
        """Tell the asker something; what was said before under other names stays."""
        self._write(said)

    def done(self, request: Document, **said: Any) -> None:
        """The request was fulfilled."""
        self._write({"done": request["number"], **said})

    def check(self, *, cancel: bool = True) -> None:
        """Ask before writing about the task.

        Raises:
            LeaseLost: the work is not wanted any more, or somebody else's.
            TaskCancelled, LeaderStopped: the task, or this worker, is to end.
        """
        task = self._read_task()
        self._ending.raise_if_told(cancel=cancel)
        if cancel and task.cancel_requested:
            raise TaskCancelled(f"task {self.task_id} was cancelled")

    def raise_if_ended(self) -> None:
        """What :meth:`check` would raise, as far as the thread knows; asks no store, for whoever waits."""
        self._ending.raise_if_told()

    def fence(self, task: Task) -> None:
        """LeaderGone unless ``task``, as read from the store, is led by whoever asked."""
        lease = task.lease
        if lease is None or lease.token != self.token or not is_held(lease, self._clock):
            raise LeaderGone(f"the leader of task {self.task_id} that asked for this leads it no more")

    def at_the_end(self, call: Callable[[], None] | None) -> None:
        """What to call, from another thread, when the work must end."""
        self._ending.at_the_end(call)

    def stop(self) -> None:
        """Have the work end as soon as it can; another worker may go on. From any thread."""
        self._ending.tell(LeaderStopped(f"the worker at {self.assignment_id} was told to stop"))

    def _keep(self) -> None:
        beaten = self._clock.monotonic()
        while not self._end.wait(POLL_SECONDS):
            try:
                if self._read_task().cancel_requested:
                    self._ending.tell(TaskCancelled(f"task {self.task_id} was cancelled"))
                quiet = self._ending.quiet_seconds
                if quiet > self.patience_seconds:
                    self._ending.tell(LeaderStopped(f"{self.assignment_id} got no further for {quiet:.0f} s"))
                    return  # no more beats: progress is what counts, not that a process is there
                if self._clock.monotonic() - beaten >= BEAT_SECONDS:
                    self._write({})
                    beaten = self._clock.monotonic()
            except LeaseLost as error:
                self._ending.tell(error)
                return
            except StoreError:
                continue  # away for now; `check` says so to whoever writes

    def _read_task(self) -> Task:
        """The task, if it is led by whoever asked, and this is still wanted."""
        document = self._store.get("tasks", self.task_id)
        if document is None:
            raise LeaseLost(f"task {self.task_id} is no longer in the store")
        task = records.task_from_document(document)
        self.fence(task)
        self._read_assignment()
        if self._assignment.parent is not None:
            parent = self._store.get(ASSIGNMENTS, self._assignment.parent)
            if parent is None or assignment_from_document(parent).state is State.GIVEN_UP:
                raise LeaseLost(f"assignment {self._assignment.parent}, of which this is a part, was given up")
        return task

    def _read_assignment(self) -> Assignment:
        document = self._store.get(ASSIGNMENTS, self.assignment_id)
        if document is None or (assignment := assignment_from_document(document)).state is State.GIVEN_UP:
            raise LeaseLost(f"assignment {self.assignment_id} was given up")
        return assignment

    def _write(self, said: Document, *, ended: bool = False) -> None:
        with self._writing:
            before = self._answer
            answer = replace(before, beats=before.beats + 1, said=before.said | said, ended=before.ended or ended)
            while not self._store.replace(ANSWERS, answer_to_document(answer), expected_version=answer.version):
                # The reply to an earlier write was lost: what is there is ours.
                document = self._store.get(ANSWERS, self.assignment_id)
                if document is None:
                    raise LeaseLost(f"the answer to {self.assignment_id} is no longer in the store")
                answer = replace(answer, version=answer_from_document(document).version)
            self._answer = replace(answer, version=answer.version + 1)
