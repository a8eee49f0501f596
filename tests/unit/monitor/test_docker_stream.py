"""Docker's stats stream: frames in, counters out; deaths, fakes, stalls."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from snipbench.clock import SystemClock
from snipbench.errors import MonitorError
from snipbench.resources import docker_stream
from snipbench.resources.docker_frame import counters_of
from snipbench.resources.docker_stream import DockerStreamSource
from snipbench.resources.port import SourceStalled, Target, TargetGone
from tests.waiting import until

SHOP = Target("database:shop", container_id="abc")
VERSION_1: dict[str, Any] = {
    "read": "2026-11-21T16:17:24.262505752Z",
    "pids_stats": {"current": 7},
    "blkio_stats": {"io_service_bytes_recursive": []},
    "cpu_stats": {
        "cpu_usage": {
            "total_usage": 36_594_254,
            "percpu_usage": [0, 36_594_254],
            "usage_in_kernelmode": 0,
            "usage_in_usermode": 30_000_000,
        }
    },
    "memory_stats": {"usage": 516_096, "stats": {"total_inactive_file": 16_096, "inactive_file": 1}},
}
VERSION_2: dict[str, Any] = VERSION_1 | {
    "cpu_stats": {
        "cpu_usage": {"total_usage": 3_000_000, "usage_in_kernelmode": 1_000_000, "usage_in_usermode": 2_000_000}
    },
    "memory_stats": {"usage": 500, "stats": {"inactive_file": 100}},
    "blkio_stats": {
        "io_service_bytes_recursive": [
            {"major": 8, "op": "read", "value": 10},
            {"major": 8, "op": "write", "value": 3},
            {"major": 9, "op": "read", "value": 5},
        ]
    },
}
FAKE: dict[str, Any] = {
    "read": "0001-01-01T00:00:00Z",
    "pids_stats": {},
    "blkio_stats": {"io_service_bytes_recursive": None},
    "cpu_stats": {"cpu_usage": {"total_usage": 0}},
    "memory_stats": {},
}


def test_a_frame_of_version_1_tells_no_split_of_cpu_time_and_no_io() -> None:
    counters = counters_of(VERSION_1)
    assert counters is not None
    assert counters.at == "2026-11-21T16:17:24.262505Z"
    assert counters.cpu_seconds == 0.036594254
    assert (counters.cpu_user_seconds, counters.cpu_system_seconds) == (None, None)
    assert (counters.read_bytes, counters.write_bytes) == (None, None)
    assert counters.memory_bytes == 500_000
    assert counters.threads == 7
    assert counters.processes is None


def test_a_frame_of_version_2_tells_them() -> None:
    counters = counters_of(VERSION_2)
    assert counters is not None
    assert (counters.cpu_seconds, counters.cpu_user_seconds, counters.cpu_system_seconds) == (0.003, 0.002, 0.001)
    assert (counters.read_bytes, counters.write_bytes) == (15, 3)
    assert counters.memory_bytes == 400


def test_memory_is_not_made_negative_and_not_made_up() -> None:
    odd = VERSION_2 | {"memory_stats": {"usage": 50, "stats": {"inactive_file": 100}}}
    none = VERSION_2 | {"memory_stats": {}}
    assert [counters.memory_bytes if (counters := counters_of(frame)) else -1 for frame in (odd, none)] == [50, None]


@pytest.mark.parametrize("frame", [FAKE, {}, VERSION_1 | {"read": "now"}])
def test_a_frame_without_life_in_it_gives_no_counters(frame: dict[str, Any]) -> None:
    assert counters_of(frame) is None


class Engine:
    """Frames put in by the test; ``None`` ends the stream, an exception is raised in it."""

    def __init__(self) -> None:
        self.put = queue.SimpleQueue[Any]()
        self.connections = 0

    def frames(self, container_id: str) -> Iterator[Mapping[str, Any]]:
        assert container_id == "abc"
        self.connections += 1
        while (frame := self.put.get()) is not None:
            if isinstance(frame, Exception):
                raise frame
            yield frame


@pytest.fixture
def engine() -> Engine:
    return Engine()


class LateClock(SystemClock):
    """The machine's, put forward by the test."""

    late = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.late


@pytest.fixture
def clock() -> LateClock:
    return LateClock()


@pytest.fixture
def source(engine: Engine, clock: LateClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[DockerStreamSource]:
    monkeypatch.setattr(docker_stream, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(docker_stream, "STALL_SECONDS", 60.0)
    source = DockerStreamSource(engine.frames, clock=clock)
    yield source
    source.close()
    engine.put.put(None)


def test_each_frame_is_given_out_once(source: DockerStreamSource, engine: Engine) -> None:
    for second in (24, 25):
        engine.put.put(VERSION_1 | {"read": f"2026-11-21T16:17:{second}.0Z"})
        assert source.read(SHOP).at == f"2026-11-21T16:17:{second}.000000Z"


def test_a_fake_frame_is_the_end_of_the_container(source: DockerStreamSource, engine: Engine) -> None:
    engine.put.put(VERSION_1)
    source.read(SHOP)
    engine.put.put(FAKE)
    for _ in range(2):
        with pytest.raises(TargetGone, match="database:shop: its container ended"):
            source.read(SHOP)


@pytest.mark.parametrize("end", [None, LookupError("abc")])
def test_the_end_of_the_stream_is_the_removal_of_the_container(
    source: DockerStreamSource, engine: Engine, end: Exception | None
) -> None:
    engine.put.put(end)
    with pytest.raises(TargetGone, match="removed"):
        source.read(SHOP)


def test_silence_is_a_stall_that_may_end(source: DockerStreamSource, engine: Engine, clock: LateClock) -> None:
    engine.put.put(VERSION_1)
    source.read(SHOP)
    clock.late += 60.0
    with pytest.raises(SourceStalled, match="database:shop: the engine sends no statistics"):
        source.read(SHOP)
    engine.put.put(VERSION_2)
    while True:
        try:
            assert source.read(SHOP).cpu_seconds == 0.003
        except SourceStalled:
            continue
        break


def test_silence_is_known_without_a_reading_and_what_came_before_it_is_still_given_out(
    source: DockerStreamSource, engine: Engine, clock: LateClock
) -> None:
    engine.put.put(VERSION_1)
    source.read(SHOP)
    engine.put.put(VERSION_2)
    until(engine.put.empty)
    source.look(SHOP)
    clock.late += 60.0
    until(lambda: silent(source))
    assert source.read(SHOP).cpu_seconds == 0.003
    assert silent(source)
    engine.put.put(VERSION_1)
    until(lambda: not silent(source))
    engine.put.put(FAKE)
    with pytest.raises(TargetGone, match="database:shop: its container ended"):
        until(lambda: silent(source))


def silent(source: DockerStreamSource) -> bool:
    try:
        source.look(SHOP)
    except SourceStalled as error:
        assert str(error) == "database:shop: the engine sends no statistics"  # noqa: PT017
        return True
    return False


def test_a_broken_connection_is_made_anew(source: DockerStreamSource, engine: Engine) -> None:
    engine.put.put(MonitorError("read timed out"))
    engine.put.put(VERSION_1)
    source.read(SHOP)
    assert engine.connections == 2


def test_a_frame_that_cannot_be_understood_is_told(source: DockerStreamSource, engine: Engine) -> None:
    engine.put.put(VERSION_1 | {"memory_stats": {"usage": "much"}})
    with pytest.raises(MonitorError, match="cannot be understood: ValueError") as caught:
        source.read(SHOP)
    assert type(caught.value) is MonitorError


def test_a_target_without_a_container_is_refused(source: DockerStreamSource) -> None:
    with pytest.raises(MonitorError, match="needs a container"):
        source.read(Target("executor", pid=1))
