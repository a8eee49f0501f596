"""What waits between the reader and the writer: batches, the way to disk and back, what finds no place."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.backlog import Backlog, Remainder
from monitor.events import EventKind
from monitor.segment import segments
from monitor.spool import Spool
from snipbench.clock import SystemClock


class Time(SystemClock):
    """Passes only when the test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


class World:
    """A backlog of five samples in memory, batches of three."""

    def __init__(self, spool: Spool | None = None) -> None:
        self.time = Time()
        self.events: list[tuple[EventKind, str]] = []
        self.backlog = Backlog(
            5,
            3,
            1.0,
            clock=self.time,
            report=lambda kind, target, message: self.events.append((kind, message)),
            spool=spool,
        )
        self.count = 0

    def put(self, count: int) -> None:
        for _ in range(count):
            self.backlog.put({"_id": f"{self.count:03}"})
            self.count += 1

    def take(self) -> list[int]:
        return [int(document["_id"]) for document in self.backlog.take(0)]

    def drain(self) -> list[int]:
        """Takes and settles until nothing comes any more."""
        found = []
        while batch := self.take():
            found += batch
            self.backlog.settle(stored=True)
        return found

    def kinds(self) -> list[EventKind]:
        return [kind for kind, _ in self.events]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def spooling(tmp_path: Path) -> World:
    return World(Spool(tmp_path, "stream-1", 1 << 20))


def test_a_full_batch_is_given_at_once_and_a_part_of_one_when_it_is_old_enough(world: World) -> None:
    world.put(4)
    assert world.take() == [0, 1, 2]
    world.backlog.settle(stored=True)
    assert world.take() == []
    world.time.seconds += 0.9
    world.put(1)
    assert world.take() == []
    world.time.seconds += 0.1
    assert world.take() == [3, 4]


def test_the_last_samples_are_given_when_it_is_closed(world: World) -> None:
    world.put(1)
    world.backlog.close()
    assert not world.backlog.done
    assert world.drain() == [0]
    assert world.backlog.done


def test_without_a_spool_what_finds_no_place_is_dropped_and_told_twice(world: World) -> None:
    world.put(9)
    assert world.backlog.dropped == 4
    assert world.drain() == [0, 1, 2]
    world.put(1)
    assert world.drain() == [3, 4, 9]
    world.put(1)
    assert world.kinds() == [EventKind.SAMPLES_DROPPED] * 2
    assert "queue of 5 samples is full" in world.events[0][1]
    assert "4 samples" in world.events[1][1]


def test_a_full_memory_goes_to_disk_and_comes_back_in_order(spooling: World) -> None:
    spooling.put(9)
    assert (spooling.backlog.spooled, spooling.backlog.dropped) == (9, 0)
    assert spooling.take() == [0, 1, 2]
    spooling.backlog.settle(stored=True)
    spooling.put(2)
    assert spooling.drain() == list(range(3, 11))
    assert (spooling.backlog.spooled, spooling.backlog.resent) == (11, 11)
    assert spooling.kinds() == [EventKind.SPOOL_BEGUN, EventKind.SPOOL_SENT]
    spooling.put(3)
    assert spooling.drain() == [11, 12, 13]
    assert spooling.backlog.spooled == 11


def test_the_batch_that_was_taken_goes_to_disk_too_and_is_sent_once_if_it_arrives(
    spooling: World, tmp_path: Path
) -> None:
    spooling.put(4)
    assert spooling.take() == [0, 1, 2]
    spooling.backlog.spill("the store is away")
    assert b'"000"' in segments(tmp_path / "stream-1")[0].read_bytes()
    spooling.put(1)
    spooling.backlog.settle(stored=True)
    assert spooling.drain() == [3, 4]
    assert (spooling.backlog.spooled, spooling.backlog.resent) == (5, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_spool_that_is_full_lets_memory_fill_and_then_drops_the_newest(tmp_path: Path) -> None:
    world = World(Spool(tmp_path, "stream-1", 200))
    world.backlog.spill("the store is away")
    world.put(30)
    kept = world.backlog.spooled + 5
    assert world.backlog.dropped == world.backlog.overflowed == 30 - kept
    assert world.kinds() == [EventKind.SPOOL_BEGUN, EventKind.SPOOL_OVERFLOWED]
    world.backlog.close()
    assert world.drain() == list(range(kept))
    assert world.kinds()[2:] == [EventKind.SAMPLES_DROPPED, EventKind.SPOOL_SENT]


def test_a_broken_disk_leaves_what_there_is_without_a_spool(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    world = World(Spool(tmp_path / "file", "stream-1", 1 << 20))
    world.put(8)
    assert (world.backlog.spooled, world.backlog.dropped, world.backlog.overflowed) == (0, 3, 3)
    assert "cannot be written" in world.events[-1][1]
    world.backlog.close()
    assert world.drain() == [0, 1, 2, 3, 4]


def test_what_is_left_at_the_end_waits_on_disk(spooling: World, tmp_path: Path) -> None:
    spooling.put(5)
    assert spooling.take() == [0, 1, 2]
    assert spooling.backlog.end() == Remainder(spooled=5, lost=0)
    assert len(segments(tmp_path / "stream-1")) == 1
    spooling.backlog.settle(stored=True)  # a writer that was stuck: the next monitor sends it again, which is harmless
    assert len(segments(tmp_path / "stream-1")) == 1
    assert spooling.backlog.done
    assert spooling.take() == []


def test_what_the_disk_refused_is_saved_at_the_end_where_it_takes_it_then(tmp_path: Path) -> None:
    root = tmp_path / "spool"
    root.touch()
    world = World(Spool(root, "stream-1", 1 << 20))
    world.put(4)
    assert world.take() == [0, 1, 2]
    world.backlog.spill("the store is away")
    world.put(1)
    assert world.backlog.spooled == 0
    root.unlink()
    assert world.backlog.end() == Remainder(spooled=5, lost=0)
    (path,) = segments(root / "stream-1")
    assert [path.read_text().find(f'"00{number}"') > 0 for number in range(5)] == [True] * 5


def test_what_is_left_at_the_end_without_a_spool_is_lost(world: World) -> None:
    world.put(5)
    world.take()
    assert world.backlog.end() == Remainder(spooled=0, lost=5)
    world.put(1)
    assert world.backlog.dropped == 1


def test_a_batch_that_came_back_damaged_as_a_whole_is_counted_and_passed_over(spooling: World, tmp_path: Path) -> None:
    spooling.put(6)
    (path,) = segments(tmp_path / "stream-1")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *(line.replace(b"_id", b"_ix") for line in lines[1:4]), *lines[4:]]))
    assert spooling.take() == []
    assert spooling.drain() == [3, 4, 5]
    assert (spooling.backlog.torn, spooling.backlog.resent) == (3, 3)
    assert spooling.kinds() == [EventKind.SPOOL_BEGUN, EventKind.SPOOL_TORN, EventKind.SPOOL_SENT]
