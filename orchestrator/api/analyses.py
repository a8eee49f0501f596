"""Routes about analyses of tasks that have ended."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Response
from pydantic import ValidationError

from orchestrator.api.answers import AnalysisModel, AnalysisRequest, analysis_of
from orchestrator.api.problems import Problem
from orchestrator.api.service import Reader, Submitter, The, is_unicode
from orchestrator.dispatch.analyses import COLLECTION, request_analysis
from orchestrator.dispatch.port import Work
from snipbench.domain.analysis import Classify

router = APIRouter(tags=["analyses"])


_LINKS: dict[str, Any] = {
    "analysis": {"operationId": "analysis", "parameters": {"analysis_id": "$response.body#/analysis_id"}}
}


@router.post("/analyses", status_code=202, responses={202: {"links": _LINKS}}, summary="Ask for an analysis")
def analyse(wanted: AnalysisRequest, response: Response, service: The, _: Submitter) -> AnalysisModel:
    """Learn performance classes from a task's measurements."""
    if not is_unicode(json.dumps(wanted.analysis, ensure_ascii=False)):
        raise Problem(422, "request", "analysis: it has half a character (an escape of one surrogate)")
    if not service.task(wanted.task_id).get("settled"):
        raise Problem(409, "state", f"task {wanted.task_id} has not ended yet")
    try:
        analysis = Classify.model_validate(wanted.analysis)
    except ValidationError as error:
        texts = [f"analysis.{'.'.join(str(step) for step in one['loc'])}: {one['msg']}" for one in error.errors()[:20]]
        raise Problem(422, "request", "; ".join(texts)) from None
    if analysis.export is not None:
        # A place that this service could write to is the service's business, not the caller's.
        raise Problem(422, "request", "analysis.export: not over HTTP; the table lies beside the model")
    document = request_analysis(service.store, service.clock, wanted.task_id, analysis)
    service.ring(Work.ANALYSE, document["_id"])
    response.headers["Location"] = f"/analyses/{document['_id']}"
    return analysis_of(document)


@router.get("/analyses/{analysis_id}", summary="Show an analysis")
def analysis(analysis_id: str, service: The, _: Reader) -> AnalysisModel:
    """State of an analysis, and what it found."""
    document = service.store.get(COLLECTION, analysis_id)
    if document is None:
        raise Problem(404, "missing", f"there is no analysis {analysis_id!r}")
    return analysis_of(document)
