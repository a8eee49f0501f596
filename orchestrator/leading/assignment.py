"""Work that one process of a task gives to another (decision 0170).

What is asked stands in an :class:`Assignment`, which only its asker writes; how it goes in an :class:`Answer`, which
only the worker writes that took it. So neither waits for a compare and set that the other one died in.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum

from pydantic import TypeAdapter

from snipbench.store.port import Document

ASSIGNMENTS = "assignments"
ANSWERS = "answers"


class State(StrEnum):
    """Of an assignment."""

    OPEN = "open"
    DONE = "done"
    """Nothing more is asked; what is under way is ended in good order."""
    GIVEN_UP = "given_up"
    """Nothing of it counts any more; whoever is at it ends at once."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is asked.

    ``work`` names the queue; ``token`` is the fencing token of the task's leader; ``parent`` the assignment that the
    asker itself works on, with which this one ends. ``request`` is JSON and says what to do; its ``number`` rises with
    each further thing that is asked of the same worker.
    """

    assignment_id: str
    work: str
    task_id: str
    token: int
    asker: str
    asked_at: str
    request: Document
    parent: str | None = None
    state: State = State.OPEN
    version: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """How it goes: ``beats`` rises while the worker lives and gets on; ``said`` is JSON, by kind of work.

    In ``said``, ``done`` is the number of the last request that was fulfilled, and ``failure`` what ended the work.
    """

    assignment_id: str
    task_id: str
    holder: str
    taken_at: str
    beats: int = 0
    said: Document = field(default_factory=dict)
    ended: bool = False
    version: int = 0


_ASSIGNMENT = TypeAdapter(Assignment)
_ANSWER = TypeAdapter(Answer)


def assignment_to_document(assignment: Assignment) -> Document:
    """For ``store.replace(ASSIGNMENTS, …, expected_version=assignment.version or None)``."""
    document = asdict(assignment) | {"_id": assignment.assignment_id, "state": assignment.state.value}
    del document["version"]
    return document


def assignment_from_document(document: Document) -> Assignment:
    """Inverse of :func:`assignment_to_document`; ``version`` is the store's."""
    return _ASSIGNMENT.validate_python({key: value for key, value in document.items() if key != "_id"})


def answer_to_document(answer: Answer) -> Document:
    """For ``store.replace(ANSWERS, …, expected_version=answer.version or None)``."""
    document = asdict(answer) | {"_id": answer.assignment_id}
    del document["version"]
    return document


def answer_from_document(document: Document) -> Answer:
    """Inverse of :func:`answer_to_document`; ``version`` is the store's."""
    return _ANSWER.validate_python({key: value for key, value in document.items() if key != "_id"})
