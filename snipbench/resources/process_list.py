"""Which processes there are, asked for by several and listed once."""

from __future__ import annotations

import os
import time

from snipbench.errors import MonitorError

_SETTLED_SECONDS = 0.04
"""How long after its number was given away a process is in the list for sure, on a busy machine as well."""


class ProcessList:
    """The numbers of all processes, listed only when there may be a new one.

    The last field of ``/proc/loadavg`` is the last number given away. It is given before the process can be listed, so
    a list counts only if that had stood still for a while; until then there is another one.
    """

    def __init__(self) -> None:
        self.numbers: frozenset[int] = frozenset()
        """As of the last :meth:`look`."""
        self._descriptor: int | None = None
        self._given = b""
        self._since = 0.0
        """When ``_given`` was seen first."""
        self._settled = False
        self._generation = 0

    def look(self) -> int:
        """The generation of :attr:`numbers`: the same as last time if no process is new.

        Raises:
            MonitorError: ``/proc`` is not there.
        """
        try:
            if self._descriptor is None:
                self._descriptor = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
            given = os.pread(self._descriptor, 128, 0).rpartition(b" ")[2]
            now = time.monotonic()
            if given != self._given:
                self._given, self._since, self._settled = given, now, False
            elif self._settled or now - self._since < _SETTLED_SECONDS:
                return self._generation
            else:
                self._settled = True
            names = os.listdir("/proc")  # noqa: PTH208 - twenty a second
            self.numbers = frozenset(int(name) for name in names if name.isdecimal())
        except OSError as error:
            raise MonitorError(f"cannot list /proc: {error.strerror}") from error
        self._generation += 1
        return self._generation

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
