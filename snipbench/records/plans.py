"""Plans as documents."""

from __future__ import annotations

from dataclasses import asdict

from snipbench.domain.plan import Phase, Plan, Slot
from snipbench.records.parameters import parameters_from_text, parameters_to_text
from snipbench.store.port import Document


def plan_to_document(task_id: str, plan: Plan) -> Document:
    """The plan of a task; slots keep their order."""
    return {
        "_id": task_id,
        "plan_hash": plan.plan_hash,
        "dataset_hashes": [list(pair) for pair in plan.dataset_hashes],
        "slots": [asdict(slot) | {"parameters": parameters_to_text(slot.parameters)} for slot in plan.slots],
    }


def plan_from_document(document: Document) -> Plan:
    """Inverse of :func:`plan_to_document`."""
    return Plan(
        plan_hash=document["plan_hash"],
        slots=tuple(
            Slot(**slot | {"parameters": parameters_from_text(slot["parameters"]), "phase": Phase(slot["phase"])})
            for slot in document["slots"]
        ),
        dataset_hashes=tuple((name, value) for name, value in document["dataset_hashes"]),
    )
