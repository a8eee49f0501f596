"""Asking one kind of worker for one thing after the other; when one goes, the next one is asked."""

from __future__ import annotations

from orchestrator.dispatch.port import Dispatch, Work
from orchestrator.leading.asking import Asked, WorkerGone
from orchestrator.leading.assignment import Answer
from orchestrator.leading.lease import FRUITLESS_CAP
from orchestrator.leading.parts import Parts
from orchestrator.leading.taskbook import TaskBook
from snipbench.store.port import Document

UNANSWERED_SECONDS = 10.0
"""When nobody has taken an assignment for so long, the event log says what is waited for."""


class Line:
    """To one worker at a time, kept until :meth:`end` or until it goes."""

    def __init__(self, parts: Parts, book: TaskBook, dispatch: Dispatch, work: Work) -> None:
        self._parts = parts
        self._book = book
        self._dispatch = dispatch
        self._work = work
        self._asked: Asked | None = None
        self._recorded = -1
        self._lost = 0
        self._since = 0.0
        self._told = False

    def ask(self, request: Document) -> Document:
        """What the worker said when it was done.

        Raises:
            WorkerGone: it went; ask again, of another one. Raised with :attr:`hopeless` set when that happened too
                often without one more run recorded.
            WorkerFailed: what was asked failed.
        """
        asked, number = self._give(request)
        self._since = self._parts.clock.monotonic()
        self._told = False
        try:
            return asked.wait(lambda answer: answer.said.get("done") == number, self._on_look).said
        except WorkerGone as gone:
            self.give_up(wait=False)
            self._count(gone)
            raise

    def hint(self, request: Document) -> None:
        """Say what will be needed, without waiting; what is asked for next takes its place if it was not begun."""
        self._give(request)

    @property
    def hopeless(self) -> bool:
        """Whether workers went too often in a row without one more run recorded."""
        return self._lost >= FRUITLESS_CAP

    def end(self) -> None:
        """Nothing more is asked; waits until the worker has put its things away.

        Raises:
            WorkerFailed: it could not.
        """
        if self._asked is not None:
            asked, self._asked = self._asked, None
            asked.finish()

    def give_up(self, *, wait: bool = True) -> None:
        """Nothing of it counts any more; waits for the worker's end while it lives, unless told not to."""
        if self._asked is not None:
            asked, self._asked = self._asked, None
            asked.give_up(wait=wait)

    def _give(self, request: Document) -> tuple[Asked, int]:
        """The worker's assignment, and the number that the request has in it."""
        if self._asked is not None:
            return self._asked, self._asked.further(request)
        store, clock = self._parts.store, self._parts.clock
        self._asked = Asked.give(store, clock, self._dispatch, self._work, self._book, request)
        return self._asked, 1

    def _on_look(self, answer: Answer | None) -> None:
        self._book.raise_if_ended()
        if answer is None and not self._told and self._parts.clock.monotonic() - self._since > UNANSWERED_SECONDS:
            self._told = True
            self._book.log(f"waiting for {self._work.value}", status="waiting", text="no worker has taken it up yet")

    def _count(self, gone: WorkerGone) -> None:
        self._parts.progress.note(str(gone))
        task_id = self._book.task.task_id
        recorded = sum(self._parts.store.count(name, {"task_id": task_id}) for name in ("runs", "attempts"))
        self._lost = self._lost + 1 if recorded <= self._recorded else 1
        self._recorded = recorded
