"""Rows of the tables that say what was asked for: orders, tasks, experiments, snippets, environments, events."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from analyzer.landing.arrow import Row
from analyzer.material import TaskMaterial
from snipbench.clock import from_text
from snipbench.domain.model import Model
from snipbench.identity import canonical_json


def orders(material: TaskMaterial) -> Iterator[Row]:
    """One row."""
    order, record = material.order, material.record
    yield {
        "order_id": record.order_id,
        "task_id": material.task.task_id,
        "name": order.name,
        "description": order.description,
        "tags": canonical_json(list(order.tags)),
        "file": record.file,
        "text": record.text,
        "seed": order.seed,
        "schedule": order.schedule.value,
        "sessions": order.sessions,
        "calibrate": order.calibrate,
        "float_tolerance": order.float_tolerance,
        "profile": order.profile,
        "spark_master": order.spark.master,
        "spark_conf": canonical_json(order.spark.conf),
        "overrides": canonical_json(record.overrides),
        "submitted_at": instant(record.submitted_at),
    }


def tasks(material: TaskMaterial) -> Iterator[Row]:
    """One row."""
    task = material.task
    yield {
        "task_id": task.task_id,
        "order_id": task.order_id,
        "order_name": task.order_name,
        "status": task.status.value,
        "mode": task.mode,
        "plan_hash": task.plan_hash,
        "seed": task.seed,
        "requested_at": instant(task.requested_at),
        "started_at": instant(task.started_at),
        "ended_at": instant(task.ended_at),
        "environment_id": task.environment_id,
        "failure_kind": task.failure.kind if task.failure else None,
        "failure_message": task.failure.message if task.failure else None,
        "report": task.report,
    }


def experiments(material: TaskMaterial) -> Iterator[Row]:
    """A row per experiment."""
    hashes = dict(material.plan.dataset_hashes) if material.plan else {}
    for experiment in material.order.experiments:
        repetitions = experiment.repetitions
        yield {
            "task_id": material.task.task_id,
            "experiment": experiment.name,
            "database": experiment.database,
            "dataset": canonical_json(_plain(material.order.database(experiment.database).dataset)),
            "dataset_hash": hashes.get(experiment.database),
            "source": experiment.source,
            "tables": canonical_json([_plain(table) for table in experiment.tables]),
            "warmups": str(experiment.warmups),
            "repetitions": canonical_json(repetitions if isinstance(repetitions, int) else _plain(repetitions)),
            "timeout_seconds": experiment.timeout_seconds,
            "parameter_matrix": canonical_json({name: list(values) for name, values in experiment.parameters.items()}),
            "snippets": len(experiment.snippets),
        }


def snippets(material: TaskMaterial) -> Iterator[Row]:
    """A row per snippet; the source compressed, with its MD5."""
    for experiment in material.order.experiments:
        for snippet in experiment.snippets:
            source = snippet.code.encode()
            yield {
                "task_id": material.task.task_id,
                "experiment": experiment.name,
                "snippet": snippet.name,
                "kind": snippet.kind.value,
                "role": snippet.role.value,
                "baseline": snippet.baseline,
                "template": snippet.template,
                "tags": canonical_json(list(snippet.tags)),
                "entry": snippet.entry,
                "input": snippet.input,
                "returns": snippet.returns,
                "file": snippet.file,
                "source_code_compressed": zlib.compress(source),
                "source_code_md5_hash": hashlib.md5(source, usedforsecurity=False).hexdigest(),
            }


def environments(material: TaskMaterial) -> Iterator[Row]:
    """A row per fact."""
    if material.environment is None:
        return
    for area, facts in material.environment.facts.items():
        for name, value in facts.items():
            yield {
                "task_id": material.task.task_id,
                "environment_id": material.environment.environment_id,
                "fingerprint": material.environment.fingerprint,
                "area": area,
                "name": name,
                "value": None if value is None else canonical_json(value),
                "recorded_at": instant(material.environment.recorded_at),
            }


def events(material: TaskMaterial) -> Iterator[Row]:
    """A row per event."""
    for event in material.events:
        yield {
            "task_id": event.task_id,
            "sequence": event.sequence,
            "at": instant(event.at),
            "stage": None if event.stage is None else int(event.stage),
            "name": event.name,
            "status": event.status,
            "experiment": event.experiment,
            "slot_id": event.slot_id,
            "text": event.text,
            "data": canonical_json(event.data),
        }


def instant(text: str | None) -> datetime | None:
    """ISO text -> instant."""
    return None if text is None else from_text(text)


def _plain(model: Model) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_none=True)
