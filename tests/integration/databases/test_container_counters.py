"""Counters of containers against the kernel, and what is told when a container dies."""

from __future__ import annotations

import queue
import re
import threading
import time
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
from snipbench.clock import SystemClock, from_text
from snipbench.resources.cgroup import CgroupSource
from snipbench.resources.cgroup_path import UNIFIED, hierarchies
from snipbench.resources.docker_stream import DockerStreamSource
from snipbench.resources.port import CounterSource, Target, TargetGone
from snipbench.store.sqlite import SqliteStore
from tests.breath import STALLS, Breath

from .conftest import eventually

pytestmark = [pytest.mark.docker, pytest.mark.root]

PROMISED_SECONDS = 2
"""In so long the end of a container is told."""


def processes_of(clone: ReferenceDatabase) -> Iterator[Path]:
    """``/proc`` folders of the container's processes, as the host names them."""
    assert clone.target.cgroup is not None
    mount = hierarchies().get("cpuacct", hierarchies().get(UNIFIED))
    assert mount is not None
    for pid in (mount / clone.target.cgroup.lstrip("/") / "cgroup.procs").read_text().split():
        yield Path("/proc", pid)


def process_of(clone: ReferenceDatabase, inside: int) -> Path:
    """The one that has the number ``inside`` in the container."""
    (found,) = [
        process
        for process in processes_of(clone)
        if re.search(rf"^NSpid:.*\b{inside}$", (process / "status").read_text(), re.MULTILINE)
    ]
    return found


def scheduled_seconds(process: Path) -> float:
    """Time on a processor, of the process's one thread."""
    return int((process / "schedstat").read_text().split()[0]) / 1e9


def test_a_burst_of_200_ms_is_bracketed_within_5_percent(cloned: Callable[..., ReferenceDatabase]) -> None:
    """Against what the scheduler tells of the one process that burns, which is in no control group's file."""
    clone, source = cloned(), CgroupSource()
    burn = (
        "DO $$ DECLARE stop timestamptz := clock_timestamp() + interval '200 ms'; "
        "BEGIN WHILE clock_timestamp() < stop LOOP PERFORM sum(i) FROM generate_series(1, 1000) i; END LOOP; END $$"
    )
    with psycopg.connect(**clone.admin.parameters, autocommit=True) as session:
        session.execute("SELECT 1")
        backend = process_of(clone, session.info.backend_pid)
        for _ in range(3):
            earlier, before = scheduled_seconds(backend), source.read(clone.target)
            session.execute(burn.encode())
            after, later = source.read(clone.target), scheduled_seconds(backend)
            assert before.cpu_seconds is not None
            assert after.cpu_seconds is not None
            assert after.cpu_seconds - before.cpu_seconds == pytest.approx(later - earlier, rel=0.05)
    assert after.memory_bytes is not None
    assert after.processes is not None
    assert after.processes > 3
    assert after.read_bytes is not None
    source.close()


def read_on(source: CounterSource, target: Target) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        source.read(target)


def gone(source: CounterSource, target: Target) -> float:
    """Reads on until the target's end is told; when that was, by the monotonic clock."""
    with pytest.raises(TargetGone, match="database:small"):
        read_on(source, target)
    return time.monotonic()


@pytest.fixture(params=["cgroup", "docker"])
def source(request: pytest.FixtureRequest) -> Iterator[CounterSource]:
    source: CounterSource = CgroupSource() if request.param == "cgroup" else DockerStreamSource()
    yield source
    source.close()


@pytest.mark.alone
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
    with Breath() as breath:
        killed = time.monotonic()
        api.kill(clone.target.container_id, "SIGKILL")
        told = gone(source, clone.target)
    assert told - killed - breath.missed < PROMISED_SECONDS


@pytest.mark.alone
def test_a_removed_container_is_gone(
    cloned: Callable[..., ReferenceDatabase], containers: DockerProvider, source: CounterSource
) -> None:
    clone = cloned()
    source.read(clone.target)
    removing = threading.Thread(target=containers.release, args=(clone.clone_id,))
    with Breath() as breath:
        began = time.monotonic()
        removing.start()
        told = gone(source, clone.target)
    removing.join()
    assert told - began - breath.missed < PROMISED_SECONDS


@pytest.mark.alone
def test_a_restarted_container_is_told_and_no_difference_spans_the_restart(
    cloned: Callable[..., ReferenceDatabase], source: CounterSource, tmp_path: Path
) -> None:
    clone, api = cloned(), connect().api
    told: queue.SimpleQueue[tuple[EventKind, str]] = queue.SimpleQueue()
    store = SqliteStore(tmp_path / "store.sqlite")
    monitor = Monitor(
        store,
        source,
        [clone.target],
        StreamId("task-1", "burn", "stream-1"),
        on_event=lambda kind, target, message, at: told.put((kind, at)),
        settings=MonitorSettings(interval_seconds=0.1, batch_age_seconds=0.1),
    )
    monitor.start()
    assert eventually(lambda: store.count("samples") > 1, 60)
    with Breath() as breath:
        killed = SystemClock().now()
        api.kill(clone.target.container_id, "SIGKILL")
        api.start(clone.target.container_id)
        kind, at = told.get(timeout=60)
        while kind in STALLS:
            kind, at = told.get(timeout=60)
    monitor.stop()
    assert kind in {EventKind.TARGET_GONE, EventKind.COUNTERS_RESTARTED}
    assert (from_text(at) - killed).total_seconds() - breath.missed < PROMISED_SECONDS
    streams: dict[str, list[float]] = {}
    for sample in store.find("samples", order_by=("sequence",)):
        streams.setdefault(sample["stream_id"], []).append(sample["cpu_seconds"])
    store.close()
    assert all(used == sorted(used) and used[0] > 0 for used in streams.values())
