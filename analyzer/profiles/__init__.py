"""Profile passes: calls as they were spilled -> rows of ``function_calls``, and the cost of each function."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from analyzer.profiles.calls import read_calls
from analyzer.profiles.costs import costs_of
from analyzer.profiles.rows import call_rows
from snipbench.domain.profile import FunctionCost

__all__ = ["Collected", "collect"]

KEPT_CALLS = 20_000
"""Rows of ``function_calls`` per point; the figures of :class:`FunctionCost` are over all calls."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What a folder held."""

    functions: tuple[FunctionCost, ...]
    kept_calls: int
    broken_lines: int


def collect(folder: Path, rows: Path, *, kept_calls: int = KEPT_CALLS) -> Collected:
    """Sum up the calls in ``folder``, and write the first ``kept_calls`` of them as Parquet to ``rows``.

    A folder that is not there holds none; with no calls no file is written.

    Raises:
        OSError: a file cannot be read or written.
    """
    calls = read_calls(folder)
    made = call_rows(calls, kept_calls)
    if made.num_rows:
        rows.parent.mkdir(parents=True, exist_ok=True)
        partial = rows.with_name(f".{rows.name}")
        pq.write_table(made, partial)
        partial.replace(rows)
    return Collected(costs_of(calls), made.num_rows, calls.broken_lines)
