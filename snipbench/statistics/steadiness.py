"""Whether measured times stand still in the order in which they were measured, or drift.

A snippet that still warms up, or a machine that grows slower, shows as a trend. The test is Mann-Kendall's, on pairs
of one session only, since a new session starts anew; the sessions' statistics add up.

Sources: Mann (1945), "Nonparametric tests against trend"; Kendall (1975), "Rank Correlation Methods", for the variance
with ties and the continuity correction; Hirsch, Slack and Smith (1982), "Techniques of trend analysis for monthly
water quality data", for adding up strata; Theil (1950) and Sen (1968) for the slope.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

from snipbench.statistics.interval import median

MINIMUM_RUNS = 10
"""With fewer runs nothing is said; from here on the statistic's distribution is close enough to normal (Kendall)."""

SIGNIFICANCE = 0.01
"""Chance of calling times that stand still unsteady, were the size of the drift not asked for as well. A report tests
every snippet, so the usual 5 % would blame one of twenty."""

NEGLIGIBLE_DRIFT = 1.05
"""A drift below this factor over a session is none: the bound within which two sides show no difference."""


@dataclass(frozen=True, slots=True)
class Steadiness:
    """``steady``: no trend was found (``True``), one was (``False``), or there was no telling (``None``).

    ``drift`` is the factor by which times grew over the longest session, below 1 if they shrank; ``None`` with
    ``steady``.
    """

    steady: bool | None
    drift: float | None


def steadiness(sessions: Sequence[Sequence[float]]) -> Steadiness:
    """Judge times by session, each session's in the order in which they were measured.

    Unsteady is a trend that is significant *and* at least :data:`NEGLIGIBLE_DRIFT`. Nothing is said of fewer than
    :data:`MINIMUM_RUNS` times, or where even times that grow from run to run would not be significant (many short
    sessions). A change that comes and goes is no trend: outliers and intervals show it.

    Raises:
        ValueError: a time is not positive and finite.
    """
    logs = [[_log(value) for value in session] for session in sessions]
    pairs = [
        (second - first, (later - earlier))
        for session in logs
        for (earlier, first), (later, second) in combinations(enumerate(session), 2)
    ]
    variance = sum(_variance(session) for session in logs)
    if sum(map(len, logs)) < MINIMUM_RUNS or not _is_significant(len(pairs), variance):
        return Steadiness(None, None)
    score = sum((rise > 0) - (rise < 0) for rise, _ in pairs)
    slope = median([rise / distance for rise, distance in pairs])
    drift = math.exp(slope * (max(map(len, logs)) - 1))
    drifts = _is_significant(score, variance) and max(drift, 1 / drift) >= NEGLIGIBLE_DRIFT
    return Steadiness(not drifts, drift)


def _log(value: float) -> float:
    if not 0 < value < math.inf:
        raise ValueError(f"a time must be positive and finite, not {value}")
    return math.log(value)


def _variance(values: Sequence[float]) -> float:
    """Of Kendall's score of independent values."""

    def weight(n: int) -> int:
        return n * (n - 1) * (2 * n + 5)

    return (weight(len(values)) - sum(map(weight, Counter(values).values()))) / 18


def _is_significant(score: int, variance: float) -> bool:
    if variance <= 0:
        return False
    return max(abs(score) - 1, 0) / math.sqrt(variance) > NormalDist().inv_cdf(1 - SIGNIFICANCE / 2)
