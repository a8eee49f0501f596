"""Dispatch in this process: one thread does what was rung for, one thing after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from orchestrator.dispatch.port import Work

Handle = Callable[[Work, str], None]
STOP_SECONDS = 30.0


class InlineDispatch:
    """Implements the dispatch port. Work done one at a time cannot disturb a measured run.

    Args:
        handle: does a piece of work, in the thread; it reports its own errors.
        stop: makes the piece of work under way end soon, where it can be gone on with later.
    """

    def __init__(self, handle: Handle, stop: Callable[[], None]) -> None:
        self._handle = handle
        self._stop = stop
        self._bells: SimpleQueue[tuple[Work, str] | None] = SimpleQueue()
        self._waiting: set[tuple[Work, str]] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="inline dispatch", daemon=True)
        self._thread.start()

    def ring(self, work: Work, subject: str) -> None:
        """See the port."""
        with self._lock:
            if (work, subject) in self._waiting or self._closed.is_set():
                return
            self._waiting.add((work, subject))
        self._bells.put((work, subject))

    def ready(self) -> None:
        """See the port: this process is always there."""

    def close(self) -> None:
        """See the port. Waits until the thread has ended, for at most ``STOP_SECONDS``."""
        self._closed.set()
        self._bells.put(None)
        self._stop()
        self._thread.join(STOP_SECONDS)

    def _work(self) -> None:
        while (bell := self._bells.get()) is not None and not self._closed.is_set():
            try:
                self._handle(*bell)
            finally:
                with self._lock:
                    self._waiting.discard(bell)
