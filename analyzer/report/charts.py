"""Charts of rows: a name, a drawing, a value in words. No script, no network; every mark tells its value when
pointed at.

Names and values are text of the page and the drawings follow its width (``analyzer.report.marks``); colours are CSS
classes, so that the page's light and dark themes both apply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from analyzer import words
from analyzer.report import marks, scale
from analyzer.report.scale import Scale

ROW = 26
AXIS = 22


@dataclass(frozen=True, slots=True)
class Ratio:
    """A row of the ratio chart.

    A baseline has no ``median``, nor has a snippet without pairs; ``low`` and ``high`` are ``None`` when there is no
    interval. ``css`` is the verdict, ``baseline`` or ``floor``; ``said`` and ``bounds`` are words for it, ``note``
    says of the result whether it is the baseline's and ``note_css`` how to colour that.
    """

    label: str
    css: str
    said: str
    bounds: str = ""
    median: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""
    note_css: str = ""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A row of dots with their median and its interval; ``outliers`` says which dots are hollow."""

    label: str
    values: tuple[float, ...]
    outliers: tuple[bool, ...]
    median: float | None
    low: float | None
    high: float | None
    value: str | Markup
    css: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """A row of the cost chart: CPU seconds of engine and database; ``None`` where not known."""

    label: str
    executor: float | None
    database: float | None
    css: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a bar chart: a value with its interval; ``None`` where not known. ``note`` is small print."""

    label: str
    size: float | None
    low: float | None
    high: float | None
    value: str
    css: str
    note: str = ""


def ratios(rows: Sequence[Ratio]) -> Markup:
    """Ratios to the baseline on a logarithmic axis, faster to the left of the line at 1 and slower to the right."""
    x = _ratio_scale(v for row in rows for v in (row.median, row.low, row.high))
    ticks = _places(x, scale.factor_labels(x), 480)
    drawn = []
    for row in rows:
        middle = ROW / 2
        body = [*_sides(x), marks.grid(ticks, ROW), marks.line(x(1.0), 0, x(1.0), ROW, "unit")]
        if row.low is not None and row.high is not None:
            body.append(marks.line(x(row.low), middle, x(row.high), middle, f"mark {row.css}"))
        if row.median is not None:
            body.append(marks.dot(x(row.median), middle, 5.5, f"mark {row.css}", f"ratio {row.median:.3g}"))
        if row.css == "baseline":
            body.append(marks.dot(x(1.0), middle, 4, "mark baseline", "the baseline"))
        value = Markup("<b>") + escape(row.said) + Markup("</b> <small>") + escape(row.bounds) + Markup("</small>")
        note = Markup(f'<span class="note {row.note_css}">') + escape(row.note) + Markup("</span>")
        drawn.append(_row(row.label, ROW, body, value + note, row.css))
    return _chart("ratios", drawn, _axis(ticks))


def distributions(rows: Sequence[Distribution]) -> Markup:
    """Seconds of every repetition; logarithmic when the rows differ by more than twenty times."""
    values = [value for row in rows for value in row.values]
    spread = max(values) / min(values) if min(values) > 0 else 1.0
    x = (scale.logarithmic if spread > 20 else scale.linear)(values, 0, 100)
    ticks = _places(x, x.labels(scale.DURATION, 4), 230)
    drawn = [
        _row(row.label, ROW, [marks.grid(ticks, ROW), *_dots(row, x, "repetition", words.duration)], row.value, row.css)
        for row in rows
    ]
    return _chart("distributions", drawn, _axis(ticks))


def pair_ratios(rows: Sequence[Distribution]) -> Markup:
    """The ratio of every pair, candidate ÷ original, on the axis of :func:`ratios`."""
    x = _ratio_scale(v for row in rows for v in (*row.values, row.low, row.high))
    ticks = _places(x, scale.factor_labels(x), 480)
    height = ROW + 10
    drawn = []
    for row in rows:
        body = [*_sides(x, height), marks.grid(ticks, height), marks.line(x(1.0), 0, x(1.0), height, "unit")]
        body += _dots(row, x, "pair", words.factor, height)
        drawn.append(_row(row.label, height, body, row.value, row.css))
    return _chart("ratios", drawn, _axis(ticks))


def splits(rows: Sequence[Split]) -> Markup:
    """CPU seconds of engine and database, stacked; a missing part is left out and said."""
    x = scale.linear([(row.executor or 0.0) + (row.database or 0.0) for row in rows], 0, 100)
    ticks = _places(x, x.labels(scale.DURATION, 4), 230)
    drawn = []
    for row in rows:
        body, at = [marks.grid(ticks, ROW)], 0.0
        for css, name, value in (("executor", "engine", row.executor), ("database", "database", row.database)):
            if value is not None:
                title = f"{row.label}, {name}: {words.duration(value)} of CPU"
                body.append(marks.box(x(at), 5, x(at + value), ROW - 5, css, title))
                at += value
        known = [value for value in (row.executor, row.database) if value is not None]
        drawn.append(_row(row.label, ROW, body, words.duration(sum(known)) if known else "not known", row.css))
    return _chart("splits", drawn, _axis(ticks))


def bars(rows: Sequence[Bar], units: scale.Units, *, least: float = 0.1) -> Markup:
    """Bars from 0 to either side, with the interval where there is one; the axis goes to ``least`` at least."""
    known = [value for row in rows for value in (row.size, row.low, row.high) if value is not None]
    x = Scale(min(0.0, *known, 0.0) * 1.05, max(least, *known, least) * 1.05, 0, 100)
    ticks = _places(x, x.labels(units), 480)
    drawn = []
    for row in rows:
        body = [marks.grid(ticks, ROW), marks.line(x(0), 0, x(0), ROW, "zero")]
        if row.size is not None:
            left, right = sorted((x(0), x(row.size)))
            body.append(marks.box(left, 7, right, ROW - 7, row.css, f"{row.label}: {row.value}"))
        if row.low is not None and row.high is not None:
            body.append(marks.line(x(row.low), ROW / 2, x(row.high), ROW / 2, "range"))
        value = Markup("<b>{}</b> <small>{}</small>").format(row.value, row.note)
        drawn.append(_row(row.label, ROW, body, value, row.css))
    return _chart("bars", drawn, _axis(ticks))


def _dots(row: Distribution, x: Scale, css: str, form: Callable[[float], str], height: float = ROW) -> list[Markup]:
    """Interval, dots and median of a row; dots lie on five levels, so that equal values do not hide one another."""
    middle = height / 2
    body = []
    if row.low is not None and row.high is not None:
        body.append(marks.box(x(row.low), 3, x(row.high), height - 3, "band"))
    for number, (value, outlier) in enumerate(zip(row.values, row.outliers, strict=True)):
        title = f"{css} {number + 1}: {form(value)}{', outlier' if outlier else ''}"
        y = middle + (number % 5 - 2) * (height - 12) / 5
        body.append(marks.dot(x(value), y, 3, f"{css} outlier" if outlier else css, title))
    if row.median is not None:
        body.append(marks.line(x(row.median), 2, x(row.median), height - 2, "median"))
    return body


def _ratio_scale(values: Iterable[float | None]) -> Scale:
    return scale.logarithmic([1.0, *(value for value in values if value is not None)], 0, 100)


def _sides(x: Scale, height: float = ROW) -> list[Markup]:
    return [marks.box(0, 0, x(1.0), height, "side faster"), marks.box(x(1.0), 0, 100, height, "side slower")]


def _places(x: Scale, labels: Sequence[tuple[float, str]], pixels: float) -> list[marks.Place]:
    """Ticks with room for their texts on a track of about so many pixels: the one at 1 first."""
    kept: list[marks.Place] = []
    for value, text in sorted(labels, key=lambda tick: tick[1] != "same"):
        at = x(value)
        if all(abs(at - other) / 100 * pixels > 3.4 * (len(text) + len(beside)) + 8 for other, beside in kept):
            kept.append((at, text))
    return sorted(kept)


def _axis(ticks: Sequence[marks.Place]) -> Markup:
    body = [marks.line(0, 0.5, 100, 0.5, "axis"), marks.ticks(ticks, 16)]
    return Markup('<div class="row foot"><span></span>') + marks.track(AXIS, body) + Markup("<span></span></div>")


def _row(label: str, height: float, body: Sequence[Markup], value: str | Markup, css: str = "") -> Markup:
    name = Markup('<span class="name" title="') + escape(label) + Markup('">') + escape(label) + Markup("</span>")
    told = Markup('<span class="value">') + escape(value) + Markup("</span>")
    return Markup(f'<div class="row {css}">') + name + marks.track(height, body) + told + Markup("</div>")


def _chart(css: str, rows: Sequence[Markup], axis: Markup) -> Markup:
    return Markup(f'<div class="chart {css}">') + Markup("").join(rows) + axis + Markup("</div>")
