"""Whether measured times stand still in the order in which they were measured, or drift.

A snippet that still warms up, or a machine that grows slower, shows as a trend. The test is Mann-Kendall's, on pairs
of one session only, since a new session starts anew; the sessions' statistics add up.

Sources: Mann (1945), "Nonparametric tests against trend"; Kendall (1975), "Rank Correlation Methods", for the variance
with ties and the continuity correction; Hirsch, Slack and Smith (1982), "Techniques of trend analysis for monthly
water quality data", for adding up strata; Theil (1950) and Sen (1968) for the slope.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterator, Sequence
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

MOST_SLOPES = 250_000
"""Slopes whose median is taken: all up to some 700 runs, of more runs so many pairs, drawn always alike. The median of
the drawn ones has a rank among all that is off by 0.2 % at most, 95 times of 100."""


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
    pairs = sum(math.comb(len(session), 2) for session in logs)
    variance = sum(_variance(session) for session in logs)
    if sum(map(len, logs)) < MINIMUM_RUNS or not _is_significant(pairs, variance):
        return Steadiness(None, None)
    score = sum(map(_score, logs))
    slope = median(list(_every_slope(logs) if pairs <= MOST_SLOPES else _drawn_slopes(logs)))
    drift = math.exp(slope * (max(map(len, logs)) - 1))
    drifts = _is_significant(score, variance) and max(drift, 1 / drift) >= NEGLIGIBLE_DRIFT
    return Steadiness(not drifts, drift)


def _log(value: float) -> float:
    if not 0 < value < math.inf:
        raise ValueError(f"a time must be positive and finite, not {value}")
    return math.log(value)


def _score(values: Sequence[float]) -> int:
    """Kendall's: pairs that rise less pairs that fall."""
    before: list[float] = []
    score = 0
    for value in values:
        score += bisect_left(before, value) - (len(before) - bisect_right(before, value))
        insort(before, value)
    return score


def _every_slope(sessions: Sequence[Sequence[float]]) -> Iterator[float]:
    for session in sessions:
        for (earlier, first), (later, second) in combinations(enumerate(session), 2):
            yield (second - first) / (later - earlier)


def _drawn_slopes(sessions: Sequence[Sequence[float]]) -> Iterator[float]:
    chance = random.Random(0)
    weights = [math.comb(len(session), 2) for session in sessions]
    for session in chance.choices(sessions, weights, k=MOST_SLOPES):
        one, other = int(chance.random() * len(session)), int(chance.random() * (len(session) - 1))
        other += other >= one
        yield (session[other] - session[one]) / (other - one)


def _variance(values: Sequence[float]) -> float:
    """Of Kendall's score of independent values."""

    def weight(n: int) -> int:
        return n * (n - 1) * (2 * n + 5)

    return (weight(len(values)) - sum(map(weight, Counter(values).values()))) / 18


def _is_significant(score: int, variance: float) -> bool:
    if variance <= 0:
        return False
    return max(abs(score) - 1, 0) / math.sqrt(variance) > NormalDist().inv_cdf(1 - SIGNIFICANCE / 2)
