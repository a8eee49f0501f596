"""Routes about tasks: state, results, report, cancel, retry."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse

from orchestrator import tasks as asked
from orchestrator.api.answers import TaskModel
from orchestrator.api.callbacks import reopen_callback
from orchestrator.api.problems import Problem
from orchestrator.api.service import Controller, Reader, Service, The
from orchestrator.dispatch.port import Work
from orchestrator.leading.lease import TaskHeld
from orchestrator.leading.taskbook import TaskBook
from snipbench.errors import UsageError
from snipbench.store.port import Document

router = APIRouter(tags=["tasks"])


@router.get("/tasks/{task_id}", summary="Show how far a task is")
def task(task_id: str, service: The, _: Reader) -> TaskModel:
    """State of a task."""
    return _state(service, service.task(task_id))


@router.get("/tasks/{task_id}/results", summary="Results of a task")
def results(task_id: str, service: The, _: Reader) -> dict[str, Any]:
    """The document that ``snipbench show --json`` prints; of a task that runs, what there is so far."""
    from analyzer.outcome import task_outcome

    service.task(task_id)
    return task_outcome(service.store, task_id)


@router.get(
    "/tasks/{task_id}/report",
    summary="Report of a task",
    response_class=FileResponse,
    responses={200: {"content": {"text/html": {}}}},
)
def report(task_id: str, service: The, _: Reader) -> FileResponse:
    """The HTML page. It runs no script of a foreign origin, and must not be framed."""
    document = service.task(task_id)
    path = service.home.reports / f"{task_id}.html"
    if document.get("report") is None or not path.is_file():
        raise Problem(404, "missing", f"task {task_id} has no report yet")
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"}
    return FileResponse(path, media_type="text/html", headers=headers)


@router.post("/tasks/{task_id}/cancel", status_code=202, summary="Cancel a task")
def cancel(task_id: str, service: The, _: Controller) -> TaskModel:
    """Ask for a task's end. What runs is ended within seconds; what was recorded stays."""
    service.task(task_id)
    try:
        asked.cancel(service.store, service.clock, task_id)
    except UsageError as error:
        raise Problem(409, "state", str(error)) from error
    service.ring(Work.LEAD, task_id)
    return _state(service, service.task(task_id))


@router.post("/tasks/{task_id}/retry", status_code=202, summary="Go on with a task")
def retry(task_id: str, service: The, _: Controller) -> TaskModel:
    """Go on after the last recorded run of a task that failed, was interrupted or cancelled."""
    document = service.task(task_id)
    if document.get("mode") != "services":
        raise Problem(409, "state", f"task {task_id} was not submitted here; `snipbench retry` goes on with it")
    try:
        asked.retry(service.store, service.clock, task_id)
    except (TaskHeld, UsageError) as error:
        raise Problem(409, "state", str(error)) from error
    reopen_callback(service.store, task_id)
    TaskBook.open(service.store, service.clock, task_id).log("retry requested")
    service.ring(Work.LEAD, task_id)
    return _state(service, service.task(task_id))


def _state(service: Service, document: Document) -> TaskModel:
    task_id = str(document["_id"])
    plan = service.store.get("plans", task_id)
    events = service.store.find("events", {"task_id": task_id}, order_by=("-sequence",), limit=1)
    last = next(events, None)
    fields = {name: document.get(name) for name in TaskModel.model_fields if name in document}
    fields |= {
        "settled": document.get("settled", False),
        "report": f"/tasks/{task_id}/report" if document.get("report") else None,
    }
    return TaskModel(
        **fields,
        runs_planned=None if plan is None else len(plan["slots"]),
        runs_recorded=service.store.count("runs", {"task_id": task_id}),
        events=0 if last is None else last["sequence"],
        last_event=None if last is None else last["name"],
    )
