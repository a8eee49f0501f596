"""What a benchmark says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """What a value should be: ``at_most`` or ``at_least`` a limit in the value's unit."""

    at_most: float | None = None
    at_least: float | None = None

    def met_by(self, value: float) -> bool:
        """Whether ``value`` is within every limit given."""
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)

    def __str__(self) -> str:
        limits = ((self.at_most, "≤"), (self.at_least, "≥"))
        return ", ".join(f"{sign} {limit:g}" for limit, sign in limits if limit is not None)


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure.

    ``value`` is ``None`` where it was not measured; ``note`` then says why, else what helps to read it (its interval).
    Without a ``goal`` it is for information.
    """

    what: str
    value: float | None
    unit: str
    goal: Goal | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """``met``, ``not met``, ``not measured``, or ``-`` where there is no goal."""
        if self.value is None:
            return "not measured"
        if self.goal is None:
            return "-"
        return "met" if self.goal.met_by(self.value) else "not met"


class NotMeasured(Exception):
    """A benchmark cannot run here; the message says why."""
