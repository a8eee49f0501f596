"""That somebody must end, told by one thread and found by another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from snipbench.clock import Clock
from snipbench.errors import LeaderStopped, LeaseLost, SnipbenchError, TaskCancelled

ENDINGS = (LeaseLost, LeaderStopped, TaskCancelled)
"""Reasons to end; none says that what was being done failed."""


class Ends(Protocol):
    """What long work asks whether it may go on; :class:`orchestrator.leading.taskbook.TaskBook` answers."""

    def raise_if_ended(self) -> None:
        """One of :data:`ENDINGS`, if the work must end, as far as a thread knows; asks no store, for whoever waits."""
        ...

    def at_the_end(self, call: Callable[[], None] | None) -> None:
        """What to call, from another thread, when the work must end."""
        ...


class Unending:
    """For work that nobody can ask to end but by ending the process."""

    def raise_if_ended(self) -> None:
        """See the port."""

    def at_the_end(self, call: Callable[[], None] | None) -> None:
        """See the port."""


class Ending:
    """The first reason stands, unless a later one is that the work is somebody else's. Safe to use from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._reason: SnipbenchError | None = None
        self._call: Callable[[], None] | None = None
        self._active_at = clock.monotonic()

    @property
    def quiet_seconds(self) -> float:
        """Since the working thread asked last."""
        return self._clock.monotonic() - self._active_at

    @property
    def told(self) -> bool:
        """Whether there is a reason."""
        return self._reason is not None

    def raise_if_told(self, *, cancel: bool = True) -> None:
        """What the working thread asks: raises the reason.

        ``cancel`` says whether any reason counts; if not, only :class:`LeaseLost` does.
        """
        self._active_at = self._clock.monotonic()
        with self._lock:
            if self._reason is not None and (cancel or isinstance(self._reason, LeaseLost)):
                raise self._reason

    def tell(self, reason: SnipbenchError) -> None:
        """Have the work end; calls what :meth:`at_the_end` set, the first time."""
        with self._lock:
            first = self._reason is None
            if first or isinstance(reason, LeaseLost):
                self._reason = reason
            call = self._call
        if first and call is not None:
            call()

    def at_the_end(self, call: Callable[[], None] | None) -> None:
        """What to call, from another thread, when there is a reason; at once where there is one already."""
        with self._lock:
            self._call = call
            late = self._reason is not None
        if late and call is not None:
            call()
