"""Running orders on this machine: what the command line and :func:`snipbench.run` call."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analyzer.outcome import task_outcome
from orchestrator.doctor import require_java
from orchestrator.leading.leader import lead
from orchestrator.leading.parts import Parts
from orchestrator.leading.taskbook import TaskBook
from orchestrator.orders import read_order
from orchestrator.proving.improving import check_advisors
from orchestrator.tasks import reopen
from snipbench.clock import to_text
from snipbench.domain.order import CloneChoice, Order
from snipbench.domain.run import TaskStatus
from snipbench.domain.task import OrderRecord
from snipbench.errors import UsageError
from snipbench.identity import new_id
from snipbench.store.port import DocumentStore


def run(parts: Parts, path: Path, overrides: Mapping[str, int | None]) -> tuple[TaskStatus, dict[str, Any]]:
    """Run an order file as a new task; gives its end and its outcome (design, section 6, ``run --json``).

    ``overrides`` may hold ``warmups``, ``repetitions`` and ``seed``, which take the place of the file's.
    """
    loaded = read_order(path, **overrides)
    _refuse_what_needs_containers(parts.mode, loaded.order)
    check_advisors(loaded.order, os.environ)
    require_java()
    now = parts.clock.now()
    record = OrderRecord(
        order_id=new_id("order", now),
        file=str(path.resolve()),
        text=loaded.text,
        order=loaded.order,
        submitted_at=to_text(now),
        overrides={name: value for name, value in overrides.items() if value is not None},
    )
    return _lead(parts, TaskBook.create(parts.store, parts.clock, record, mode=parts.mode).task.task_id)


def _refuse_what_needs_containers(mode: str, order: Order) -> None:
    """UsageError, before anything is made, for values that only mean something with ``--databases docker``."""
    if mode == "docker":
        return
    wanted = [f"monitor.source: {order.monitor.source}"] if order.monitor.source in {"docker", "cgroup"} else []
    overlays = [f"databases.{one.name}.clone: overlay" for one in order.databases if one.clone is CloneChoice.OVERLAY]
    if wanted := wanted + overlays:
        raise UsageError(f"{', '.join(wanted)}: needs --databases docker")


def retry(parts: Parts, name: str) -> tuple[TaskStatus, dict[str, Any]]:
    """Go on with a task after its last recorded run."""
    task_id = find_task(parts.store, name)
    mode = TaskBook.open(parts.store, parts.clock, task_id).task.mode
    if mode == "services":
        raise UsageError(f"task {task_id} was submitted to a service: `snipbench retry {task_id} --api URL`")
    if mode != parts.mode:
        raise UsageError(
            f"task {task_id} was run with --databases {mode}: go on with the same, or its runs could not be compared"
        )
    require_java()
    reopen(parts.store, parts.clock, task_id)
    return _lead(parts, task_id)


def find_task(store: DocumentStore, name: str) -> str:
    """Task id for an id, ``latest`` or ``previous``.

    Raises:
        UsageError: there is no such task.
    """
    place = {"latest": 0, "previous": 1}.get(name)
    if place is not None:
        newest = list(store.find("tasks", order_by=("-requested_at",), limit=place + 1))
        if len(newest) <= place:
            raise UsageError(f"there is no {name} task; `snipbench run ORDER.yaml` makes one")
        return str(newest[place]["_id"])
    if store.get("tasks", name) is None:
        raise UsageError(f"there is no task {name!r}; `snipbench list` shows all")
    return name


def _lead(parts: Parts, task_id: str) -> tuple[TaskStatus, dict[str, Any]]:
    status = lead(parts, task_id)
    return status, task_outcome(parts.store, task_id)
