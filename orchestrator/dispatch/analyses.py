"""Analyses that were asked for after a task: requests in the store, made by whoever the doorbell wakes."""

from __future__ import annotations

from typing import Any

from orchestrator.leading.parts import Parts
from snipbench.clock import Clock, to_text
from snipbench.domain.analysis import Classify
from snipbench.errors import SnipbenchError, UsageError
from snipbench.identity import new_id
from snipbench.owned_folder import OwnedFolder
from snipbench.store.port import Document, DocumentStore

COLLECTION = "analyses"


def request_analysis(store: DocumentStore, clock: Clock, task_id: str, analysis: Classify) -> Document:
    """Store the request for an analysis of a task that was run; returns its document.

    Raises:
        UsageError: there is no such task, or it has not ended.
    """
    task = store.get("tasks", task_id)
    if task is None:
        raise UsageError(f"there is no task {task_id!r}")
    if not task.get("settled"):
        raise UsageError(f"task {task_id} has not ended yet")
    document = {
        "_id": new_id("analysis", clock.now()),
        "task_id": task_id,
        "request": analysis.model_dump(mode="json", by_alias=True),
        "status": "queued",
        "requested_at": to_text(clock.now()),
        "verdict": None,
        "sentence": None,
        "failure": None,
    }
    store.replace(COLLECTION, document, expected_version=None)
    return document


def make_analysis(parts: Parts, analysis_id: str) -> None:
    """Make a requested analysis, land what it learned, renew the task's report. One that was begun is begun again.

    Nothing is done where another analyzer of this home is at it: the doorbell rings until it has ended.
    """
    if parts.store.get(COLLECTION, analysis_id) is None:
        raise UsageError(f"there is no analysis {analysis_id!r}")
    claimed = OwnedFolder.claim(parts.home.work / "analyses" / analysis_id)
    if claimed is not None:
        try:
            _make(parts, analysis_id)
        finally:
            claimed.leave()


def _make(parts: Parts, analysis_id: str) -> None:
    from analyzer.landing import land
    from analyzer.report import write_report
    from orchestrator.leading.analysis import run_analysis
    from orchestrator.leading.profiles import forget_calls, profiled_tables

    document = parts.store.get(COLLECTION, analysis_id)
    if document is None or document["status"] != "queued":
        return
    task_id = document["task_id"]
    ended: dict[str, Any]
    try:
        analysis = Classify.model_validate(document["request"])
        learned = run_analysis(parts.store, parts.home, task_id, analysis, parts.clock)
        extra = profiled_tables(parts.home, task_id)
        land(parts.store_address, parts.home.lake, task_id, parts.jars, extra=extra)
        forget_calls(parts.home, task_id)
        write_report(parts.store, task_id, parts.home.reports)
        ended = {"status": "completed", "verdict": learned["verdict"], "sentence": learned["sentence"]}
    except SnipbenchError as error:
        if error.retryable:
            raise
        ended = {"status": "failed", "failure": {"kind": type(error).__name__, "message": str(error)}}
    parts.store.replace(COLLECTION, {**document, **ended}, expected_version=document["version"])
