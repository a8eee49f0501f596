"""The median and its exact order-statistic interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Interval:
    """A median with its interval, in the unit of the values.

    ``low`` and ``high`` are ``None`` where ``n`` values cannot reach the confidence asked for (fewer than six for
    95 %); ``confidence_achieved`` is the coverage that the interval really guarantees, ``None`` without one.
    """

    median: float | None
    low: float | None
    high: float | None
    n: int
    confidence_achieved: float | None


def median(values: Sequence[float]) -> float:
    """Middle value, or the mean of the middle two.

    Raises:
        ValueError: ``values`` is empty.
    """
    if not values:
        raise ValueError("the median of no values is not defined")
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


@cache
def interval_ranks(n: int, confidence: float) -> tuple[int, float] | None:
    """``(k, coverage)``: the k-th smallest and k-th largest of ``n`` values enclose the median.

    ``k`` counts from 1 and is the largest whose coverage, ``1 - 2 P(Binomial(n, 1/2) < k)``, is at least
    ``confidence``; ``None`` where even the extremes do not reach it.

    The method is the sign test turned round: Thompson (1936), "On confidence ranges for the median".
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    best: tuple[int, float] | None = None
    below, total = 0, 2**n
    for k in range(1, n // 2 + 1):
        below += math.comb(n, k - 1)
        coverage = 1 - 2 * below / total
        if coverage < confidence:
            break
        best = (k, coverage)
    return best


def median_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The median of ``values`` and the exact interval for the true median that order statistics give.

    No distribution is assumed; coverage is at least ``confidence`` for independent values.

    Raises:
        ValueError: a value is NaN or infinite, or ``confidence`` is not between 0 and 1.
    """
    if not all(math.isfinite(value) for value in values):
        raise ValueError("values must be finite; leave missing ones out")
    n = len(values)
    ranks = interval_ranks(n, confidence)
    if ranks is None:
        return Interval(median(values) if values else None, None, None, n, None)
    k, coverage = ranks
    ordered = sorted(values)
    return Interval(median(ordered), ordered[k - 1], ordered[n - k], n, coverage)
