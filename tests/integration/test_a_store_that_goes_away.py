"""A monitor whose store is really away for a while: locked, stopped, cut off; and what a killed monitor leaves."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest

from benchmarks.relay import Relay
from monitor.events import EventKind
from monitor.monitor import Monitor, MonitorSettings
from monitor.sampler import StreamId
from monitor.summary import MonitorSummary
from snipbench.resources.port import Target
from snipbench.resources.process_tree import ProcessTreeSource
from snipbench.store.opening import open_store
from snipbench.store.port import DocumentStore
from snipbench.store.sqlite import SqliteStore
from tests.waiting import until

SETTINGS = MonitorSettings(interval_seconds=0.02, batch_size=20, batch_age_seconds=0.1, queue_size=50)
"""Little memory: what the spool does not keep is dropped within seconds, but not where the machine holds its breath."""

LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""

WATCHING = """
import os, sys, time
from pathlib import Path
from monitor.events import EventKind
from monitor.monitor import Monitor, MonitorSettings
from monitor.sampler import StreamId
from snipbench.resources.port import Target
from snipbench.resources.process_tree import ProcessTreeSource
from snipbench.store.opening import open_store

monitor = Monitor(
    open_store(sys.argv[1]),
    ProcessTreeSource(),
    [Target("executor", pid=os.getpid())],
    StreamId("task-1", "burn", "stream-killed"),
    on_event=lambda kind, target, message, at: print(kind.value, flush=True),
    settings=MonitorSettings(interval_seconds=0.02, batch_size=20, batch_age_seconds=0.1),
    spool=Path(sys.argv[2]),
)
monitor.start()
time.sleep(600)
"""


class Watched:
    """A monitor of this very process, its events, its spool."""

    def __init__(self, store: DocumentStore, folder: Path) -> None:
        self.store = store
        self.spool = folder / "spool"
        self.events: queue.SimpleQueue[EventKind] = queue.SimpleQueue()
        self.seen: list[EventKind] = []
        self.source = ProcessTreeSource()
        self.monitor = Monitor(
            store,
            self.source,
            [Target("executor", pid=os.getpid())],
            StreamId("task-1", "burn", "stream-1"),
            on_event=lambda kind, target, message, at: self.events.put(kind),
            settings=SETTINGS,
            spool=self.spool,
        )

    def until(self, kind: EventKind) -> None:
        """Waits for an event, whatever comes before it."""
        while kind not in self.seen:
            self.seen.append(self.events.get(timeout=60))

    def spool_grows(self) -> None:
        """Waits until much more is on disk than memory may hold."""
        lines = 2 * SETTINGS.queue_size
        until(lambda: sum(path.read_bytes().count(b"\n") for path in self.spool.glob("*/*")) > lines)

    def stop(self) -> MonitorSummary:
        summary = self.monitor.stop()
        self.source.close()
        return summary


def nothing_is_lost_and_nothing_twice(watched: Watched, summary: MonitorSummary) -> None:
    found = [sample["sequence"] for sample in watched.store.find("samples", {"task_id": "task-1"})]
    assert found == list(range(summary.read))
    assert (summary.dropped, summary.lost, summary.left) == (0, 0, 0)
    assert summary.written == summary.read
    assert summary.spooled >= summary.resent > SETTINGS.queue_size
    assert list(watched.spool.iterdir()) == []


@pytest.fixture
def watched(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watched]:
    """On the store of the test's other fixture."""
    store = SqliteStore(tmp_path / "store.sqlite") if "relay" not in request.fixturenames else relayed_store(request)
    watched = Watched(store, tmp_path)
    watched.monitor.start()
    until(lambda: store.count("samples") > 0)
    yield watched
    watched.stop()
    store.close()


def relayed_store(request: pytest.FixtureRequest) -> DocumentStore:
    _, url = request.getfixturevalue("relay")
    return open_store(url)


@pytest.fixture
def relay(mongo_server: str) -> Iterator[tuple[Relay, str]]:
    """A real server of MongoDB's protocol behind a relay, and the URL of a new database by way of the relay."""
    name = f"snipbench_test_{uuid.uuid4().hex[:12]}"
    relay, url = Relay.to(f"{mongo_server}/{name}?serverSelectionTimeoutMS=500")
    yield relay, url
    relay.close()
    with pymongo.MongoClient(mongo_server) as client:
        client.drop_database(name)


def test_samples_wait_on_disk_while_another_process_locks_the_store(watched: Watched, tmp_path: Path) -> None:
    locker = subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(tmp_path / "store.sqlite")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert locker.stdout is not None
    assert locker.stdout.readline() == b"locked\n"
    watched.until(EventKind.STORE_STALLED)
    watched.until(EventKind.SPOOL_BEGUN)
    watched.spool_grows()
    locker.communicate(b"unlock\n")
    watched.until(EventKind.STORE_RESUMED)
    watched.until(EventKind.SPOOL_SENT)
    nothing_is_lost_and_nothing_twice(watched, watched.stop())


@pytest.mark.mongo
@pytest.mark.parametrize("how", ["gone", "stopped"])
def test_samples_wait_on_disk_while_the_server_is_away(watched: Watched, relay: tuple[Relay, str], how: str) -> None:
    if how == "gone":
        relay[0].cut()
        watched.until(EventKind.STORE_FAILING)
    else:
        relay[0].hold()
        watched.until(EventKind.STORE_STALLED)
    watched.until(EventKind.SPOOL_BEGUN)
    watched.spool_grows()
    relay[0].restore()
    watched.until(EventKind.STORE_RESUMED)
    watched.until(EventKind.SPOOL_SENT)
    nothing_is_lost_and_nothing_twice(watched, watched.stop())


@pytest.mark.mongo
def test_a_batch_whose_reply_was_lost_after_it_was_stored_is_there_once(
    watched: Watched, relay: tuple[Relay, str]
) -> None:
    relay[0].lose_replies()
    watched.until(EventKind.STORE_FAILING)
    watched.spool_grows()
    relay[0].restore()
    watched.until(EventKind.SPOOL_SENT)
    nothing_is_lost_and_nothing_twice(watched, watched.stop())


@pytest.mark.mongo
def test_what_a_killed_monitor_left_on_disk_is_sent_by_the_next_one(
    relay: tuple[Relay, str], mongo_server: str, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    killed = subprocess.Popen(
        [sys.executable, "-c", WATCHING, relay[1], str(spool)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    store = open_store(relay[1])
    until(lambda: store.count("samples") > 0)
    relay[0].cut()
    until(lambda: sum(path.read_bytes().count(b"\n") for path in spool.glob("*/*")) > 50)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    (segment,) = spool.glob("*/*")
    with segment.open("ab") as stream:
        stream.write(b'00000000 {"_id":"half of a sam')  # as if it had been killed in the middle of a line
    left = segment.read_bytes().count(b"\n") - 1
    relay[0].restore()

    watched = Watched(store, tmp_path)
    watched.monitor.start()
    summary = watched.stop()
    samples = list(store.find("samples", {"task_id": "task-1", "stream_id": "stream-killed"}))
    assert [sample["sequence"] for sample in samples] == list(range(len(samples)))
    assert summary.recovered == left <= len(samples)
    watched.until(EventKind.SPOOL_TORN)
    watched.until(EventKind.SPOOL_SENT)
    assert list(spool.iterdir()) == []
    store.close()
