"""Clones that nobody answers for any more: the lease of the task that they were made for decides.

A leader gives its clones back. One that died does not; the next leader makes clones of its own.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from orchestrator.databases.port import DatabaseProvider
from orchestrator.leading.lease import is_held
from snipbench import records
from snipbench.clock import Clock
from snipbench.domain.task import Task
from snipbench.errors import SnipbenchError, StoreError
from snipbench.store.port import DocumentStore

_log = logging.getLogger("snipbench.initializer")
INTERVAL_SECONDS = 2.0
GRACE_SECONDS = 60.0
"""For how long a task may be without a leader before its clones go."""


@dataclass(slots=True)
class _Seen:
    """Whose lease a clone was first seen under, and since when (monotonic) nobody holds it."""

    token: int
    unheld_since: float | None = None


class Orphans:
    """A thread that looks every ``interval`` seconds; :meth:`look` is one look."""

    def __init__(
        self, provider: DatabaseProvider, store: DocumentStore, clock: Clock, *, interval: float = INTERVAL_SECONDS
    ) -> None:
        self._provider = provider
        self._store = store
        self._clock = clock
        self._interval = interval
        self._seen: dict[str, _Seen] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="orphans", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._end.set()
        self._thread.join()

    def look(self) -> list[str]:
        """Release the clones that are nobody's now; returns their ids. While the store is away, none are.

        Raises:
            DatabaseError: one cannot be released.
        """
        clones = self._provider.clones()
        self._seen = {clone_id: seen for clone_id, seen in self._seen.items() if clone_id in clones}
        released = []
        for clone_id, task_id in clones.items():
            if self._orphaned(clone_id, task_id):
                self._provider.release(clone_id)
                released.append(clone_id)
        return released

    def _orphaned(self, clone_id: str, task_id: str) -> bool:
        document = self._store.get("tasks", task_id)
        task = None if document is None else records.task_from_document(document)
        if task is None or (task.settled and not self._led(task)):
            return True
        token = task.lease.token if task.lease else 0
        seen = self._seen.setdefault(clone_id, _Seen(token))
        if seen.token != token:
            return True
        if self._led(task):
            seen.unheld_since = None
            return False
        now = self._clock.monotonic()
        if seen.unheld_since is None:
            seen.unheld_since = now
        return now - seen.unheld_since > GRACE_SECONDS

    def _led(self, task: Task) -> bool:
        return task.lease is not None and is_held(task.lease, self._clock)

    def _run(self) -> None:
        while not self._end.wait(self._interval):
            try:
                for clone_id in self.look():
                    _log.info("released %s, which nobody answers for", clone_id)
            except StoreError as error:
                _log.warning("cannot tell whose clones there are: %s", error)
            except SnipbenchError as error:
                _log.warning("cannot release what is orphaned: %s", error)
            except Exception:  # noqa: BLE001 - a thread that ends unseen would leave clones behind
                _log.exception("looking for orphaned clones failed")
