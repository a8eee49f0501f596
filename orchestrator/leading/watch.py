"""Monitoring while measured runs are made (stages 12, 13 and 17)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitor.events import EventKind
from monitor.sampler import StreamId
from orchestrator.leading.parts import Parts
from orchestrator.leading.stream import Stream, Told
from orchestrator.leading.taskbook import TaskBook
from snipbench.domain.event import Stage
from snipbench.domain.order import Order
from snipbench.identity import new_id
from snipbench.resources.port import Target

GOOD = frozenset({EventKind.SOURCE_RESUMED, EventKind.STORE_RESUMED, EventKind.SPOOL_SENT})


class Watch:
    """A context in which this process watches targets. What is told beside samples goes to the event log."""

    def __init__(self, parts: Parts, book: TaskBook, order: Order, experiment: str, targets: Sequence[Target]) -> None:
        self._parts = parts
        self._book = book
        self._experiment = experiment
        self._stream = Stream(
            parts.store,
            parts.clock,
            StreamId(book.task.task_id, experiment, new_id("stream", parts.clock.now())),
            order.monitor.source,
            order.monitor.interval_seconds,
            targets,
            parts.home.spool,
        )

    def __enter__(self) -> None:
        self._stream.start()
        self._stage(Stage.MONITORING_STARTED, self._stream.named)
        self._stage(Stage.SAMPLES_STREAMED, "streaming")

    def __exit__(self, *_: object) -> None:
        streamed = self._stream.stop()
        log_told(self._book, self._experiment, streamed.events)
        self._stage(Stage.MONITORING_STOPPED, streamed.sentence, streamed.summary)

    def _stage(self, stage: Stage, text: str, data: dict[str, Any] | None = None) -> None:
        self._book.log(stage, experiment=self._experiment, text=text, data=data)
        self._parts.progress.stage(stage, self._experiment, text)


def log_told(book: TaskBook, experiment: str, events: Sequence[Told]) -> None:
    """What a monitor told beside samples, into the event log."""
    for kind, target, message, at in events:
        book.log(
            f"monitor: {kind}",
            experiment=experiment,
            status="ok" if EventKind(kind) in GOOD else "failed",
            text=f"{target + ': ' if target else ''}{message}",
            data={"at": at},
        )
