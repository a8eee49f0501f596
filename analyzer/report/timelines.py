"""Resource use over the time of an experiment's measured runs, from the monitor's samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from analyzer import words
from analyzer.report import marks, scale
from analyzer.report.thinning import Point, ThinnedLine
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
    """A line of a timeline; places are seconds."""

    name: str
    css: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A run on a timeline, in seconds from its left edge."""

    start: float
    end: float
    text: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Timelines:
    """Charts of CPU and memory; ``None`` where there are no samples. ``note`` says what they leave out, if anything."""

    cpu: Markup | None
    memory: Markup | None
    note: str | None


def timelines(store: DocumentStore, task_id: str, experiment: str, runs: list[Run]) -> Timelines:
    """The charts of an experiment. Samples are read one by one; what is kept of them is what can be seen."""
    where = {"task_id": task_id, "experiment": experiment}
    ends = [next(iter(store.find("samples", where, order_by=(by,), limit=1)), None) for by in ("at", "-at")]
    first, last = (None if end is None else from_text(end["at"]) for end in ends)
    if first is None or last is None or first == last:
        return Timelines(None, None, None)

    def seconds(text: str) -> float:
        return (from_text(text) - first).total_seconds()

    spans = [_span(run, seconds) for run in runs if run.outcome.wall_seconds is not None]
    length = max([(last - first).total_seconds(), *(span.end for span in spans)])
    streams: dict[tuple[str, str], _Stream] = {}
    for sample in store.find("samples", where, order_by=("at",)):
        key = (sample["target"], sample["stream_id"])
        if key not in streams:
            streams[key] = _Stream(sample, length / DRAWN)
        streams[key].add(seconds(sample["at"]), sample["cpu_seconds"], sample["memory_bytes"])
    cpu, memory = ([lines[number] for lines in (one.lines() for one in streams.values())] for number in (0, 1))
    thinned = any(one.thinned for one in streams.values())
    return Timelines(
        timeline(cpu, spans, length, scale.COUNT),
        timeline(memory, spans, length, scale.SIZE),
        f"of each {DRAWN}th of the time the least and the greatest value are drawn" if thinned else None,
    )


class _Stream:
    """One start of the monitoring of one target: its lines, made while its samples are read."""

    def __init__(self, sample: dict[str, Any], column_seconds: float) -> None:
        self._target = sample["target"]
        self._definition = sample["memory_definition"]
        self._cores, self._memory = ThinnedLine(column_seconds), ThinnedLine(column_seconds)
        self._before: tuple[float, float | None] | None = None

    def add(self, at: float, cpu_seconds: float | None, memory_bytes: float | None) -> None:
        """Cores in use are differences of cumulative CPU seconds; a gap or a counter that fell gives no value."""
        if self._before is not None:
            passed, used = at - self._before[0], self._before[1]
            known = used is not None and cpu_seconds is not None and passed > 0 and cpu_seconds >= used
            self._cores.add(at, (cpu_seconds - used) / passed if known else None)  # type: ignore[operator]
        self._before = (at, cpu_seconds)
        self._memory.add(at, memory_bytes)

    def lines(self) -> tuple[Line, Line]:
        """Of cores and of memory."""
        css = "executor" if self._target in {"executor", DRIVER} else "database"
        return (
            Line(f"{self._target}: cores in use", css, self._cores.points()),
            Line(f"{self._target}: memory ({self._definition})", css, self._memory.points()),
        )

    @property
    def thinned(self) -> bool:
        """Whether there were more points than are drawn."""
        return any(len(line.points()) < line.given for line in (self._cores, self._memory))


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


def _span(run: Run, seconds: Callable[[str], float]) -> Span:
    outcome = run.outcome
    text = f"{run.snippet} {words.parameters_text(dict(run.parameters))}: {words.duration(outcome.wall_seconds)}"
    failed = outcome.status is not RunStatus.OK
    return Span(seconds(outcome.started_at), seconds(outcome.ended_at), text, failed)
