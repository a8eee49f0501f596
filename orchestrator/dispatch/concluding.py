"""What an analyzer worker does for a leader: its order's analyses, landing, the report."""

from __future__ import annotations

from orchestrator.leading.analysis import LocalAnalyst
from orchestrator.leading.parts import Parts
from orchestrator.leading.taking import Taken
from orchestrator.leading.taskbook import TaskBook
from snipbench.store.port import Document


def conclude(parts: Parts, hold: Taken) -> None:
    """Fulfil the requests of a taken assignment.

    Raises:
        SnipbenchError: a request failed, or must not be fulfilled any more.
    """
    book = TaskBook.open(parts.store, parts.clock, hold.task_id, hold)
    analyst = LocalAnalyst(parts, book)
    for request in hold.requests():
        hold.done(request, **_fulfilled(analyst, book, request))


def _fulfilled(analyst: LocalAnalyst, book: TaskBook, request: Document) -> Document:
    if request["kind"] == "land":
        landed = analyst.land()
        return {"rows": landed.rows, "seconds": landed.seconds}
    if request["kind"] == "report":
        return {"report": analyst.report()}
    analyses = book.order().order.analyses
    made = analyst.make(next(one for one in analyses if one.name == request["analysis"]))
    return {"sentence": made.sentence, "verdict": made.verdict}
