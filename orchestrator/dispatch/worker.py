"""Doing what a doorbell rang for: the same code in the API's process and in a worker of the broker."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from orchestrator.dispatch.port import Work
from orchestrator.leading.leader import lead
from orchestrator.leading.lease import TaskHeld, TaskLease, TaskSettled
from orchestrator.leading.parts import Parts
from snipbench.errors import LeaderStopped, LeaseLost, SnipbenchError

_log = logging.getLogger("snipbench.worker")
OpenParts = Callable[[], AbstractContextManager[Parts]]


class _Stoppable(Protocol):
    def stop(self) -> None: ...


class Worker:
    """Leads tasks and makes analyses. ``open_parts`` opens the adapters of the mode for one piece of work."""

    def __init__(self, open_parts: OpenParts) -> None:
        self._open_parts = open_parts
        self._lock = threading.Lock()
        self._lease: _Stoppable | None = None
        self._stopped = False

    def handle(self, work: Work, subject: str) -> None:
        """Do a piece of work. What goes wrong stands in the store, and in the log; nothing is raised for it."""
        about = {"work": work.value, "task_id" if work is Work.LEAD else "analysis_id": subject}
        _log.info("work taken up", extra=about)
        try:
            with self._open_parts() as parts:
                if work is Work.LEAD:
                    status = lead(parts, subject, taken=self._take)
                    _log.info("task ended: %s", status.value, extra=about)
                else:
                    from orchestrator.dispatch.analyses import make_analysis

                    make_analysis(parts, subject)
                    _log.info("analysis ended", extra=about)
        except (TaskHeld, TaskSettled, LeaseLost, LeaderStopped) as error:
            _log.info("left to others: %s", error, extra=about)
        except SnipbenchError as error:
            _log.warning("work failed: %s: %s", type(error).__name__, error, extra=about)
        except Exception:  # noqa: BLE001 - the worker outlives what nobody foresaw; leases end a loop of it
            _log.exception("work failed in a way that nobody foresaw", extra=about)
        finally:
            with self._lock:
                self._lease = None

    def stop(self) -> None:
        """Have the leader at work end soon, and no other begin. The task stays for the next leader."""
        with self._lock:
            self._stopped = True
            lease = self._lease
        if lease is not None:
            lease.stop()

    def _take(self, lease: TaskLease) -> None:
        with self._lock:
            self._lease = lease
            stopped = self._stopped
        if stopped:
            lease.stop()
