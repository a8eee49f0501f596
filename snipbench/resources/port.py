"""What can be watched, and how its counters are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from snipbench.domain.run import Counters
from snipbench.errors import MonitorError


@dataclass(frozen=True, slots=True)
class Target:
    """A thing watched: ``executor`` (``driver`` where Spark's executors are on a cluster) or ``database:NAME``.

    Exactly what a source needs to find it: the root process id of a process tree, a container id, a cgroup directory.
    """

    name: str
    pid: int | None = None
    container_id: str | None = None
    cgroup: str | None = None


class TargetGone(MonitorError):
    """The target ended; there are no counters any more."""


class SourceStalled(MonitorError):
    """The source tells nothing at the moment; it may go on."""

    retryable = True


class CounterSource(Protocol):
    """Port; reads a target's cumulative counters now."""

    name: str
    """``process``, ``cgroup``, ``docker``; ``auto`` where each target has a source of its own."""

    def name_for(self, target: Target) -> str:
        """Name of the source that reads this target; stored beside each number."""
        ...

    def read(self, target: Target) -> Counters:
        """Counters at this instant.

        Raises:
            TargetGone: the target ended.
            SourceStalled: there are none now; there may be later.
            MonitorError: the source failed.
        """
        ...

    def look(self, target: Target) -> None:
        """Whether a reading would go well, of a target that was read before. Waits for nothing and reads no counters,
        so that it may be asked several times a second between two readings that are far apart.

        Raises:
            As :meth:`read`, for what is known by now.
        """
        ...

    def close(self) -> None:
        """Release kept descriptors."""
        ...
