"""From values to pixels: linear and logarithmic scales with round ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps ``[low, high]`` to ``[start, end]`` pixels."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Pixel of a value, one decimal."""
        low, high, at = self.low, self.high, value
        if self.logarithmic:
            low, high, at = math.log(low), math.log(high), math.log(value)
        return round(self.start + (at - low) / (high - low) * (self.end - self.start), 1)

    def ticks(self, count: int = 5) -> list[float]:
        """About ``count`` round values inside the scale."""
        return _log_ticks(self.low, self.high, count) if self.logarithmic else _linear_ticks(self.low, self.high, count)


def linear(values: Sequence[float], start: float, end: float, *, from_zero: bool = True) -> Scale:
    """A linear scale that holds all values with a little room above."""
    low = 0.0 if from_zero else min(values)
    high = max(values, default=1.0)
    if high <= low:
        high = low + 1.0
    return Scale(low, low + (high - low) * 1.05, start, end)


def logarithmic(values: Sequence[float], start: float, end: float, *, least_factor: float = 2.0) -> Scale:
    """A logarithmic scale that holds all values (all above 0) and spans at least ``least_factor`` to both sides of 1
    when 1 is among them."""
    low, high = min(values), max(values)
    if high / low < least_factor:
        middle = math.sqrt(low * high)
        low, high = middle / math.sqrt(least_factor), middle * math.sqrt(least_factor)
    return Scale(low / 1.08, high * 1.08, start, end, logarithmic=True)


def _linear_ticks(low: float, high: float, count: int) -> list[float]:
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step)
    return [round(index * step, 12) for index in range(first, math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float, count: int) -> list[float]:
    for factors in ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) <= count + 2:
            return inside
    return inside
