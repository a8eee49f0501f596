"""One start of the monitoring: a source that was chosen, the two threads, and what they told beside samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from monitor.events import EventKind
from monitor.monitor import Monitor, MonitorSettings
from monitor.sampler import StreamId
from monitor.sources import SourceName, choose_source
from snipbench.clock import Clock
from snipbench.resources.port import Target
from snipbench.store.port import DocumentStore

Told = tuple[str, str | None, str, str]
"""Kind (a value of :class:`EventKind`), target, message, instant."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """What became of a stream, in words and as a document, and what was told on the way."""

    sentence: str
    summary: dict[str, Any]
    events: tuple[Told, ...]


class Stream:
    """From :meth:`start` to :meth:`stop`. Samples wait below ``spool`` while the store is away; without one, in memory.

    Raises:
        UsageError, MonitorError: the source cannot be had.
    """

    def __init__(
        self,
        store: DocumentStore,
        clock: Clock,
        identity: StreamId,
        source: SourceName,
        interval_seconds: float,
        targets: Sequence[Target],
        spool: Path | None,
    ) -> None:
        self._told: SimpleQueue[Told] = SimpleQueue()
        self._source = choose_source(source, targets)
        self.named = ", ".join(f"{self._source.name_for(target)} counters of {target.name}" for target in targets)
        """What is read of whom, for people."""
        self._monitor = Monitor(
            store,
            self._source,
            targets,
            identity,
            on_event=self._tell,
            settings=MonitorSettings(interval_seconds=interval_seconds),
            clock=clock,
            spool=spool,
        )

    def start(self) -> None:
        """Begin; the first reading is made at once."""
        self._monitor.start()

    def stop(self) -> Streamed:
        """Make a last reading, write everything, let go of the source."""
        summary = self._monitor.stop()
        self._source.close()
        told = []
        while not self._told.empty():
            told.append(self._told.get())
        return Streamed(summary.sentence(), summary.to_document(), tuple(told))

    def _tell(self, kind: EventKind, target: str | None, message: str, at: str) -> None:
        self._told.put((kind.value, target, message, at))
