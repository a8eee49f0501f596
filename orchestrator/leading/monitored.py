"""Monitoring by a monitor worker while measured runs are made here (stages 12, 13 and 17)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict
from types import TracebackType

from orchestrator.databases.ownership import Owner
from orchestrator.dispatch.port import Dispatch, Work
from orchestrator.leading.asking import Asked, WorkerFailed, WorkerGone
from orchestrator.leading.assignment import Answer
from orchestrator.leading.parts import Parts
from orchestrator.leading.taskbook import TaskBook
from orchestrator.leading.watch import log_told
from snipbench.domain.event import Stage
from snipbench.domain.order import Order
from snipbench.errors import LeaderStopped, LeaseLost, SnipbenchError, StoreAway, TaskCancelled
from snipbench.identity import new_id
from snipbench.resources.port import Target
from snipbench.store.port import Document

TAKEN_SECONDS = 15.0
"""How long measured runs wait for a monitor; then they go on unwatched, and the event log says so."""
LOOK_SECONDS = 0.5


class MonitoredWatch:
    """A context in which a monitor worker watches the targets.

    A monitor that goes is told of in the event log and another one rung for; the runs do not wait for it.
    """

    def __init__(
        self, parts: Parts, book: TaskBook, order: Order, experiment: str, targets: Sequence[Target], dispatch: Dispatch
    ) -> None:
        self._parts = parts
        self._book = book
        self._dispatch = dispatch
        self._experiment = experiment
        self._order = order
        self._targets = targets
        self._asked: Asked | None = None
        self._watched = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="watch", daemon=True)

    def __enter__(self) -> None:
        self._asked = self._ask()
        answer = self._first()
        if answer is None:
            self._lament(f"no monitor took it up in {TAKEN_SECONDS:.0f} s; the runs begin unwatched")
            self._stage(Stage.MONITORING_STARTED, "no monitor", "failed")
        else:
            self._watched = True
            self._stage(Stage.MONITORING_STARTED, answer.said["named"])
            self._stage(Stage.SAMPLES_STREAMED, "streaming")
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        asked = self._asked
        if error is not None:
            if asked is not None:
                asked.give_up(wait=False)
            if isinstance(error, TaskCancelled):
                self._stage(Stage.MONITORING_STOPPED, "the task was cancelled")
            return
        answer = None
        if asked is not None and self._watched:
            try:
                answer = asked.finish()
            except WorkerFailed as failed:
                self._lament(f"the monitor failed at its end: {failed.failure.kind}: {failed}")
        if answer is None or "summary" not in answer.said:
            if asked is not None:
                asked.give_up(wait=False)
            self._stage(Stage.MONITORING_STOPPED, "no monitor is there to tell of its samples", "failed")
            return
        log_told(self._book, self._experiment, answer.said["events"])
        self._stage(Stage.MONITORING_STOPPED, answer.said["sentence"], data=answer.said["summary"])

    def _ask(self) -> Asked:
        request = {
            "kind": "watch",
            "experiment": self._experiment,
            "stream_id": new_id("stream", self._parts.clock.now()),
            "source": self._order.monitor.source,
            "interval_seconds": self._order.monitor.interval_seconds,
            "targets": [asdict(target) for target in self._targets],
            "processes_of": Owner.this_process("").namespace,
        }
        return Asked.give(self._parts.store, self._parts.clock, self._dispatch, Work.MONITOR, self._book, request)

    def _first(self) -> Answer | None:
        """The answer of a monitor that watches; None when none was there in time."""
        clock = self._parts.clock
        deadline = clock.monotonic() + TAKEN_SECONDS
        while clock.monotonic() < deadline:
            self._book.raise_if_ended()
            try:
                answer = None if self._asked is None else self._asked.look()
            except WorkerGone as gone:
                self._lament(str(gone))
                self._replace()
                continue
            if answer is not None and "named" in answer.said:
                return answer
            clock.sleep(0.05)
        return None

    def _keep(self) -> None:
        """While runs are made: a monitor that goes is replaced, one that comes late is told of."""
        while not self._end.wait(LOOK_SECONDS):
            try:
                self._look()
            except StoreAway:
                continue  # whoever records a run finds out
            except (LeaseLost, TaskCancelled, LeaderStopped):
                return  # as does the thread that makes the runs
            except SnipbenchError as error:
                self._watched, self._asked = False, None
                self._lament(f"{type(error).__name__}: {error}; the runs go on unwatched")
                return

    def _look(self) -> None:
        try:
            answer = None if self._asked is None else self._asked.look()
        except WorkerGone as gone:
            self._watched = False
            self._lament(f"{gone}; the runs go on unwatched until another one is there")
            self._replace()
            return
        if answer is not None and not self._watched and "named" in answer.said:
            self._watched = True
            self._book.log("monitor: watching", experiment=self._experiment, text=answer.said["named"])

    def _replace(self) -> None:
        """Ask another monitor; one that was suspended only must not go on when it wakes up."""
        if self._asked is not None:
            self._asked.give_up(wait=False)
        self._asked = self._ask()

    def _lament(self, text: str) -> None:
        self._book.log("monitor: missing", experiment=self._experiment, status="failed", text=text)
        self._parts.progress.note(text)

    def _stage(self, stage: Stage, text: str, status: str = "ok", data: Document | None = None) -> None:
        self._book.log(stage, experiment=self._experiment, text=text, status=status, data=data)
        self._parts.progress.stage(stage, self._experiment, text)
