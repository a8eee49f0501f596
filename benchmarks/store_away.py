"""A store that is away for two minutes while a thousand samples a second come: none lost, none twice, little memory.

Samples come from readings alone; the store takes what it can and the disk the rest. So where fewer come than are asked
for, the time that the reading thread spends in readings says whether they are what there was no time for.
"""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from benchmarks.mongo_server import mongo_database
from benchmarks.relay import Relay
from benchmarks.result import Goal, Row
from monitor.events import EventKind
from monitor.monitor import Monitor, MonitorSettings
from monitor.sampler import StreamId
from monitor.segment import segments
from monitor.summary import MonitorSummary
from snipbench.domain.run import Counters
from snipbench.resources.port import CounterSource, Target
from snipbench.resources.process_tree import ProcessTreeSource
from snipbench.store.opening import open_store
from snipbench.store.port import DocumentStore

TARGETS = 40
HERTZ = 40
"""A busy machine leaves out a third of the 1,600 readings a second."""
BEFORE_SECONDS = 15.0
AWAY_SECONDS = 120.0
NONE = Goal(at_most=0)
RATE = Goal(at_least=1000)
GROWTH = Goal(at_most=64)
"""Megabytes; what is spooled meanwhile is more."""
NOTICED = Goal(at_most=2.0)
WAYS: dict[str, Callable[[Relay], None]] = {"gone": Relay.cut, "stopped": Relay.hold}
"""Connections end and are refused; or they stand, and nothing comes back."""


def run() -> Sequence[Row]:
    """Rows for each way of being away."""
    return [row for way in WAYS for row in _away(way)]


def _away(way: str) -> Sequence[Row]:
    with TemporaryDirectory() as folder, mongo_database() as url, _sleepers() as targets:
        relay, relayed = Relay.to(url)
        spool, source, noticed = Path(folder) / "spool", Timed(ProcessTreeSource()), threading.Event()
        with closing(relay), closing(open_store(relayed)) as store:

            def told(kind: EventKind, target: str | None, message: str, at: str) -> None:
                print(f"{at} {target or 'store'}: {kind.value}: {message}", file=sys.stderr)
                if kind in {EventKind.STORE_FAILING, EventKind.STORE_STALLED}:
                    noticed.set()

            monitor = Monitor(
                store,
                source,
                targets,
                StreamId("proof", "store-away", f"stream-{way}"),
                on_event=told,
                settings=MonitorSettings(interval_seconds=1 / HERTZ, drain_seconds=600),
                spool=spool,
            )
            monitor.start()
            started = time.monotonic()
            time.sleep(BEFORE_SECONDS)
            before = source.since()
            with _memory() as growth:
                begun = time.monotonic()
                WAYS[way](relay)
                noticed.wait(60)
                noticing = time.monotonic() - begun
                time.sleep(AWAY_SECONDS - noticing)
                spooled = sum(path.stat().st_size for path in segments_below(spool))
                away = source.since()
                relay.restore()
                back = time.monotonic()
                while segments_below(spool):
                    time.sleep(0.1)
                catching_up = time.monotonic() - back
            behind = source.since()
            watched = time.monotonic() - started
            summary = monitor.stop()
            source.close()
            rows = _rows(way, summary, store)
    took = f"{AWAY_SECONDS:.0f} s of {summary.seconds:.0f} s away"
    return (
        Row(f"{way}: samples that came", summary.read / watched, "samples/s", RATE, took),
        *(
            Row(f"{way}: samples that came {when}", stretch.rate, "samples/s", note=stretch.note())
            for when, stretch in (("before", before), ("while it was away", away), ("while it caught up", behind))
        ),
        *rows,
        Row(f"{way}: until it was told", noticing, "s", NOTICED),
        Row(
            f"{way}: growth of the monitor's memory, largest",
            growth[0],
            "MB",
            GROWTH,
            f"{spooled / 1e6:.0f} MB on disk",
        ),
        Row(f"{way}: back until all was in the store", catching_up, "s", note="samples going on as before"),
    )


def _rows(way: str, summary: MonitorSummary, store: DocumentStore) -> Sequence[Row]:
    """What is in the store against what was read."""
    sequences: dict[str, list[int]] = {}
    for sample in store.find("samples", {"task_id": "proof"}):
        sequences.setdefault(sample["target"], []).append(sample["sequence"])
    found = sum(map(len, sequences.values()))
    different = sum(len(set(numbers)) for numbers in sequences.values())
    note = (
        f"{summary.read} read, {summary.spooled} spooled, {summary.resent} sent again, {summary.missed} rounds missed"
    )
    return (
        Row(f"{way}: samples that are not in the store", summary.read - different, "samples", NONE, note),
        Row(f"{way}: samples that are there twice", found - different, "samples", NONE),
    )


@dataclass(frozen=True)
class Stretch:
    """Readings of a stretch of time; all times in seconds."""

    seconds: float
    readings: int
    in_readings: float
    in_readings_cpu: float

    @property
    def rate(self) -> float:
        """Readings a second."""
        return self.readings / self.seconds

    def note(self) -> str:
        """What a reading took, and how much of the time all of them."""
        each, cpu = (1e6 * spent / self.readings for spent in (self.in_readings, self.in_readings_cpu))
        share = 100 * self.in_readings / self.seconds
        return (
            f"{TARGETS * HERTZ} asked for; {share:.0f} % of the time in readings of {each:.0f} µs, {cpu:.0f} µs of CPU"
        )


class Timed:
    """Implements :class:`snipbench.resources.port.CounterSource` by another one, and times its readings."""

    def __init__(self, inner: CounterSource) -> None:
        self.name = inner.name
        self._inner = inner
        self._began = time.monotonic()
        self._readings = 0
        self._spent = 0.0
        self._cpu = 0.0

    def since(self) -> Stretch:
        """What was read since this was asked before."""
        now = time.monotonic()
        stretch = Stretch(now - self._began, self._readings, self._spent, self._cpu)
        self._began, self._readings, self._spent, self._cpu = now, 0, 0.0, 0.0
        return stretch

    def name_for(self, target: Target) -> str:
        """See the port."""
        return self._inner.name_for(target)

    def read(self, target: Target) -> Counters:
        """See the port."""
        began, cpu = time.perf_counter(), time.thread_time()
        counters = self._inner.read(target)
        self._readings += 1
        self._spent += time.perf_counter() - began
        self._cpu += time.thread_time() - cpu
        return counters

    def look(self, target: Target) -> None:
        """See the port."""
        self._inner.look(target)

    def close(self) -> None:
        """See the port."""
        self._inner.close()


def segments_below(spool: Path) -> list[Path]:
    """All segments of all monitors."""
    return [path for folder in spool.glob("*/") for path in segments(folder)]


@contextmanager
def _sleepers() -> Iterator[list[Target]]:
    """Processes to watch that do nothing."""
    processes = [subprocess.Popen(["sleep", "3600"]) for _ in range(TARGETS)]
    try:
        yield [Target(f"target-{process.pid}", pid=process.pid) for process in processes]
    finally:
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.wait()


@contextmanager
def _memory() -> Iterator[list[float]]:
    """How much the resident memory of this process has grown at most, in megabytes."""
    gc.collect()
    me, over = psutil.Process(), threading.Event()
    before = me.memory_info().rss
    growth = [0.0]

    def look() -> None:
        while not over.wait(0.2):
            growth[0] = max(growth[0], (me.memory_info().rss - before) / 1e6)

    looking = threading.Thread(target=look, name="memory")
    looking.start()
    try:
        yield growth
    finally:
        over.set()
        looking.join()
