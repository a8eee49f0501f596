"""Outcomes and tables on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analyzer import words
from analyzer.summary_table import UNBOUNDED_WIDTH, summary_table
from snipbench.domain.profile import FunctionCost

PLAIN_WIDTH = 180
"""Columns when standard output is no terminal, so that a log holds whole lines."""


def print_outcome(outcome: dict[str, Any]) -> None:
    """A table per experiment, the plain words beneath it, failures, and where the report is."""
    console = _console()
    for experiment in outcome["experiments"]:
        console.print(summary_table(experiment, console))
        for text in words.sentences(experiment):
            console.print(Text(f"  {text}"))
        for snippet in experiment["snippets"]:
            for error in snippet["errors"]:
                console.print(Text(f"  {snippet['name']}: {error}", style="red"))
        console.print()
    for note in outcome["notes"]:
        console.print(Text(note))
    for analysis in outcome["analyses"]:
        console.print(Text(f"{analysis['kind']} {analysis['name']}: {analysis['sentence']}"))
    console.print(Text(f"task {outcome['task_id']}: {outcome['status']}, plan {outcome['plan_hash']}"))
    if outcome["report"]:
        console.print(Text(f"report: {outcome['report']}"))


def print_table(table: pa.Table) -> None:
    """Rows of a query: a line each where the window is wide enough for it, else a block of lines each."""
    console = _console()
    if not table.num_rows:
        console.print(Text(f"no rows ({', '.join(table.column_names)})"))
        return
    rows = [[_cell(value) for value in row.values()] for row in table.to_pylist()]
    shown = Table(box=None, pad_edge=False)
    for name in table.column_names:
        shown.add_column(name, no_wrap=True)
    for row in rows:
        shown.add_row(*map(Text, row))
    unbounded = console.options.update(max_width=UNBOUNDED_WIDTH)
    if console.measure(shown, options=unbounded).maximum <= console.width:
        console.print(shown)
        return
    for row in rows:
        block = Table(box=None, pad_edge=False, show_header=False)
        block.add_column(style="bold", no_wrap=True)
        block.add_column(overflow="fold")
        for name, value in zip(table.column_names, row, strict=True):
            block.add_row(Text(name), Text(value))
        console.print(block)
        console.print()


def _cell(value: Any) -> str:
    """A value as a person reads it; ``--json`` and ``export`` give all digits."""
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"
    return "" if value is None else str(value)


def print_functions(functions: Sequence[FunctionCost], whole_seconds: float) -> None:
    """Profiled functions in the order given; ``whole_seconds`` is the own time of all."""
    table = Table(box=None, pad_edge=False)
    table.add_column("function", overflow="fold")
    for name in ("calls", "own", "share", "total", "mean", "95 % below", "cpu", "exceptions"):
        table.add_column(name, justify="right", no_wrap=True)
    for cost in functions:
        read = cost.cpu_seconds is not None and cost.observed_seconds > 0
        table.add_row(
            cost.name,
            f"{cost.calls:,}",
            words.brief(cost.own_seconds),
            f"{cost.own_seconds / whole_seconds:.0%}" if whole_seconds > 0 else "–",
            words.brief(cost.total_seconds),
            words.brief(cost.mean_seconds),
            words.brief(cost.p95_seconds),
            f"{cost.cpu_seconds / cost.observed_seconds:.0%}" if read and cost.cpu_seconds is not None else "–",
            str(cost.exceptions),
        )
    _console().print(table)


def _console() -> Console:
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=PLAIN_WIDTH)
