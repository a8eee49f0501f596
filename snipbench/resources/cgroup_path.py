"""Which control group a process is in, and where its files are: version 1, version 2, or both side by side."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

UNIFIED = ""
"""Stands for version 2 in the place of a controller's name."""


def cgroup_of(pid: int, containing: str = "") -> str | None:
    """Path of a process's control group, as in ``/docker/ID``.

    None where there is no such process here, or no part of its path contains the given text: then the process id is
    another machine's or another namespace's.
    """
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return None
    paths = [line.split(":", 2)[2] for line in lines if line.count(":") >= 2]
    return next((path for path in paths if path != "/" and containing in path), None)


def group_of_container(container_id: str, mounted: Mapping[str, Path] | None = None) -> str | None:
    """Path of a Docker container's control group, where the machine's hierarchies are to be seen from here.

    A process in a container sees them where the machine's ``/sys/fs/cgroup`` is mounted for it.
    """
    candidates = (f"/docker/{container_id}", f"/system.slice/docker-{container_id}.scope")
    points = set((hierarchies() if mounted is None else mounted).values())
    return next((path for path in candidates if any((point / path[1:]).is_dir() for point in points)), None)


@cache
def hierarchies(mountinfo: Path = Path("/proc/self/mountinfo")) -> Mapping[str, Path]:
    """Where each controller's hierarchy is mounted, by the controller's name; version 2 under ``UNIFIED``."""
    found: dict[str, Path] = {}
    for line in mountinfo.read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.partition(" ")
        point = Path(left.split()[4])
        if kind == "cgroup2":
            found.setdefault(UNIFIED, point)
        elif kind == "cgroup":
            for name in options.split()[-1].split(","):
                found.setdefault(name, point)
    return found
