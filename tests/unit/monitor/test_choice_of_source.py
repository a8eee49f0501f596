"""What ``monitor.source`` means for the targets at hand."""

from __future__ import annotations

import pytest

from monitor.sources import choose_source
from snipbench.errors import MonitorError, UsageError
from snipbench.resources.cgroup import CgroupSource
from snipbench.resources.combined import CombinedSource, in_group, is_process
from snipbench.resources.port import Target
from snipbench.resources.process_tree import ProcessTreeSource

EXECUTOR = Target("executor", pid=1)
GROUPED = Target("database:shop", pid=2, container_id="abc", cgroup="/docker/abc")
AFAR = Target("database:shop", container_id="abc")


@pytest.mark.parametrize(
    ("name", "targets", "chosen"),
    [
        ("process", [EXECUTOR, GROUPED], ["process", "process"]),
        ("auto", [EXECUTOR], ["process"]),
        ("auto", [EXECUTOR, GROUPED], ["process", "cgroup"]),
        pytest.param("auto", [EXECUTOR, AFAR], ["process", "docker"], marks=pytest.mark.docker),
        ("cgroup", [EXECUTOR, GROUPED], ["process", "cgroup"]),
        pytest.param("docker", [EXECUTOR, GROUPED], ["process", "docker"], marks=pytest.mark.docker),
    ],
)
def test_each_target_gets_the_source_that_suits_it(name: str, targets: list[Target], chosen: list[str]) -> None:
    source = choose_source(name, targets)  # type: ignore[arg-type]
    assert [source.name_for(target) for target in targets] == chosen
    source.close()


@pytest.mark.parametrize(
    ("name", "targets"), [("cgroup", [EXECUTOR]), ("docker", [EXECUTOR]), ("cgroup", [EXECUTOR, AFAR])]
)
def test_a_source_that_suits_no_target_is_refused_with_the_way_out(name: str, targets: list[Target]) -> None:
    with pytest.raises(UsageError, match="--databases docker"):
        choose_source(name, targets)  # type: ignore[arg-type]


def test_a_target_that_nothing_suits_is_an_error_and_not_zeros() -> None:
    source = CombinedSource([(in_group, CgroupSource()), (is_process, ProcessTreeSource())])
    with pytest.raises(MonitorError, match="no source of counters"):
        source.read(AFAR)
    assert source.name_for(AFAR) == "none"
