"""Runs -> figures: medians with exact intervals, paired ratios with verdicts, labelled outliers. Pure.

The same function serves the table on the terminal right after the last run, the report and the lake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from analyzer.measures import COMPARED, SUMMARISED, Measure, is_usable, wall_seconds
from analyzer.words import parameters_text
from snipbench.domain.order import Experiment, Order, Schedule, Snippet
from snipbench.domain.plan import Parameters, Phase, parameter_points
from snipbench.domain.result import Equality
from snipbench.domain.run import Run
from snipbench.domain.task import SnippetResult
from snipbench.statistics import (
    Interval,
    RatioResult,
    RatioVerdict,
    Steadiness,
    median_interval,
    outlier_labels,
    paired_ratio,
    steadiness,
)

TOLERATED_LOSS = 0.1
"""Share of runs (or pairs) that may be missing from a figure; beyond it the rest would say nothing about them."""

_EQUAL = {
    Equality.EQUAL: True,
    Equality.EQUAL_WITHIN_TOLERANCE: True,
    Equality.DIFFERENT: False,
    Equality.INCONCLUSIVE: None,
}


@dataclass(frozen=True, slots=True)
class Place:
    """A snippet at one parameter point of an experiment; as text ``exchange/row (limit=10)``."""

    experiment: str
    snippet: str
    parameters: Parameters

    @classmethod
    def of(cls, found: Run | SnippetResult) -> Place:
        """Where it belongs."""
        return cls(found.experiment, found.snippet, found.parameters)

    def __str__(self) -> str:
        values = parameters_text(dict(self.parameters))
        return f"{self.experiment}/{self.snippet}{f' ({values})' if values else ''}"


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """A variant against its baseline in one measure.

    The ratio is what was measured; its verdict is ``inconclusive`` unless both are known to compute the same and were
    measured by turns.
    """

    place: Place
    baseline: str
    measure: str
    ratio: RatioResult
    pairs_unusable: int
    sessions: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of a snippet at one parameter point; ``figures`` by the names of ``SUMMARISED``."""

    place: Place
    kind: str
    role: str
    baseline: str
    runs: int
    failed: int
    outliers: int
    sessions: int
    figures: Mapping[str, Interval]
    steadiness: Steadiness
    """Of the wall times, in the order of the runs."""
    equal: bool | None
    """Whether the result equals the baseline's; ``None`` where that is not known, and for a baseline."""
    comparisons: tuple[PairedComparison, ...]
    """Empty for a baseline."""


def summarise(order: Order, runs: Sequence[Run], results: Iterable[SnippetResult]) -> tuple[Summary, ...]:
    """Figures of every snippet of the order at every parameter point, in the order's order.

    Args:
        order: resolved.
        runs: accepted runs of one task; warm-ups are left out.
        results: what its snippets computed, against their baselines.
    """
    equal = {Place.of(found): _EQUAL[found.comparison.equality] for found in results if found.comparison is not None}
    by_place: dict[Place, list[Run]] = {}
    for run in runs:
        if run.phase is Phase.MEASURED:
            by_place.setdefault(Place.of(run), []).append(run)
    labelled = outlier_slots(runs)
    by_turns = order.schedule is not Schedule.SEQUENTIAL
    return tuple(
        _summary(experiment, snippet, parameters, by_place, labelled, equal, by_turns=by_turns)
        for experiment in order.experiments
        for parameters in parameter_points(experiment)
        for snippet in experiment.snippets
    )


def outlier_slots(runs: Iterable[Run]) -> frozenset[str]:
    """Slots whose wall time is far from the median of their snippet's usable measured runs."""
    groups: dict[Place, list[Run]] = {}
    for run in runs:
        if run.phase is Phase.MEASURED and is_usable(run):
            groups.setdefault(Place.of(run), []).append(run)
    return frozenset(
        run.slot_id
        for group in groups.values()
        for run, outlier in zip(group, outlier_labels([wall_seconds(run) for run in group]), strict=True)
        if outlier and run.slot_id is not None
    )


def _summary(
    experiment: Experiment,
    snippet: Snippet,
    parameters: Parameters,
    by_place: Mapping[Place, list[Run]],
    labelled: frozenset[str],
    equalities: Mapping[Place, bool | None],
    *,
    by_turns: bool,
) -> Summary:
    place = Place(experiment.name, snippet.name, parameters)
    equal = equalities.get(place)
    runs = by_place.get(place, [])
    usable = [run for run in runs if is_usable(run)]
    baseline = by_place.get(replace(place, snippet=snippet.baseline), [])
    return Summary(
        place=place,
        kind=snippet.kind.value,
        role=snippet.role.value,
        baseline=snippet.baseline,
        runs=len(runs),
        failed=len(runs) - len(usable),
        outliers=sum(run.slot_id in labelled for run in runs),
        sessions=len({run.outcome.session_id for run in runs}),
        figures={name: figure([measure(run) for run in usable]) for name, measure in SUMMARISED.items()},
        steadiness=_steadiness(usable),
        equal=equal,
        comparisons=()
        if snippet.baseline == snippet.name
        else tuple(
            _comparison(place, snippet.baseline, name, measure, runs, baseline, claims=by_turns and equal is True)
            for name, measure in COMPARED.items()
        ),
    )


def loses_too_many(present: int, of: int) -> bool:
    """Whether more than :data:`TOLERATED_LOSS` is missing."""
    return present < (1 - TOLERATED_LOSS) * of


def figure(values: Sequence[float | None]) -> Interval:
    """Median and interval of the values that are there; nothing where too many are missing."""
    present = [value for value in values if value is not None]
    if loses_too_many(len(present), len(values)):
        return Interval(None, None, None, len(present), None)
    return median_interval(present)


def _steadiness(runs: Sequence[Run]) -> Steadiness:
    sessions: dict[str, list[float]] = {}
    for run in sorted(runs, key=lambda run: run.outcome.started_at):
        if seconds := wall_seconds(run):
            sessions.setdefault(run.outcome.session_id, []).append(seconds)
    return steadiness(list(sessions.values()))


def _comparison(
    place: Place,
    baseline: str,
    name: str,
    measure: Measure,
    runs: Sequence[Run],
    baseline_runs: Sequence[Run],
    *,
    claims: bool,
) -> PairedComparison:
    """Pairs are formed within one block and one session only."""
    others = {run.block: run for run in baseline_runs}
    pairs: list[tuple[float, float]] = []
    sessions: set[str] = set()
    for run in runs:
        other = others.get(run.block)
        values = None if other is None else _pair(run, other, measure)
        if values is not None:
            pairs.append(values)
            sessions.add(run.outcome.session_id)
    unusable = len({run.block for run in (*runs, *baseline_runs)}) - len(pairs)
    ratio = paired_ratio(pairs)
    if not claims or unusable > TOLERATED_LOSS * (len(pairs) + unusable):
        ratio = replace(ratio, verdict=RatioVerdict.INCONCLUSIVE)
    return PairedComparison(place, baseline, name, ratio, unusable, len(sessions))


def _pair(run: Run, other: Run, measure: Measure) -> tuple[float, float] | None:
    if not (is_usable(run) and is_usable(other) and run.outcome.session_id == other.outcome.session_id):
        return None
    value, base = measure(run), measure(other)
    return (value, base) if value and base and value > 0 and base > 0 else None
