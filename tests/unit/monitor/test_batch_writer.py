"""Inserts and retries, in simulated time, on a real store that fails when told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.activity import Activity
from monitor.events import EventKind
from monitor.writer import BatchWriter
from snipbench.errors import StoreAway, StoreError
from snipbench.store.port import Document
from snipbench.store.sqlite import SqliteStore


class Time:
    """Time passes only when somebody pauses."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 31, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class UnreliableStore(SqliteStore):
    """Raises the given errors first, one per insert; ``afterwards``: the documents are stored all the same."""

    errors: Sequence[Exception] = ()
    afterwards = False
    slowly: Callable[[], object] = staticmethod(lambda: None)
    """What happens during an insert."""
    sizes: tuple[int, ...] = ()

    def insert(self, collection: str, documents: Sequence[Document]) -> int:
        self.sizes += (len(documents),)
        self.slowly()
        if self.errors:
            error, *self.errors = self.errors
            if self.afterwards:
                super().insert(collection, documents)
            raise error
        return super().insert(collection, documents)


class World:
    """A writer with everything around it."""

    def __init__(self, path: Path, patience: float = 1e9) -> None:
        self.time = Time()
        self.store = UnreliableStore(path / "store.sqlite")
        self.away: list[str] = []
        self.events: list[tuple[EventKind, str]] = []
        self.activity = Activity(1.5)
        self.writer = BatchWriter(
            self.store,
            clock=self.time,
            activity=self.activity,
            pause=self.time.sleep,
            may_retry=lambda: self.time.seconds < patience,
            on_away=self.away.append,
            report=lambda kind, target, message: self.events.append((kind, message)),
        )
        self.written = 0

    def write(self, count: int = 3) -> bool | None:
        first, self.written = self.written, self.written + count
        return self.writer.write([{"_id": f"{n:03}", "n": n} for n in range(first, first + count)])

    def stored(self) -> int:
        return self.store.count("samples")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_batch_is_inserted_in_one_go(world: World) -> None:
    assert world.write(3)
    assert world.write(2)
    assert world.store.sizes == (3, 2)
    assert (world.writer.written, world.writer.batches, world.writer.retries) == (5, 2, 0)
    assert world.events == world.away == []


def test_a_store_that_is_away_is_tried_again_with_growing_pauses(world: World) -> None:
    world.store.errors = [StoreAway("database is locked")] * 7
    assert world.write()
    assert world.stored() == world.writer.written == 3
    assert (world.writer.retries, world.writer.batches, world.writer.refused) == (7, 1, 0)
    assert world.time.seconds == pytest.approx(0.1 + 0.2 + 0.4 + 0.8 + 1.6 + 2.0 + 2.0)
    assert [kind for kind, _ in world.events] == [EventKind.STORE_FAILING, EventKind.STORE_RESUMED]
    assert "locked" in world.events[0][1]
    assert world.away == ["database is locked"]


def test_a_store_that_takes_long_to_say_that_it_is_away_stalls_once_and_resumes_once(world: World) -> None:
    stalls: list[float] = []

    def look() -> None:
        if world.activity.stalled(world.time.seconds):
            stalls.append(world.time.seconds)

    world.store.errors = [StoreAway("no server")] * 3
    world.store.slowly = lambda: (world.time.sleep(5), look())
    assert world.write()
    assert stalls == [5.0]
    assert [kind for kind, _ in world.events] == [EventKind.STORE_FAILING, EventKind.STORE_RESUMED]


def test_a_batch_that_arrived_though_the_store_said_no_is_there_once(world: World) -> None:
    world.store.errors, world.store.afterwards = [StoreAway("connection lost")], True
    assert world.write()
    assert world.stored() == world.writer.written == 3


@pytest.mark.parametrize("error", [StoreError("refused"), RuntimeError("a mistake of ours")])
def test_a_batch_that_the_store_refuses_is_counted_and_the_next_goes_on(world: World, error: Exception) -> None:
    world.store.errors = [error]
    assert world.write() is False
    assert world.write() is True
    assert (world.writer.refused, world.writer.written, world.writer.retries) == (3, 3, 0)
    assert [kind for kind, _ in world.events] == [EventKind.SAMPLES_LOST]
    assert str(error) in world.events[0][1]
    assert world.stored() == 3


def test_when_time_is_out_the_batch_is_neither_written_nor_refused(tmp_path: Path) -> None:
    world = World(tmp_path, patience=1.0)
    world.store.errors = [StoreAway("disk is full")] * 100
    assert world.write() is None
    assert (world.writer.refused, world.writer.written) == (0, 0)
    assert [kind for kind, _ in world.events] == [EventKind.STORE_FAILING]
