"""What each function cost: own time, total time, and the spread over its calls."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from analyzer.profiles.calls import Calls, Function
from snipbench.domain.profile import FunctionCost

SOURCE_CHARACTERS = 16_000


def costs_of(calls: Calls) -> tuple[FunctionCost, ...]:
    """The cost of each function that was called, worst first: by own time."""
    parents = _parents(calls)
    own = _own_seconds(calls, parents)
    outermost = _outermost(calls, parents)
    costs = []
    for place, function in enumerate(calls.functions):
        mine = np.flatnonzero(calls.function == place)
        costs.append(_cost(calls, function, mine, own, outermost, calls.uncounted[place]))
    return tuple(sorted(costs, key=lambda cost: (-cost.own_seconds, -cost.calls, cost.name)))


def _parents(calls: Calls) -> NDArray[np.int64]:
    """Place of each call's parent; -1 for none, and for one that was not kept."""
    if not len(calls):
        return np.empty(0, np.int64)
    order = np.argsort(calls.call)
    ids = calls.call[order]
    found = np.minimum(np.searchsorted(ids, calls.parent), len(ids) - 1)
    known = (calls.parent > 0) & (ids[found] == calls.parent)
    return np.where(known, order[found], -1)


def _own_seconds(calls: Calls, parents: NDArray[np.int64]) -> NDArray[np.float64]:
    """Without the time of the calls that each made; never below 0, since asynchronous children overlap."""
    made = parents >= 0
    children = np.bincount(parents[made], weights=calls.seconds[made], minlength=len(calls))
    return np.maximum(calls.seconds - children, 0.0)


def _outermost(calls: Calls, parents: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Calls that are not within another call of the same function."""
    outermost = np.ones(len(calls), dtype=bool)
    asking = np.flatnonzero(parents >= 0)
    above = parents[asking]
    while len(asking):
        same = calls.function[above] == calls.function[asking]
        outermost[asking[same]] = False
        further = ~same & (parents[above] >= 0)
        asking, above = asking[further], parents[above[further]]
    return outermost


def _cost(
    calls: Calls,
    function: Function,
    mine: NDArray[np.int64],
    own: NDArray[np.float64],
    outermost: NDArray[np.bool_],
    uncounted: int,
) -> FunctionCost:
    seconds = calls.seconds[mine]
    observed = [(calls.observed[place], calls.seconds[place]) for place in mine.tolist() if place in calls.observed]
    read = [(seen.cpu_seconds, wall) for seen, wall in observed if seen.cpu_seconds is not None]
    grown = [seen.memory_bytes for seen, _ in observed if seen.memory_bytes is not None]
    median, p95 = (float(value) for value in np.quantile(seconds, [0.5, 0.95])) if len(mine) else (None, None)
    return FunctionCost(
        class_name=function.class_name,
        function_name=function.function_name,
        source_md5=function.source_md5,
        source=_source(function),
        calls=len(mine) + uncounted,
        uncounted_calls=uncounted,
        total_seconds=float(seconds[outermost[mine]].sum()),
        own_seconds=float(own[mine].sum()),
        mean_seconds=float(seconds.mean()) if len(mine) else None,
        median_seconds=median,
        p95_seconds=p95,
        longest_seconds=float(seconds.max()) if len(mine) else None,
        observed_calls=len(read),
        observed_seconds=float(sum(wall for _, wall in read)),
        cpu_seconds=float(sum(cpu for cpu, _ in read)) if read else None,
        memory_growth_bytes=max(grown) if grown else None,
        exceptions=sum(seen.exception is not None for seen, _ in observed),
    )


def _source(function: Function) -> str | None:
    if function.source_compressed is None:
        return None
    return zlib.decompress(function.source_compressed).decode("utf-8", "replace")[:SOURCE_CHARACTERS]
