"""Rows of the tables that say what was measured: runs, attempts, run metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from analyzer import measures
from analyzer.landing.arrow import Row
from analyzer.landing.received_rows import instant
from analyzer.material import TaskMaterial
from analyzer.summaries import outlier_slots
from snipbench.domain.plan import Phase
from snipbench.domain.run import Run
from snipbench.records import parameters_to_text

_COST_METRICS = (
    "cpu_seconds",
    "cpu_user_seconds",
    "cpu_system_seconds",
    "read_bytes",
    "write_bytes",
    "memory_bytes_after",
)


def runs(material: TaskMaterial) -> Iterator[Row]:
    """The accepted run of each slot."""
    outliers = outlier_slots(material.runs)
    for run in material.runs:
        judged = run.phase is Phase.MEASURED and measures.is_usable(run)
        yield _run(run, run.slot_id in outliers if judged else None)


def attempts(material: TaskMaterial) -> Iterator[Row]:
    """Every other run."""
    for reason, run in material.attempts:
        yield _run(run, None) | {"reason": reason}


def run_metrics(material: TaskMaterial) -> Iterator[Row]:
    """Every figure of the accepted runs by name, missing ones as null."""
    for run in material.runs:
        place = {"task_id": run.task_id, "slot_id": run.slot_id}
        for cost in run.outcome.costs:
            values = asdict(cost)
            for metric in _COST_METRICS:
                yield place | _metric(cost.target, metric, values[metric], cost.source)
        for metric, value in run.outcome.spark.items():
            yield place | _metric("spark", metric, value, "spark")
        for stage, seconds in run.outcome.overhead_seconds.items():
            yield place | _metric("platform", f"{stage}_seconds", seconds, "platform")


def _metric(target: str, metric: str, value: float | None, source: str) -> dict[str, Any]:
    return {
        "target": target,
        "metric": metric,
        "value": None if value is None else float(value),
        "source": source,
    }


def _run(run: Run, outlier: bool | None) -> dict[str, Any]:
    outcome, failure, memory = run.outcome, run.outcome.failure, run.outcome.memory
    return {
        "slot_id": run.slot_id,
        "experiment": run.experiment,
        "snippet": run.snippet,
        "parameters": parameters_to_text(run.parameters),
        "phase": run.phase.value,
        "repetition": run.repetition,
        "task_id": run.task_id,
        "attempt": run.attempt,
        "status": outcome.status.value,
        "wall_seconds": outcome.wall_seconds,
        "cpu_seconds_executor": measures.cpu_seconds(run, "executor"),
        "cpu_seconds_database": measures.cpu_seconds(run, "database"),
        "memory_peak_bytes": memory.peak_bytes,
        "memory_spark_execution_peak_bytes": memory.spark_execution_peak_bytes,
        "memory_jvm_pools_peak_bytes": memory.jvm_pools_peak_bytes,
        "memory_python_workers_peak_bytes": memory.python_workers_peak_bytes,
        "too_short_executor": measures.too_short(run, "executor"),
        "too_short_database": measures.too_short(run, "database"),
        "outlier": outlier,
        "result_hash": run.result_hash,
        "error_kind": failure.kind if failure else None,
        "error_message": failure.message if failure else None,
        "error_traceback": failure.traceback if failure else None,
        "session_id": outcome.session_id,
        "block": run.block,
        "position": run.position,
        "started_at": instant(outcome.started_at),
        "ended_at": instant(outcome.ended_at),
        "clone_id": run.clone_id,
        "output_tail": outcome.output_tail,
        "output_bytes": outcome.output_bytes,
    }
