"""Events as documents."""

from __future__ import annotations

from dataclasses import asdict

from snipbench.domain.event import Event, Stage
from snipbench.store.port import Document


def event_to_document(event: Event) -> Document:
    """The document of an event; ids sort in the order of the log."""
    stage = None if event.stage is None else int(event.stage)
    return asdict(event) | {"_id": f"{event.task_id}:{event.sequence:09d}", "stage": stage}


def event_from_document(document: Document) -> Event:
    """Inverse of :func:`event_to_document`."""
    fields = {key: value for key, value in document.items() if key not in {"_id", "version"}}
    stage = fields.pop("stage")
    return Event(**fields, stage=None if stage is None else Stage(stage))
