"""Measured values -> classes low, medium, high."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snipbench.domain.analysis import Classes

LABELS = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Upper bounds of the classes in the target's unit; a value on a bound belongs below it.

    What lies above ``high`` (possible with bounds by value) counts as high.
    """

    low: float
    medium: float
    high: float

    def label(self, value: float) -> str:
        """The class of a value."""
        if value <= self.low:
            return "low"
        return "medium" if value <= self.medium else "high"


def bounds_of(classes: Classes, values: Sequence[float]) -> Bounds:
    """The bounds in the target's unit; quantiles are taken over all the table's rows."""
    if classes.by == "value":
        return Bounds(classes.low, classes.medium, classes.high)
    import numpy as np

    low, medium, high = (float(found) for found in np.quantile(values, (classes.low, classes.medium, classes.high)))
    return Bounds(low, medium, high)
