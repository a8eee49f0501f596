"""Two threads: one reads counters into a bounded queue, one takes them out, makes batches and writes them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, Full, Queue

from monitor.activity import Activity
from monitor.events import EventKind, EventSink
from monitor.sampler import Sampler, StreamId
from monitor.writer import BatchWriter
from snipbench.clock import Clock, SystemClock, to_text
from snipbench.resources.port import CounterSource, Target
from snipbench.store.port import Document, DocumentStore

_LOOK_SECONDS = 0.25
"""How often the writer looks whether the reader is stalled."""


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """How to stream; the defaults suit 1 to 50 readings a second."""

    interval_seconds: float = 1.0
    batch_size: int = 500
    batch_age_seconds: float = 1.0
    queue_size: int = 10_000
    reader_seconds: float = 5.0
    """How long :meth:`Monitor.stop` waits for a reading under way."""
    drain_seconds: float = 30.0
    """How long :meth:`Monitor.stop` waits for the store."""

    @property
    def stall_seconds(self) -> float:
        """When a reading or an insert counts as stalled: three intervals, but between 1 and 1.5 seconds."""
        return min(1.5, max(1.0, 3 * self.interval_seconds))


@dataclass(frozen=True, slots=True)
class MonitorSummary:
    """What became of the samples: ``read = written + dropped + lost``, unless a thread did not end in time."""

    read: int
    written: int
    dropped: int
    """Found the queue full."""
    lost: int
    """Refused by the store, or not written in time at the stop."""
    batches: int
    store_retries: int
    missed: int
    """Rounds left out because readings took too long."""
    events: int
    sink_failures: int
    """Events that the leader's callback failed to take."""
    ended: dict[str, str] = field(default_factory=dict)
    """Targets whose stream ended before the stop, and why."""

    @property
    def complete(self) -> bool:
        """Whether every reading was made and is in the store."""
        return not (self.dropped or self.lost or self.missed or self.ended)


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
    ) -> None:
        self._settings = settings or MonitorSettings()
        self._clock = clock or SystemClock()
        self._on_event = on_event
        self._queue: Queue[Document | None] = Queue(self._settings.queue_size)
        self._stopping = threading.Event()
        self._reading_over = threading.Event()
        self._out_of_time = threading.Event()
        self._counting = threading.Lock()
        self._events = 0
        self._sink_failures = 0
        self._dropped = 0
        self._dropping = False
        self._summary: MonitorSummary | None = None
        self._reading = Activity(self._settings.stall_seconds)
        self._writing = Activity(self._settings.stall_seconds)
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
            self._settings.batch_size,
            self._settings.batch_age_seconds,
            clock=self._clock,
            activity=self._writing,
            pause=self._pause,
            may_retry=lambda: not self._out_of_time.is_set(),
            report=self._report,
        )
        # Daemons: a reading or an insert that never ends must not keep the command from ending.
        self._reader_thread = threading.Thread(target=self._read_all, name="monitor-reader", daemon=True)
        self._writer_thread = threading.Thread(target=self._write_all, name="monitor-writer", daemon=True)

    def start(self) -> None:
        """Begin; the first reading is made at once. Once only."""
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
        self._reading_over.set()
        with suppress(Full):  # then the writer sees the flag as soon as it has emptied the queue
            self._queue.put_nowait(None)
        self._writer_thread.join(self._settings.drain_seconds)
        if self._writer_thread.is_alive():
            self._out_of_time.set()
            self._writer_thread.join(_LOOK_SECONDS)
        left = self._left_behind()
        if left:
            self._report(EventKind.SAMPLES_LOST, None, f"{left} samples were not written in time")
        self._summary = MonitorSummary(
            read=self._sampler.read,
            written=self._writer.written,
            dropped=self._dropped,
            lost=self._writer.lost + left,
            batches=self._writer.batches,
            store_retries=self._writer.retries,
            missed=self._sampler.missed,
            events=self._events,
            sink_failures=self._sink_failures,
            ended=self._sampler.ended | unfinished,
        )
        return self._summary

    def _read_all(self) -> None:
        self._sampler.run(self._stopping.wait)
        if self._dropping:
            self._report_dropped()

    def _write_all(self) -> None:
        while not self._out_of_time.is_set():
            due = self._writer.seconds_until_due()
            try:
                document = self._queue.get(timeout=_LOOK_SECONDS if due is None else min(due, _LOOK_SECONDS))
            except Empty:
                document = None
            if document is not None:
                self._writer.add(document)
            elif self._reading_over.is_set() and self._queue.empty():
                break
            self._writer.flush_if_due()
            self._look_at_reader()
        self._writer.flush()

    def _deliver(self, document: Document) -> None:
        """A sample's way into the queue; it never waits, since waiting would delay the readings."""
        stalled = self._writing.stalled(self._clock.monotonic())
        if stalled is not None:
            self._report(EventKind.STORE_STALLED, None, f"an insert takes {stalled[1]:.1f} s already")
        try:
            if self._reading_over.is_set():
                raise Full
            self._queue.put_nowait(document)
        except Full:
            self._dropped += 1
            if not self._dropping:
                self._dropping = True
                self._report(EventKind.SAMPLES_DROPPED, None, f"the queue of {self._queue.maxsize} samples is full")
        else:
            # Not at the first free place: a store that is just too slow would make an event of every sample.
            if self._dropping and self._queue.qsize() <= self._queue.maxsize // 2:
                self._report_dropped()

    def _report_dropped(self) -> None:
        self._dropping = False
        self._report(EventKind.SAMPLES_DROPPED, None, f"{self._dropped} samples dropped in all so far")

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

    def _left_behind(self) -> int:
        """Samples that a writer which did not end still holds, or has left in the queue."""
        left = self._writer.waiting if self._writer_thread.is_alive() else 0
        while True:
            try:
                left += self._queue.get_nowait() is not None
            except Empty:
                return left

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
