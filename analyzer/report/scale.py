"""From values to places on a chart: linear and logarithmic scales with round ticks, each with a text of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Units = Sequence[tuple[float, str]]
"""Sizes of a quantity's units in its base unit with their names, the largest first."""

DURATION: Units = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
SIZE: Units = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
COUNT: Units = ((1.0, ""),)
SHARE: Units = ((0.01, "%"),)


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps ``[low, high]`` to ``[start, end]``, in percent or pixels as its maker likes."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Place of a value, two decimals."""
        low, high, at = self.low, self.high, value
        if self.logarithmic:
            low, high, at = math.log(low), math.log(high), math.log(value)
        return round(self.start + (at - low) / (high - low) * (self.end - self.start), 2)

    def ticks(self, count: int = 5) -> list[float]:
        """About ``count`` round values inside the scale."""
        return _log_ticks(self.low, self.high, count) if self.logarithmic else _linear_ticks(self.low, self.high, count)

    def labels(self, units: Units, count: int = 5) -> list[tuple[float, str]]:
        """The ticks with their texts, which differ where the ticks do: one unit for all of a linear scale."""
        ticks = self.ticks(count)
        largest = max((abs(tick) for tick in ticks), default=0.0)
        return [(tick, _label(tick, tick if self.logarithmic else largest, units)) for tick in ticks]


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


_FACTORS = ((1.1, 1.2, 1.3, 1.5, 2), (1.2, 1.5, 2, 3), (1.5, 2, 3, 5, 10), (2, 5, 10), (3, 10), (10,))
"""Round factors, the finest set first; those that end at 10 repeat from there on."""


def factor_labels(x: Scale, count: int = 5) -> list[tuple[float, str]]:
    """Ticks of a logarithmic scale of ratios around 1, told as factors: ``3× faster``, ``same``, ``2× slower``."""
    most = max(1 / x.low, x.high)
    ticks: list[tuple[float, str]] = []
    for factors in _FACTORS:
        decades = range(math.ceil(math.log10(most)) if factors[-1] == 10 else 1)
        wanted = [factor * 10**decade for decade in decades for factor in factors]
        faster = [(1 / f, f"{f:g}× faster") for f in reversed(wanted) if 1 / f >= x.low]
        ticks = [*faster, (1.0, "same"), *((f, f"{f:g}× slower") for f in wanted if f <= x.high)]
        if len(ticks) <= count + 2 and (decades.stop > 1 or factors[-1] * 1.5 >= most):
            return ticks
    return ticks[:: math.ceil(len(ticks) / (count + 2))]


def _linear_ticks(low: float, high: float, count: int) -> list[float]:
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step)
    return [_tidy(index * step) for index in range(first, math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float, count: int) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        inside = [
            tick for power in powers for factor in factors if low <= (tick := _tidy(factor * 10.0**power)) <= high
        ]
        if len(inside) <= count + 2:
            return inside
    # So many decades that not each can have a tick.
    return inside[:: math.ceil(len(inside) / (count + 2))]


def _tidy(value: float) -> float:
    """Without the dust of binary fractions: 0.3, not 0.30000000000000004."""
    return float(f"{value:.12g}")


def _label(value: float, reference: float, units: Units) -> str:
    if value == 0:
        return "0"
    size, name = next((unit for unit in units if abs(reference) >= unit[0] * (1 - 1e-9)), units[-1])
    return f"{value / size:.9g} {name}".rstrip()
