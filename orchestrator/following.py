"""Following a task's event log as it grows, without reading it again from its beginning."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.tasks import is_left
from snipbench.clock import Clock
from snipbench.records import task_from_document
from snipbench.store.port import Document, DocumentStore

MAX_EVENTS = 200
POLL_SECONDS = 0.25
LEFT_SECONDS = 2.0
"""So long must a task be without a leader to be called left: a command writes its task before it leads it."""


def next_events(store: DocumentStore, task_id: str, sequence: int) -> tuple[list[Document], Document | None]:
    """Up to ``MAX_EVENTS`` events from number ``sequence`` on, and the task's document if nothing follows them.

    Numbers are dense, so each event is asked for by its id.
    """
    # The task first: what is settled now has logged everything already.
    task = store.get("tasks", task_id)
    found: list[Document] = []
    while len(found) < MAX_EVENTS:
        event = store.get("events", f"{task_id}:{sequence + len(found):09d}")
        if event is None:
            ended = task if task is not None and task.get("settled") else None
            return found, ended
        found.append(event)
    return found, None


def follow(store: DocumentStore, clock: Clock, task_id: str, after: int = 0) -> Iterator[tuple[str, Document]]:
    """Type and data of each event of a task, to its end, as the API streams them; to a last one of type ``left`` where
    nobody leads it."""
    sequence, left_seconds = after + 1, 0.0
    while True:
        found, ended = next_events(store, task_id, sequence)
        for event in found:
            yield "note" if event["stage"] is None else "stage", event
            sequence = event["sequence"] + 1
        if ended is not None:
            yield "end", {"status": ended["status"], "report": ended.get("report")}
            return
        task = store.get("tasks", task_id)
        left = not found and task is not None and is_left(task_from_document(task), clock)
        left_seconds = left_seconds + POLL_SECONDS if left else 0.0
        if left_seconds > LEFT_SECONDS:
            yield "left", {}
            return
        clock.sleep(POLL_SECONDS)
