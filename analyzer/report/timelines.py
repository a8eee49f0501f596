"""Resource use over the time of an experiment's measured runs, from the monitor's samples."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from analyzer import words
from analyzer.report.charts import Line, Span, timeline
from snipbench.clock import from_text
from snipbench.domain.run import Run, RunStatus
from snipbench.store.port import DocumentStore


def timelines(
    store: DocumentStore, task_id: str, experiment: str, runs: list[Run]
) -> tuple[Markup | None, Markup | None]:
    """CPU and memory charts; ``None`` where there are no samples."""
    where = {"task_id": task_id, "experiment": experiment}
    samples = list(store.find("samples", where, order_by=("at",)))
    if len(samples) < 2:
        return None, None
    start = from_text(samples[0]["at"])

    def seconds(text: str) -> float:
        return (from_text(text) - start).total_seconds()

    streams: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for sample in samples:
        streams.setdefault((sample["target"], sample["stream_id"]), []).append(sample)
    cpu, memory = [], []
    for (target, _), stream in streams.items():
        css = "executor" if target == "executor" else "database"
        cpu.append(Line(f"{target}: cores in use", css, tuple(_cores(stream, seconds))))
        points = tuple((seconds(sample["at"]), sample["memory_bytes"]) for sample in stream)
        memory.append(Line(f"{target}: memory ({stream[0]['memory_definition']})", css, points))
    spans = [_span(run, seconds) for run in runs if run.outcome.wall_seconds is not None]
    length = max([seconds(samples[-1]["at"]), *(span.end for span in spans)])
    return timeline(cpu, spans, length, "cores"), timeline(memory, spans, length, "bytes")


def _cores(stream: list[dict[str, Any]], seconds: Callable[[str], float]) -> list[tuple[float, float | None]]:
    """Differences of cumulative CPU seconds; a gap or a counter that fell gives no value."""
    points: list[tuple[float, float | None]] = []
    for before, after in pairwise(stream):
        passed = seconds(after["at"]) - seconds(before["at"])
        first, second = before["cpu_seconds"], after["cpu_seconds"]
        known = first is not None and second is not None and passed > 0 and second >= first
        points.append((seconds(after["at"]), (second - first) / passed if known else None))
    return points


def _span(run: Run, seconds: Callable[[str], float]) -> Span:
    outcome = run.outcome
    text = f"{run.snippet} {words.parameters_text(dict(run.parameters))}: {words.duration(outcome.wall_seconds)}"
    failed = outcome.status is not RunStatus.OK
    return Span(seconds(outcome.started_at), seconds(outcome.ended_at), text, failed)
