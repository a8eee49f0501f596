"""Resource use over the time of an experiment's measured runs, from the monitor's samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup, escape

from analyzer import words
from analyzer.report import marks, scale
from snipbench.clock import from_text
from snipbench.domain.run import Run, RunStatus
from snipbench.domain.spark_master import DRIVER
from snipbench.store.port import DocumentStore

PLOT = 116
STRIP = 14
AXIS = 22
DRAWN = 1000
"""Width of the lines' own coordinates; they are stretched to the track's."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a timeline: ``(seconds, value)``; a gap (``None``) breaks it."""

    name: str
    css: str
    points: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A run on a timeline, in seconds from its left edge."""

    start: float
    end: float
    text: str
    failed: bool


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
        css = "executor" if target in {"executor", DRIVER} else "database"
        cpu.append(Line(f"{target}: cores in use", css, tuple(_cores(stream, seconds))))
        points = tuple((seconds(sample["at"]), sample["memory_bytes"]) for sample in stream)
        memory.append(Line(f"{target}: memory ({stream[0]['memory_definition']})", css, points))
    spans = [_span(run, seconds) for run in runs if run.outcome.wall_seconds is not None]
    length = max([seconds(samples[-1]["at"]), *(span.end for span in spans)])
    return timeline(cpu, spans, length, scale.COUNT), timeline(memory, spans, length, scale.SIZE)


def timeline(lines: Sequence[Line], spans: Sequence[Span], seconds: float, units: scale.Units) -> Markup:
    """Values over time, each run a bar beneath."""
    x = scale.Scale(0.0, max(seconds, 1e-3), 0, 100)
    values = [value for line in lines for _, value in line.points if value is not None]
    y = scale.linear(values, PLOT, 8)
    heights = y.labels(units, 4)
    ticks = [(x(value), text) for value, text in x.labels(scale.DURATION)]
    bottom = PLOT + STRIP
    body = [marks.line(0, y(value), 100, y(value), "grid") for value, _ in heights]
    body += [marks.line(at, 0, at, bottom, "grid") for at, _ in ticks]
    body += [_bar(span, x) for span in spans]
    across = scale.Scale(x.low, x.high, 0, DRAWN)
    body.append(Markup(f'<svg width="100%" height="{PLOT}" viewBox="0 0 {DRAWN} {PLOT}" preserveAspectRatio="none">'))
    body += [path for line in lines for path in _paths(line, across, y)]
    body += [Markup("</svg>"), marks.line(0, bottom, 100, bottom, "axis"), marks.ticks(ticks, bottom + 16)]
    side = [marks.text(100, y(value) + 4, text, "tick end") for value, text in heights]
    height = bottom + AXIS
    return Markup('<div class="timeline">') + marks.track(height, side) + marks.track(height, body) + Markup("</div>")


def _bar(span: Span, x: scale.Scale) -> Markup:
    css = "run failed" if span.failed else "run"
    return marks.box(x(span.start), PLOT + 3, x(span.end), PLOT + STRIP - 2, css, span.text)


def _paths(line: Line, x: scale.Scale, y: scale.Scale) -> list[Markup]:
    paths, current = [], []
    for seconds, value in (*line.points, (0.0, None)):
        if value is not None:
            current.append(f"{x(seconds)},{y(value)}")
        elif current:
            shape = Markup(f'<polyline class="line {line.css}" points="{" ".join(current)}">')
            paths.append(shape + Markup("<title>") + escape(line.name) + Markup("</title></polyline>"))
            current = []
    return paths


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
