"""The sampler in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.activity import Activity
from monitor.events import EventKind
from monitor.sampler import Sampler, StreamId
from snipbench.clock import to_text
from snipbench.domain.run import Counters
from snipbench.errors import MonitorError
from snipbench.resources.port import SourceStalled, Target, TargetGone
from snipbench.store.port import Document

START = datetime(2026, 1, 31, 9, tzinfo=UTC)
EXECUTOR, SHOP = Target("executor", pid=1), Target("database:shop", pid=2)


class SimulatedClock:
    """Time passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class ScriptedSource:
    """Burns one CPU all the time; ``at`` says what happens instead at a target's n-th reading."""

    name = "process"

    def __init__(self, clock: SimulatedClock, at: dict[tuple[str, int], Callable[[Counters], Counters]]) -> None:
        self._clock = clock
        self.at = at
        self.now_known: MonitorError | None = None
        self.readings: dict[str, int] = {}

    def name_for(self, target: Target) -> str:
        return self.name

    def read(self, target: Target) -> Counters:
        number = self.readings.get(target.name, 0)
        self.readings[target.name] = number + 1
        burnt = 100.0 + self._clock.seconds
        usual = Counters(
            to_text(self._clock.now()), burnt, 0.0, burnt, 5, "rss", 0, 0, "proc_io", 1, 1, cpu_resolution_seconds=1e-9
        )
        return self.at.get((target.name, number), lambda counters: counters)(usual)

    def look(self, target: Target) -> None:
        if self.now_known is not None:
            raise self.now_known

    def close(self) -> None:
        pass


class World:
    """A sampler with everything around it; ``run(seconds)`` lets it sample for so long."""

    def __init__(
        self,
        *targets: Target,
        interval: float = 1.0,
        at: dict[tuple[str, int], Callable[[Counters], Counters]] | None = None,
    ) -> None:
        self.clock = SimulatedClock()
        self.source = ScriptedSource(self.clock, at or {})
        self.samples: list[Document] = []
        self.events: list[tuple[EventKind, str | None, str]] = []
        self.activity = Activity(limit_seconds=1.5)
        self.sampler = Sampler(
            self.source,
            targets,
            StreamId("task-1", "exchange", "stream-1"),
            interval,
            clock=self.clock,
            activity=self.activity,
            deliver=self.samples.append,
            report=lambda kind, target, message: self.events.append((kind, target, message)),
        )

    def run(self, seconds: float) -> None:
        def wait(pause: float) -> bool:
            over = self.clock.seconds + pause >= seconds
            self.clock.seconds = min(seconds, self.clock.seconds + pause)
            return over

        self.sampler.run(wait)

    def instants(self, target: Target) -> list[str]:
        return [sample["at"][17:21] for sample in self.samples if sample["target"] == target.name]

    def sleeping(self, seconds: float) -> Callable[[Counters], Counters]:
        def slow(counters: Counters) -> Counters:
            self.clock.seconds += seconds
            return counters

        return slow


def failing(error: Exception) -> Callable[[Counters], Counters]:
    def fail(counters: Counters) -> Counters:
        raise error

    return fail


def test_reads_at_once_then_every_interval_and_at_the_stop() -> None:
    world = World(EXECUTOR)
    world.run(3.5)
    assert world.instants(EXECUTOR) == ["00.0", "01.0", "02.0", "03.0", "03.5"]
    assert world.sampler.missed == 0
    assert world.events == []


def test_the_shortest_stream_has_a_first_and_a_last_sample() -> None:
    world = World(EXECUTOR, SHOP, interval=60)
    world.run(0.2)
    assert world.instants(EXECUTOR) == world.instants(SHOP) == ["00.0", "00.2"]


def test_twenty_one_seconds_at_twenty_a_second() -> None:
    world = World(EXECUTOR, SHOP, interval=0.05)
    world.run(21.01)
    assert len(world.instants(EXECUTOR)) == len(world.instants(SHOP)) == 422
    assert world.sampler.read == 844


def test_samples_say_where_they_belong_and_their_ids_are_their_places() -> None:
    world = World(EXECUTOR, SHOP)
    world.run(0.5)
    assert [sample["_id"] for sample in world.samples] == [
        "task-1:stream-1:executor:000000000",
        "task-1:stream-1:database:shop:000000000",
        "task-1:stream-1:executor:000000001",
        "task-1:stream-1:database:shop:000000001",
    ]
    first = world.samples[0]
    assert (first["task_id"], first["experiment"], first["source"]) == ("task-1", "exchange", "process")
    assert (first["cpu_seconds"], first["memory_bytes"], first["memory_definition"]) == (100.0, 5, "rss")


def test_what_the_source_does_not_tell_stays_none() -> None:
    unknown = {("executor", n): lambda c: replace(c, read_bytes=None, cpu_user_seconds=None) for n in range(3)}
    world = World(EXECUTOR, at=unknown)
    world.run(1.5)
    assert {(sample["read_bytes"], sample["cpu_user_seconds"]) for sample in world.samples} == {(None, None)}
    assert world.events == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TargetGone("executor: process 1 ended"), EventKind.TARGET_GONE),
        (MonitorError("cannot list /proc"), EventKind.SOURCE_FAILED),
        (ZeroDivisionError("a mistake of ours"), EventKind.SOURCE_FAILED),
    ],
)
def test_a_target_that_cannot_be_read_ends_its_stream_with_an_event_and_no_other(
    error: Exception, kind: EventKind
) -> None:
    world = World(EXECUTOR, SHOP, at={("executor", 2): failing(error)})
    world.run(4.5)
    assert world.instants(EXECUTOR) == ["00.0", "01.0"]
    assert world.instants(SHOP) == ["00.0", "01.0", "02.0", "03.0", "04.0", "04.5"]
    assert [(kind, target) for kind, target, _ in world.events] == [(kind, "executor")]
    assert str(error) in world.events[0][2]
    assert list(world.sampler.ended) == ["executor"]
    assert world.source.readings["executor"] == 3


def test_a_slow_reading_leaves_out_rounds_instead_of_hurrying_after_them() -> None:
    world = World(EXECUTOR)
    world.source.at[("executor", 1)] = world.sleeping(2.4)
    world.run(6.5)
    assert world.instants(EXECUTOR) == ["00.0", "01.0", "04.0", "05.0", "06.0", "06.5"]
    assert world.sampler.missed == 2


def test_a_stalled_reading_that_was_noticed_is_reported_with_its_length_when_it_ends() -> None:
    world = World(EXECUTOR)

    def stall(counters: Counters) -> Counters:
        world.clock.seconds += 1.4
        assert world.activity.stalled(world.clock.monotonic()) is None
        world.clock.seconds += 0.2
        assert world.activity.stalled(world.clock.monotonic()) == ("executor", pytest.approx(1.6))
        world.clock.seconds += 10
        assert world.activity.stalled(world.clock.monotonic()) is None
        return counters

    world.source.at[("executor", 1)] = stall
    world.run(14.5)
    assert [(kind, target) for kind, target, _ in world.events] == [(EventKind.SOURCE_RESUMED, "executor")]
    assert "11.6 s" in world.events[0][2]
    assert world.activity.stalled(world.clock.monotonic()) is None


@pytest.mark.parametrize(
    "field", ["cpu_seconds", "cpu_user_seconds", "cpu_system_seconds", "read_bytes", "write_bytes"]
)
def test_counters_that_went_down_begin_a_new_stream(field: str) -> None:
    world = World(EXECUTOR, SHOP, at={("executor", n): lambda c: replace(c, **{field: -1}) for n in range(2, 9)})
    world.run(3.5)
    streams = [(s["stream_id"], s["sequence"]) for s in world.samples if s["target"] == "executor"]
    assert streams == [("stream-1", 0), ("stream-1", 1), ("stream-1.1", 0), ("stream-1.1", 1), ("stream-1.1", 2)]
    assert {s["stream_id"] for s in world.samples if s["target"] == "database:shop"} == {"stream-1"}
    assert [(kind, target) for kind, target, _ in world.events] == [(EventKind.COUNTERS_RESTARTED, "executor")]
    assert field in world.events[0][2]


def test_memory_may_go_down() -> None:
    world = World(EXECUTOR, at={("executor", 1): lambda c: replace(c, memory_bytes=1, processes=0, threads=0)})
    world.run(2.5)
    assert world.events == []


def test_differences_within_a_stream_are_never_negative() -> None:
    falls = {("executor", n): (lambda c, n=n: replace(c, cpu_seconds=float(n % 4))) for n in range(20)}
    world = World(EXECUTOR, at=falls)
    world.run(19.5)
    by_stream: dict[str, list[float]] = {}
    for sample in world.samples:
        by_stream.setdefault(sample["stream_id"], []).append(sample["cpu_seconds"])
    assert len(by_stream) > 3
    assert all(values == sorted(values) for values in by_stream.values())
    assert len({sample["_id"] for sample in world.samples}) == len(world.samples)


def test_a_stalled_source_is_told_once_and_its_stream_goes_on() -> None:
    silent = {("database:shop", number): failing(SourceStalled("nothing is sent")) for number in (1, 2)}
    world = World(EXECUTOR, SHOP, at=silent)
    world.run(4.5)
    assert world.instants(EXECUTOR) == ["00.0", "01.0", "02.0", "03.0", "04.0", "04.5"]
    assert world.instants(SHOP) == ["00.0", "03.0", "04.0", "04.5"]
    assert [(kind, target) for kind, target, _ in world.events] == [
        (EventKind.SOURCE_STALLED, "database:shop"),
        (EventKind.SOURCE_RESUMED, "database:shop"),
    ]
    assert {sample["stream_id"] for sample in world.samples} == {"stream-1"}


def test_a_reading_of_before_a_stall_does_not_end_it() -> None:
    world = World(EXECUTOR, interval=60)
    world.sampler.round()
    world.source.now_known = SourceStalled("nothing is sent")
    world.sampler.look()
    world.sampler.look()
    world.sampler.round()
    assert [kind for kind, _, _ in world.events] == [EventKind.SOURCE_STALLED]
    assert len(world.samples) == 2
    world.source.now_known = None
    world.sampler.round()
    assert [kind for kind, _, _ in world.events] == [EventKind.SOURCE_STALLED, EventKind.SOURCE_RESUMED]
    assert {sample["stream_id"] for sample in world.samples} == {"stream-1"}
