"""Formats of other tools: pyperf's suites and Bencher's metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from snipbench.clock import to_text
from snipbench.lake.reader import query, task_rows

NANOSECONDS = 1e9
"""In a second; Bencher's measure ``latency`` is in nanoseconds."""


def pyperf_json(lake: Path, task_id: str) -> bytes:
    """A pyperf benchmark suite, version 1.0: a benchmark per snippet and parameter point, a run per session.

    Values are the wall seconds of the runs that ended well, in order; warm-ups are pyperf's ``[loops, seconds]``. A
    snippet without such a run has no benchmark, since pyperf has no failed ones.
    """
    found = query(
        lake,
        """select experiment, snippet, parameters, session_id, phase, wall_seconds, started_at, ended_at from runs
           where task_id = :task and status = 'ok' and wall_seconds > 0 order by position""",
        {"task": task_id},
    )
    benchmarks: dict[str, dict[str, dict[str, Any]]] = {}
    for row in found.to_pylist():
        sessions = benchmarks.setdefault(_name(row), {})
        run = sessions.setdefault(
            row["session_id"],
            {"metadata": {"date": _date(row["started_at"]), "session_id": row["session_id"]}, "values": []},
        )
        if row["phase"] == "measured":
            run["values"].append(row["wall_seconds"])
        elif not run["values"]:
            run.setdefault("warmups", []).append([1, row["wall_seconds"]])
    suite = {
        "version": "1.0",
        "metadata": _metadata(lake, task_id),
        "benchmarks": [
            {"metadata": {"name": name, "loops": 1, "unit": "second"}, "runs": runs}
            for name, sessions in benchmarks.items()
            if (runs := [run for run in sessions.values() if run["values"]])
        ],
    }
    return _bytes(suite)


def bencher_json(lake: Path, task_id: str) -> bytes:
    """Bencher Metric Format: medians with their intervals by benchmark and measure; what is missing is left out.

    Measures: ``latency`` (nanoseconds), ``cpu-seconds-executor``, ``cpu-seconds-database``, ``memory-peak-bytes``.
    """
    measures = (
        ("latency", "wall_seconds", NANOSECONDS),
        ("cpu-seconds-executor", "cpu_seconds_executor", 1),
        ("cpu-seconds-database", "cpu_seconds_database", 1),
        ("memory-peak-bytes", "memory_peak_bytes", 1),
    )
    document: dict[str, dict[str, dict[str, float]]] = {}
    for row in task_rows(lake, "summaries", task_id).to_pylist():
        metrics = {}
        for slug, name, scale in measures:
            parts = (("value", "median"), ("lower_value", "low"), ("upper_value", "high"))
            metric = {key: scale * row[f"{name}_{part}"] for key, part in parts if row[f"{name}_{part}"] is not None}
            if metric:
                metrics[slug] = metric
        if metrics:
            document[_name(row)] = metrics
    return _bytes(document)


def _metadata(lake: Path, task_id: str) -> dict[str, Any]:
    """What pyperf shows of the machine; facts without a name of pyperf's own keep ours."""
    (task,) = task_rows(lake, "tasks", task_id).to_pylist()
    return {
        "task_id": task_id,
        "order_name": task["order_name"],
        **({"plan_hash": task["plan_hash"]} if task["plan_hash"] else {}),
        **({"environment_id": task["environment_id"]} if task["environment_id"] else {}),
    }


def _name(row: dict[str, Any]) -> str:
    """``experiment/snippet`` with the parameters behind it."""
    values = " ".join(f"{name}={value}" for name, value in json.loads(row["parameters"]).items())
    return f"{row['experiment']}/{row['snippet']}" + (f" {values}" if values else "")


def _date(instant: Any) -> str:
    """pyperf's form: no zone."""
    return to_text(instant).removesuffix("Z").replace("T", " ")


def _bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"
