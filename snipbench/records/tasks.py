"""Tasks as documents, written by compare and set."""

from __future__ import annotations

from dataclasses import asdict

from pydantic import TypeAdapter

from snipbench.domain.task import Task
from snipbench.store.port import Document

_TASK = TypeAdapter(Task)


def task_to_document(task: Task) -> Document:
    """The document of a task, for ``store.replace("tasks", …, expected_version=task.version or None)``."""
    document = asdict(task) | {"_id": task.task_id, "status": task.status.value}
    del document["version"]
    return document


def task_from_document(document: Document) -> Task:
    """Inverse of :func:`task_to_document`; ``version`` is the store's."""
    return _TASK.validate_python({key: value for key, value in document.items() if key != "_id"})
