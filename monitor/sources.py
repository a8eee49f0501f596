"""Which source of counters an order's ``monitor.source`` means."""

from __future__ import annotations

from typing import Literal

from snipbench.errors import UsageError
from snipbench.resources.port import CounterSource
from snipbench.resources.process_tree import ProcessTreeSource

SourceName = Literal["auto", "docker", "cgroup", "process"]


def choose_source(name: SourceName) -> CounterSource:
    """The source of that name; ``auto`` is the process tree.

    Raises:
        UsageError: the source is not built yet.
    """
    if name in {"auto", "process"}:
        return ProcessTreeSource()
    raise UsageError(f"monitor.source: {name} is not built yet; use process or auto")
