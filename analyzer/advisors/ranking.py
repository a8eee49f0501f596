"""Which snippets of a task are worth an advisor's time: the costliest by a chosen measure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from analyzer.measures import Measure, cpu_seconds, is_usable, memory_peak_bytes, sees_all, wall_seconds
from analyzer.summaries import Place, Summary, summarise
from snipbench.domain.analysis import Metric
from snipbench.domain.order import Order, Role
from snipbench.domain.plan import Phase
from snipbench.domain.run import Run
from snipbench.domain.task import SnippetResult
from snipbench.statistics import RatioVerdict, median_interval


@dataclass(frozen=True, slots=True)
class Ranked:
    """A snippet with its cost over all its parameter points: the sum of the medians (for memory the largest).

    ``share`` is its part of what all ranked snippets cost, ``None`` for memory, which does not add up.
    """

    experiment: str
    snippet: str
    cost: float
    share: float | None


def worst(
    order: Order,
    runs: Sequence[Run],
    results: Iterable[SnippetResult],
    *,
    by: Metric,
    count: int,
    experiments: Collection[str] = (),
) -> tuple[Ranked, ...]:
    """The costliest snippets, costliest first.

    Left out are floors, variants that are already known to be faster than their baseline (at one parameter point or
    more, and slower at none), and snippets without a single usable value, about which there is nothing to prove.

    Args:
        order: resolved.
        runs: accepted runs of one task.
        results: what its snippets computed; what computes something else is faster than nothing.
        by: the measure.
        count: how many at most.
        experiments: names of experiments; empty means all.
    """
    summaries = summarise(order, runs, results)
    known = _known_faster(summaries)
    costs: dict[tuple[str, str], list[float]] = {}
    medians = _medians(runs, _MEASURES[by])
    for summary in summaries:
        place = summary.place
        name = (place.experiment, place.snippet)
        wanted = not experiments or place.experiment in experiments
        if wanted and summary.role != Role.FLOOR and name not in known and place in medians:
            costs.setdefault(name, []).append(medians[place])
    additive = by is not Metric.MEMORY_PEAK_BYTES
    total = {name: sum(values) if additive else max(values) for name, values in costs.items()}
    everything = sum(total.values())
    ranked = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        Ranked(*name, cost=cost, share=cost / everything if additive and everything > 0 else None)
        for name, cost in ranked[:count]
    )


def _known_faster(summaries: Sequence[Summary]) -> frozenset[tuple[str, str]]:
    verdicts: dict[tuple[str, str], set[RatioVerdict]] = {}
    for summary in summaries:
        for comparison in summary.comparisons:
            if comparison.measure == "wall_seconds":
                name = (summary.place.experiment, summary.place.snippet)
                verdicts.setdefault(name, set()).add(comparison.ratio.verdict)
    return frozenset(
        name for name, seen in verdicts.items() if RatioVerdict.FASTER in seen and RatioVerdict.SLOWER not in seen
    )


def _medians(runs: Sequence[Run], measure: Measure) -> dict[Place, float]:
    values: dict[Place, list[float]] = {}
    for run in runs:
        value = measure(run) if run.phase is Phase.MEASURED and is_usable(run) else None
        if value is not None:
            values.setdefault(Place.of(run), []).append(value)
    medians = {place: median_interval(found).median for place, found in values.items()}
    return {place: median for place, median in medians.items() if median is not None}


def _cpu_seconds(run: Run) -> float | None:
    """CPU time of executor and database together; ``None`` where one of the watched sides does not tell."""
    sides = {cost.target.partition(":")[0] for cost in run.outcome.costs}
    return _summed(run, [cpu_seconds(run, side) for side in sides])


def _read_bytes(run: Run) -> float | None:
    return _summed(run, [cost.read_bytes for cost in run.outcome.costs])


def _write_bytes(run: Run) -> float | None:
    return _summed(run, [cost.write_bytes for cost in run.outcome.costs])


def _summed(run: Run, values: Sequence[float | None]) -> float | None:
    """The sum over all that was watched; ``None`` where one does not tell, or something that worked was not watched."""
    if not sees_all(run):
        return None
    present = [value for value in values if value is not None]
    return float(sum(present)) if present and len(present) == len(values) else None


_MEASURES: dict[Metric, Measure] = {
    Metric.WALL_SECONDS: wall_seconds,
    Metric.CPU_SECONDS: _cpu_seconds,
    Metric.MEMORY_PEAK_BYTES: memory_peak_bytes,
    Metric.READ_BYTES: _read_bytes,
    Metric.WRITE_BYTES: _write_bytes,
}
