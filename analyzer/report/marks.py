"""Marks of a chart as SVG: places from left to right in percent of the track's width, from top to bottom in pixels.

Percents let a chart follow the width of the page while its text and dots keep their size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

Place = tuple[float, str]
"""A tick: where it is, in percent, and its text."""


def line(left: float, top: float, right: float, bottom: float, css: str) -> Markup:
    """A straight line."""
    return Markup(f'<line class="{css}" x1="{left}%" y1="{top:g}" x2="{right}%" y2="{bottom:g}"/>')


def dot(at: float, y: float, radius: float, css: str, title: str) -> Markup:
    """A circle that tells ``title`` when pointed at."""
    return Markup(f'<circle class="{css}" cx="{at}%" cy="{y:g}" r="{radius:g}">') + _title(title) + Markup("</circle>")


def box(left: float, top: float, right: float, bottom: float, css: str, title: str = "") -> Markup:
    """A rectangle, at least a hair wide."""
    width = max(right - left, 0.1)
    shape = f'<rect class="{css}" x="{left}%" y="{top:g}" width="{width:.2f}%" height="{bottom - top:g}">'
    return Markup(shape) + _title(title) + Markup("</rect>")


def text(at: float, y: float, words: str, css: str) -> Markup:
    """Words at a place."""
    return Markup(f'<text class="{css}" x="{at}%" y="{y:g}">') + escape(words) + Markup("</text>")


def ticks(places: Sequence[Place], y: float) -> Markup:
    """The texts of an axis; every other one gives way where the page is narrow, ``same`` last of all."""
    first = next((index for index, (_, words) in enumerate(places) if words == "same"), 0) % 2
    stay = range(first, len(places), 2)
    if len(stay) < 2:
        stay = range(0, len(places), 2 if len(places) > 2 else 1)
    return Markup("").join(
        text(at, y, words, "tick" if index in stay else "tick other") for index, (at, words) in enumerate(places)
    )


def grid(places: Sequence[Place], height: float) -> Markup:
    """A line from top to bottom at every tick."""
    return Markup("").join(line(at, 0, at, height, "grid") for at, _ in places)


def track(height: float, marks: Iterable[Markup]) -> Markup:
    """The drawing that holds the marks, as wide as its place."""
    return Markup(f'<svg class="track" height="{height:g}">') + Markup("").join(marks) + Markup("</svg>")


def _title(words: str) -> Markup:
    return Markup("<title>") + escape(words) + Markup("</title>") if words else Markup("")
