"""Facts of an environment as a page shows them: with their units."""

from __future__ import annotations

from typing import Any

from analyzer import words

_NO_LIMIT = 1 << 60
"""Bytes from which on a control group's limit stands for none (version 1 writes the greatest page-aligned number)."""


def fact(value: Any, name: str) -> str:
    """Text of the fact ``name``, as :mod:`orchestrator.environment` and Spark record them."""
    if value is None:
        return "not known"
    if name == "cgroup_cpu_quota":
        return _quota(str(value))
    if name == "cgroup_memory_limit":
        text = str(value)
        return words.size(int(text)) if text.isdigit() and int(text) < _NO_LIMIT else "none"
    if name.endswith("_bytes") and isinstance(value, int):
        return words.size(value)
    if name.endswith("_share") and isinstance(value, float):
        return words.percent(value)
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _quota(text: str) -> str:
    """``MICROSECONDS PERIOD`` or ``max PERIOD`` of version 2; microseconds of each period, -1 for all, of version 1."""
    quota, _, period = text.partition(" ")
    if not quota.isdigit():
        return "none"
    return f"{int(quota) / int(period):.2f} CPUs" if period.isdigit() and int(period) else f"{quota} µs of each period"
