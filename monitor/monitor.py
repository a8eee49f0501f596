"""Two threads: one reads counters into a bounded queue, one takes them out, makes batches and writes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.activity import Activity
from monitor.backlog import Backlog
from monitor.events import EventKind, EventSink
from monitor.leftovers import Leftovers
from monitor.sampler import Sampler, StreamId
from monitor.spool import Spool
from monitor.summary import MonitorSummary
from monitor.writer import BatchWriter
from snipbench.clock import Clock, SystemClock, to_text
from snipbench.resources.port import CounterSource, Target
from snipbench.store.port import Document, DocumentStore

_LOOK_SECONDS = 0.25
"""How often each thread looks whether the other is stalled."""
STORE_STALL_SECONDS = 0.9
"""When an insert counts as stalled. The reader looks between readings, and one of Docker's stream takes a second."""


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """How to stream; the defaults suit 1 to 50 readings a second."""

    interval_seconds: float = 1.0
    batch_size: int = 500
    batch_age_seconds: float = 1.0
    queue_size: int = 10_000
    """How many samples may wait in memory."""
    spool_bytes: int = 256 << 20
    """How much may wait on disk, that of earlier monitors included."""
    reader_seconds: float = 5.0
    """How long :meth:`Monitor.stop` waits for a reading under way."""
    drain_seconds: float = 30.0
    """How long :meth:`Monitor.stop` waits for the store."""

    @property
    def stall_seconds(self) -> float:
        """When a reading counts as stalled: three intervals, but between 1 and 1.5 seconds."""
        return min(1.5, max(1.0, 3 * self.interval_seconds))


class Monitor:
    """Watches targets from :meth:`start` to :meth:`stop`. The source and the store stay the caller's.

    Args:
        store: takes the samples.
        source: reads the counters; used by one thread of ours only.
        targets: what to watch.
        identity: task, experiment, and a stream id that no other start of the monitoring has.
        on_event: told what happened beside samples, from both threads; slow work in it delays them.
        settings: interval, sizes, time limits.
        clock: tells the time.
        spool: folder where samples wait on disk while the store is away or slow; monitors of one home share it.
            ``None``: they wait in memory only.
    """

    def __init__(
        self,
        store: DocumentStore,
        source: CounterSource,
        targets: Sequence[Target],
        identity: StreamId,
        *,
        on_event: EventSink,
        settings: MonitorSettings | None = None,
        clock: Clock | None = None,
        spool: Path | None = None,
    ) -> None:
        self._settings = settings or MonitorSettings()
        self._clock = clock or SystemClock()
        self._on_event = on_event
        self._stopping = threading.Event()
        self._out_of_time = threading.Event()
        self._counting = threading.Lock()
        self._events = 0
        self._sink_failures = 0
        self._recovered = 0
        self._started = 0.0
        self._cpu_seconds = {"reader": 0.0, "writer": 0.0}
        self._summary: MonitorSummary | None = None
        self._reading = Activity(self._settings.stall_seconds)
        self._writing = Activity(STORE_STALL_SECONDS)
        self._leftovers = None if spool is None else Leftovers(spool, store, self._report)
        self._backlog = Backlog(
            self._settings.queue_size,
            self._settings.batch_size,
            self._settings.batch_age_seconds,
            clock=self._clock,
            report=self._report,
            spool=None if spool is None else Spool(spool, identity.stream_id, self._settings.spool_bytes),
        )
        self._sampler = Sampler(
            source,
            targets,
            identity,
            self._settings.interval_seconds,
            clock=self._clock,
            activity=self._reading,
            deliver=self._deliver,
            report=self._report,
        )
        self._writer = BatchWriter(
            store,
            clock=self._clock,
            activity=self._writing,
            pause=self._pause,
            may_retry=lambda: not self._out_of_time.is_set(),
            on_away=self._backlog.spill,
            report=self._report,
        )
        # Daemons: a reading or an insert that never ends must not keep the command from ending.
        self._reader_thread = threading.Thread(target=self._read_all, name="monitor-reader", daemon=True)
        self._writer_thread = threading.Thread(target=self._write_all, name="monitor-writer", daemon=True)

    def start(self) -> None:
        """Begin; the first reading is made at once. Once only.

        What earlier monitors left in the spool is sent before, so that it does not disturb what is watched.
        """
        self._send_leftovers()
        self._started = self._clock.monotonic()
        self._writer_thread.start()
        self._reader_thread.start()

    def stop(self) -> MonitorSummary:
        """Make a last reading, write everything, end both threads. Called again, it gives the same summary."""
        if self._summary is not None:
            return self._summary
        self._stopping.set()
        self._reader_thread.join(self._settings.reader_seconds)
        stuck = self._reading.what if self._reader_thread.is_alive() else None
        unfinished = {stuck: "its last reading did not end; the monitor stopped without it"} if stuck else {}
        for target, message in unfinished.items():
            self._report(EventKind.SOURCE_FAILED, target, message)
        self._backlog.close()
        self._writer_thread.join(self._settings.drain_seconds)
        if self._writer_thread.is_alive():
            self._out_of_time.set()
            self._writer_thread.join(_LOOK_SECONDS)
        left = self._backlog.end()
        if left.lost:
            self._report(EventKind.SAMPLES_LOST, None, f"{left.lost} samples were not written in time")
        if left.spooled:
            self._report(EventKind.SPOOL_LEFT, None, f"{left.spooled} samples wait on disk for the next monitor")
        else:
            self._send_leftovers()
        self._summary = MonitorSummary(
            read=self._sampler.read,
            written=self._writer.written,
            dropped=self._backlog.dropped,
            overflowed=self._backlog.overflowed,
            lost=self._writer.refused + self._backlog.torn + left.lost,
            left=left.spooled,
            spooled=self._backlog.spooled,
            resent=self._backlog.resent,
            recovered=self._recovered,
            batches=self._writer.batches,
            store_retries=self._writer.retries,
            missed=self._sampler.missed,
            events=self._events,
            sink_failures=self._sink_failures,
            seconds=self._clock.monotonic() - self._started,
            cpu_seconds=sum(self._cpu_seconds.values()),
            ended=self._sampler.ended | unfinished,
        )
        return self._summary

    def _send_leftovers(self) -> None:
        if self._leftovers is not None:
            self._recovered += self._leftovers.send()

    def _read_all(self) -> None:
        self._sampler.run(self._wait)
        self._cpu_seconds["reader"] = time.thread_time()

    def _deliver(self, document: Document) -> None:
        self._look_at_writer()
        self._backlog.put(document)

    def _wait(self, seconds: float) -> bool:
        """Between two rounds; whether to stop. Goes on looking at writer and source, however long the interval."""
        end = self._clock.monotonic() + seconds
        self._cpu_seconds["reader"] = time.thread_time()
        self._look_at_writer()
        while (left := end - self._clock.monotonic()) > 0:
            if self._stopping.wait(min(left, _LOOK_SECONDS)):
                return True
            self._look_at_writer()
            if self._clock.monotonic() < end:
                self._sampler.look()
        return self._stopping.is_set()

    def _write_all(self) -> None:
        while not self._out_of_time.is_set() and not self._backlog.done:
            batch = self._backlog.take(_LOOK_SECONDS)
            if batch:
                stored = self._writer.write(batch)
                if stored is None:
                    break
                self._backlog.settle(stored=stored)
            self._look_at_reader()
            self._cpu_seconds["writer"] = time.thread_time()

    def _look_at_writer(self) -> None:
        stalled = self._writing.stalled(self._clock.monotonic())
        if stalled is not None:
            message = f"an insert takes {stalled[1]:.1f} s already"
            self._report(EventKind.STORE_STALLED, None, message)
            self._backlog.spill(message)

    def _look_at_reader(self) -> None:
        stalled = self._reading.stalled(self._clock.monotonic())
        if stalled is not None:
            message = f"a reading takes {stalled[1]:.1f} s already"
            self._report(EventKind.SOURCE_STALLED, stalled[0], message)

    def _pause(self, seconds: float) -> None:
        """Between two tries of the store; goes on looking at the reader."""
        end = self._clock.monotonic() + seconds
        while (left := end - self._clock.monotonic()) > 0 and not self._out_of_time.wait(min(left, _LOOK_SECONDS)):
            self._look_at_reader()

    def _report(self, kind: EventKind, target: str | None, message: str) -> None:
        at = to_text(self._clock.now())
        failed = 0
        try:
            self._on_event(kind, target, message, at)
        except Exception:  # noqa: BLE001 - counted in the summary; the leader's mistake must not end the stream
            failed = 1
        with self._counting:
            self._events += 1
            self._sink_failures += failed
