"""Counters of each target right before and right after a run, and what lies between them (design, rule 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from snipbench.domain.run import Cost, Counters
from snipbench.errors import MonitorError
from snipbench.resources.port import CounterSource, Target

FEW_STEPS = 5
"""A run that used fewer steps of the source's CPU counter than this is too short for it: an error beyond 20 %."""

Readings = Mapping[str, Counters | None]

Number = TypeVar("Number", int, float)


def read(source: CounterSource, targets: Sequence[Target]) -> dict[str, Counters | None]:
    """Counters of each target by name, in the order given; ``None`` where the target is gone or the source failed."""
    readings: dict[str, Counters | None] = {}
    for target in targets:
        try:
            readings[target.name] = source.read(target)
        except MonitorError:  # recorded as a missing value: the run itself may well be sound
            readings[target.name] = None
    return readings


def costs(source: CounterSource, targets: Sequence[Target], before: Readings, after: Readings) -> tuple[Cost, ...]:
    """One cost per target, in the order given, with the name of the source that read it."""
    return tuple(
        _cost(target.name, source.name_for(target), before.get(target.name), after.get(target.name))
        for target in targets
    )


def _cost(target: str, source: str, start: Counters | None, end: Counters | None) -> Cost:
    if start is None or end is None:
        return Cost(target, None, None, None, None, None, None, "", source)
    cpu = _difference(start.cpu_seconds, end.cpu_seconds)
    step = end.cpu_resolution_seconds
    return Cost(
        target=target,
        cpu_seconds=cpu,
        cpu_user_seconds=_difference(start.cpu_user_seconds, end.cpu_user_seconds),
        cpu_system_seconds=_difference(start.cpu_system_seconds, end.cpu_system_seconds),
        read_bytes=_difference(start.read_bytes, end.read_bytes),
        write_bytes=_difference(start.write_bytes, end.write_bytes),
        memory_bytes_after=end.memory_bytes,
        memory_definition=end.memory_definition,
        source=source,
        too_short=cpu is not None and step is not None and cpu < FEW_STEPS * step,
    )


def _difference(start: Number | None, end: Number | None) -> Number | None:
    """``None`` also where the counter went back: a process took its share with it, and the difference means nothing."""
    if start is None or end is None or end < start:
        return None
    return end - start
