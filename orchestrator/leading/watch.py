"""Monitoring while measured runs are made (stages 12, 13 and 17)."""

from __future__ import annotations

from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any

from monitor.events import EventKind
from monitor.monitor import Monitor, MonitorSettings
from monitor.sampler import StreamId
from monitor.sources import choose_source
from orchestrator.leading.parts import Parts
from orchestrator.leading.taskbook import TaskBook
from snipbench.domain.event import Stage
from snipbench.domain.order import Order
from snipbench.identity import new_id
from snipbench.resources.port import Target

GOOD = frozenset({EventKind.SOURCE_RESUMED, EventKind.STORE_RESUMED, EventKind.SPOOL_SENT})


class Watch:
    """A context in which targets are watched. What the monitor tells beside samples goes to the event log."""

    def __init__(self, parts: Parts, book: TaskBook, order: Order, experiment: str, targets: Sequence[Target]) -> None:
        self._parts = parts
        self._book = book
        self._experiment = experiment
        self._told: SimpleQueue[tuple[EventKind, str | None, str, str]] = SimpleQueue()
        self._source = choose_source(order.monitor.source, targets)
        self._named = ", ".join(f"{self._source.name_for(target)} counters of {target.name}" for target in targets)
        self._monitor = Monitor(
            parts.store,
            self._source,
            targets,
            StreamId(book.task.task_id, experiment, new_id("stream", parts.clock.now())),
            on_event=lambda *event: self._told.put(event),
            settings=MonitorSettings(interval_seconds=order.monitor.interval_seconds),
            clock=parts.clock,
            spool=parts.home.spool,
        )

    def __enter__(self) -> None:
        self._monitor.start()
        self._stage(Stage.MONITORING_STARTED, self._named)
        self._stage(Stage.SAMPLES_STREAMED, "streaming")

    def __exit__(self, *_: object) -> None:
        summary = self._monitor.stop()
        self._source.close()
        while not self._told.empty():
            kind, target, message, at = self._told.get()
            status = "ok" if kind in GOOD else "failed"
            self._book.log(
                f"monitor: {kind.value}",
                experiment=self._experiment,
                status=status,
                text=f"{target + ': ' if target else ''}{message}",
                data={"at": at},
            )
        self._stage(Stage.MONITORING_STOPPED, summary.sentence(), summary.to_document())

    def _stage(self, stage: Stage, text: str, data: dict[str, Any] | None = None) -> None:
        self._book.log(stage, experiment=self._experiment, text=text, data=data)
        self._parts.progress.stage(stage, self._experiment, text)
