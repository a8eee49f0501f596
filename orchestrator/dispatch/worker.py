"""Doing what a doorbell rang for: the same code in the API's process and in a worker of the broker."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from orchestrator.dispatch.port import Work
from orchestrator.leading.assignment import ASSIGNMENTS
from orchestrator.leading.kept_session import KeptSession
from orchestrator.leading.leader import lead
from orchestrator.leading.lease import TaskHeld, TaskSettled
from orchestrator.leading.parts import Parts
from orchestrator.leading.taking import AssignmentGone, Taken
from orchestrator.logs import about, add_to_about
from snipbench.clock import SystemClock
from snipbench.errors import LeaderStopped, LeaseLost, SnipbenchError, TaskCancelled
from snipbench.store.patient import PatientStore
from snipbench.store.port import DocumentStore

_log = logging.getLogger("snipbench.worker")
OpenParts = Callable[[], AbstractContextManager[Parts]]
OpenStore = Callable[[], AbstractContextManager[DocumentStore]]


class _Stoppable(Protocol):
    def stop(self) -> None: ...


class Worker:
    """Does one piece of work at a time.

    Args:
        open_parts: opens the adapters of the mode for one piece of work.
        open_store: opens the store only, which is all that a monitor needs,
        spool: and a folder, where samples wait for a store that is away.
    """

    def __init__(self, open_parts: OpenParts, open_store: OpenStore, spool: Path) -> None:
        self._spool = spool
        self._open_parts = open_parts
        self._open_store = open_store
        self._lock = threading.Lock()
        self._under_way: _Stoppable | None = None
        self._stopped = False
        self._kept = KeptSession()

    def handle(self, work: Work, subject: str) -> None:
        """Do a piece of work. What goes wrong stands in the store, and in the log; nothing is raised for it."""
        with about(**{"work": work.value, "task_id" if work is Work.LEAD else "assignment_id": subject}):
            try:
                self._do(work, subject)
                _log.info("work ended")
            except (TaskHeld, TaskSettled, AssignmentGone, LeaseLost, LeaderStopped, TaskCancelled) as error:
                _log.info("left to others: %s", error)
            except SnipbenchError as error:
                _log.warning("work failed: %s: %s", type(error).__name__, error)
            except Exception:  # noqa: BLE001 - the worker outlives what nobody foresaw; leases end a loop of it
                _log.exception("work failed in a way that nobody foresaw")
            finally:
                with self._lock:
                    self._under_way = None

    def stop(self) -> None:
        """Have the work under way end soon, and no other begin. It stays for the next worker."""
        with self._lock:
            self._stopped = True
            under_way = self._under_way
        if under_way is not None:
            under_way.stop()
        self._kept.close()

    def _do(self, work: Work, subject: str) -> None:
        if work is Work.LEAD:
            with self._open_parts() as parts:
                _begin(parts.store, subject)
                lead(parts, subject, taken=self._take)
            return
        with self._open_store() as store:
            if work is not Work.ANALYSE or store.get(ASSIGNMENTS, subject) is not None:
                # Taken before the parts are opened: that this machine lacks something is an answer too.
                patient = PatientStore(store)
                with Taken.take(patient, SystemClock(), subject) as hold:
                    _begin(patient, hold.task_id)
                    self._take(hold)
                    self._fulfil(work, store, hold)
                return
        from orchestrator.dispatch.analyses import COLLECTION, make_analysis

        with self._open_parts() as parts:
            wanted = parts.store.get(COLLECTION, subject) or {}
            _begin(parts.store, str(wanted.get("task_id")))
            make_analysis(parts, subject)

    def _fulfil(self, work: Work, store: DocumentStore, hold: Taken) -> None:
        # Each loaded where it is done: a monitor needs neither an engine nor what landing needs. Its samples go to the
        # store itself: it has a spool for when that is away.
        if work is Work.MONITOR:
            from orchestrator.dispatch.monitoring import watch

            watch(store, SystemClock(), self._spool, hold)
            return
        with self._open_parts() as parts:
            if work is Work.EXECUTE:
                from orchestrator.dispatch.executing import execute

                execute(parts, hold, self._kept)
            else:
                from orchestrator.dispatch.concluding import conclude

                conclude(parts, hold)

    def _take(self, taken: _Stoppable) -> None:
        with self._lock:
            self._under_way = taken
            stopped = self._stopped
        if stopped:
            taken.stop()


def _begin(store: DocumentStore, task_id: str) -> None:
    """From now on what is logged is about this task, and about its order."""
    task = store.get("tasks", task_id) or {}
    add_to_about(task_id=task_id, order_id=str(task.get("order_id")))
    _log.info("work taken up")
