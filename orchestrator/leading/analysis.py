"""What follows the runs: the order's analyses, landing in the lake, the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from monitor.events import EventKind
from monitor.leftovers import Leftovers
from orchestrator.leading.parts import Home, Parts
from orchestrator.leading.profiles import forget_calls, profiled_tables
from orchestrator.leading.taskbook import TaskBook
from orchestrator.leading.watch import GOOD
from snipbench import records
from snipbench.clock import Clock
from snipbench.domain.analysis import Analysis, Classify
from snipbench.domain.event import Stage
from snipbench.errors import StoreError
from snipbench.store.port import Document, DocumentStore


@dataclass(frozen=True, slots=True)
class Made:
    """What came of an analysis."""

    sentence: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Landed:
    """What landing wrote, and how long it took."""

    rows: int
    seconds: float


class Analyst(Protocol):
    """Port; does what follows the runs of one task. Each of it again gives the same."""

    def make(self, analysis: Analysis) -> Made:
        """Make an analysis of the order and keep what it learned."""
        ...

    def land(self) -> Landed:
        """Write the task to the lake."""
        ...

    def report(self) -> str:
        """Write the report; its path."""
        ...


class LocalAnalyst:
    """Implements the port in this process, and a child with a JVM of its own for landing.

    What it needs is loaded when it is needed: most workers never do.
    """

    def __init__(self, parts: Parts, book: TaskBook) -> None:
        self._parts = parts
        self._book = book
        self._task_id = book.task.task_id

    def make(self, analysis: Analysis) -> Made:
        """See the port."""
        if isinstance(analysis, Classify):
            parts = self._parts
            found = run_analysis(parts.store, parts.home, self._task_id, analysis, parts.clock, say=parts.progress.note)
        else:
            from orchestrator.proving.improving import run_optimize

            found = run_optimize(self._parts, self._task_id, analysis, ends=self._book)
        return Made(found["sentence"], found["verdict"])

    def land(self) -> Landed:
        """See the port."""
        from analyzer.landing import land

        parts, task_id = self._parts, self._task_id
        self._send_leftovers()
        extra = profiled_tables(parts.home, task_id)
        landed = land(parts.store_address, parts.home.lake, task_id, parts.jars, extra=extra)
        forget_calls(parts.home, task_id)
        return Landed(landed.rows, landed.seconds)

    def _send_leftovers(self) -> None:
        """Samples that wait on disk since the store was away when their monitor ended: landing is once and for all."""

        def tell(kind: EventKind, _: str | None, message: str) -> None:
            self._book.log(f"monitor: {kind.value}", status="ok" if kind in GOOD else "failed", text=message)

        Leftovers(self._parts.home.spool, self._parts.store, tell).send()

    def report(self) -> str:
        """See the port."""
        from analyzer.report import write_report

        return str(write_report(self._parts.store, self._task_id, self._parts.home.reports))


def analyse(parts: Parts, book: TaskBook) -> None:
    """Make the order's analyses, land the task, write its report; stages 19 to 21 of each. Again gives the same."""
    analyst = parts.roles.analyst(parts, book)

    def stage(stage: Stage, detail: str, status: str = "ok") -> None:
        book.log(stage, text=detail, status=status)
        parts.progress.stage(stage, None, detail)

    for analysis in book.order().order.analyses:
        book.check()
        stage(Stage.ANALYSIS_REQUESTED, f"{analysis.kind} {analysis.name}")
        made = analyst.make(analysis)
        stage(Stage.ANALYSIS_DONE, made.sentence)
        stage(Stage.ANALYSIS_FINISHED, made.verdict, "failed" if made.verdict == "failed" else "ok")
    publish(parts, book)


def publish(parts: Parts, book: TaskBook) -> None:
    """Land the task and write its report, as they stand now."""
    analyst = parts.roles.analyst(parts, book)

    def stage(stage: Stage, detail: str) -> None:
        book.log(stage, text=detail)
        parts.progress.stage(stage, None, detail)

    stage(Stage.ANALYSIS_REQUESTED, "summaries, comparisons, report")
    landed = analyst.land()
    stage(Stage.ANALYSIS_DONE, f"{landed.rows} rows in {landed.seconds:.1f} s")
    report = analyst.report()
    book.update(report=report)
    stage(Stage.ANALYSIS_FINISHED, report)


def run_analysis(
    store: DocumentStore,
    home: Home,
    task_id: str,
    analysis: Classify,
    clock: Clock,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> Document:
    """Make one analysis of a task, keep what it learned, return the training report; ``say`` is told how far it is."""
    # Loaded here: scikit-learn takes a second that orders without analyses need not pay.
    from analyzer.models.classify import run_classify

    task = store.get("tasks", task_id)
    order = None if task is None else store.get("orders", task["order_id"])
    if order is None:
        raise StoreError(f"the order of task {task_id} is not in the store")
    seed = records.order_from_document(order).order.seed
    return run_classify(store, home.models, task_id, analysis, clock=clock, seed=seed, say=say)
