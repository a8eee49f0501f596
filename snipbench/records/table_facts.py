"""Facts about the tables of an experiment's reference database as documents, taken when its clone is ready."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import TypeAdapter

from snipbench.domain.database import Database
from snipbench.domain.table_facts import TableFacts
from snipbench.identity import content_hash
from snipbench.store.port import Document

_TABLES = TypeAdapter(tuple[TableFacts, ...])


def dataset_key(database: Database) -> str:
    """Name of what an order asks a database to hold; equal requests have equal keys."""
    return content_hash(database.dataset.model_dump(mode="json"), length=20)


def table_facts_to_document(
    task_id: str, experiment: str, database: Database, tables: Sequence[TableFacts], recorded_at: str
) -> Document:
    """The document of the collection ``table_facts``; ``_id`` is ``task:experiment``."""
    return {
        "_id": f"{task_id}:{experiment}",
        "task_id": task_id,
        "experiment": experiment,
        "database": database.name,
        "dataset_key": dataset_key(database),
        "tables": json.loads(_TABLES.dump_json(tuple(tables))),
        "recorded_at": recorded_at,
    }


def table_facts_from_document(document: Document) -> tuple[TableFacts, ...]:
    """The tables of a document."""
    return _TABLES.validate_python(document["tables"])
