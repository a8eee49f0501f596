"""The event log of a task as server-sent events, from any point on, until the task has ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from orchestrator.api.problems import Problem
from orchestrator.api.service import Reader, Service, The
from orchestrator.following import next_events
from snipbench.errors import SnipbenchError
from snipbench.store.port import Document

router = APIRouter(tags=["tasks"])
POLL_SECONDS = 0.25
KEEP_ALIVE_SECONDS = 15.0
_EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"enum": ["stage", "note", "end"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "examples": [
        {"id": "8", "event": "stage", "data": '{"sequence":8,"stage":8,"name":"database ready","status":"ok"}'}
    ],
}
"""Each of the stream's events."""


@router.get(
    "/tasks/{task_id}/events",
    summary="Follow a task",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": _EVENT}}}},
)
async def events(
    task_id: str,
    service: The,
    _: Reader,
    last_event_id: Annotated[str | None, Header(pattern="^[0-9]{1,9}$")] = None,
) -> StreamingResponse:
    """Events of type ``stage`` (one of the 21, by number and name), ``note`` (anything else) and, last, ``end``.

    The id of an event is its number in the task's log; with ``Last-Event-ID`` the stream begins after it.
    """
    await run_in_threadpool(service.task, task_id)
    start = int(last_event_id or 0) + 1
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(service, task_id, start), media_type="text/event-stream", headers=headers)


async def _stream(service: Service, task_id: str, start: int) -> AsyncIterator[str]:
    sequence, quiet = start, 0.0
    yield f"retry: {int(POLL_SECONDS * 4000)}\n\n"
    while True:
        try:
            found, ended = await run_in_threadpool(next_events, service.store, task_id, sequence)
        except (SnipbenchError, Problem):
            return  # the store is away: the client comes back with the last id it saw
        for event in found:
            yield _event(event)
            sequence = event["sequence"] + 1
        if ended is not None:
            data = {"status": ended["status"], "report": f"/tasks/{task_id}/report" if ended.get("report") else None}
            yield f"event: end\ndata: {_json(data)}\n\n"
            return
        quiet = 0.0 if found else quiet + POLL_SECONDS
        if quiet >= KEEP_ALIVE_SECONDS:
            yield ": still here\n\n"
            quiet = 0.0
        await asyncio.sleep(POLL_SECONDS)


def _event(document: Document) -> str:
    data = {key: value for key, value in document.items() if key not in {"_id", "version"}}
    kind = "note" if document["stage"] is None else "stage"
    return f"id: {document['sequence']}\nevent: {kind}\ndata: {_json(data)}\n\n"


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
