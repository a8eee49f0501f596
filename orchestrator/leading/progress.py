"""What a person watches while a task runs: a port, and the plain implementation (one line per happening)."""

from __future__ import annotations

import logging
from typing import Protocol, TextIO

from snipbench.domain.event import Stage
from snipbench.domain.plan import Phase, Slot
from snipbench.domain.run import RunOutcome, RunStatus


class Progress(Protocol):
    """Port; told of each happening from the leader's thread."""

    def begin(self, task_id: str, runs: int) -> None:
        """A task starts or goes on; ``runs`` are still to be made."""
        ...

    def stage(self, stage: Stage, experiment: str | None, detail: str) -> None:
        """A stage was reached."""
        ...

    def run(self, slot: Slot, outcome: RunOutcome) -> None:
        """A run was recorded."""
        ...

    def note(self, text: str) -> None:
        """Something a person should know (waiting for the machine's lock, a session lost)."""
        ...

    def end(self) -> None:
        """Nothing more will come."""
        ...


class PlainProgress:
    """Lines for a log: each stage that begins something, each note, each run in short."""

    QUIET = frozenset({Stage.EXECUTION_REQUESTED, Stage.SNIPPET_EXECUTED, Stage.EXECUTION_FINISHED})

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._total = 0
        self._done = 0

    def begin(self, task_id: str, runs: int) -> None:
        self._total, self._done = runs, 0
        self._say(f"task {task_id}: {runs} runs")

    def stage(self, stage: Stage, experiment: str | None, detail: str) -> None:
        if stage not in self.QUIET:
            where = f" [{experiment}]" if experiment else ""
            self._say(f"{stage.value:>2} {stage.title}{where}{': ' + detail if detail else ''}")

    def run(self, slot: Slot, outcome: RunOutcome) -> None:
        self._done += 1
        phase = "warm-up" if slot.phase is Phase.WARMUP else "run"
        self._say(f"   {self._done}/{self._total} {phase} {describe(slot)}: {result_text(outcome)}")

    def note(self, text: str) -> None:
        self._say(f"   {text}")

    def end(self) -> None:
        self._stream.flush()

    def _say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class LoggedProgress:
    """For a service: what happens goes to the log; the worker says there whose work it is (``orchestrator.logs``)."""

    def __init__(self) -> None:
        self._log = logging.getLogger("snipbench.work")

    def begin(self, task_id: str, runs: int) -> None:
        self._log.info("%d runs are left", runs, extra={"task_id": task_id})

    def stage(self, stage: Stage, experiment: str | None, detail: str) -> None:
        if stage not in PlainProgress.QUIET:
            extra = {} if experiment is None else {"experiment": experiment}
            self._log.info("%d %s %s", stage.value, stage.title, detail, extra=extra)

    def run(self, slot: Slot, outcome: RunOutcome) -> None:
        ids = {"experiment": slot.experiment, "slot_id": slot.slot_id, "session_id": outcome.session_id}
        self._log.info("%s: %s", describe(slot), result_text(outcome), extra=ids)

    def note(self, text: str) -> None:
        self._log.info("%s", text)

    def end(self) -> None:
        """Nothing is held."""


def describe(slot: Slot) -> str:
    """``exchange/row max_orderkey=30000``."""
    values = " ".join(f"{name}={value}" for name, value in slot.parameters)
    return f"{slot.experiment}/{slot.snippet}{' ' + values if values else ''}"


def result_text(outcome: RunOutcome) -> str:
    """``0.213 s``, or how the run failed."""
    if outcome.status is RunStatus.OK and outcome.wall_seconds is not None:
        return f"{outcome.wall_seconds:.3f} s"
    if outcome.failure is None:
        return outcome.status.value
    first_line = next(iter(outcome.failure.message.splitlines()), "")
    return f"{outcome.status.value}: {outcome.failure.kind}: {first_line}"
