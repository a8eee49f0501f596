"""Reading the targets at even intervals. No thread and no clock of its own: both are given."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from monitor.activity import Activity
from monitor.events import EventKind
from snipbench.clock import Clock
from snipbench.domain.run import Counters
from snipbench.errors import MonitorError
from snipbench.records.samples import sample_to_document
from snipbench.resources.port import CounterSource, SourceStalled, Target, TargetGone
from snipbench.store.port import Document

_CUMULATIVE = ("cpu_seconds", "cpu_user_seconds", "cpu_system_seconds", "read_bytes", "write_bytes")


@dataclass(frozen=True, slots=True)
class StreamId:
    """What the samples of one start of the monitoring have in common."""

    task_id: str
    experiment: str
    stream_id: str


@dataclass(slots=True)
class _Stream:
    """One target's samples so far."""

    target: Target
    restarts: int = 0
    sequence: int = 0
    last: Counters | None = None
    stalled: bool = False


class Sampler:
    """Reads every target once per interval and delivers the samples as documents.

    Args:
        source: reads the counters.
        targets: what to watch; their names differ.
        identity: task, experiment, stream. After counters went down, the stream's id gets the suffix ``.1``, ``.2``, …
        interval_seconds: time between two rounds; rounds that a slow reading has missed are left out, not made up for.
        clock: tells the time.
        activity: learns of each reading, for whoever watches for stalls.
        deliver: takes each sample.
        report: takes kind, target, message of an event.
    """

    def __init__(
        self,
        source: CounterSource,
        targets: Sequence[Target],
        identity: StreamId,
        interval_seconds: float,
        *,
        clock: Clock,
        activity: Activity,
        deliver: Callable[[Document], None],
        report: Callable[[EventKind, str | None, str], None],
    ) -> None:
        self._source = source
        self._identity = identity
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._activity = activity
        self._deliver = deliver
        self._report = report
        self._streams = [_Stream(target) for target in targets]
        self.read = 0
        """Samples read so far."""
        self.missed = 0
        """Rounds left out because readings took too long."""
        self.ended: dict[str, str] = {}
        """Targets whose stream ended by itself, and why."""

    def run(self, wait: Callable[[float], bool]) -> None:
        """Read at once, then every interval, and once more when ``wait(seconds)`` says that it is time to stop."""
        due = self._clock.monotonic()
        while True:
            self.round()
            due += self._interval_seconds
            late = self._clock.monotonic() - due
            if late > 0:
                skipped = math.ceil(late / self._interval_seconds)
                self.missed += skipped
                due += skipped * self._interval_seconds
            if wait(max(0.0, due - self._clock.monotonic())):
                break
        self.round()

    def round(self) -> None:
        """Read every target whose stream goes on."""
        for stream in self._streams:
            if stream.target.name not in self.ended:
                self._read(stream)

    def look(self) -> None:
        """Between two rounds: tell what became of the targets meanwhile, whose next reading may be far away."""
        for stream in self._streams:
            if stream.target.name not in self.ended:
                self._look(stream)

    def _read(self, stream: _Stream) -> None:
        target = stream.target
        self._activity.begin(target.name, self._clock.monotonic())
        counters = None
        with self._telling(stream):
            counters = self._source.read(target)
        stalled = self._activity.end(self._clock.monotonic())
        if stalled is not None:
            self._report(EventKind.SOURCE_RESUMED, target.name, f"the reading took {stalled:.1f} s")
        if counters is not None:
            if stream.stalled:
                self._look(stream)  # counters of before the stall do not end it
            self._accept(stream, counters)

    def _look(self, stream: _Stream) -> None:
        with self._telling(stream):
            self._source.look(stream.target)
            if stream.stalled:
                stream.stalled = False
                self._report(EventKind.SOURCE_RESUMED, stream.target.name, "the source tells its counters again")

    @contextmanager
    def _telling(self, stream: _Stream) -> Iterator[None]:
        """Whatever is raised becomes an event: of a stall that was not told yet, or of the stream's end."""
        target = stream.target
        try:
            yield
        except TargetGone as error:
            self._end(target, EventKind.TARGET_GONE, str(error))
        except SourceStalled as error:
            if not stream.stalled:
                stream.stalled = True
                self._report(EventKind.SOURCE_STALLED, target.name, str(error))
        except MonitorError as error:
            self._end(target, EventKind.SOURCE_FAILED, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must end as an event and not as a silent thread
            self._end(target, EventKind.SOURCE_FAILED, f"{target.name}: {type(error).__name__}: {error}")

    def _accept(self, stream: _Stream, counters: Counters) -> None:
        fallen = _fallen(stream.last, counters)
        if fallen:
            stream.restarts += 1
            stream.sequence = 0
            message = f"{fallen} went down: the target was restarted; a new stream begins"
            self._report(EventKind.COUNTERS_RESTARTED, stream.target.name, message)
        suffix = f".{stream.restarts}" if stream.restarts else ""
        document = sample_to_document(
            counters,
            task_id=self._identity.task_id,
            experiment=self._identity.experiment,
            target=stream.target.name,
            stream_id=self._identity.stream_id + suffix,
            sequence=stream.sequence,
            source=self._source.name_for(stream.target),
        )
        stream.last = counters
        stream.sequence += 1
        self.read += 1
        self._deliver(document)

    def _end(self, target: Target, kind: EventKind, message: str) -> None:
        self.ended[target.name] = message
        self._report(kind, target.name, message)


def _fallen(before: Counters | None, after: Counters) -> str | None:
    """Name of the first cumulative counter that is lower than before."""
    if before is not None:
        for name in _CUMULATIVE:
            earlier, later = getattr(before, name), getattr(after, name)
            if earlier is not None and later is not None and later < earlier:
                return name
    return None
