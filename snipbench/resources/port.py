"""What can be watched, and how its counters are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from snipbench.domain.run import Counters
from snipbench.errors import MonitorError


@dataclass(frozen=True, slots=True)
class Target:
    """A thing watched: ``executor`` or ``database:NAME``.

    Exactly what a source needs to find it: the root process id of a process tree, a container id, a cgroup directory.
    """

    name: str
    pid: int | None = None
    container_id: str | None = None
    cgroup: str | None = None


class TargetGone(MonitorError):
    """The target ended; there are no counters any more."""


class CounterSource(Protocol):
    """Port; reads a target's cumulative counters now."""

    name: str
    """``process``, ``cgroup`` or ``docker``; stored beside each number."""

    def read(self, target: Target) -> Counters:
        """Counters at this instant.

        Raises:
            TargetGone: the target ended.
            MonitorError: the source failed.
        """
        ...

    def close(self) -> None:
        """Release kept descriptors."""
        ...
