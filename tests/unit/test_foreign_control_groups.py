"""Control groups seen from a container: the machine's hierarchies are mounted, its processes have no id here."""

from __future__ import annotations

from pathlib import Path

import pytest

from snipbench.resources.cgroup import CgroupSource
from snipbench.resources.cgroup_path import UNIFIED, group_of_container
from snipbench.resources.port import Target, TargetGone

IDENTITY = "0123456789ab" * 5 + "0123"
TARGET = Target("database:shop", container_id=IDENTITY, cgroup=f"/docker/{IDENTITY}")


def group(tmp_path: Path, **files: str) -> Path:
    folder = tmp_path / "docker" / IDENTITY
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


@pytest.mark.parametrize("members", ["", "0\n0\n"], ids=["version 1", "version 2"])
def test_counters_are_read_though_no_process_has_an_id_here(tmp_path: Path, members: str) -> None:
    group(tmp_path, cgroup__procs=members, cpuacct__usage="2500000000\n", pids__current="7\n")
    source = CgroupSource({"cpuacct": tmp_path, "pids": tmp_path})
    counters = source.read(TARGET)
    source.close()
    assert (counters.cpu_seconds, counters.threads) == (2.5, 7)
    assert counters.processes is None
    assert counters.read_bytes is None


@pytest.mark.parametrize(
    ("cache", "memory"), [("inactive_file 300\n", 700), ("inactive_file 1200\n", 1000), ("", None)]
)
def test_version_2_alone_tells_time_by_its_kind_and_memory_without_idle_cache(
    tmp_path: Path, cache: str, memory: int | None
) -> None:
    group(
        tmp_path,
        cgroup__procs="0\n",
        cpu__stat="usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 0\n",
        memory__current="1000\n",
        memory__stat=f"anon 100\n{cache}active_file 5\n",
        pids__current="7\n",
    )
    source = CgroupSource({UNIFIED: tmp_path})
    counters = source.read(TARGET)
    source.close()
    assert (counters.cpu_seconds, counters.cpu_user_seconds, counters.cpu_system_seconds) == (2.5, 2.0, 0.5)
    assert (counters.memory_bytes, counters.threads) == (memory, 7)
    assert counters.cpu_resolution_seconds == 1e-6


def test_a_group_that_nobody_is_in_any_more_is_gone(tmp_path: Path) -> None:
    group(tmp_path, cgroup__procs="", cpuacct__usage="2500000000\n", pids__current="0\n")
    source = CgroupSource({"cpuacct": tmp_path, "pids": tmp_path})
    with pytest.raises(TargetGone):
        source.read(TARGET)
    source.close()


def test_a_container_s_group_is_found_under_either_driver_of_the_engine(tmp_path: Path) -> None:
    assert group_of_container(IDENTITY, {UNIFIED: tmp_path}) is None
    (tmp_path / "system.slice" / f"docker-{IDENTITY}.scope").mkdir(parents=True)
    assert group_of_container(IDENTITY, {UNIFIED: tmp_path}) == f"/system.slice/docker-{IDENTITY}.scope"
    group(tmp_path)
    assert group_of_container(IDENTITY, {UNIFIED: tmp_path}) == f"/docker/{IDENTITY}"
