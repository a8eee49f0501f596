"""The clone that consecutive segments of an experiment share."""

from __future__ import annotations

from typing import Any

from orchestrator.databases.port import Prototype, ReferenceDatabase
from orchestrator.databases.statements import table_facts
from orchestrator.leading.materials import order_folder
from orchestrator.leading.parts import Parts
from orchestrator.leading.taskbook import TaskBook
from snipbench.domain.event import Stage
from snipbench.domain.task import OrderRecord


class Stretch:
    """Holds the clone that is there; :meth:`close` leaves none behind."""

    def __init__(self, parts: Parts, book: TaskBook, record: OrderRecord) -> None:
        self._parts = parts
        self._book = book
        self._order = record.order
        self._base = order_folder(record, parts.home)
        self._prototypes: dict[str, Prototype] = {}
        self._experiment: str | None = None
        self._database: ReferenceDatabase | None = None

    def holds(self, experiment: str) -> bool:
        """Whether the experiment's clone is there."""
        return self._database is not None and self._experiment == experiment

    def prepare(self, experiment: str) -> None:
        """Have what the experiment's clone is made of, which may take minutes; the clone of another one is released."""
        self.close()
        database = self._order.database(self._order.experiment(experiment).database)
        self._stage(Stage.DATABASE_REQUESTED, experiment, database.name)
        if database.name not in self._prototypes:
            self._prototypes[database.name] = self._parts.databases.prepare(
                database, self._base, owner=self._book.task.task_id
            )
        prototype = self._prototypes[database.name]
        how = "built" if prototype.built else "found"
        self._stage(Stage.DATABASE_PREPARED, experiment, f"{how}, {prototype.bytes / 1e6:.0f} MB")
        self._experiment = experiment

    def enter(self, experiment: str) -> ReferenceDatabase:
        """Have the experiment's clone; that of another one is released first."""
        if self._experiment != experiment:
            self.prepare(experiment)
        if self._database is None:
            self._database = self._clone(experiment)
            self._tell(experiment, self._database)
        return self._database

    def close(self) -> None:
        """Release the clone."""
        if self._database is not None:
            self._parts.databases.release(self._database.clone_id)
        self._database = None
        self._experiment = None

    def _clone(self, experiment: str) -> ReferenceDatabase:
        definition = self._order.experiment(experiment)
        database = self._order.database(definition.database)
        tables = [table.name for table in definition.tables]
        return self._parts.databases.clone(
            self._prototypes[database.name], database, owner=self._book.task.task_id, tables=tables
        )

    def _tell(self, experiment: str, clone: ReferenceDatabase) -> None:
        self._stage(
            Stage.DATABASE_READY,
            experiment,
            f"{clone.strategy} in {clone.clone_seconds:.2f} s ({clone.strategy_reason})" + _touched(clone),
            {
                "strategy": clone.strategy,
                "strategy_reason": clone.strategy_reason,
                "clone_seconds": clone.clone_seconds,
                "start_seconds": clone.start_seconds,
                "touch_seconds": clone.touch_seconds,
                "image": clone.image,
            },
        )
        database = self._order.database(self._order.experiment(experiment).database)
        self._book.keep_table_facts(experiment, database, table_facts(clone.admin))
        for key in clone.ignored:
            self._parts.progress.note(f"ignored here: {key}")

    def _stage(self, stage: Stage, experiment: str, detail: str, data: dict[str, Any] | None = None) -> None:
        self._book.log(stage, experiment=experiment, text=detail, data=data)
        self._parts.progress.stage(stage, experiment, detail)


def _touched(database: ReferenceDatabase) -> str:
    seconds = database.touch_seconds
    return "" if seconds is None else f"; first reads of its tables took {seconds:.2f} s"
