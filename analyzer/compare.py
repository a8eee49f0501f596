"""Two tasks of one order, measured at different times: what became faster or slower, and what else differs.

There are no pairs between tasks: the ratio is the Hodges-Lehmann one with its exact rank-sum interval. Whatever
drifted between the two times is in it, which is why the environments' differences stand beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analyzer import measures
from analyzer.material import TaskMaterial, load_material
from analyzer.outcome import result_hash
from analyzer.summaries import Place, figure, loses_too_many
from analyzer.words import several
from snipbench.domain.event import ENVIRONMENT_DIFFERS
from snipbench.domain.plan import Phase
from snipbench.domain.run import Run
from snipbench.domain.task import MOMENT, Difference, Facts, differences
from snipbench.statistics import Interval, RatioResult, RatioVerdict, unpaired_ratio
from snipbench.store.port import DocumentStore


@dataclass(frozen=True, slots=True)
class Change:
    """One measure of one snippet at one parameter point, before and after."""

    place: Place
    measure: str
    before: Interval
    after: Interval
    ratio: RatioResult
    """After ÷ before; ``pairs`` is the number of runs of the smaller side."""
    unjudged: str | None
    """Why the ratio has no interval; ``None`` where it has one."""


@dataclass(frozen=True, slots=True)
class TaskComparison:
    """Task ``after`` against task ``before``."""

    before: str
    after: str
    orders: tuple[str, str]
    changes: tuple[Change, ...]
    only_before: tuple[Place, ...]
    only_after: tuple[Place, ...]
    other_code: frozenset[Place]
    """Where what ran is not the same in both tasks: code, input, tables, source."""
    other_result: frozenset[Place]
    environment: tuple[Difference, ...]
    mixed: tuple[tuple[str, str], ...]
    """``(task, what changed)`` of a task whose own sessions did not all run on the environment that it names."""
    same_plan: bool

    def to_document(self) -> dict[str, Any]:
        """What ``compare --json`` prints."""
        places = dict.fromkeys(change.place for change in self.changes)
        return {
            "before": self.before,
            "after": self.after,
            "same_plan": self.same_plan,
            "snippets": [
                _place(place)
                | {
                    "code_changed": place in self.other_code,
                    "result_changed": place in self.other_result,
                    "measures": {change.measure: _change(change) for change in self.changes if change.place == place},
                }
                for place in places
            ],
            "only_before": [_place(place) for place in self.only_before],
            "only_after": [_place(place) for place in self.only_after],
            "environment": [asdict(found) for found in self.environment],
            "mixed_environments": [{"task_id": task_id, "text": text} for task_id, text in self.mixed],
        }

    def lines(self) -> list[str]:
        """The comparison in words."""
        said = [f"{self.after} against {self.before} (after ÷ before; below 1 is faster)"]
        if self.orders[0] != self.orders[1]:
            said.append(f"these are tasks of different orders: {self.orders[1]} and {self.orders[0]}")
        for change in self.changes:
            if change.measure == "wall_seconds":
                marks = [
                    text
                    for text, places in (("other code", self.other_code), ("other result", self.other_result))
                    if change.place in places
                ]
                tail = f" [{', '.join(marks)}]" if marks else ""
                said.append(f"  {change.place}: {change.ratio.verdict.value}, {ratio_text(change)}{tail}")
        said += [f"  only before: {place}" for place in self.only_before]
        said += [f"  only after: {place}" for place in self.only_after]
        if self.environment:
            said.append("the environments differ:")
            said += [f"  {found}" for found in self.environment]
        elif not self.mixed:
            said.append("the environments have the same fingerprint")
        said += [f"the sessions of {task_id} did not all run on the same: {text}" for task_id, text in self.mixed]
        said.append("measured at different times, not in pairs: drift between the two is part of each ratio")
        return said


def compare_tasks(store: DocumentStore, before: str, after: str) -> TaskComparison:
    """Compare two tasks, snippet by snippet at each parameter point.

    Raises:
        UsageError: a task is not there.
    """
    earlier, later = load_material(store, before), load_material(store, after)
    left, right = _measured(earlier), _measured(later)
    common = [place for place in right if place in left]
    return TaskComparison(
        before=before,
        after=after,
        orders=(earlier.task.order_name, later.task.order_name),
        changes=tuple(
            _changed(place, name, left[place], right[place]) for place in common for name in measures.SUMMARISED
        ),
        only_before=tuple(place for place in left if place not in right),
        only_after=tuple(place for place in right if place not in left),
        other_code=frozenset(place for place in common if _other_code(left[place], right[place])),
        other_result=_other_results(earlier, later, common),
        environment=differences(_facts(earlier), _facts(later)),
        mixed=tuple(
            (material.task.task_id, text)
            for material in (earlier, later)
            for text in dict.fromkeys(event.text for event in material.events if event.name == ENVIRONMENT_DIFFERS)
        ),
        same_plan=earlier.task.plan_hash == later.task.plan_hash,
    )


def _measured(material: TaskMaterial) -> dict[Place, list[Run]]:
    groups: dict[Place, list[Run]] = {}
    for run in material.runs:
        if run.phase is Phase.MEASURED:
            groups.setdefault(Place.of(run), []).append(run)
    return groups


def _changed(place: Place, name: str, before: Sequence[Run], after: Sequence[Run]) -> Change:
    """Where too many runs of a side have no value the others are no sample of it: no figure, no ratio."""
    measure = measures.SUMMARISED[name]
    sides = [[_value(measure, run) for run in runs] for runs in (before, after)]
    left, right = ([value for value in side if value is not None] for side in sides)
    lossy = [
        f"{len(side) - len(present)} of {several(len(side), 'run')} {when} have no such value"
        for when, side, present in (("before", sides[0], left), ("after", sides[1], right))
        if loses_too_many(len(present), len(side))
    ]
    if lossy:
        nothing = RatioResult(None, None, None, min(len(left), len(right)), RatioVerdict.INCONCLUSIVE)
        return Change(place, name, figure(sides[0]), figure(sides[1]), nothing, " and ".join(lossy))
    ratio = unpaired_ratio(right, left)
    few = f"too few runs for an interval: {len(left)} before, {len(right)} after" if ratio.low is None else None
    return Change(place, name, figure(sides[0]), figure(sides[1]), ratio, few)


def _value(measure: measures.Measure, run: Run) -> float | None:
    value = measure(run) if measures.is_usable(run) else None
    return value if value is not None and value > 0 else None


def _other_code(before: Sequence[Run], after: Sequence[Run]) -> bool:
    """A slot's id is the hash of what runs: equal repetitions have equal slots where that is the same."""
    slots = {run.repetition: run.slot_id for run in before}
    return any(slots.get(run.repetition, run.slot_id) != run.slot_id for run in after)


def _other_results(earlier: TaskMaterial, later: TaskMaterial, places: Sequence[Place]) -> frozenset[Place]:
    hashes = []
    for material in (earlier, later):
        found = {Place.of(r): r for r in material.results}
        hashes.append({place: result_hash(found.get(place), []) for place in places})
    return frozenset(place for place in places if hashes[0][place] != hashes[1][place])


def _facts(material: TaskMaterial) -> Facts:
    facts = material.environment.facts if material.environment else {}
    lasting = {area: group for area, group in facts.items() if area != MOMENT}
    return lasting | {"dataset_hash": dict(material.plan.dataset_hashes) if material.plan else {}}


def _place(place: Place) -> dict[str, Any]:
    return {"experiment": place.experiment, "snippet": place.snippet, "parameters": dict(place.parameters)}


def _change(change: Change) -> dict[str, Any]:
    ratio = change.ratio
    return {
        side: {"median": interval.median, "low": interval.low, "high": interval.high, "runs": interval.n}
        for side, interval in (("before", change.before), ("after", change.after))
    } | {
        "ratio": {"median": ratio.median, "low": ratio.low, "high": ratio.high, "verdict": ratio.verdict.value},
        "unjudged": change.unjudged,
    }


def ratio_text(change: Change) -> str:
    """``1.97× (95 % 1.90–2.03)``, or why there is no interval."""
    ratio = change.ratio
    if ratio.median is None:
        return f"no ratio ({change.unjudged})"
    if ratio.low is None or ratio.high is None:
        return f"{ratio.median:.2f}× ({change.unjudged})"
    return f"{ratio.median:.2f}× (95 % {ratio.low:.2f}–{ratio.high:.2f})"
