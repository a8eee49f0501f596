"""What the routes answer with; the models make the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from snipbench.store.port import Document


class ReceiptModel(BaseModel):
    """An order was taken in; its task is queued."""

    order_id: str = Field(examples=["order-20260131-090000-1f3a9c"])
    task_id: str = Field(examples=["task-20260131-090000-2e4b8d"])
    experiment_ids: list[str] = Field(examples=[["task-20260131-090000-2e4b8d:exchange"]])
    warnings: list[str] = []


class OrderModel(BaseModel):
    """A submitted order and its tasks, newest first."""

    order_id: str
    name: str
    submitted_at: str
    source: dict[str, Any] | None = None
    overrides: dict[str, Any] = {}
    tasks: list[str] = []


class OrderDetail(OrderModel):
    """An order with its text."""

    file: str
    text: str


class TaskModel(BaseModel):
    """A task. ``settled`` says that nothing is left to do: the report is written too."""

    task_id: str
    order_id: str
    order_name: str
    status: str = Field(examples=["running"])
    settled: bool
    cancel_requested: bool
    requested_at: str
    started_at: str | None = None
    ended_at: str | None = None
    plan_hash: str | None = None
    seed: int | None = None
    failure: dict[str, Any] | None = None
    runs_planned: int | None = None
    runs_recorded: int
    events: int = Field(description="Number of the last event in its log")
    last_event: str | None = None
    report: str | None = Field(default=None, description="Path of the report in this API, once there is one")


class AnalysisRequest(BaseModel):
    """An analysis of a task that has ended: the fields of an order's analysis, and the task."""

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "task_id": "task-20260131-090000-2e4b8d",
                    "analysis": {"name": "by-cpu", "kind": "classify", "target": "cpu_seconds"},
                }
            ]
        }
    }

    task_id: str
    analysis: dict[str, Any]


class AnalysisModel(BaseModel):
    """An analysis that was asked for: ``queued``, ``completed`` or ``failed``."""

    analysis_id: str
    task_id: str
    status: str
    requested_at: str
    verdict: str | None = None
    sentence: str | None = None
    failure: dict[str, Any] | None = None


class HealthModel(BaseModel):
    """Whether the service lives, or is ready for work."""

    status: str = Field(examples=["ok"])


def order_fields(document: Document, tasks: list[str]) -> dict[str, Any]:
    """What is told of an order."""
    return {
        "order_id": document["_id"],
        "name": document["name"],
        "submitted_at": document["submitted_at"],
        "source": document.get("source"),
        "overrides": document.get("overrides", {}),
        "tasks": tasks,
    }


def analysis_of(document: Document) -> AnalysisModel:
    """What is told of an analysis."""
    fields = {name: document.get(name) for name in AnalysisModel.model_fields if name != "analysis_id"}
    return AnalysisModel(analysis_id=document["_id"], **fields)
