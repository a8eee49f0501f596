"""Live progress on a terminal: one bar, the run that was last made, notes above it."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from orchestrator.leading.progress import describe, result_text
from snipbench.domain.event import Stage
from snipbench.domain.plan import Phase, Slot
from snipbench.domain.run import RunOutcome, RunStatus


class LiveProgress:
    """Implements the progress port with rich, on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._bar = self._progress.add_task("preparing", total=None)
        self._progress.start()

    def begin(self, task_id: str, runs: int) -> None:
        self._console.print(f"task {task_id}: {runs} runs", style="bold")
        self._progress.update(self._bar, total=runs, completed=0)

    def stage(self, stage: Stage, experiment: str | None, detail: str) -> None:
        self._progress.update(self._bar, description=f"{experiment + ': ' if experiment else ''}{stage.title}")
        if stage in {Stage.DATABASE_READY, Stage.ENGINE_READY, Stage.ANALYSIS_FINISHED}:
            self._console.print(f"{stage.title}{f' [{experiment}]' if experiment else ''} {detail}", markup=False)

    def run(self, slot: Slot, outcome: RunOutcome) -> None:
        phase = "warm-up" if slot.phase is Phase.WARMUP else "run"
        text = f"{phase} {describe(slot)}: {result_text(outcome)}"
        self._progress.update(self._bar, advance=1, description=text[:70])
        if outcome.status is not RunStatus.OK:
            self._console.print(text, style="red", markup=False)

    def note(self, text: str) -> None:
        self._console.print(text, style="dim", markup=False)

    def end(self) -> None:
        self._progress.stop()
