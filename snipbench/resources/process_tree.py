"""Counters of a process tree from ``/proc``: the source of embedded mode.

CPU is each process's own clock (nanoseconds, ended threads included), plus what parents inherited from reaped children
(ticks of 10 ms), plus the last counters seen of children that nobody inherited. A child under a parent that ignores
SIGCHLD that lives and dies between two readings is seen by nobody: a cgroup is the exact source there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from snipbench.clock import Clock, SystemClock, to_text
from snipbench.domain.run import Counters
from snipbench.errors import MonitorError
from snipbench.resources.kept import Gone, Kept
from snipbench.resources.port import Target, TargetGone
from snipbench.resources.proc_file import ProcessGone, descriptor_budget
from snipbench.resources.process_list import ProcessList
from snipbench.resources.tree_ledger import TreeLedger, TreeReading


class ProcessTreeSource:
    """Implements :class:`snipbench.resources.port.CounterSource` for targets with a ``pid``. Safe between threads.

    ``cpu_resolution_seconds`` of a reading is 1e-9, or a tick where reaped children's time moved since this source's
    reading before; so who brackets runs uses a source of its own. ``cpu_user_seconds`` and ``cpu_system_seconds`` have
    tick grain always. The sum of ``rss`` counts a page once per process that shares it; ``pss`` does not, but costs
    milliseconds per large process.

    Args:
        memory: what ``memory_bytes`` is, summed over the processes.
        discovery_seconds: a process may be that old when it is first read, with all that it has used by then. 0: each
            reading finds all; above, readings in quick succession cost less, and a child that ended sooner, under a
            parent that ignores SIGCHLD, is seen by nobody.
        clock: stamps the readings.
    """

    name = "process"

    def __init__(
        self, memory: Literal["rss", "pss"] = "rss", *, discovery_seconds: float = 0.0, clock: Clock | None = None
    ) -> None:
        self._memory = memory
        self._discovery_seconds = discovery_seconds
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._ledgers = Kept(self._ledger)
        self._processes = ProcessList()
        self._budget = descriptor_budget()

    def name_for(self, target: Target) -> str:
        """See the port."""
        return self.name

    def read(self, target: Target) -> Counters:
        """See the port. A target that is gone stays gone, even if its process id is given away again."""
        with self._lock:
            at = to_text(self._clock.now())
            with self._telling(target):
                reading = self._ledgers.of(target).read()
        return self._counters(at, reading)

    def look(self, target: Target) -> None:
        """See the port: whether the root is alive."""
        with self._lock, self._telling(target):
            self._ledgers.of(target).look()

    def close(self) -> None:
        """See the port."""
        with self._lock:
            self._ledgers.close()
            self._processes.close()

    @contextmanager
    def _telling(self, target: Target) -> Iterator[None]:
        """What ends a target, in the port's terms."""
        try:
            yield
        except (ProcessGone, Gone) as error:
            self._ledgers.end(target)
            raise TargetGone(f"{target.name}: process {target.pid} ended") from error
        except PermissionError as error:
            raise MonitorError(f"{target.name}: {error}") from error

    def _ledger(self, target: Target) -> TreeLedger:
        if target.pid is None:
            raise MonitorError(f"{target.name}: the process source needs a process id")
        return TreeLedger(
            target.pid,
            self._processes,
            may_keep=self._may_keep,
            proportional=self._memory == "pss",
            discovery_seconds=self._discovery_seconds,
        )

    def _may_keep(self) -> bool:
        return sum(ledger.size for ledger in self._ledgers) < self._budget

    def _counters(self, at: str, reading: TreeReading) -> Counters:
        use = reading.use
        return Counters(
            at=at,
            cpu_user_seconds=use.user / 1e9,
            cpu_system_seconds=use.system / 1e9,
            cpu_seconds=use.cpu / 1e9,
            memory_bytes=reading.memory_bytes,
            memory_definition=self._memory,
            read_bytes=use.read if reading.io_known else None,
            write_bytes=use.write if reading.io_known else None,
            io_definition="proc_io",
            processes=reading.processes,
            threads=reading.threads,
            cpu_resolution_seconds=reading.cpu_resolution_seconds,
        )
