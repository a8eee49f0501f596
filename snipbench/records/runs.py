"""Runs as documents: the accepted run of each slot, and every other attempt with its reason."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from snipbench.domain.run import Run, RunOutcome
from snipbench.records.parameters import parameters_from_text, parameters_to_text
from snipbench.store.port import Document

_OUTCOME = TypeAdapter(RunOutcome)
_RUN = TypeAdapter(Run)
_OUTCOME_FIELDS = frozenset(RunOutcome.__dataclass_fields__)
_RUN_FIELDS = frozenset(Run.__dataclass_fields__) - {"outcome"}


class AttemptReason(StrEnum):
    """Why a run is not the accepted one of its slot."""

    INTERRUPTED = "interrupted"
    """The command ended in the middle of it."""
    BLOCK_CUT = "block_cut"
    """Its block was cut; the whole block ran again in the next session, so that no pair spans two."""
    REPEATED_WARMUP = "repeated_warmup"
    """A warm-up that a new session or clone repeated; it has no slot."""
    SUPERSEDED = "superseded"
    """Another leader had recorded the slot already."""


def run_id(task_id: str, slot_id: str) -> str:
    """``_id`` of the accepted run of a slot: recording it twice is one record."""
    return f"{task_id}:{slot_id}"


def run_to_document(run: Run) -> Document:
    """The document for the collection ``runs``; the outcome's fields stand beside the run's.

    Raises:
        ValueError: the run has no slot; it belongs to ``attempts``.
    """
    if run.slot_id is None:
        raise ValueError("a run without a slot is an attempt")
    return {"_id": run_id(run.task_id, run.slot_id)} | _fields(run)


def attempt_to_document(run: Run, reason: AttemptReason) -> Document:
    """The document for the collection ``attempts``."""
    place = run.slot_id or f"{run.experiment}/{run.snippet}/{run.repetition}"
    marks = (run.task_id, place, str(run.attempt), reason.value, run.outcome.session_id, run.outcome.started_at)
    return {"_id": ":".join(marks), "reason": reason.value} | _fields(run)


def run_from_document(document: Document) -> Run:
    """The run of a document of ``runs`` or ``attempts``."""
    fields: dict[str, Any] = {key: document[key] for key in _RUN_FIELDS}
    fields["parameters"] = parameters_from_text(document["parameters"])
    fields["outcome"] = _OUTCOME.validate_python({key: document[key] for key in _OUTCOME_FIELDS})
    return _RUN.validate_python(fields)


def _fields(run: Run) -> Document:
    document: Document = json.loads(_RUN.dump_json(run))
    outcome: Document = document.pop("outcome")
    return document | {"parameters": parameters_to_text(run.parameters)} | outcome
