"""What a task's id and a database's name mean: the definition in the stored order, and nothing that a caller said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.leading.materials import order_folder
from orchestrator.leading.parts import Home
from snipbench import records
from snipbench.domain.order import Database
from snipbench.errors import UsageError
from snipbench.store.port import DocumentStore


@dataclass(frozen=True, slots=True)
class Meaning:
    """A database of a task's order. ``tables`` are those that the order reads of it."""

    database: Database
    base: Path
    tables: frozenset[str]

    def read(self, tables: Sequence[str] | None) -> Sequence[str] | None:
        """The tables a caller says will be read, none of which the order leaves out.

        Raises:
            UsageError: one of them is not in the order.
        """
        unknown = sorted(set(tables or ()) - self.tables)
        if unknown:
            raise UsageError(f"the order reads no table {unknown[0]!r} of database {self.database.name!r}")
        return tables


def meaning_of(store: DocumentStore, home: Home, task_id: str, name: str) -> Meaning:
    """Look a database up; files that came with the order are written below ``home``.

    Raises:
        UsageError: there is no such task or database, or the order's files are on another machine.
        StoreError: the store is away.
    """
    task = store.get("tasks", task_id)
    found = None if task is None else store.get("orders", task["order_id"])
    if found is None:
        raise UsageError(f"there is no task {task_id!r}")
    record = records.order_from_document(found)
    if record.source is None:
        raise UsageError(f"there is no folder of task {task_id!r} here: its order was not submitted to a service")
    named = {database.name: database for database in record.order.databases}
    if name not in named:
        raise UsageError(f"there is no database {name!r} in the order of task {task_id}")
    tables = frozenset(
        table.name
        for experiment in record.order.experiments
        if experiment.database == name
        for table in experiment.tables
    )
    return Meaning(named[name], order_folder(record, home), tables)
