"""A wish that whoever waits for something end that, told by any thread."""

from __future__ import annotations

import os
import select
import threading
from contextlib import suppress


class Interruption:
    """There from :meth:`set` to :meth:`clear`; what is asked of it before it is open, or once it is closed, is nothing.

    ``descriptor`` is readable meanwhile, for who polls; ``None`` where it is not open.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.descriptor: int | None = None

    def open(self) -> None:
        """From now on it can be set."""
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def set(self) -> None:
        """Wake who polls; twice is as once."""
        with self._lock:
            if self.descriptor is not None:
                os.eventfd_write(self.descriptor, 1)

    def clear(self) -> None:
        """Nobody is to end any more."""
        with self._lock, suppress(BlockingIOError):
            if self.descriptor is not None:
                os.eventfd_read(self.descriptor)

    def is_set(self) -> bool:
        """Whether it is there."""
        with self._lock:
            return self.descriptor is not None and bool(select.select([self.descriptor], [], [], 0)[0])

    def close(self) -> None:
        """Give the descriptor back; nobody polls it any more."""
        with self._lock:
            if self.descriptor is not None:
                os.close(self.descriptor)
            self.descriptor = None
