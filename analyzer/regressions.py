"""``--fail-if``: whether a task is worse than an earlier one by more than was allowed, and what could not be judged."""

from __future__ import annotations

import re
from dataclasses import dataclass

from analyzer import measures
from analyzer.compare import Change, TaskComparison, compare_tasks, ratio_text
from analyzer.summaries import Place
from snipbench.domain.run import TaskStatus
from snipbench.errors import UsageError
from snipbench.store.port import DocumentStore

_THRESHOLD = re.compile(r"^(?P<measure>\w+):(?P<percent>\d+(?:\.\d+)?)\s*%$")
NAMED = 3
"""Snippets that are named of those that could not be judged for one reason; of more their number is told."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A regression: the measure's ratio after ÷ before is above ``1 + share`` by its interval's lower bound."""

    measure: str
    share: float

    @classmethod
    def parse(cls, text: str) -> Threshold:
        """``wall_seconds:10%`` -> threshold.

        Raises:
            UsageError: another form, or no such measure; ``cpu_seconds`` is none, for it does not say whose.
        """
        found = _THRESHOLD.match(text.strip())
        if found is None or found["measure"] not in measures.SUMMARISED:
            valid = ", ".join(measures.SUMMARISED)
            raise UsageError(
                f"--fail-if takes MEASURE:PERCENT%, such as wall_seconds:10%, not {text!r}; measures: {valid}"
            )
        return cls(found["measure"], float(found["percent"]) / 100)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a threshold shows of a task. ``regressions`` and ``unjudged`` are lines for a person.

    ``possible`` is whether there was something to hold the task against; ``judged`` counts snippets at their points.
    """

    regressions: tuple[str, ...]
    unjudged: tuple[str, ...]
    judged: int
    possible: bool = True

    @property
    def is_empty(self) -> bool:
        """Nothing was judged though there was an earlier task: to pass for that would be no answer."""
        return self.possible and not self.judged


def judge(comparison: TaskComparison, threshold: Threshold) -> Judgement:
    """Hold a comparison against a threshold. The interval decides, with however few runs it could be had."""
    changes = [change for change in comparison.changes if change.measure == threshold.measure]
    worse = [change for change in changes if change.ratio.low is not None and change.ratio.low > 1 + threshold.share]
    reasons: dict[str, list[Place]] = {}
    for change in changes:
        if change.unjudged is not None:
            reasons.setdefault(change.unjudged, []).append(change.place)
    for side, places in (("before", comparison.only_before), ("after", comparison.only_after)):
        reasons.setdefault(f"measured only {side}", []).extend(places)
    return Judgement(
        regressions=tuple(_regression(change, threshold) for change in worse),
        unjudged=tuple(
            f"{threshold.measure} of {_names(places)}: {reason}" for reason, places in reasons.items() if places
        ),
        judged=sum(change.unjudged is None for change in changes),
    )


def judge_against_previous(store: DocumentStore, task_id: str, threshold: Threshold) -> Judgement:
    """Judge a task against the previous one of the same order name that has results.

    Raises:
        UsageError: the task is not there.
    """
    document = store.get("tasks", task_id)
    if document is None:
        raise UsageError(f"there is no task {task_id!r}")
    name = document["order_name"]
    wanted = {"order_name": name, "status": (TaskStatus.COMPLETED.value, TaskStatus.PARTLY_FAILED.value)}
    for found in store.find("tasks", wanted, order_by=("-requested_at", "-_id")):
        if (found["requested_at"], found["_id"]) < (document["requested_at"], task_id):
            return judge(compare_tasks(store, found["_id"], task_id), threshold)
    return Judgement((), (f"there is no earlier task of {name} with results",), 0, possible=False)


def _regression(change: Change, threshold: Threshold) -> str:
    return f"{change.place}: {change.measure} {ratio_text(change)}, allowed {threshold.share:.0%} more"


def _names(places: list[Place]) -> str:
    named = ", ".join(map(str, places[:NAMED]))
    return named if len(places) <= NAMED else f"{named} and {len(places) - NAMED} more"
