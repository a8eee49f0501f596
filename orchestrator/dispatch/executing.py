"""What an executor worker does: the sessions of one task, for the leader that asked, until nothing more is asked."""

from __future__ import annotations

from contextlib import ExitStack

from orchestrator.leading.bench import LocalBench
from orchestrator.leading.kept_session import KeptSession
from orchestrator.leading.lease import patience_for
from orchestrator.leading.parts import Parts
from orchestrator.leading.segments import segments
from orchestrator.leading.taking import Taken
from orchestrator.leading.taskbook import TaskBook, final_slots
from snipbench.domain.analysis import Optimize
from snipbench.domain.task import OrderRecord
from snipbench.errors import StoreError
from snipbench.store.port import Document


def execute(parts: Parts, hold: Taken, kept: KeptSession) -> None:
    """Fulfil the requests of a taken assignment.

    The session lives from one request to the next, as long as their session number is the same; when the leader goes
    it is ``kept`` for the next.

    Raises:
        SnipbenchError: a request failed, or must not be fulfilled any more.
    """
    book = TaskBook.open(parts.store, parts.clock, hold.task_id, hold)
    record = book.order()
    hold.patience_seconds = patience_for(record.order)
    kept.drop(unless=hold.task_id)
    bench: LocalBench | None = None
    with ExitStack() as stack:
        for request in hold.requests():
            if request["kind"] == "optimize":
                kept.drop()
                hold.done(request, **_optimize(parts, record, book, request["analysis"]))
                continue
            if bench is None:
                bench = stack.enter_context(LocalBench(parts, book, record, kept))
            if request["kind"] == "session":
                bench.begin(request["experiment"], request["session"])
            else:
                _conduct(parts, book, record, bench, request)
            hold.done(request)


def _conduct(parts: Parts, book: TaskBook, record: OrderRecord, bench: LocalBench, request: Document) -> None:
    experiment, session = request["experiment"], request["session"]
    database = parts.databases.find(request["clone_id"])
    if request["kind"] == "profile":
        bench.profile(record.order.experiment(experiment), session, database)
        return
    plan = book.plan()
    if plan is None:
        raise StoreError(f"the plan of task {book.task.task_id} is not in the store")
    accepted = book.accepted()
    for segment in segments(plan, accepted, final_slots(accepted)):
        if (segment.experiment, segment.session) == (experiment, session):
            bench.conduct(segment, database)


def _optimize(parts: Parts, record: OrderRecord, book: TaskBook, name: str) -> Document:
    from orchestrator.proving.improving import run_optimize

    analysis = next(one for one in record.order.analyses if one.name == name)
    assert isinstance(analysis, Optimize)
    found = run_optimize(parts, book.task.task_id, analysis, ends=book)
    return {"sentence": found["sentence"], "verdict": found["verdict"]}
