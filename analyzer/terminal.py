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
from snipbench.domain.profile import FunctionCost

PLAIN_WIDTH = 180
"""Columns when standard output is no terminal, so that a log holds whole lines."""

EQUAL = {True: "yes", False: "NO", None: "–"}


def print_outcome(outcome: dict[str, Any]) -> None:
    """A table per experiment, the plain words beneath it, failures, and where the report is."""
    console = _console()
    for experiment in outcome["experiments"]:
        console.print(_experiment_table(experiment))
        for text in words.sentences(experiment):
            console.print(Text(f"  {text}"))
        for snippet in experiment["snippets"]:
            for error in snippet["errors"]:
                console.print(Text(f"  {snippet['name']}: {error}", style="red"))
        console.print()
    for analysis in outcome["analyses"]:
        console.print(Text(f"{analysis['kind']} {analysis['name']}: {analysis['sentence']}"))
    console.print(Text(f"task {outcome['task_id']}: {outcome['status']}, plan {outcome['plan_hash']}"))
    if outcome["report"]:
        console.print(Text(f"report: {outcome['report']}"))


def print_table(table: pa.Table) -> None:
    """Rows of a query."""
    console = _console()
    shown = Table(box=None, pad_edge=False)
    for name in table.column_names:
        shown.add_column(name, overflow="fold")
    for row in table.to_pylist():
        shown.add_row(*("" if value is None else str(value) for value in row.values()))
    console.print(shown)


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


def _experiment_table(experiment: dict[str, Any]) -> Table:
    table = Table(title=f"{experiment['name']} on {experiment['database']}", title_justify="left", title_style="bold")
    for name in ("snippet", "kind", "parameters"):
        table.add_column(name, overflow="fold")
    columns = ("runs", "wall, median", "95 %", "vs baseline", "cpu engine", "cpu db", "memory", "equal")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for snippet in experiment["snippets"]:
        wall = snippet["wall_seconds"]
        cpu = snippet["cpu_seconds"]
        failed = f" ({snippet['failed']} failed)" if snippet["failed"] else ""
        table.add_row(
            snippet["name"],
            snippet["kind"],
            words.parameters_text(snippet["parameters"]),
            f"{snippet['runs']}{failed}",
            words.duration(wall["median"]),
            _interval(wall),
            words.ratio_cell(snippet["ratio_to_baseline"]),
            words.duration(cpu["executor"]["median"]),
            words.duration(cpu["database"]["median"]),
            words.size(snippet["memory_peak_bytes"]),
            EQUAL[snippet["equal_to_baseline"]],
            style="dim" if snippet.get("role") == "floor" else "red" if snippet["failed"] else "",
        )
    return table


def _interval(figure: dict[str, Any]) -> str:
    if figure["low"] is None or figure["high"] is None:
        return "–"
    return f"{words.duration(figure['low'])} – {words.duration(figure['high'])}"


def _console() -> Console:
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=PLAIN_WIDTH)
