"""Where the sessions of a task are: a port, and the sessions of this very process."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self

from executor.calls import PrepareRequest, SessionFacts, SessionSpec
from executor.engine import Engine
from orchestrator import environment
from orchestrator.databases.port import ReferenceDatabase
from orchestrator.leading.conduct import Conductor
from orchestrator.leading.kept_session import KeptSession, RunningSession
from orchestrator.leading.parts import Parts
from orchestrator.leading.profiles import ProfilePass
from orchestrator.leading.segments import Segment
from orchestrator.leading.specs import session_spec
from orchestrator.leading.surroundings import keep_environment
from orchestrator.leading.taskbook import TaskBook
from snipbench.domain.event import Stage
from snipbench.domain.order import Experiment
from snipbench.domain.task import OrderRecord
from snipbench.errors import DatabaseError, LeaderGone, SessionLost, SnipbenchError

SESSION_ATTEMPTS = 3
"""How often in a row a session may fail to start or to be prepared before the task fails."""


class Bench(Protocol):
    """Port; a context: entered when the machine is free for measuring, left when others may have it.

    What was made stands in the store: whoever asks looks there for what is left, whatever became of the session.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def expect(self, segment: Segment) -> None:
        """The segment is next, once its database is there: whoever can start its session meanwhile may. No promise."""
        ...

    def conduct(self, segment: Segment, database: ReferenceDatabase) -> None:
        """Make the segment's runs, in the session of its number; returns early when that one is lost.

        Raises:
            SessionLost: it was lost too often in a row.
            SnipbenchError: it cannot be had.
        """
        ...

    def profile(self, experiment: Experiment, session: int, database: ReferenceDatabase) -> None:
        """Make the experiment's profile passes, in the session that is there or a new one. Ends as :meth:`conduct`."""
        ...

    def end(self, *, abandoned: bool = False) -> None:
        """End the session, before its clone goes; at once where what is under way counts no more."""
        ...


class LocalBench:
    """Implements the port with a Spark session in a child of this process.

    Where sessions are ``kept``, the one that is there when the leader goes is left to the next.
    """

    def __init__(self, parts: Parts, book: TaskBook, record: OrderRecord, kept: KeptSession | None = None) -> None:
        self._parts = parts
        self._book = book
        self._kept = kept
        self._order = record.order
        self._conductor = Conductor(parts, book, record.order)
        self._profiles = ProfilePass(parts, book, record.order)
        self._machine = ExitStack()
        self._session: int | None = None
        self._prepared: str | None = None
        self._database: ReferenceDatabase | None = None
        self._engine: Engine | None = None
        self._facts: SessionFacts | None = None
        self._failures = 0

    def __enter__(self) -> Self:
        task_id = self._book.task.task_id
        self._machine.enter_context(self._parts.measuring(f"snipbench task {task_id}", self._book.raise_if_ended))
        self._book.at_the_end(self._abandon)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._machine:
            if isinstance(error, LeaderGone):
                self._keep()
            self.end()

    @property
    def application(self) -> str:
        """``application_name`` of the snippets' connections."""
        return f"snipbench-{self._book.task.task_id}"

    def expect(self, segment: Segment) -> None:
        """See the port: the one thread that there is makes the database first."""

    def begin(self, experiment: str, session: int) -> None:
        """Start the session of that number for the experiment, before the database is there.

        Raises:
            SessionLost: it was lost too often in a row.
            MachineError: Spark does not start.
        """
        self._turn_to(session)
        if self._engine is None:
            try:
                self._start()
            except SessionLost as loss:
                self._count_loss(experiment, loss)

    def conduct(self, segment: Segment, database: ReferenceDatabase) -> None:
        """See the port."""
        engine = self._enter(segment.experiment, segment.session, database)
        if engine is not None:
            self._book.check()
            self._conductor.conduct(segment, engine, database, self.application)
            self._check(segment.experiment)

    def profile(self, experiment: Experiment, session: int, database: ReferenceDatabase) -> None:
        """See the port."""
        engine = self._engine if self._prepared == experiment.name else None
        if engine is None:
            engine = self._enter(experiment.name, session, database)
        if engine is not None:
            self._profiles.take(experiment, engine, database, self.application)
            self._check(experiment.name)

    def end(self, *, abandoned: bool = False) -> None:
        """See the port. A session that does not end by itself is killed in any case."""
        self._book.at_the_end(None)
        if abandoned:
            self._abandon()
        self._leave()
        self._database = None

    def _enter(self, experiment: str, session: int, database: ReferenceDatabase) -> Engine | None:
        """The session of that number, prepared for the experiment; None when it was lost on the way."""
        self._database = database
        self._turn_to(session)
        try:
            engine = self._prepare(experiment, database)
        except SessionLost as loss:
            self._count_loss(experiment, loss)
            return None
        self._failures = 0
        return engine

    def _turn_to(self, session: int) -> None:
        """End a session of another number."""
        if self._session != session:
            self._leave()
            self._session = session

    def _count_loss(self, experiment: str, loss: SessionLost) -> None:
        """Note a session that could not be had; raises the loss when there were too many in a row."""
        self._failures += 1
        self._note_lost(experiment, str(loss))
        if self._failures >= SESSION_ATTEMPTS:
            raise loss

    def _prepare(self, experiment: str, database: ReferenceDatabase) -> Engine:
        definition = self._order.experiment(experiment)
        tables = ", ".join(table.name for table in definition.tables)
        self._stage(Stage.ENGINE_PREPARATION_REQUESTED, experiment, tables)
        engine = self._engine
        if engine is None:
            engine = self._start()
        if self._facts is not None:
            keep_environment(self._book, self._parts.clock, definition, database, self._facts)
        self._stage(Stage.ENGINE_CONNECTED, experiment, engine.session_id)
        prepared = engine.prepare(
            PrepareRequest(
                experiment=experiment,
                jdbc_url=database.run.jdbc_url,
                user=database.run.user,
                password=database.run.password,
                application_name=self.application,
                tables=definition.tables,
                source=definition.source,
            )
        )
        self._prepared = experiment
        self._stage(Stage.ENGINE_READY, experiment, f"{prepared.seconds:.2f} s")
        return engine

    def _start(self) -> Engine:
        spec = self._spec()
        if kept := self._kept_session(spec):
            self._engine, self._facts = kept.engine, kept.facts
            self._book.log("session kept", text=f"{kept.engine.session_id} goes on under the next leader")
            return kept.engine
        self._engine = self._parts.new_engine(replace(spec, self_test=not self._proved()))
        self._book.raise_if_ended()  # told before, nobody has ended this one
        self._facts = facts = self._engine.start()
        self._parts.progress.note(f"Spark {facts.spark_version} started in {facts.start_seconds:.1f} s")
        return self._engine

    def _kept_session(self, spec: SessionSpec) -> RunningSession | None:
        """What a former leader left here, if there is something."""
        if self._kept is None or self._session is None:
            return None
        return self._kept.take(self._book.task.task_id, self._session, spec, self._parts.counter_source)

    def _spec(self) -> SessionSpec:
        home = self._parts.home
        return session_spec(self._parts, self._order, work=home.work, logs=home.logs)

    def _keep(self) -> None:
        """Leave the session, idle, to the leader that follows."""
        engine, facts, number = self._engine, self._facts, self._session
        if self._kept is None or engine is None or facts is None or number is None or engine.lost is not None:
            return
        self._book.at_the_end(None)
        self._engine = None
        running = RunningSession(self._book.task.task_id, number, self._spec(), engine, facts)
        self._kept.keep(running, self._parts.store)

    def _proved(self) -> bool:
        """Whether a session of the task was there before, on such a machine, with these libraries (decision 0207)."""
        known = self._book.environment()
        return known is not None and (known.facts["machine"], known.facts["libraries"]) == (
            environment.machine_facts(),
            environment.library_versions(),
        )

    def _check(self, experiment: str) -> None:
        """Drop the session if what was made in it lost it."""
        if self._engine is not None and self._engine.lost is not None:
            self._note_lost(experiment, self._engine.lost)

    def _note_lost(self, experiment: str, reason: str) -> None:
        self._book.log("session lost", experiment=experiment, status="failed", text=reason)
        self._parts.progress.note(f"session lost: {reason.splitlines()[0]}")
        if self._engine is not None:
            self._engine.kill()
        self._leave()

    def _leave(self) -> None:
        if self._engine is not None:
            self._engine.stop()
        self._engine, self._prepared = None, None

    def _abandon(self) -> None:
        """From any thread: what runs in the session ends at once, in the database too."""
        engine, database = self._engine, self._database
        if engine is not None and self._kept is not None and self._leader_went():
            engine.interrupt()
        elif engine is not None:
            engine.kill("the task is to end")
        if database is not None:
            # The clone may be going already; what is left of it is released by the leader's own thread.
            with suppress(DatabaseError):
                self._parts.cancel_backends(database.admin, self.application)

    def _leader_went(self) -> bool:
        """Whether the task must end here because of that."""
        try:
            self._book.raise_if_ended()
        except SnipbenchError as error:
            return isinstance(error, LeaderGone)
        return False

    def _stage(self, stage: Stage, experiment: str, detail: str) -> None:
        self._book.log(stage, experiment=experiment, text=detail)
        self._parts.progress.stage(stage, experiment, detail)
