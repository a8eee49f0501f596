"""What a leader has others do: sessions at an executor, analyses and landing at an analyzer."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from orchestrator.databases.port import ReferenceDatabase
from orchestrator.dispatch.port import Dispatch, Work
from orchestrator.leading.analysis import Landed, Made
from orchestrator.leading.asking import WorkerGone
from orchestrator.leading.line import Line
from orchestrator.leading.parts import Parts
from orchestrator.leading.segments import Segment
from orchestrator.leading.taskbook import TaskBook
from snipbench.domain.analysis import Analysis, Classify
from snipbench.domain.order import Experiment
from snipbench.domain.task import OrderRecord
from snipbench.errors import SessionLost, SnipbenchError
from snipbench.store.port import Document


class ExecutorBench:
    """Implements :class:`orchestrator.leading.bench.Bench` with an executor worker, the same one while it lives.

    It waits for its machine itself, and keeps the session between segments of the same number.
    """

    def __init__(self, parts: Parts, book: TaskBook, record: OrderRecord, dispatch: Dispatch) -> None:
        self._book = book
        self._line = Line(parts, book, dispatch, Work.EXECUTE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held here."""

    def expect(self, segment: Segment) -> None:
        """See the port. The executor starts the session while the database is made."""
        self._line.hint({"kind": "session", "experiment": segment.experiment, "session": segment.session})

    def conduct(self, segment: Segment, database: ReferenceDatabase) -> None:
        """See the port."""
        self._ask("segment", segment.experiment, segment.session, database)

    def profile(self, experiment: Experiment, session: int, database: ReferenceDatabase) -> None:
        """See the port."""
        self._ask("profile", experiment.name, session, database)

    def end(self, *, abandoned: bool = False) -> None:
        """See the port."""
        if abandoned:
            self._line.give_up()
        else:
            self._line.end()

    def _ask(self, kind: str, experiment: str, session: int, database: ReferenceDatabase) -> None:
        request = {"kind": kind, "experiment": experiment, "session": session, "clone_id": database.clone_id}
        try:
            self._line.ask(request)
        except WorkerGone as gone:
            self._book.log("session lost", experiment=experiment, status="failed", text=str(gone))
            if self._line.hopeless:
                raise SessionLost(f"executors went too often in a row: {gone}") from gone


class AnalyzerAnalyst:
    """Implements :class:`orchestrator.leading.analysis.Analyst` with an analyzer worker.

    Proofs of an ``optimize`` analysis need sessions on a quiet machine: they go to an executor (decision 0171).
    """

    def __init__(self, parts: Parts, book: TaskBook, dispatch: Dispatch) -> None:
        self._parts = parts
        self._book = book
        self._dispatch = dispatch

    def make(self, analysis: Analysis) -> Made:
        """See the port."""
        work = Work.ANALYSE if isinstance(analysis, Classify) else Work.EXECUTE
        said = self._ask(work, {"kind": analysis.kind, "analysis": analysis.name})
        return Made(said["sentence"], said["verdict"])

    def land(self) -> Landed:
        """See the port."""
        said = self._ask(Work.ANALYSE, {"kind": "land"})
        return Landed(said["rows"], said["seconds"])

    def report(self) -> str:
        """See the port."""
        return str(self._ask(Work.ANALYSE, {"kind": "report"})["report"])

    def _ask(self, work: Work, request: Document) -> Document:
        line = Line(self._parts, self._book, self._dispatch, work)
        try:
            said = self._until_done(line, work, request)
        except BaseException:
            line.give_up(wait=False)
            raise
        line.end()
        return said

    def _until_done(self, line: Line, work: Work, request: Document) -> Document:
        while True:
            try:
                return line.ask(request)
            except WorkerGone as gone:
                self._book.log(f"{work.value} gone", status="failed", text=str(gone))
                if line.hopeless:
                    raise SnipbenchError(f"workers went too often in a row: {gone}") from gone
