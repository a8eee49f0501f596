"""The clone and the session that consecutive segments share: a clone per experiment, a session per number."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from executor.calls import PrepareRequest, SessionFacts
from executor.engine import Engine
from orchestrator import environment
from orchestrator.databases.port import Prototype, ReferenceDatabase
from orchestrator.databases.statements import table_facts
from orchestrator.leading.materials import order_folder
from orchestrator.leading.parts import Parts
from orchestrator.leading.segments import Segment
from orchestrator.leading.specs import session_spec
from orchestrator.leading.taskbook import TaskBook
from snipbench.clock import to_text
from snipbench.domain.event import Stage
from snipbench.domain.task import Environment, OrderRecord
from snipbench.errors import DatabaseError, SessionLost, SnipbenchError

SESSION_ATTEMPTS = 3
"""How often in a row a session may fail to start or to be prepared before the task fails."""


class Stretch:
    """Holds what is open; :meth:`close` leaves nothing behind."""

    def __init__(self, parts: Parts, book: TaskBook, record: OrderRecord) -> None:
        self._parts = parts
        self._book = book
        self._order = record.order
        self._base = order_folder(record, parts.home)
        self._prototypes: dict[str, Prototype] = {}
        self._experiment: str | None = None
        self._session: int | None = None
        self._database: ReferenceDatabase | None = None
        self._engine: Engine | None = None
        book.at_the_end(self._abandon)
        self._facts: SessionFacts | None = None
        self._failures = 0

    @property
    def engine(self) -> Engine:
        """The session of the entered segment."""
        if self._engine is None:
            raise SnipbenchError("no segment was entered")
        return self._engine

    @property
    def database(self) -> ReferenceDatabase:
        """The clone of the entered segment."""
        if self._database is None:
            raise SnipbenchError("no segment was entered")
        return self._database

    @property
    def application(self) -> str:
        """``application_name`` of the snippets' connections."""
        return f"snipbench-{self._book.task.task_id}"

    def enter(self, segment: Segment) -> bool:
        """Have the right clone and session, views prepared.

        Returns:
            False when the session was lost on the way; enter again.

        Raises:
            SessionLost: it was lost too often in a row.
        """
        if self._experiment != segment.experiment:
            self._leave_database()
            self._take_database(segment.experiment)
        if self._session != segment.session:
            self._leave_session()
            self._session = segment.session
        try:
            self._prepare(segment.experiment)
        except SessionLost as loss:
            self._failures += 1
            self._note_lost(str(loss))
            if self._failures >= SESSION_ATTEMPTS:
                raise
            return False
        self._failures = 0
        return True

    def holds(self, experiment: str) -> bool:
        """Whether the clone and a session prepared for the experiment are there."""
        return self._experiment == experiment and self._engine is not None

    def check(self) -> None:
        """Drop the session if the last segment lost it."""
        if self._engine is not None and self._engine.lost is not None:
            self._note_lost(self._engine.lost)

    def close(self) -> None:
        """End the session and release the clone."""
        self._book.at_the_end(None)
        self._leave_session()
        self._leave_database()

    def _abandon(self) -> None:
        """From another thread: what runs in the session ends at once, in the database too."""
        engine, database = self._engine, self._database
        if engine is not None:
            engine.kill("the task is to end")
        if database is not None:
            # The clone may be going already; what is left of it is released by the leader's own thread.
            with suppress(DatabaseError):
                self._parts.cancel_backends(database.admin, self.application)

    def _note_lost(self, reason: str) -> None:
        self._book.log("session lost", experiment=self._experiment, status="failed", text=reason)
        self._parts.progress.note(f"session lost: {reason.splitlines()[0]}")
        if self._engine is not None:
            self._engine.kill()
        self._engine = None

    def _take_database(self, experiment: str) -> None:
        database = self._order.database(self._order.experiment(experiment).database)
        self._stage(Stage.DATABASE_REQUESTED, experiment, database.name)
        if database.name not in self._prototypes:
            self._prototypes[database.name] = self._parts.databases.prepare(
                database, self._base, owner=self._book.task.task_id
            )
        prototype = self._prototypes[database.name]
        how = "built" if prototype.built else "found"
        self._stage(Stage.DATABASE_PREPARED, experiment, f"{how}, {prototype.bytes / 1e6:.0f} MB")
        tables = [table.name for table in self._order.experiment(experiment).tables]
        self._database = self._parts.databases.clone(prototype, database, owner=self._book.task.task_id, tables=tables)
        self._experiment = experiment
        self._stage(
            Stage.DATABASE_READY,
            experiment,
            f"{self._database.strategy} in {self._database.clone_seconds:.2f} s ({self._database.strategy_reason})"
            + _touched(self._database),
            {
                "strategy": self._database.strategy,
                "strategy_reason": self._database.strategy_reason,
                "clone_seconds": self._database.clone_seconds,
                "start_seconds": self._database.start_seconds,
                "touch_seconds": self._database.touch_seconds,
                "image": self._database.image,
            },
        )
        self._book.keep_table_facts(experiment, database, table_facts(self._database.admin))
        for key in self._database.ignored:
            self._parts.progress.note(f"ignored here: {key}")

    def _prepare(self, experiment: str) -> None:
        definition = self._order.experiment(experiment)
        tables = ", ".join(table.name for table in definition.tables)
        self._stage(Stage.ENGINE_PREPARATION_REQUESTED, experiment, tables)
        if self._engine is None:
            self._engine = self._start()
        self._stage(Stage.ENGINE_CONNECTED, experiment, self._engine.session_id)
        prepared = self._engine.prepare(
            PrepareRequest(
                experiment=experiment,
                jdbc_url=self.database.run.jdbc_url,
                user=self.database.run.user,
                password=self.database.run.password,
                application_name=self.application,
                tables=definition.tables,
                source=definition.source,
            )
        )
        self._stage(Stage.ENGINE_READY, experiment, f"{prepared.seconds:.2f} s")

    def _start(self) -> Engine:
        home = self._parts.home
        engine = self._parts.new_engine(session_spec(self._parts, self._order, work=home.work, logs=home.logs))
        facts = engine.start()
        self._parts.progress.note(f"Spark {facts.spark_version} started in {facts.start_seconds:.1f} s")
        self._keep_environment(facts)
        return engine

    def _keep_environment(self, facts: SessionFacts) -> None:
        if self._book.task.environment_id is not None:
            return
        database = self.database
        areas = {
            "machine": environment.machine_facts(),
            "libraries": environment.library_versions(),
            "moment": environment.moment_facts(),
            "database": {
                "server_version": database.server_version,
                "image": database.image,
                **dict(database.settings),
            },
            "spark": {"version": facts.spark_version, "java_version": facts.java_version, **dict(facts.conf)},
        }
        self._book.keep_environment(Environment(areas, to_text(self._parts.clock.now())))

    def _leave_session(self) -> None:
        if self._engine is not None:
            self._engine.stop()
        self._engine = None

    def _leave_database(self) -> None:
        if self._database is not None:
            self._parts.databases.release(self._database.clone_id)
        self._database = None
        self._experiment = None

    def _stage(self, stage: Stage, experiment: str, detail: str, data: dict[str, Any] | None = None) -> None:
        self._book.log(stage, experiment=experiment, text=detail, data=data)
        self._parts.progress.stage(stage, experiment, detail)


def _touched(database: ReferenceDatabase) -> str:
    seconds = database.touch_seconds
    return "" if seconds is None else f"; first reads of its tables took {seconds:.2f} s"
