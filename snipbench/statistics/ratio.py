"""Comparing two sides: the exact interval of the median ratio, and what may be claimed from it.

A ratio is variant divided by baseline: below 1 the variant is faster (needs less).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import NormalDist

from snipbench.statistics.interval import median, median_interval

MINIMUM_PAIRS = 10
"""With fewer pairs the verdict is always ``inconclusive`` (design, rule 8)."""

EQUIVALENCE = 0.95
"""An interval that contains 1 and lies within ``[EQUIVALENCE, 1 / EQUIVALENCE]`` shows ``no_difference``."""

MINIMUM_FLOOR_PAIRS = 60
"""A/A pairs that a calibration floor needs."""

EXACT_RANK_LIMIT = 40_000
"""Up to this many cross pairs the rank-sum distribution is counted exactly, beyond it the normal one is used."""


class RatioVerdict(StrEnum):
    """What a ratio's interval allows to say."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_DIFFERENCE = "no_difference"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class RatioResult:
    """Median ratio variant / baseline with its interval; ``None`` where there is nothing to tell.

    ``pairs`` is the number of pairs, for an unpaired ratio that of the smaller side.
    """

    median: float | None
    low: float | None
    high: float | None
    pairs: int
    verdict: RatioVerdict


def paired_ratio(
    pairs: Sequence[tuple[float, float]], minimum_pairs: int = MINIMUM_PAIRS, confidence: float = 0.95
) -> RatioResult:
    """The exact order-statistic interval of the median of ``log(variant / baseline)``, as ratios.

    Args:
        pairs: ``(variant, baseline)`` measured in one block each; positive and finite.
        minimum_pairs: with fewer the verdict is ``inconclusive`` whatever the interval.
        confidence: of the interval.

    Raises:
        ValueError: a value is not positive and finite.
    """
    interval = median_interval([_log_ratio(variant, baseline) for variant, baseline in pairs], confidence)
    return _result(interval.median, interval.low, interval.high, len(pairs), minimum_pairs)


def unpaired_ratio(
    variant: Sequence[float],
    baseline: Sequence[float],
    minimum_values: int = MINIMUM_PAIRS,
    confidence: float = 0.95,
) -> RatioResult:
    """Hodges-Lehmann ratio of two independent samples with the rank-sum (Mann-Whitney) interval.

    For values measured at different times, where no pairs can be formed. Exact if one side is a scaled copy of the
    other in distribution. Drift between the two times is not covered: it looks like a difference.

    Source: Hodges and Lehmann (1963), "Estimates of location based on rank tests".

    Raises:
        ValueError: a value is not positive and finite.
    """
    smaller = min(len(variant), len(baseline))
    if smaller == 0:
        return RatioResult(None, None, None, 0, RatioVerdict.INCONCLUSIVE)
    ratios = sorted(_log_ratio(one, other) for one in variant for other in baseline)
    rank = _rank_sum_rank(len(variant), len(baseline), confidence)
    low, high = (None, None) if rank is None else (ratios[rank - 1], ratios[len(ratios) - rank])
    return _result(median(ratios), low, high, smaller, minimum_values)


def against_floor(result: RatioResult, floor: RatioResult) -> RatioResult:
    """``result`` with its claim weighed against the A/A pairs of the same report.

    A claim stands only where its interval is clear of the floor's; a floor that excludes 1, or has fewer than
    :data:`MINIMUM_FLOOR_PAIRS` pairs, allows no claims at all.
    """
    if floor.low is None or floor.high is None or floor.pairs < MINIMUM_FLOOR_PAIRS or not floor.low <= 1 <= floor.high:
        return replace(result, verdict=RatioVerdict.INCONCLUSIVE)
    if result.low is None or result.high is None:
        return result
    hidden = (result.verdict is RatioVerdict.FASTER and result.high >= floor.low) or (
        result.verdict is RatioVerdict.SLOWER and result.low <= floor.high
    )
    return replace(result, verdict=RatioVerdict.INCONCLUSIVE) if hidden else result


def _log_ratio(variant: float, baseline: float) -> float:
    if not (0 < variant < math.inf and 0 < baseline < math.inf):
        raise ValueError(f"a ratio needs positive finite values, not {variant} / {baseline}")
    return math.log(variant) - math.log(baseline)


def _result(center: float | None, low: float | None, high: float | None, pairs: int, minimum: int) -> RatioResult:
    if center is None or low is None or high is None:
        return RatioResult(None if center is None else math.exp(center), None, None, pairs, RatioVerdict.INCONCLUSIVE)
    bounds = (math.exp(low), math.exp(high))
    return RatioResult(
        math.exp(center), *bounds, pairs, _verdict(*bounds) if pairs >= minimum else RatioVerdict.INCONCLUSIVE
    )


def _verdict(low: float, high: float) -> RatioVerdict:
    if high < 1:
        return RatioVerdict.FASTER
    if low > 1:
        return RatioVerdict.SLOWER
    if low >= EQUIVALENCE and high <= 1 / EQUIVALENCE:
        return RatioVerdict.NO_DIFFERENCE
    return RatioVerdict.INCONCLUSIVE


def _rank_sum_rank(first: int, second: int, confidence: float) -> int | None:
    """Rank ``k`` (from 1) such that the k-th smallest and largest cross difference enclose the shift."""
    tail = (1 - confidence) / 2
    cross = first * second
    if cross > EXACT_RANK_LIMIT:
        deviation = math.sqrt(cross * (first + second + 1) / 12)
        return max(1, math.floor(cross / 2 - NormalDist().inv_cdf(1 - tail) * deviation))
    # Counts of the Mann-Whitney statistic: coefficients of the product of (1 - q^(second+i)) / (1 - q^i).
    counts = [1] + [0] * cross
    for i in range(1, first + 1):
        for power in range(cross, second + i - 1, -1):
            counts[power] -= counts[power - second - i]
        for power in range(i, cross + 1):
            counts[power] += counts[power - i]
    total = math.comb(first + second, first)
    below = 0
    for rank, count in enumerate(counts):
        below += count
        if below > tail * total:
            return rank or None
    return None
