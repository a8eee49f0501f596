"""Charts as inline SVG: no script, no network; every mark tells its value when pointed at.

Colours are CSS classes, so that the page's light and dark themes both apply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from analyzer import words
from analyzer.report import scale

WIDTH = 860
LABELS = 250
RIGHT = 130
ROW = 26
AXIS = 34


@dataclass(frozen=True, slots=True)
class Ratio:
    """A row of the ratio chart; ``low`` and ``high`` are ``None`` when there is no interval."""

    label: str
    median: float
    low: float | None
    high: float | None
    verdict: str
    text: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """A row of the distribution chart: every repetition's seconds, outliers labelled."""

    label: str
    seconds: tuple[float, ...]
    outliers: tuple[bool, ...]
    median: float | None
    low: float | None
    high: float | None
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """A row of the cost chart: CPU seconds of engine and database."""

    label: str
    executor: float | None
    database: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a timeline: ``(seconds, value)``; a gap (``None``) breaks it."""

    name: str
    css: str
    points: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A run on a timeline."""

    start: float
    end: float
    text: str
    failed: bool


def ratios(rows: Sequence[Ratio]) -> Markup:
    """Ratios to the baseline on a logarithmic axis; left of the line at 1 is faster."""
    values = [1.0, *(v for row in rows for v in (row.median, row.low, row.high) if v is not None)]
    x = scale.logarithmic(values, LABELS, WIDTH - RIGHT)
    height = ROW * len(rows) + AXIS
    body = [_axis(x, height, _factor), _rule(x(1.0), height, "unit")]
    for index, row in enumerate(rows):
        y = ROW * index + ROW / 2
        css = f"mark {row.verdict}"
        body.append(_label(row.label, y))
        if row.low is not None and row.high is not None:
            body.append(_segment(x(row.low), x(row.high), y, css))
        title = f"{row.label}: {row.text}"
        body.append(_dot(x(row.median), y, 5.5, css, title))
        body.append(_text(WIDTH - RIGHT + 10, y + 4, row.text, "value"))
    return _svg(height, body, "ratio to the baseline, logarithmic")


def distributions(rows: Sequence[Distribution]) -> Markup:
    """Wall time of every repetition; logarithmic when the rows differ by more than twenty times."""
    values = [value for row in rows for value in row.seconds]
    spread = max(values) / min(values) if min(values) > 0 else 1.0
    make = scale.logarithmic if spread > 20 else scale.linear
    x = make(values, LABELS, WIDTH - RIGHT)
    height = ROW * len(rows) + AXIS
    body = [_axis(x, height, words.duration)]
    for index, row in enumerate(rows):
        y = ROW * index + ROW / 2
        body.append(_label(row.label, y))
        if row.low is not None and row.high is not None:
            width = max(x(row.high) - x(row.low), 1.5)
            body.append(Markup(f'<rect class="band" x="{x(row.low)}" y="{y - 9}" width="{width:.1f}" height="18"/>'))
        for number, (value, outlier) in enumerate(zip(row.seconds, row.outliers, strict=True)):
            css = "repetition outlier" if outlier else "repetition muted" if row.muted else "repetition"
            title = f"repetition {number + 1}: {words.duration(value)}{', outlier' if outlier else ''}"
            body.append(_dot(x(value), y + (number % 5 - 2) * 2.4, 3, css, title))
        if row.median is not None:
            at = x(row.median)
            body.append(Markup(f'<line class="median" x1="{at}" x2="{at}" y1="{y - 10}" y2="{y + 10}"/>'))
            body.append(_text(WIDTH - RIGHT + 10, y + 4, words.duration(row.median), "value"))
    return _svg(height, body, "wall time of each repetition")


def splits(rows: Sequence[Split]) -> Markup:
    """CPU seconds of engine and database, stacked; a missing part is left out and said."""
    totals = [(row.executor or 0.0) + (row.database or 0.0) for row in rows]
    x = scale.linear(totals, LABELS, WIDTH - RIGHT)
    height = ROW * len(rows) + AXIS
    body = [_axis(x, height, words.duration)]
    for index, row in enumerate(rows):
        y = ROW * index + ROW / 2
        body.append(_label(row.label, y))
        at = 0.0
        for name, value in (("executor", row.executor), ("database", row.database)):
            if value is None:
                continue
            left, right = x(at), x(at + value)
            title = escape(f"{row.label}, {name}: {words.duration(value)} of CPU")
            width = max(right - left - 1, 0.5)
            shape = f'<rect class="{name}" x="{left}" y="{y - 8}" width="{width:.1f}" height="16" rx="2">'
            body.append(Markup(shape) + Markup("<title>") + title + Markup("</title></rect>"))
            at += value
        known = [value for value in (row.executor, row.database) if value is not None]
        body.append(_text(WIDTH - RIGHT + 10, y + 4, words.duration(sum(known)) if known else "not known", "value"))
    return _svg(height, body, "CPU seconds of a run, engine and database")


def timeline(lines: Sequence[Line], spans: Sequence[Span], seconds: float, unit: str) -> Markup:
    """Values over the time of the measured runs, each run a bar beneath; ``unit`` is ``cores`` or ``bytes``."""
    plot = 110
    strip = 12
    height = plot + strip + AXIS
    x = scale.Scale(0.0, max(seconds, 1e-3), 60, WIDTH - 10)
    values = [value for line in lines for _, value in line.points if value is not None]
    y = scale.linear(values, plot, 6)
    form = words.size if unit == "bytes" else _cores
    body = [_axis(x, height, words.duration)]
    for tick in y.ticks(3):
        body.append(Markup(f'<line class="grid" x1="60" x2="{WIDTH - 10}" y1="{y(tick)}" y2="{y(tick)}"/>'))
        body.append(_text(54, y(tick) + 4, form(tick), "tick end"))
    for span in spans:
        width = max(x(span.end) - x(span.start) - 0.5, 0.6)
        css = "run failed" if span.failed else "run"
        shape = f'<rect class="{css}" x="{x(span.start)}" y="{plot + 4}" width="{width:.1f}" height="{strip - 3}">'
        body.append(Markup(shape) + Markup("<title>") + escape(span.text) + Markup("</title></rect>"))
    for line in lines:
        body.extend(_paths(line, x, y))
    return _svg(height, body, f"{unit} over time, with the runs marked")


def _paths(line: Line, x: scale.Scale, y: scale.Scale) -> list[Markup]:
    paths, current = [], []
    for seconds, value in (*line.points, (0.0, None)):
        if value is not None:
            current.append(f"{x(seconds)},{y(value)}")
        elif current:
            points = " ".join(current)
            title = escape(line.name)
            shape = Markup(f'<polyline class="line {line.css}" points="{points}">')
            paths.append(shape + Markup("<title>") + title + Markup("</title></polyline>"))
            current = []
    return paths


def _axis(x: scale.Scale, height: float, form: Callable[[float], str]) -> Markup:
    bottom = height - AXIS + 6
    parts = [Markup(f'<line class="axis" x1="{x.start}" x2="{x.end}" y1="{bottom}" y2="{bottom}"/>')]
    for tick in x.ticks():
        at = x(tick)
        parts.append(Markup(f'<line class="grid" x1="{at}" x2="{at}" y1="0" y2="{bottom}"/>'))
        parts.append(_text(at, bottom + 16, form(tick), "tick"))
    return Markup("").join(parts)


def _rule(at: float, height: float, css: str) -> Markup:
    return Markup(f'<line class="{css}" x1="{at}" x2="{at}" y1="0" y2="{height - AXIS + 6}"/>')


def _segment(left: float, right: float, y: float, css: str) -> Markup:
    return Markup(f'<line class="{css}" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>')


def _dot(x: float, y: float, radius: float, css: str, title: str) -> Markup:
    circle = Markup(f'<circle class="{css}" cx="{x}" cy="{y:.1f}" r="{radius}">')
    return circle + Markup("<title>") + escape(title) + Markup("</title></circle>")


def _label(text: str, y: float) -> Markup:
    shown = text if len(text) <= 38 else text[:37] + "…"
    return _text(LABELS - 12, y + 4, shown, "label end")


def _text(x: float, y: float, text: str, css: str) -> Markup:
    return Markup(f'<text class="{css}" x="{x}" y="{y:.1f}">') + escape(text) + Markup("</text>")


def _svg(height: float, body: Sequence[Markup], title: str) -> Markup:
    head = Markup(f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="') + escape(title) + Markup('">')
    return head + Markup("").join(body) + Markup("</svg>")


def _factor(value: float) -> str:
    return f"{value:g}×"


def _cores(value: float) -> str:
    return f"{value:g}"
