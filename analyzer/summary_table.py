"""The table of an experiment on a terminal, in the widest layout that the terminal holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analyzer import words

Row = dict[str, Any]
EQUAL = {True: "yes", False: "NO", None: "–"}
UNBOUNDED_WIDTH = 100_000
"""Columns, to learn how wide something would be."""

NAME_WIDTH = 12
"""Characters that a snippet's name keeps in the narrowest layout; what is longer goes on in the next line."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns stand side by side. Where ``parameters`` is none, its values head the rows that share them."""

    columns: tuple[str, ...]
    boxed: bool = False


FIGURES = ("runs", "wall, median", "95 %", "vs baseline", "cpu engine", "cpu db", "memory", "equal")
LAYOUTS = (
    Layout(("snippet", "kind", "parameters", *FIGURES), boxed=True),
    Layout(("snippet", "kind", "parameters", *FIGURES)),
    Layout(("snippet", "kind", *FIGURES)),
    Layout(("snippet", *FIGURES)),
    Layout(("snippet", "wall", "95 %", "vs baseline", "cpu", "memory", "equal")),
)
"""Widest first. In the last, ``cpu`` is the engine's, and failed runs stand beside the name."""


def summary_table(experiment: Row, console: Console) -> Table:
    """The table of one experiment of an outcome (design, section 6)."""
    tables = (_table(experiment, layout) for layout in LAYOUTS)
    unbounded = console.options.update(max_width=UNBOUNDED_WIDTH)
    for table in tables:
        if console.measure(table, options=unbounded).maximum <= console.width:
            break
    return table


def _table(experiment: Row, layout: Layout) -> Table:
    table = Table(
        title=Text(f"{experiment['name']} on {experiment['database']}"),  # names may look like markup
        title_justify="left",
        title_style="bold",
        box=box.HEAVY_HEAD if layout.boxed else None,
        padding=(0, 1),
        pad_edge=layout.boxed,
    )
    for name in layout.columns:
        if name in {"snippet", "kind", "parameters"}:
            table.add_column(name, overflow="fold", min_width=NAME_WIDTH if name == "snippet" else None)
        else:
            table.add_column(name, justify="right", no_wrap=True)
    if "parameters" in layout.columns:
        for snippet in experiment["snippets"]:
            _add(table, snippet, layout)
        return table
    for parameters, group in groupby(experiment["snippets"], lambda row: words.parameters_text(row["parameters"])):
        if parameters:
            table.add_row(Text(parameters, style="italic"))
        for snippet in group:
            _add(table, snippet, layout)
    return table


def _add(table: Table, snippet: Row, layout: Layout) -> None:
    style = "dim" if snippet.get("role") == "floor" else "red" if snippet["failed"] else ""
    table.add_row(*(Text(_CELLS[name](snippet, layout)) for name in layout.columns), style=style)


def _name(snippet: Row, layout: Layout) -> str:
    return snippet["name"] if "runs" in layout.columns else f"{snippet['name']}{_failed(snippet)}"


def _failed(snippet: Row) -> str:
    return f" ({snippet['failed']} failed)" if snippet["failed"] else ""


def _interval(figure: Row) -> str:
    if figure["low"] is None or figure["high"] is None:
        return "–"
    return f"{words.duration(figure['low'])} – {words.duration(figure['high'])}"


def _wall(snippet: Row, _: Layout) -> str:
    return words.duration(snippet["wall_seconds"]["median"])


def _cpu(snippet: Row, _: Layout) -> str:
    return words.duration(snippet["cpu_seconds"]["executor"]["median"])


_CELLS: dict[str, Callable[[Row, Layout], str]] = {
    "snippet": _name,
    "kind": lambda snippet, _: snippet["kind"],
    "parameters": lambda snippet, _: words.parameters_text(snippet["parameters"]),
    "runs": lambda snippet, _: f"{snippet['runs']}{_failed(snippet)}",
    "wall, median": _wall,
    "wall": _wall,
    "95 %": lambda snippet, _: _interval(snippet["wall_seconds"]),
    "vs baseline": lambda snippet, _: words.ratio_cell(snippet["ratio_to_baseline"]),
    "cpu engine": _cpu,
    "cpu": _cpu,
    "cpu db": lambda snippet, _: words.duration(snippet["cpu_seconds"]["database"]["median"]),
    "memory": lambda snippet, _: words.size(snippet["memory_peak_bytes"]),
    "equal": lambda snippet, _: EQUAL[snippet["equal_to_baseline"]],
}
