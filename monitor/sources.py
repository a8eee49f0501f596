"""Which source of counters an order's ``monitor.source`` means for the targets at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from snipbench.errors import UsageError
from snipbench.resources.cgroup import CgroupSource
from snipbench.resources.combined import CombinedSource, in_container, in_group, is_process
from snipbench.resources.docker_stream import DockerStreamSource
from snipbench.resources.port import CounterSource, Target
from snipbench.resources.process_tree import ProcessTreeSource

DISCOVERY_SECONDS = 0.25
"""How old a new process may be before a stream shows it. Twenty looks a second for new ones were half of what watching
a session at work costs; what a run costs is read around it, by a source that finds all each time."""

SourceName = Literal["auto", "docker", "cgroup", "process"]


def choose_source(name: SourceName, targets: Sequence[Target]) -> CounterSource:
    """The source of that name.

    ``auto`` takes control groups for containers, or Docker's stream where those cannot be read, and the process tree
    for the rest. ``cgroup`` and ``docker`` are about containers as well; the session's process, which is none, is read
    as a tree. Each sample says which source it is from.

    Raises:
        UsageError: no target can be read by the source that was asked for.
        MonitorError: Docker's client library is missing.
    """
    tree = (is_process, ProcessTreeSource(discovery_seconds=DISCOVERY_SECONDS))
    if name == "process":
        return tree[1]
    if name != "docker" and any(map(in_group, targets)):
        return CombinedSource([(in_group, CgroupSource()), tree])
    if name != "cgroup" and any(map(in_container, targets)):
        return CombinedSource([(in_container, DockerStreamSource()), tree])
    if name == "auto":
        return tree[1]
    raise UsageError(
        f"monitor.source: {name} needs reference databases in containers of this machine (--databases docker); "
        "use process or auto"
    )
