"""What is read off a run: wall time, CPU time of each side, peak memory."""

from __future__ import annotations

from collections.abc import Callable

from snipbench.domain.run import Run, RunStatus
from snipbench.domain.spark_master import DRIVER

Measure = Callable[[Run], float | None]
"""Run -> value; ``None`` where it is missing or could not be resolved."""


def is_usable(run: Run) -> bool:
    """Whether the run ended well; the figures are made of these."""
    return run.outcome.status is RunStatus.OK


def wall_seconds(run: Run) -> float | None:
    """Time of the materialisation in seconds."""
    return run.outcome.wall_seconds


def cpu_seconds(run: Run, side: str) -> float | None:
    """CPU time in seconds of ``executor`` or ``database``, as read, however short the run."""
    costs = [cost for cost in run.outcome.costs if cost.target.partition(":")[0] == side]
    values = [cost.cpu_seconds for cost in costs if cost.cpu_seconds is not None]
    return sum(values) if values and len(values) == len(costs) else None


def too_short(run: Run, side: str) -> bool | None:
    """Whether the source could not resolve the run's CPU time; ``None`` where that side was not watched."""
    costs = [cost for cost in run.outcome.costs if cost.target.partition(":")[0] == side]
    return any(cost.too_short for cost in costs) if costs else None


def cpu_seconds_executor(run: Run) -> float | None:
    """CPU time of the executor where it could be resolved."""
    return None if too_short(run, "executor") else cpu_seconds(run, "executor")


def cpu_seconds_database(run: Run) -> float | None:
    """CPU time of the reference database where it could be resolved."""
    return None if too_short(run, "database") else cpu_seconds(run, "database")


def sees_all(run: Run) -> bool:
    """Whether all that worked for the run was watched. Executors of a cluster are not: sums over what was watched
    would leave them out."""
    return all(cost.target != DRIVER for cost in run.outcome.costs)


def memory_peak_bytes(run: Run) -> float | None:
    """Peak of the JVM's pools and the Python workers in bytes."""
    return run.outcome.memory.peak_bytes


COMPARED: dict[str, Measure] = {
    "wall_seconds": wall_seconds,
    "cpu_seconds_executor": cpu_seconds_executor,
    "cpu_seconds_database": cpu_seconds_database,
}
"""Measures in which variants are compared with their baselines, by the names that tables and ``--fail-if`` use."""

SUMMARISED: dict[str, Measure] = COMPARED | {"memory_peak_bytes": memory_peak_bytes}
"""Measures that have a median and an interval."""
