"""Counters of containers against the kernel, and what is told when a container dies."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from monitor.events import EventKind
from monitor.monitor import Monitor, MonitorSettings
from monitor.sampler import StreamId
from orchestrator.databases.docker.engine import connect
from orchestrator.databases.docker.provider import DockerProvider
from orchestrator.databases.port import ReferenceDatabase
from snipbench.resources.cgroup import CgroupSource
from snipbench.resources.cgroup_path import UNIFIED, hierarchies
from snipbench.resources.docker_stream import DockerStreamSource
from snipbench.resources.port import CounterSource, Target, TargetGone
from snipbench.store.sqlite import SqliteStore

from .conftest import eventually

pytestmark = [pytest.mark.docker, pytest.mark.root]


def kernels_cpu_seconds(clone: ReferenceDatabase) -> float:
    assert clone.target.cgroup is not None
    inside = clone.target.cgroup.lstrip("/")
    if "cpuacct" in hierarchies():
        return int((hierarchies()["cpuacct"] / inside / "cpuacct.usage").read_text()) / 1e9
    return int((hierarchies()[UNIFIED] / inside / "cpu.stat").read_text().split()[1]) / 1e6


def test_a_burst_of_200_ms_is_bracketed_within_5_percent(cloned: Callable[..., ReferenceDatabase]) -> None:
    clone, source = cloned(), CgroupSource()
    burn = (
        "DO $$ DECLARE stop timestamptz := clock_timestamp() + interval '200 ms'; "
        "BEGIN WHILE clock_timestamp() < stop LOOP PERFORM sum(i) FROM generate_series(1, 1000) i; END LOOP; END $$"
    )
    with psycopg.connect(**clone.admin.parameters, autocommit=True) as session:
        session.execute("SELECT 1")
        for _ in range(3):
            earlier, before = kernels_cpu_seconds(clone), source.read(clone.target)
            session.execute(burn.encode())
            after, later = source.read(clone.target), kernels_cpu_seconds(clone)
            assert before.cpu_seconds is not None
            assert after.cpu_seconds is not None
            assert after.cpu_seconds - before.cpu_seconds == pytest.approx(later - earlier, rel=0.05)
    assert after.memory_bytes is not None
    assert after.processes is not None
    assert after.processes > 3
    assert after.read_bytes is not None
    source.close()


def read_on(source: CounterSource, target: Target) -> None:
    while True:
        source.read(target)


@pytest.fixture(params=["cgroup", "docker"])
def source(request: pytest.FixtureRequest) -> Iterator[CounterSource]:
    source: CounterSource = CgroupSource() if request.param == "cgroup" else DockerStreamSource()
    yield source
    source.close()


def test_a_stopped_process_goes_on_being_told_and_a_killed_one_is_gone(
    cloned: Callable[..., ReferenceDatabase], source: CounterSource
) -> None:
    clone, api = cloned(), connect().api
    readings = [source.read(clone.target)]
    api.kill(clone.target.container_id, "SIGSTOP")
    readings += [source.read(clone.target) for _ in range(2)]
    api.kill(clone.target.container_id, "SIGCONT")
    assert all(reading.cpu_seconds and reading.memory_bytes for reading in readings)
    assert [reading.at for reading in readings] == sorted({reading.at for reading in readings})
    assert [reading.cpu_seconds for reading in readings] == sorted(reading.cpu_seconds or 0 for reading in readings)
    api.kill(clone.target.container_id, "SIGKILL")
    with pytest.raises(TargetGone, match="database:small"):
        read_on(source, clone.target)


def test_a_removed_container_is_gone(
    cloned: Callable[..., ReferenceDatabase], containers: DockerProvider, source: CounterSource
) -> None:
    clone = cloned()
    source.read(clone.target)
    removing = threading.Thread(target=containers.release, args=(clone.clone_id,))
    removing.start()
    with pytest.raises(TargetGone, match="database:small"):
        read_on(source, clone.target)
    removing.join()


def test_a_restarted_container_is_told_and_no_difference_spans_the_restart(
    cloned: Callable[..., ReferenceDatabase], source: CounterSource, tmp_path: Path
) -> None:
    clone, api = cloned(), connect().api
    told: queue.SimpleQueue[EventKind] = queue.SimpleQueue()
    store = SqliteStore(tmp_path / "store.sqlite")
    monitor = Monitor(
        store,
        source,
        [clone.target],
        StreamId("task-1", "burn", "stream-1"),
        on_event=lambda kind, target, message, at: told.put(kind),
        settings=MonitorSettings(interval_seconds=0.1, batch_age_seconds=0.1),
    )
    monitor.start()
    assert eventually(lambda: store.count("samples") > 1, 60)
    api.kill(clone.target.container_id, "SIGKILL")
    api.start(clone.target.container_id)
    while (kind := told.get(timeout=60)) in {EventKind.SOURCE_STALLED, EventKind.SOURCE_RESUMED}:
        continue
    monitor.stop()
    assert kind in {EventKind.TARGET_GONE, EventKind.COUNTERS_RESTARTED}
    streams: dict[str, list[float]] = {}
    for sample in store.find("samples", order_by=("sequence",)):
        streams.setdefault(sample["stream_id"], []).append(sample["cpu_seconds"])
    store.close()
    assert all(used == sorted(used) and used[0] > 0 for used in streams.values())
