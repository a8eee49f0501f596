"""One process as ``/proc`` shows it, read through kept descriptors.

A descriptor of ``/proc/PID/stat`` belongs to the process, not to the number: after its end it answers ESRCH, even if
the number was given away again.
"""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress
from typing import NamedTuple

from snipbench.errors import MonitorError

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
_TICK_NANOSECONDS = round(1e9 * TICK_SECONDS)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_CLOCK_OF_PROCESS = 2
"""``CPUCLOCK_SCHED`` in the kernel's ``include/linux/posix-timers_types.h``: all threads, also ended ones, in ns."""


class ProcessGone(Exception):
    """The process ended and was reaped."""


class Stat(NamedTuple):
    """What ``/proc/PID/stat`` tells. Times in nanoseconds, of tick grain (10 ms); ``reaped`` are ended children's."""

    state: str
    parent: int
    group: int
    session: int
    user: int
    system: int
    reaped_user: int
    reaped_system: int
    threads: int
    started_ticks: int
    resident_bytes: int

    @property
    def alive(self) -> bool:
        """Whether it is more than a zombie."""
        return self.state not in {"Z", "X"}


class ProcessFile:
    """The files of one process. Not for use by several threads at once.

    Raises (all methods):
        ProcessGone: it ended.
        MonitorError: ``/proc`` cannot be read.
    """

    def __init__(self, pid: int, *, keep: bool) -> None:
        self.pid = pid
        self._keep = keep
        self._descriptors: dict[str, int] = {}

    def stat(self) -> Stat:
        """Identity, times, threads, resident memory. Also of a zombie."""
        text = self._read("stat", 1024)
        # The name in parentheses may itself hold blanks and parentheses.
        fields = text[text.rindex(b")") + 2 :].split()
        return Stat(
            state=fields[0].decode(),
            parent=int(fields[1]),
            group=int(fields[2]),
            session=int(fields[3]),
            user=int(fields[11]) * _TICK_NANOSECONDS,
            system=int(fields[12]) * _TICK_NANOSECONDS,
            reaped_user=int(fields[13]) * _TICK_NANOSECONDS,
            reaped_system=int(fields[14]) * _TICK_NANOSECONDS,
            threads=int(fields[17]),
            started_ticks=int(fields[19]),
            resident_bytes=int(fields[21]) * _PAGE_BYTES,
        )

    def cpu_nanoseconds(self) -> int | None:
        """Exact CPU time of all threads, also ended ones; ``None`` where the kernel does not tell it."""
        try:
            return time.clock_gettime_ns((~self.pid << 3) | _CLOCK_OF_PROCESS)
        except OSError:
            return None

    def io_bytes(self) -> tuple[int, int] | None:
        """Bytes read from and written to storage, with reaped children's; ``None`` where the kernel refuses."""
        try:
            fields = self._read("io", 512).split()
        except PermissionError:
            return None
        # rchar, wchar, syscr, syscw, then the two that storage saw; each a name and a number.
        return int(fields[9]), int(fields[11])

    def proportional_bytes(self) -> int | None:
        """Proportional set size; ``None`` where the kernel refuses. Costs milliseconds on a large process."""
        try:
            for line in self._read("smaps_rollup", 4096).splitlines():
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
        except PermissionError:
            return None
        return 0  # a zombie or a kernel thread has no memory

    def ignores_children(self) -> bool:
        """Whether SIGCHLD is ignored, so that ended children's counters reach nobody."""
        for line in self._read("status", 8192).splitlines():
            if line.startswith(b"SigIgn:"):
                return bool(int(line.split()[1], 16) >> 16 & 1)
        return False

    def close(self) -> None:
        """Give the descriptors back."""
        for descriptor in self._descriptors.values():
            with suppress(OSError):
                os.close(descriptor)
        self._descriptors.clear()

    def _read(self, name: str, size: int) -> bytes:
        try:
            descriptor = self._descriptors.get(name)
            if descriptor is not None:
                return os.pread(descriptor, size, 0)
            descriptor = os.open(f"/proc/{self.pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, ProcessLookupError) as error:
            raise ProcessGone(self.pid) from error
        except PermissionError:
            raise
        except OSError as error:
            raise MonitorError(f"cannot read /proc/{self.pid}/{name}: {error.strerror}") from error
        try:
            text = os.pread(descriptor, size, 0)
        except ProcessLookupError as error:
            os.close(descriptor)
            raise ProcessGone(self.pid) from error
        except OSError:
            os.close(descriptor)
            raise
        if self._keep and name in {"stat", "io"}:
            self._descriptors[name] = descriptor
        else:
            os.close(descriptor)
        return text


def descriptor_budget() -> int:
    """How many processes may keep their descriptors: a quarter of what the process may open, two each."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 512 if soft == resource.RLIM_INFINITY else min(512, soft // 8)
