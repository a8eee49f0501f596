"""Counters of a control group, version 1, version 2 or both: exact for whatever comes and goes in it.

CPU is ``cpuacct.usage`` (ns) or ``cpu.stat`` (µs). Its division in user and system is that of ``cpu.stat`` where there
is one; ``cpuacct.stat`` counts ticks. Memory is what ``docker stats`` shows: the group's use less the file cache that
nobody used lately. I/O is that of ``/proc/PID/io``: the block layer's counters stay empty on many machines.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from snipbench.clock import Clock, SystemClock, to_text
from snipbench.domain.run import Counters
from snipbench.errors import MonitorError
from snipbench.resources.cgroup_io import GroupIo
from snipbench.resources.cgroup_path import UNIFIED, hierarchies
from snipbench.resources.kept import Gone, Kept
from snipbench.resources.port import Target, TargetGone
from snipbench.resources.proc_file import TICK_SECONDS


class GroupGone(Exception):
    """The group was removed, or no process is left in it."""


class CgroupSource:
    """Implements :class:`snipbench.resources.port.CounterSource` for targets with a ``cgroup``. Safe between threads.

    What the machine's hierarchies do not tell (memory without a memory controller, say) is ``None``.

    Args:
        mounted: where each controller's hierarchy is mounted; by default as this machine says.
        clock: stamps the readings.
    """

    name = "cgroup"

    def __init__(self, mounted: Mapping[str, Path] | None = None, *, clock: Clock | None = None) -> None:
        self._mounted = hierarchies() if mounted is None else mounted
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._groups = Kept(self._group)

    def name_for(self, target: Target) -> str:
        """See the port."""
        return self.name

    def read(self, target: Target) -> Counters:
        """See the port. A target that is gone stays gone, even if a group of its name is made again."""
        with self._lock:
            at = to_text(self._clock.now())
            with self._telling(target):
                return self._groups.of(target).read(at)

    def look(self, target: Target) -> None:
        """See the port: whether processes are left in the group."""
        with self._lock, self._telling(target):
            self._groups.of(target).look()

    def close(self) -> None:
        """See the port."""
        with self._lock:
            self._groups.close()

    @contextmanager
    def _telling(self, target: Target) -> Iterator[None]:
        """What ends a target, in the port's terms."""
        try:
            yield
        except (GroupGone, Gone) as error:
            self._groups.end(target)
            raise TargetGone(f"{target.name}: control group {target.cgroup} ended") from error
        except OSError as error:
            raise MonitorError(f"{target.name}: control group {target.cgroup}: {error.strerror}") from error

    def _group(self, target: Target) -> ControlGroup:
        if target.cgroup is None:
            raise MonitorError(f"{target.name}: the cgroup source needs a control group")
        return ControlGroup(self._mounted, target.cgroup)


class ControlGroup:
    """The files of one group, their descriptors kept: a descriptor belongs to the group, not to its name.

    Raises (all methods):
        GroupGone: it was removed, or is empty.
        MonitorError: no hierarchy tells its CPU time.
    """

    def __init__(self, mounted: Mapping[str, Path], path: str) -> None:
        places = {name: point / path.lstrip("/") for name, point in mounted.items()}
        self._unified = places.get(UNIFIED)
        self._accounting = places.get("cpuacct")
        self._memory_v1 = places.get("memory")
        self._tasks = places.get("pids") or self._unified
        self._descriptors: dict[Path, int | None] = {}
        self._io = GroupIo()
        home = self._accounting or self._unified
        if home is None:
            raise MonitorError("this machine has no control groups that count CPU time")
        self._members = home / "cgroup.procs"
        self._visible = False
        """Whether processes of it were ever listed, which those of another namespace are not."""

    def read(self, at: str) -> Counters:
        """All counters now."""
        processes = self._processes()
        cpu, user, system, resolution = self._cpu()
        threads = self._number(self._tasks, "pids.current")
        self._visible = self._visible or bool(processes)
        # A process that has ended but was not waited for still counts as a thread; it is no longer listed.
        if not processes and (self._visible or not threads):
            raise GroupGone
        io = self._io.read(processes) if processes else None
        return Counters(
            at=at,
            cpu_user_seconds=user,
            cpu_system_seconds=system,
            cpu_seconds=cpu,
            memory_bytes=self._memory(),
            memory_definition="cgroup_less_inactive_file",
            read_bytes=None if io is None else io[0],
            write_bytes=None if io is None else io[1],
            io_definition="proc_io",
            processes=len(processes) or None,
            threads=threads,
            cpu_resolution_seconds=resolution,
        )

    def look(self) -> None:
        """Only whether processes that were seen in it are gone."""
        if not self._processes() and self._visible:
            raise GroupGone

    def close(self) -> None:
        """Give the descriptors back."""
        for descriptor in self._descriptors.values():
            if descriptor is not None:
                with suppress(OSError):
                    os.close(descriptor)
        self._descriptors.clear()
        self._io.close()

    def _processes(self) -> list[int]:
        """Ids of the processes, rising. Opened each time: version 1 gives a kept descriptor the list of before.

        Processes of a namespace that is not ours have no id here: version 1 leaves them out, version 2 writes 0.
        """
        try:
            found = sorted(map(int, self._members.read_bytes().split()))
        except FileNotFoundError as error:
            raise GroupGone from error
        except OSError as error:
            if error.errno == errno.ENODEV:
                raise GroupGone from error
            raise
        return [pid for pid in found if pid != 0]

    def _cpu(self) -> tuple[float, float | None, float | None, float]:
        """CPU in all, user, system, resolution; all in seconds."""
        told = self._table(self._unified, "cpu.stat")
        parts = (told["user_usec"] / 1e6, told["system_usec"] / 1e6) if "user_usec" in told else (None, None)
        exact = self._number(self._accounting, "cpuacct.usage")
        if exact is None:
            if "usage_usec" not in told:
                raise GroupGone
            return told["usage_usec"] / 1e6, *parts, 1e-6
        if parts[0] is None:
            ticks = self._table(self._accounting, "cpuacct.stat")
            if "user" in ticks:
                return exact / 1e9, ticks["user"] * TICK_SECONDS, ticks["system"] * TICK_SECONDS, 1e-9
        return exact / 1e9, *parts, 1e-9

    def _memory(self) -> int | None:
        if self._memory_v1 is not None:
            used = self._number(self._memory_v1, "memory.usage_in_bytes")
            idle = self._table(self._memory_v1, "memory.stat").get("total_inactive_file")
        else:
            used = self._number(self._unified, "memory.current")
            idle = self._table(self._unified, "memory.stat").get("inactive_file")
        if used is None or idle is None:
            return None
        return used - idle if idle < used else used

    def _number(self, place: Path | None, name: str) -> int | None:
        text = None if place is None else self._text(place / name)
        return None if text is None else int(text)

    def _table(self, place: Path | None, name: str) -> dict[str, int]:
        text = None if place is None else self._text(place / name)
        if text is None:
            return {}
        words = text.decode().split()
        return {key: int(value) for key, value in zip(words[::2], words[1::2], strict=True)}

    def _text(self, path: Path) -> bytes | None:
        """Content of a file now; None where the group has no such file. GroupGone where there is no group."""
        if path not in self._descriptors:
            try:
                self._descriptors[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError as error:
                if not path.parent.is_dir():
                    raise GroupGone from error
                self._descriptors[path] = None
        descriptor = self._descriptors[path]
        if descriptor is None:
            return None
        try:
            return os.pread(descriptor, 1 << 16, 0)
        except OSError as error:
            if path.parent.is_dir() and self._same(path, descriptor):
                raise
            raise GroupGone from error

    @staticmethod
    def _same(path: Path, descriptor: int) -> bool:
        """Whether the file of that name is still the one that is open."""
        try:
            return os.path.samestat(path.stat(), os.fstat(descriptor))
        except OSError:
            return False
