"""One frame of Docker's stats stream as counters, by the formulas of ``docker stats``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from snipbench.clock import to_text
from snipbench.domain.run import Counters


def counters_of(frame: Mapping[str, Any]) -> Counters | None:
    """Counters of a frame; None for a frame of a container that does not run.

    The engine goes on sending frames after a container's death: read in the year 1, without use of memory, CPU 0.
    Version 1 of control groups is told by ``percpu_usage``; its split of CPU time in user and system is wrong there.
    """
    read = instant(str(frame.get("read", "")))
    cpu = frame.get("cpu_stats", {}).get("cpu_usage", {})
    if read is None or read.year == 1 or not cpu.get("total_usage"):
        return None
    first = "percpu_usage" in cpu
    io = _io(frame.get("blkio_stats", {}).get("io_service_bytes_recursive"))
    return Counters(
        at=to_text(read),
        cpu_user_seconds=None if first else _seconds(cpu.get("usage_in_usermode")),
        cpu_system_seconds=None if first else _seconds(cpu.get("usage_in_kernelmode")),
        cpu_seconds=cpu["total_usage"] / 1e9,
        memory_bytes=_memory(frame.get("memory_stats", {})),
        memory_definition="cgroup_less_inactive_file",
        read_bytes=io.get("read"),
        write_bytes=io.get("write"),
        io_definition="blkio",
        processes=None,
        threads=frame.get("pids_stats", {}).get("current"),
        cpu_resolution_seconds=1e-9 if first else 1e-6,
    )


def instant(text: str) -> datetime | None:
    """An instant with up to nine decimals, as Go writes it; None if it is none."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z", text)
    if match is None:
        return None
    fraction = (match.group(2) or "0")[:6].ljust(6, "0")
    return datetime.fromisoformat(match.group(1)).replace(microsecond=int(fraction), tzinfo=UTC)


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e9


def _memory(told: Mapping[str, Any]) -> int | None:
    used = told.get("usage")
    if used is None:
        return None
    details = told.get("stats", {})
    idle = details.get("total_inactive_file", details.get("inactive_file"))
    return int(used - idle if idle is not None and idle < used else used)


def _io(entries: list[Mapping[str, Any]] | None) -> dict[str, int]:
    """Bytes by ``read`` and ``write``, over all devices; empty where the engine reports none."""
    sums: dict[str, int] = {}
    for entry in entries or ():
        kind = str(entry["op"]).lower()
        sums[kind] = sums.get(kind, 0) + int(entry["value"])
    return sums
