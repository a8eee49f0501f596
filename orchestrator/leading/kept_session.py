"""A session whose leader went, kept for the leader that follows: Spark takes longer to start than all else."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, replace

from executor.calls import SessionFacts, SessionSpec
from executor.engine import Engine
from snipbench import records
from snipbench.domain.run import TaskStatus
from snipbench.errors import StoreError
from snipbench.resources.port import CounterSource
from snipbench.store.port import DocumentStore

KEPT_SECONDS = 30.0
"""A leader that dies is followed within two seconds, or, where its machine is gone too, when its lease has ended."""


@dataclass(frozen=True, slots=True)
class RunningSession:
    """A session that could go on, and for whom."""

    task_id: str
    number: int
    spec: SessionSpec
    engine: Engine
    facts: SessionFacts

    def is_for(self, task_id: str, number: int, spec: SessionSpec) -> bool:
        """Whether it is what the task would start now."""
        same = (self.task_id, self.number) == (task_id, number)
        return same and replace(self.spec, self_test=False) == replace(spec, self_test=False)


class KeptSession:
    """Of one worker, one at most. It ends after :data:`KEPT_SECONDS`, or when anything else is to be done.

    For any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: RunningSession | None = None
        self._timer: threading.Timer | None = None
        self._closed = False

    def keep(self, session: RunningSession, store: DocumentStore) -> None:
        """Keep it if its task is to go on, as far as ``store`` tells; else end it."""
        self.drop()
        with self._lock:
            if not self._closed and session.engine.lost is None and _goes_on(store, session.task_id):
                self._session = session
                self._timer = threading.Timer(KEPT_SECONDS, self.drop)
                self._timer.daemon = True
                self._timer.start()
                return
        session.engine.stop()

    def take(self, task_id: str, number: int, spec: SessionSpec, source: CounterSource) -> RunningSession | None:
        """The kept session, if it is the one that is wanted and still lives; another one is ended."""
        session = self._given_up()
        if session is None:
            return None
        if session.is_for(task_id, number, spec) and session.engine.go_on(source):
            return session
        session.engine.stop()
        return None

    def drop(self, *, unless: str | None = None) -> None:
        """End what is kept, unless it is of the task ``unless``."""
        with self._lock:
            if self._session is not None and self._session.task_id == unless:
                return
        session = self._given_up()
        if session is not None:
            session.engine.stop()

    def close(self) -> None:
        """End what is kept, and keep nothing more."""
        with self._lock:
            self._closed = True
        self.drop()

    def _given_up(self) -> RunningSession | None:
        with self._lock:
            session, self._session = self._session, None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        return session


def _goes_on(store: DocumentStore, task_id: str) -> bool:
    with suppress(StoreError):
        document = store.get("tasks", task_id)
        if document is not None:
            task = records.task_from_document(document)
            return task.status is TaskStatus.RUNNING and not task.cancel_requested
    return False
