"""What lies between two readings of each target."""

from __future__ import annotations

import os

from executor import bracketing
from snipbench.resources.cgroup import CgroupSource
from snipbench.resources.combined import CombinedSource, in_group, is_process
from snipbench.resources.port import Target
from snipbench.resources.process_tree import ProcessTreeSource


def test_each_cost_names_the_source_that_read_it_and_what_nobody_reads_is_none() -> None:
    source = CombinedSource([(in_group, CgroupSource()), (is_process, ProcessTreeSource())])
    me, gone, afar = Target("executor", os.getpid()), Target("database:shop", cgroup="/never-was"), Target("far")
    targets = [me, gone, afar]
    before = bracketing.read(source, targets)
    sum(range(1_000_000))
    costs = bracketing.costs(source, targets, before, bracketing.read(source, targets))
    source.close()
    assert [(cost.target, cost.source) for cost in costs] == [
        ("executor", "process"),
        ("database:shop", "cgroup"),
        ("far", "none"),
    ]
    assert costs[0].cpu_seconds is not None
    assert costs[0].cpu_seconds > 0
    assert [cost.cpu_seconds for cost in costs[1:]] == [None, None]
