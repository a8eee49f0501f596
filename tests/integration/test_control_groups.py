"""Control groups beyond the contract: a hierarchy that tells little, groups that are removed and made again."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest

from snipbench.errors import MonitorError
from snipbench.resources.cgroup import CgroupSource
from snipbench.resources.cgroup_path import UNIFIED, cgroup_of, hierarchies
from snipbench.resources.port import Target, TargetGone
from tests.descriptors import of_the_kernel

pytestmark = pytest.mark.cgroups
CONTROLLERS = {"cpuacct", "memory", "pids", UNIFIED}


class Group:
    """A group in every hierarchy with one sleeping process in it."""

    def __init__(self) -> None:
        self.path = f"/snipbench-test-{uuid.uuid4().hex}"
        self.directories = [hierarchies()[name] / self.path[1:] for name in CONTROLLERS & hierarchies().keys()]
        self.target = Target("database:shop", cgroup=self.path)
        self.begin()

    def begin(self) -> None:
        for directory in self.directories:
            directory.mkdir()
        self.process = subprocess.Popen(["sleep", "600"])
        for directory in self.directories:
            (directory / "cgroup.procs").write_text(str(self.process.pid))

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for directory in self.directories:
            if directory.exists():
                directory.rmdir()


@pytest.fixture
def group() -> Iterator[Group]:
    made = Group()
    yield made
    made.end()


@pytest.fixture
def source() -> Iterator[CgroupSource]:
    made = CgroupSource()
    yield made
    made.close()


def test_a_process_knows_its_group(group: Group) -> None:
    assert cgroup_of(group.process.pid) == group.path
    assert cgroup_of(group.process.pid, containing="another") is None
    assert cgroup_of(2**22 + 1) is None


def test_what_no_hierarchy_tells_is_none_not_zero(group: Group) -> None:
    known = hierarchies()
    places = {UNIFIED: known[UNIFIED]} if UNIFIED in known else {"cpuacct": known["cpuacct"]}
    lonely = CgroupSource(places)
    reading = lonely.read(group.target)
    told = {file.name for file in (next(iter(places.values())) / group.path[1:]).iterdir()}
    assert reading.cpu_seconds is not None
    assert (reading.memory_bytes is None) == ("memory.current" not in told)
    assert (reading.threads is None) == ("pids.current" not in told)
    assert reading.processes == 1
    lonely.close()


def test_without_version_2_the_split_of_cpu_time_is_counted_in_ticks(group: Group) -> None:
    known = {name: point for name, point in hierarchies().items() if name != UNIFIED} or hierarchies()
    old = CgroupSource(known)
    reading = old.read(group.target)
    parts = (reading.cpu_user_seconds, reading.cpu_system_seconds)
    if known == hierarchies():  # version 2 is all that there is
        assert reading.cpu_resolution_seconds == 1e-6
    else:
        assert reading.cpu_resolution_seconds == 1e-9
        assert all(part is not None and (part * 100) == pytest.approx(round(part * 100)) for part in parts)
    assert reading.memory_bytes is not None
    old.close()


def test_no_hierarchy_at_all_is_an_error_and_not_zeros(group: Group) -> None:
    with pytest.raises(MonitorError, match="no control groups that count CPU time"):
        CgroupSource({}).read(group.target)


def test_a_group_made_again_under_its_name_is_another_one(group: Group, source: CgroupSource) -> None:
    source.read(group.target)
    group.end()
    group.begin()
    for _ in range(2):
        with pytest.raises(TargetGone):
            source.read(group.target)
    assert CgroupSource().read(group.target).processes == 1


def test_descriptors_are_kept_and_given_back(group: Group, source: CgroupSource) -> None:
    before = of_the_kernel()
    source.read(group.target)
    kept = of_the_kernel()
    source.read(group.target)
    assert before < of_the_kernel() == kept
    source.close()
    assert of_the_kernel() == before


def test_a_target_without_a_group_is_refused(source: CgroupSource) -> None:
    with pytest.raises(MonitorError, match="needs a control group"):
        source.read(Target("executor", pid=1))


BURST = """
import resource, sys, time
print("started", flush=True)  # what starting costs is no part of it
sys.stdin.readline()
before = resource.getrusage(resource.RUSAGE_SELF)
end = time.process_time() + 0.3
while time.process_time() < end:
    pass
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, flush=True)
sys.stdin.readline()
"""


def test_either_version_counts_a_burst_as_the_kernel_counts_it_for_the_process(group: Group) -> None:
    versions = {name: point for name, point in hierarchies().items() if name in {"cpuacct", UNIFIED}}
    sources = [CgroupSource({name: point}) for name, point in versions.items()]
    burst = subprocess.Popen([sys.executable, "-c", BURST], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert burst.stdin is not None
    assert burst.stdout is not None
    for directory in group.directories:
        (directory / "cgroup.procs").write_text(str(burst.pid))
    burst.stdout.readline()
    before = [source.read(group.target).cpu_seconds for source in sources]
    burst.stdin.write("\n")
    burst.stdin.flush()
    used = float(burst.stdout.readline())
    after = [source.read(group.target).cpu_seconds for source in sources]
    burst.communicate("\n")
    for source in sources:
        source.close()
    assert sources
    for first, last in zip(before, after, strict=True):
        assert first is not None
        assert last is not None
        assert last - first == pytest.approx(used, rel=0.05, abs=0.01)
