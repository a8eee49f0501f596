"""What the store says of tasks that were struck: what was recorded, and what the seconds until the next run were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from snipbench.clock import from_text
from snipbench.store.port import DocumentStore

MILESTONES = {
    4: "led again",
    7: "prototype there",
    8: "clone served",
    10: "Spark there",
    11: "views there",
}
"""Stages by number, in the order in which a task that is taken up again reaches them, as a note names them."""


@dataclass(frozen=True, slots=True)
class Blow:
    """What was done to whom, when, during which task."""

    what: str
    at: datetime
    task_id: str


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds from a blow to the next run that started, and to what had to come before that, by milestone."""

    seconds: float
    milestones: dict[str, float]


class Aftermath:
    """One task as the store has it at the end."""

    def __init__(self, store: DocumentStore, task_id: str) -> None:
        where = {"task_id": task_id}
        self._task = store.get("tasks", task_id) or {}
        self._plan = (store.get("plans", task_id) or {"slots": []})["slots"]
        self._runs = list(store.find("runs", where))
        attempts = list(store.find("attempts", where))
        self._starts = sorted(from_text(run["started_at"]) for run in (*self._runs, *attempts))
        self._stages = [
            (from_text(event["at"]), MILESTONES[event["stage"]])
            for event in store.find("events", where, order_by=("sequence",))
            if event["stage"] in MILESTONES
        ]

    @property
    def planned(self) -> int:
        """Slots of the plan."""
        return len(self._plan)

    @property
    def recorded_once(self) -> int:
        """Slots of the plan that were recorded exactly once."""
        runs = Counter(run["slot_id"] for run in self._runs)
        return sum(runs[slot["slot_id"]] == 1 for slot in self._plan)

    @property
    def astray(self) -> int:
        """Blocks whose good runs are of more than one session."""
        sessions: dict[str, set[str]] = {}
        for run in self._runs:
            if run["block"] is not None and run["status"] == "ok":
                sessions.setdefault(run["block"], set()).add(run["session_id"])
        return sum(len(found) > 1 for found in sessions.values())

    @property
    def given_up(self) -> bool:
        """Whether it ended without all of its runs, or did not end."""
        return self._task.get("status") in {None, "failed", "running"}

    def after(self, blow: Blow) -> Recovery | None:
        """How it went on after a blow; None where there was no run to make any more."""
        later = [start for start in self._starts if start > blow.at]
        if not later:
            return None
        reached = {name: (at - blow.at).total_seconds() for at, name in self._stages if blow.at < at < later[0]}
        return Recovery((later[0] - blow.at).total_seconds(), reached)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of ``values`` that so large a share of them does not exceed; at least one is needed."""
    ordered = sorted(values)
    return ordered[-(-int(share * 100) * len(ordered) // 100) - 1]


def told(recoveries: Sequence[Recovery]) -> str:
    """Medians of the milestones, for a note: ``Spark there 3.1, views there 3.9 s``."""
    found = {
        name: [each.milestones[name] for each in recoveries if name in each.milestones] for name in MILESTONES.values()
    }
    return ", ".join(f"{name} {median(seconds):.1f} s" for name, seconds in found.items() if seconds)
