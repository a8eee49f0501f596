"""What follows the runs: the order's analyses, landing in the lake, the report."""

from __future__ import annotations

from analyzer.landing import land
from analyzer.report import write_report
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


def analyse(parts: Parts, book: TaskBook) -> None:
    """Make the order's analyses, land the task, write its report; stages 19 to 21 of each. Again gives the same."""
    task_id = book.task.task_id

    def stage(stage: Stage, detail: str, status: str = "ok") -> None:
        book.log(stage, text=detail, status=status)
        parts.progress.stage(stage, None, detail)

    for analysis in book.order().order.analyses:
        book.check()
        stage(Stage.ANALYSIS_REQUESTED, f"{analysis.kind} {analysis.name}")
        found = _made(parts, task_id, analysis)
        stage(Stage.ANALYSIS_DONE, found["sentence"])
        stage(Stage.ANALYSIS_FINISHED, found["verdict"], "failed" if found["verdict"] == "failed" else "ok")
    publish(parts, book)


def publish(parts: Parts, book: TaskBook) -> None:
    """Land the task and write its report, as they stand now."""
    task_id = book.task.task_id

    def stage(stage: Stage, detail: str) -> None:
        book.log(stage, text=detail)
        parts.progress.stage(stage, None, detail)

    stage(Stage.ANALYSIS_REQUESTED, "summaries, comparisons, report")
    _send_leftovers(parts, book)
    extra = profiled_tables(parts.home, task_id)
    landed = land(parts.store_address, parts.home.lake, task_id, parts.jars, extra=extra)
    forget_calls(parts.home, task_id)
    stage(Stage.ANALYSIS_DONE, f"{landed.rows} rows in {landed.seconds:.1f} s")
    report = write_report(parts.store, task_id, parts.home.reports)
    book.update(report=str(report))
    stage(Stage.ANALYSIS_FINISHED, str(report))


def _send_leftovers(parts: Parts, book: TaskBook) -> None:
    """Samples that wait on disk since the store was away when their monitor ended: landing is once and for all."""

    def tell(kind: EventKind, _: str | None, message: str) -> None:
        book.log(f"monitor: {kind.value}", status="ok" if kind in GOOD else "failed", text=message)

    Leftovers(parts.home.spool, parts.store, tell).send()


def _made(parts: Parts, task_id: str, analysis: Analysis) -> Document:
    if isinstance(analysis, Classify):
        return run_analysis(parts.store, parts.home, task_id, analysis, parts.clock)
    from orchestrator.proving.improving import run_optimize

    return run_optimize(parts, task_id, analysis)


def run_analysis(store: DocumentStore, home: Home, task_id: str, analysis: Classify, clock: Clock) -> Document:
    """Make one analysis of a task and keep what it learned; returns the training report."""
    # Loaded here: scikit-learn takes a second that orders without analyses need not pay.
    from analyzer.models.classify import run_classify

    task = store.get("tasks", task_id)
    order = None if task is None else store.get("orders", task["order_id"])
    if order is None:
        raise StoreError(f"the order of task {task_id} is not in the store")
    seed = records.order_from_document(order).order.seed
    return run_classify(store, home.models, task_id, analysis, clock=clock, seed=seed)
