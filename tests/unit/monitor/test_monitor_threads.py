"""The two threads together, on a real store and on sources and stores that can be held up."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.events import EventKind
from monitor.monitor import Monitor, MonitorSettings
from monitor.sampler import StreamId
from snipbench.clock import SystemClock, to_text
from snipbench.domain.run import Counters
from snipbench.errors import StoreAway
from snipbench.resources.port import SourceStalled, Target, TargetGone
from snipbench.store.port import Document
from snipbench.store.sqlite import SqliteStore
from tests.waiting import until

EXECUTOR = Target("executor", pid=1)
IDENTITY = StreamId("task-1", "exchange", "stream-1")
FAST = MonitorSettings(interval_seconds=0.02, batch_size=10, batch_age_seconds=0.05)


class Source:
    """Answers at once while ``open`` is set, else holds the reader up."""

    name = "process"

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.gone = False
        self.silent = False

    def name_for(self, target: Target) -> str:
        return self.name

    def read(self, target: Target) -> Counters:
        self.open.wait(60)
        if self.gone:
            raise TargetGone("executor: process 1 ended")
        at = to_text(SystemClock().now())
        return Counters(at, 1.0, 1.0, 2.0, 5, "rss", 0, 0, "proc_io", 1, 1, 1e-9)

    def look(self, target: Target) -> None:
        if self.silent:
            raise SourceStalled(f"{target.name}: nothing is sent")
        if self.gone:
            raise TargetGone("executor: process 1 ended")

    def close(self) -> None:
        self.open.set()


class Store(SqliteStore):
    """Inserts while ``open`` is set, else holds the writer up, or is away."""

    def __init__(self, path: Path) -> None:
        super().__init__(path / "store.sqlite")
        self.open = threading.Event()
        self.open.set()
        self.away = False

    def insert(self, collection: str, documents: Sequence[Document]) -> int:
        self.open.wait(60)
        if self.away:
            raise StoreAway("away")
        return super().insert(collection, documents)


class Events(list[tuple[EventKind, str | None, str]]):
    """What the monitor told."""

    def __call__(self, kind: EventKind, target: str | None, message: str, at: str) -> None:
        assert at.endswith("Z")
        self.append((kind, target, message))

    def kinds(self) -> list[EventKind]:
        return [kind for kind, _, _ in self]

    def last(self) -> EventKind | None:
        return self[-1][0] if self else None

    def of_store(self) -> list[EventKind]:
        """Without those of a reading that takes long, as any may on a machine out of breath."""
        return [kind for kind in self.kinds() if kind not in {EventKind.SOURCE_STALLED, EventKind.SOURCE_RESUMED}]

    def of_source(self) -> list[EventKind]:
        """Without those of an insert that takes long, as any may on a disk out of breath."""
        return [
            kind
            for kind, _, message in self
            if kind is not EventKind.STORE_STALLED and not message.startswith("the insert took ")
        ]

    def beside_stalls(self) -> list[EventKind]:
        """Without both."""
        return [kind for kind in self.of_source() if kind not in {EventKind.SOURCE_STALLED, EventKind.SOURCE_RESUMED}]


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def sequences(store: SqliteStore) -> list[int]:
    return [sample["sequence"] for sample in store.find("samples", {"task_id": "task-1"})]


def test_everything_read_is_in_the_store_after_the_stop(store: Store, events: Events) -> None:
    monitor = Monitor(store, Source(), [EXECUTOR], IDENTITY, on_event=events, settings=FAST)
    monitor.start()
    until(lambda: store.count("samples") >= 25)
    summary = monitor.stop()
    assert sequences(store) == list(range(summary.read))
    assert summary.read == summary.written
    assert (summary.dropped, summary.lost, summary.store_retries, summary.sink_failures) == (0, 0, 0, 0)
    assert summary.batches >= 2
    assert events.beside_stalls() == []
    assert monitor.stop() == summary


def test_a_stop_right_after_the_start_leaves_a_first_and_a_last_sample(store: Store, events: Events) -> None:
    settings = MonitorSettings(interval_seconds=60)
    monitor = Monitor(store, Source(), [EXECUTOR], IDENTITY, on_event=events, settings=settings)
    monitor.start()
    summary = monitor.stop()
    assert (summary.read, summary.written, summary.complete) == (2, 2, True)
    assert sequences(store) == [0, 1]
    assert 0 < summary.cpu_seconds < 10
    assert summary.core_share == pytest.approx(summary.cpu_seconds / summary.seconds)


def test_no_thread_is_left_after_the_stop(store: Store, events: Events) -> None:
    before = set(threading.enumerate())
    monitor = Monitor(store, Source(), [EXECUTOR], IDENTITY, on_event=events, settings=FAST)
    monitor.start()
    names = {thread.name for thread in set(threading.enumerate()) - before}
    assert names == {"monitor-reader", "monitor-writer"}
    monitor.stop()
    assert set(threading.enumerate()) <= before


def test_a_target_that_ends_is_told_and_its_samples_are_kept(store: Store, events: Events) -> None:
    source = Source()
    monitor = Monitor(store, source, [EXECUTOR], IDENTITY, on_event=events, settings=FAST)
    monitor.start()
    until(lambda: store.count("samples") >= 5)
    source.gone = True
    until(lambda: bool(events.beside_stalls()))
    summary = monitor.stop()
    assert events.beside_stalls() == [EventKind.TARGET_GONE]
    assert [target for kind, target, _ in events if kind is EventKind.TARGET_GONE] == ["executor"]
    assert list(summary.ended) == ["executor"]
    assert not summary.complete
    assert sequences(store) == list(range(summary.read))
    assert all(sample["cpu_seconds"] == 2.0 for sample in store.find("samples"))


def test_a_stalled_source_is_told_while_it_stalls(store: Store, events: Events) -> None:
    source = Source()
    monitor = Monitor(store, source, [EXECUTOR], IDENTITY, on_event=events, settings=FAST)
    monitor.start()
    until(lambda: store.count("samples") >= 1)
    source.open.clear()
    until(lambda: events.last() is EventKind.SOURCE_STALLED)
    assert events[-1][1] == "executor"
    source.open.set()
    until(lambda: events.last() is EventKind.SOURCE_RESUMED)
    summary = monitor.stop()
    assert summary.missed >= 5
    assert not summary.complete


@pytest.mark.parametrize("interval", [0.02, 1.0, 60.0])
def test_a_stall_is_noticed_within_two_seconds_whatever_the_interval(interval: float) -> None:
    assert 1.0 <= MonitorSettings(interval_seconds=interval).stall_seconds <= 1.5


def test_a_stalled_store_is_told_long_before_the_next_reading(store: Store, events: Events) -> None:
    settings = MonitorSettings(interval_seconds=3600, batch_age_seconds=0.05)
    monitor = Monitor(store, Source(), [EXECUTOR], IDENTITY, on_event=events, settings=settings)
    store.open.clear()
    monitor.start()
    until(lambda: events.of_store() == [EventKind.STORE_STALLED])
    store.open.set()
    summary = monitor.stop()
    assert (summary.read, summary.written, summary.complete) == (2, 2, True)


def test_what_becomes_of_a_source_is_told_long_before_the_next_reading(store: Store, events: Events) -> None:
    source = Source()
    settings = MonitorSettings(interval_seconds=3600, batch_age_seconds=0.05)
    monitor = Monitor(store, source, [EXECUTOR], IDENTITY, on_event=events, settings=settings)
    monitor.start()
    until(lambda: store.count("samples") == 1)
    source.silent = True
    until(lambda: events.of_source() == [EventKind.SOURCE_STALLED])
    source.silent = False
    until(lambda: events.of_source() == [EventKind.SOURCE_STALLED, EventKind.SOURCE_RESUMED])
    source.gone = True
    until(lambda: events.of_source()[2:] == [EventKind.TARGET_GONE])
    summary = monitor.stop()
    assert (summary.read, list(summary.ended)) == (1, ["executor"])
    assert len(events.of_source()) == 3


def test_a_source_that_never_answers_does_not_hold_up_the_stop(store: Store, events: Events) -> None:
    source = Source()
    settings = MonitorSettings(interval_seconds=0.02, batch_age_seconds=0.05, reader_seconds=0.1)
    monitor = Monitor(store, source, [EXECUTOR], IDENTITY, on_event=events, settings=settings)
    monitor.start()
    until(lambda: store.count("samples") >= 1)
    source.open.clear()
    until(lambda: EventKind.SOURCE_STALLED in events.kinds())
    summary = monitor.stop()
    assert events.kinds()[-1] == EventKind.SOURCE_FAILED
    assert list(summary.ended) == ["executor"]
    assert summary.written == store.count("samples") == summary.read
    source.open.set()


def test_a_stalled_store_fills_the_queue_and_what_finds_no_place_is_counted_and_told(
    store: Store, events: Events
) -> None:
    settings = MonitorSettings(interval_seconds=0.02, batch_size=5, batch_age_seconds=0.05, queue_size=10)
    monitor = Monitor(store, Source(), [EXECUTOR], IDENTITY, on_event=events, settings=settings)
    store.open.clear()
    monitor.start()
    until(lambda: EventKind.SAMPLES_DROPPED in events.kinds() and EventKind.STORE_STALLED in events.kinds())
    store.open.set()
    until(lambda: store.count("samples") >= 20)
    summary = monitor.stop()
    begun_and_ended = [message for kind, _, message in events if kind is EventKind.SAMPLES_DROPPED]
    assert len(begun_and_ended) % 2 == 0
    assert all(message == "the queue of 10 samples is full" for message in begun_and_ended[::2]), begun_and_ended
    assert all("samples dropped" in message for message in begun_and_ended[1::2]), begun_and_ended
    assert summary.dropped >= 1
    assert summary.read == summary.written + summary.dropped
    kept = sequences(store)
    assert len(kept) == summary.written
    assert kept[:10] == list(range(10))
    assert kept[-1] == summary.read - 1
    assert f"{summary.dropped} samples" in [message for kind, _, message in events if "dropped" in kind][-1]


def test_a_store_that_is_away_for_a_while_loses_nothing(store: Store, events: Events) -> None:
    monitor = Monitor(store, Source(), [EXECUTOR], IDENTITY, on_event=events, settings=FAST)
    store.away = True
    monitor.start()
    until(lambda: EventKind.STORE_FAILING in events.kinds())
    store.away = False
    summary = monitor.stop()
    assert summary.store_retries >= 1
    assert summary.complete
    assert sequences(store) == list(range(summary.read))
    assert events.beside_stalls() == [EventKind.STORE_FAILING, EventKind.STORE_RESUMED]


@pytest.mark.parametrize("how", ["away", "stalled"])
def test_what_a_store_that_stays_away_did_not_take_waits_for_the_next_monitor(
    store: Store, events: Events, how: str, tmp_path: Path
) -> None:
    settings = MonitorSettings(interval_seconds=0.02, batch_size=5, batch_age_seconds=0.05, drain_seconds=0.3)
    identity = StreamId("task-1", "exchange", "stream-0")
    monitor = Monitor(
        store, Source(), [EXECUTOR], identity, on_event=events, settings=settings, spool=tmp_path / "spool"
    )
    if how == "away":
        store.away = True
    else:
        store.open.clear()
    monitor.start()
    until(lambda: bool(events))
    left = monitor.stop()
    assert (left.written, left.lost, left.left) == (0, 0, left.read)
    assert events.kinds()[-1] == EventKind.SPOOL_LEFT
    store.away = False
    store.open.set()
    monitor = Monitor(store, Source(), [EXECUTOR], IDENTITY, on_event=events, settings=FAST, spool=tmp_path / "spool")
    monitor.start()
    assert sequences(store)[: left.read] == list(range(left.read))
    summary = monitor.stop()
    assert summary.recovered == left.read
    assert store.count("samples") == left.read + summary.read
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize("how", ["away", "stalled"])
def test_a_store_that_stays_away_does_not_hold_up_the_stop(store: Store, events: Events, how: str) -> None:
    settings = MonitorSettings(interval_seconds=0.02, batch_size=5, batch_age_seconds=0.05, drain_seconds=0.3)
    monitor = Monitor(store, Source(), [EXECUTOR], IDENTITY, on_event=events, settings=settings)
    if how == "away":
        store.away = True
    else:
        store.open.clear()
    monitor.start()
    until(lambda: bool(events))
    summary = monitor.stop()
    assert summary.written == 0
    assert summary.lost == summary.read >= 1
    assert events.kinds()[-1] == EventKind.SAMPLES_LOST
    assert not summary.complete
    store.open.set()


def test_a_leader_whose_callback_fails_does_not_end_the_stream(store: Store) -> None:
    source = Source()
    other = Target("database:shop", pid=2)

    told: list[str | None] = []

    def broken(kind: EventKind, target: str | None, message: str, at: str) -> None:
        told.append(target)
        raise RuntimeError("the leader's mistake")

    monitor = Monitor(store, source, [EXECUTOR, other], IDENTITY, on_event=broken, settings=FAST)
    monitor.start()
    source.gone = True
    until(lambda: len(told) >= 2)
    summary = monitor.stop()
    assert summary.events == summary.sink_failures == len(told)
