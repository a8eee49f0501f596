"""An environment's facts carry their units on the page."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.report.facts import fact


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("memory_bytes", 25_274_793_984, "25.3 GB"),
        ("cgroup_memory_limit", "9223372036854771712", "none"),
        ("cgroup_memory_limit", "max", "none"),
        ("cgroup_memory_limit", "4000000000", "4.0 GB"),
        ("cgroup_cpu_quota", "-1", "none"),
        ("cgroup_cpu_quota", "max 100000", "none"),
        ("cgroup_cpu_quota", "150000 100000", "1.50 CPUs"),
        ("cgroup_cpu_quota", "150000", "150000 µs of each period"),
        ("load_average_1m", 4.7236328125, "4.72"),
        ("steal_share", 0.25, "25 %"),
        ("cpu_governor", None, "not known"),
        ("kernel", "6.18", "6.18"),
        ("cpu_count", 2, "2"),
    ],
)
def test_a_fact_has_its_unit(name: str, value: Any, shown: str) -> None:
    assert fact(value, name) == shown
