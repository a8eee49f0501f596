"""A machine out of breath: what that adds to an event log by itself, and for how long it gave a test nothing."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from monitor.events import EventKind

STALLS = frozenset(
    {EventKind.SOURCE_STALLED, EventKind.SOURCE_RESUMED, EventKind.STORE_STALLED, EventKind.STORE_RESUMED}
)
"""What a monitor tells of a reading or an insert that took long."""
NAP_SECONDS = 0.02
LATE_SECONDS = 0.1


class Breath:
    """Counts the seconds in which this machine had no time for us, from entering to leaving the context.

    What is promised within seconds is promised of a machine that runs: a virtual one may stand still for longer.
    """

    def __init__(self) -> None:
        self.missed = 0.0
        """Seconds by which naps of a thread were too long, of those that were so by more than ``LATE_SECONDS``."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._nap, daemon=True)

    def _nap(self) -> None:
        while not self._over.is_set():
            begun = time.monotonic()
            time.sleep(NAP_SECONDS)
            late = time.monotonic() - begun - NAP_SECONDS
            if late > LATE_SECONDS:
                self.missed += late

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
