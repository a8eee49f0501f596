"""The asker's side of an assignment: rings until somebody takes it, sees whether the worker lives, waits for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from orchestrator.dispatch.port import Dispatch, Work
from orchestrator.leading.assignment import (
    ANSWERS,
    ASSIGNMENTS,
    Answer,
    Assignment,
    State,
    answer_from_document,
    assignment_to_document,
)
from orchestrator.leading.holder import describe, surely_dead, this_holder
from orchestrator.leading.taskbook import TaskBook
from snipbench.clock import Clock, to_text
from snipbench.domain.run import Failure
from snipbench.errors import (
    DispatchAway,
    LeaderGone,
    LeaderStopped,
    LeaseLost,
    SnipbenchError,
    StoreAway,
    StoreError,
    TaskCancelled,
)
from snipbench.identity import new_id
from snipbench.store.port import Document, DocumentStore

LOOK_SECONDS = 0.1
VANISHED_SECONDS = 10.0
"""So long without a beat, and a worker on another machine counts as dead; on this machine that is seen at once."""
LONGEST_STEP_SECONDS = 1.0
"""A longer time between two looks is not the worker's silence, but ours or the store's."""
RING_AGAIN_SECONDS = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""A broker may forget; a worker that is busy has the bell in its queue already."""
END_SECONDS = 40.0
"""How long a worker may take to end what it was told to end."""

PASSING = frozenset(error.__name__ for error in (TaskCancelled, LeaderStopped, LeaseLost, LeaderGone, StoreAway))
"""Failures that say of a worker only that it went: another one may go on."""


class WorkerGone(SnipbenchError):
    """The worker vanished, or was told to end; another one may take up the rest."""

    retryable = True


class WorkerFailed(SnipbenchError):
    """What was asked failed at the worker, as it would have failed here. ``failure`` is its error."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class Asked:
    """An assignment that this process gave. One thread at a time."""

    def __init__(self, store: DocumentStore, clock: Clock, dispatch: Dispatch, assignment: Assignment) -> None:
        self._store = store
        self._clock = clock
        self._dispatch = dispatch
        self._assignment = assignment
        self._beats = -1
        self._quiet_seconds = 0.0
        self._looked_at = clock.monotonic()
        self._rung = 0
        self._ring_at = clock.monotonic()

    @classmethod
    def give(
        cls, store: DocumentStore, clock: Clock, dispatch: Dispatch, work: Work, book: TaskBook, request: Document
    ) -> Asked:
        """Store an assignment of the book's task and ring for it."""
        token, parent = book.place()
        assignment = Assignment(
            assignment_id=new_id("assignment", clock.now()),
            work=work.value,
            task_id=book.task.task_id,
            token=token,
            asker=this_holder(book.task.task_id),
            asked_at=to_text(clock.now()),
            request={"number": 1, **request},
            parent=parent,
        )
        book.check()
        asked = cls(store, clock, dispatch, assignment)
        asked._write(assignment)
        asked._ring()
        return asked

    @property
    def assignment_id(self) -> str:
        """Of the document."""
        return self._assignment.assignment_id

    def further(self, request: Document) -> int:
        """Ask for one more thing; its number."""
        number = int(self._assignment.request["number"]) + 1
        self._write(replace(self._assignment, request={"number": number, **request}))
        return number

    def look(self) -> Answer | None:
        """How it goes now; None while nobody took it, which is rung for again.

        Raises:
            WorkerGone: the worker vanished, or ended because it had to.
            WorkerFailed: what was asked failed.
            StoreError: the store is away.
        """
        document = self._store.get(ANSWERS, self.assignment_id)
        now = self._clock.monotonic()
        if document is None:
            if now >= self._ring_at:
                self._ring()
            return None
        answer = answer_from_document(document)
        if answer.ended:
            self._raise_if_failed(answer)
            return answer
        self._quiet_seconds += min(now - self._looked_at, LONGEST_STEP_SECONDS)
        self._looked_at = now
        if answer.beats != self._beats:
            self._beats, self._quiet_seconds = answer.beats, 0.0
        if surely_dead(answer.holder) or self._quiet_seconds > VANISHED_SECONDS:
            raise WorkerGone(f"the {self._assignment.work} vanished ({describe(answer.holder)})")
        return answer

    def wait(
        self, until: Callable[[Answer], bool], on_look: Callable[[Answer | None], None] = lambda _: None
    ) -> Answer:
        """Look until ``until`` is content with the answer, or it ended; ``on_look`` may raise to end the waiting.

        Raises: as :meth:`look`, but a store that is away is waited for.
        """
        while True:
            answer = None
            with suppress(StoreAway):
                answer = self.look()
            on_look(answer)
            if answer is not None and until(answer):
                return answer
            if answer is not None and answer.ended:
                raise WorkerGone(f"the {self._assignment.work} ended ({describe(answer.holder)})")
            self._clock.sleep(LOOK_SECONDS)

    def finish(self) -> Answer | None:
        """Nothing more is asked; the last answer, or None where nobody took it or the worker went.

        Raises:
            WorkerFailed: it failed after all.
        """
        self._close(State.DONE)
        deadline = self._clock.monotonic() + END_SECONDS
        while self._clock.monotonic() < deadline:
            try:
                answer = self.look()
            except WorkerGone:
                return None
            if answer is None or answer.ended:
                return answer
            self._clock.sleep(LOOK_SECONDS)
        return None

    def give_up(self, *, wait: bool = True) -> None:
        """Nothing of it counts any more. Waits for the worker's end, while it lives, unless told not to."""
        self._close(State.GIVEN_UP)
        deadline = self._clock.monotonic() + END_SECONDS
        while wait and self._clock.monotonic() < deadline:
            try:
                answer = self.look()
            except (WorkerGone, WorkerFailed, StoreAway):
                return
            if answer is None or answer.ended:
                return
            self._clock.sleep(LOOK_SECONDS)

    def _close(self, state: State) -> None:
        if self._assignment.state is State.OPEN:
            self._write(replace(self._assignment, state=state))

    def _write(self, assignment: Assignment) -> None:
        document, version = assignment_to_document(assignment), assignment.version
        # Nobody else writes it; but the reply to a write may have been lost, and the write been tried again.
        if not self._store.replace(ASSIGNMENTS, document, expected_version=version or None) and self._store.get(
            ASSIGNMENTS, assignment.assignment_id
        ) != document | {"version": version + 1}:
            raise StoreError(f"assignment {assignment.assignment_id} was changed by somebody else")
        self._assignment = replace(assignment, version=version + 1)

    def _ring(self) -> None:
        pause = RING_AGAIN_SECONDS[min(self._rung, len(RING_AGAIN_SECONDS) - 1)]
        self._rung += 1
        self._ring_at = self._clock.monotonic() + pause
        with suppress(DispatchAway):  # rung again in a moment
            self._dispatch.ring(Work(self._assignment.work), self.assignment_id)

    def _raise_if_failed(self, answer: Answer) -> None:
        failure = answer.said.get("failure")
        if failure is None:
            return
        if failure["kind"] in PASSING:
            raise WorkerGone(f"the {self._assignment.work} ended: {failure['message']}")
        raise WorkerFailed(Failure(failure["kind"], failure["message"]))
