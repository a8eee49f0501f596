"""What a killed monitor left on disk, sent by the next one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.events import EventKind
from monitor.leftovers import Leftovers
from monitor.segment import segments, to_line
from monitor.spool import Spool
from snipbench.errors import StoreAway, StoreError
from snipbench.store.port import Document
from snipbench.store.sqlite import SqliteStore


class Store(SqliteStore):
    """Answers the insert of that number with ``error``."""

    error: Exception | None = None
    failing = -1
    inserts = 0

    def insert(self, collection: str, documents: Sequence[Document]) -> int:
        self.inserts += 1
        if self.error is not None and self.inserts == self.failing:
            raise self.error
        return super().insert(collection, documents)


class World:
    """A store, a folder of spools."""

    def __init__(self, path: Path) -> None:
        self.root = path / "spool"
        self.store = Store(path / "store.sqlite")
        self.events: list[tuple[EventKind, str]] = []

    def leave(self, name: str, first: int, end: int) -> Path:
        """A spool whose owner is gone."""
        spool = Spool(self.root, name, 1 << 20, segment_bytes=120)
        for number in range(first, end):
            spool.append({"_id": f"{number:03}", "n": number})
        spool.close()
        return self.root / name

    def send(self) -> int:
        return Leftovers(self.root, self.store, lambda kind, _, message: self.events.append((kind, message))).send()

    def stored(self) -> list[int]:
        return [document["n"] for document in self.store.find("samples")]

    def kinds(self) -> list[EventKind]:
        return [kind for kind, _ in self.events]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_nothing_was_ever_left(world: World) -> None:
    assert world.send() == 0
    assert world.events == []


def test_all_that_was_left_is_sent_and_removed(world: World) -> None:
    world.leave("stream-1", 0, 10)
    world.leave("stream-2", 10, 15)
    assert len(segments(world.root / "stream-1")) > 1
    assert world.send() == 15
    assert world.stored() == list(range(15))
    assert world.kinds() == [EventKind.SPOOL_SENT] * 2
    assert list(world.root.iterdir()) == []


def test_what_the_store_has_already_is_not_there_twice(world: World) -> None:
    world.leave("stream-1", 0, 10)
    world.store.insert("samples", [{"_id": f"{number:03}", "n": number} for number in range(7)])
    world.send()
    assert world.stored() == list(range(10))


def test_the_spool_of_a_living_monitor_is_left_alone(world: World) -> None:
    living = Spool(world.root, "stream-1", 1 << 20)
    living.append({"_id": "000"})
    assert world.send() == 0
    assert living.waiting == living.read(10).lines == 1


@pytest.mark.parametrize("kept", [b"", b"12", to_line({"_id": "002", "n": 2})[:-1]])
def test_of_a_torn_last_segment_the_whole_samples_are_kept(world: World, kept: bytes) -> None:
    last = segments(world.leave("stream-1", 0, 8))[-1]
    content = last.read_bytes()
    last.write_bytes(content[: content.index(b"\n") + 1] + kept)  # its header, and a part of a line
    assert world.send() == 8 - content.count(b"\n") + 1
    assert world.stored() == list(range(len(world.stored())))
    assert world.kinds() == ([EventKind.SPOOL_TORN] if kept else []) + [EventKind.SPOOL_SENT]
    assert list(world.root.iterdir()) == []


def test_a_segment_that_was_cut_in_its_header_is_empty(world: World) -> None:
    segments(world.leave("stream-1", 0, 1))[0].write_bytes(b"12345678 {")
    assert world.send() == 0
    assert list(world.root.iterdir()) == []


def test_a_segment_of_a_newer_version_is_told_and_kept(world: World) -> None:
    path = segments(world.leave("stream-1", 0, 1))[0]
    path.write_bytes(to_line({"format": 2}))
    assert world.send() == 0
    assert path.exists()
    assert world.kinds() == [EventKind.SPOOL_TORN]


def test_a_store_that_goes_away_half_way_gets_the_rest_the_next_time(world: World) -> None:
    world.leave("stream-1", 0, 10)
    world.store.error, world.store.failing = StoreAway("away"), 3
    world.send()
    assert len(world.stored()) < 10
    assert world.kinds() == [EventKind.SPOOL_LEFT]
    world.send()
    assert world.stored() == list(range(10))
    assert world.kinds() == [EventKind.SPOOL_LEFT, EventKind.SPOOL_SENT]


def test_what_the_store_refuses_is_told_and_does_not_stop_the_rest(world: World) -> None:
    world.leave("stream-1", 0, 10)
    world.store.error, world.store.failing = StoreError("refused"), 1
    sent = world.send()
    assert sent == len(world.stored()) < 10
    assert world.kinds() == [EventKind.SAMPLES_LOST, EventKind.SPOOL_SENT]
    assert list(world.root.iterdir()) == []
