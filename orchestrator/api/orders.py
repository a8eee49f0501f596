"""Routes about orders: submit, list, show."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request, Response

from orchestrator.api.answers import OrderDetail, OrderModel, ReceiptModel, order_fields
from orchestrator.api.bodies import EXAMPLE, JSON_TYPE, YAML_TYPES, GitLabLink, HttpLink, Submission, read_submission
from orchestrator.api.callbacks import check_callback, register_callback
from orchestrator.api.service import Reader, Service, Submitter, The
from orchestrator.api.submissions import Accepted, Idempotency
from orchestrator.dispatch.port import Work
from orchestrator.intake import Configuration, Receipt, inlined, new_ids, take_in
from orchestrator.sources.gitlab import fetch_gitlab
from orchestrator.sources.http import fetch_http

router = APIRouter(tags=["orders"])

_PARAMETERS = {
    "warmups": {"type": "integer", "minimum": 0},
    "repetitions": {"type": "integer", "minimum": 1},
    "seed": {"type": "integer", "minimum": 0},
    "callback_url": {"type": "string", "format": "uri", "minLength": 8, "maxLength": 2000},
    "file_name": {"type": "string", "minLength": 1, "maxLength": 500},
}
_LINKS: dict[str, Any] = {
    "order": {"operationId": "order", "parameters": {"order_id": "$response.body#/order_id"}},
    **{
        name: {"operationId": name, "parameters": {"task_id": "$response.body#/task_id"}}
        for name in ("task", "results", "report", "cancel", "retry")
    },
}
_BODY: dict[str, Any] = {
    "parameters": [
        {"name": name, "in": "query", "required": False, "schema": schema} for name, schema in _PARAMETERS.items()
    ],
    "requestBody": {
        "required": True,
        "content": {
            YAML_TYPES[0]: {"schema": {"type": "string"}, "example": EXAMPLE},
            JSON_TYPE: {"schema": {"$ref": "#/components/schemas/Submission"}},
        },
    },
}


@router.post(
    "/orders", status_code=202, openapi_extra=_BODY, responses={202: {"links": _LINKS}}, summary="Submit an order"
)
async def submit(
    request: Request,
    response: Response,
    service: The,
    caller: Submitter,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
    snipbench_source_token: Annotated[
        str | None, Header(max_length=1000, description="Token for the link's server; used once, never stored.")
    ] = None,
) -> ReceiptModel:
    """Take in an order (YAML, JSON, or a link) and queue its task.

    With an ``Idempotency-Key`` the same request again gives the same answer and makes nothing new.
    ``warmups``, ``repetitions`` and ``seed``, in the body or the query, take the place of the file's.
    """
    body = await request.body()
    content_type = request.headers.get("content-type", "")
    query = dict(request.query_params)
    digest = hashlib.sha256(repr((content_type, sorted(query.items()))).encode() + body).hexdigest()
    idempotency = Idempotency(service.store, service.clock, caller.name, idempotency_key, digest)

    def begin() -> Receipt | Submission:
        earlier = idempotency.earlier()
        if earlier is not None and earlier.receipt is not None:
            service.ring(Work.LEAD, earlier.receipt.task_id)
            return earlier.receipt
        return read_submission(content_type, body, query)

    def accept(submission: Submission) -> Receipt:
        if submission.callback_url is not None:
            check_callback(service.settings, submission.callback_url)
        configuration = _configuration(service, submission, snipbench_source_token)
        ids = idempotency.reserve(new_ids(service.clock))
        receipt = take_in(service.store, service.clock, configuration, submission.overrides(), ids)
        if submission.callback_url is not None:
            register_callback(service.store, receipt.task_id, submission.callback_url)
        idempotency.accept(Accepted(receipt))
        service.ring(Work.LEAD, receipt.task_id)
        return receipt

    begun = await to_thread.run_sync(begin)
    if isinstance(begun, Submission):
        # Threads of their own: whoever only asks how a task is does not wait until many large orders are read, and
        # whoever sends an order not until a slow server has given one.
        threads = request.app.state.submitting if begun.link is None else request.app.state.fetching
        receipt = await to_thread.run_sync(accept, begun, limiter=threads)
    else:
        receipt = begun
    request.state.about |= {"order_id": receipt.order_id, "task_id": receipt.task_id}
    response.headers["Location"] = f"/tasks/{receipt.task_id}"
    return ReceiptModel(
        order_id=receipt.order_id,
        task_id=receipt.task_id,
        experiment_ids=list(receipt.experiment_ids),
        warnings=list(receipt.warnings),
    )


@router.get("/orders", summary="List orders, newest first")
def orders(service: The, _: Reader, limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> list[OrderModel]:
    """Orders with the ids of their tasks."""
    # One whole order after the other: with its files it may have megabytes.
    newest = service.store.find("orders", order_by=("-submitted_at",), limit=limit)
    found = [order_fields(document, []) for document in newest]
    tasks = _tasks_of(service, [fields["order_id"] for fields in found])
    return [OrderModel(**fields | {"tasks": tasks.get(fields["order_id"], [])}) for fields in found]


@router.get("/orders/{order_id}", summary="Show an order")
def order(order_id: str, service: The, _: Reader) -> OrderDetail:
    """An order with its text, as it was submitted."""
    document = service.order(order_id)
    tasks = _tasks_of(service, [order_id]).get(order_id, [])
    return OrderDetail(**order_fields(document, tasks), file=document["file"], text=document["text"])


def _configuration(service: Service, submission: Submission, token: str | None) -> Configuration:
    link = submission.link
    if isinstance(link, HttpLink):
        return fetch_http(service.settings, link.url, sha256=link.sha256, token=token)
    if isinstance(link, GitLabLink):
        return fetch_gitlab(service.settings, project=link.project, path=link.path, ref=link.ref, token=token)
    return inlined(submission.text(), file_name=submission.file_name, files=submission.files)


def _tasks_of(service: Service, order_ids: list[str]) -> dict[str, list[str]]:
    tasks: dict[str, list[str]] = {}
    if order_ids:
        for task in service.store.find("tasks", {"order_id": order_ids}, order_by=("-requested_at",)):
            tasks.setdefault(task["order_id"], []).append(task["_id"])
    return tasks
