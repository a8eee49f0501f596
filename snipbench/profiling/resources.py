"""Resident memory of this process, read cheaply."""

from __future__ import annotations

import os


class _Statm:
    """``/proc/self/statm`` behind a kept descriptor, which makes a read five times cheaper.

    A host that closed the descriptor under us, and may have used its number again, is noticed by what the read returns.
    """

    def __init__(self) -> None:
        self._page_bytes = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
        self._descriptor: int | None = None
        self._absent = False

    def resident_bytes(self) -> int | None:
        """Resident memory of the process in bytes; null where the system does not tell it."""
        pages = self._read()
        if pages is None and not self._absent:
            try:
                self._descriptor = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                self._absent = True
            pages = self._read()
        return None if pages is None else pages * self._page_bytes

    def _read(self) -> int | None:
        if self._descriptor is None:
            return None
        try:
            fields = os.pread(self._descriptor, 128, 0).split()
            return int(fields[1]) if len(fields) == 7 else None
        except (OSError, ValueError):
            return None

    def forked(self) -> None:
        """In a new child process: the kept descriptor still shows the parent."""
        self._descriptor = None


_statm = _Statm()
resident_bytes = _statm.resident_bytes
forked = _statm.forked
