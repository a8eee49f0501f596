"""Whether the service lives, and whether it is ready for work. Both are told to anybody."""

from __future__ import annotations

from fastapi import APIRouter

from orchestrator.api.answers import HealthModel
from orchestrator.api.service import The

router = APIRouter(tags=["service"])


@router.get("/healthz", summary="Does it live?")
def healthz() -> HealthModel:
    """The process answers."""
    return HealthModel(status="ok")


@router.get("/readyz", summary="Is it ready?")
def readyz(service: The) -> HealthModel:
    """The store and the dispatch can be reached; 503 with the reason where not."""
    service.store.get("tasks", "none")
    service.dispatch.ready()
    return HealthModel(status="ready")
