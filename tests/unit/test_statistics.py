"""The statistics kernel: known values, edges, and simulations with a fixed seed."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from snipbench.statistics import (
    RatioResult,
    RatioVerdict,
    against_floor,
    interval_ranks,
    median,
    median_interval,
    outlier_labels,
    paired_ratio,
    unpaired_ratio,
)


@pytest.mark.parametrize(
    ("n", "rank", "coverage"),
    [(6, 1, 0.9688), (10, 2, 0.9785), (20, 6, 0.9586), (30, 10, 0.9572)],
)
def test_ranks_are_those_of_the_binomial_tables(n: int, rank: int, coverage: float) -> None:
    found = interval_ranks(n, 0.95)
    assert found is not None
    assert found[0] == rank
    assert found[1] == pytest.approx(coverage, abs=5e-5)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5])
def test_too_few_values_give_no_interval_but_a_median(n: int) -> None:
    interval = median_interval([float(value) for value in range(n)])
    assert (interval.low, interval.high, interval.confidence_achieved, interval.n) == (None, None, None, n)
    assert interval.median == (None if n == 0 else (n - 1) / 2)


def test_interval_takes_the_order_statistics_whatever_the_order() -> None:
    interval = median_interval([9.0, 1.0, 5.0, 3.0, 7.0, 2.0, 8.0, 4.0, 6.0, 10.0])
    assert (interval.median, interval.low, interval.high) == (5.5, 2.0, 9.0)


def test_lower_confidence_is_reached_by_fewer_values() -> None:
    interval = median_interval([1.0, 2.0, 3.0], confidence=0.7)
    assert (interval.low, interval.high, interval.confidence_achieved) == (1.0, 3.0, 0.75)


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        median_interval([1.0, math.nan])


def test_confidence_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="confidence"):
        median_interval([1.0] * 10, confidence=1.0)


def test_median_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        median([])


def test_outliers_are_labelled_by_the_median_absolute_deviation() -> None:
    values = [1.0, 1.01, 0.99, 1.02, 0.98, 3.0, None]
    assert outlier_labels(values) == (False, False, False, False, False, True, False)


def test_equal_values_and_few_values_have_no_outliers() -> None:
    assert outlier_labels([1.0] * 9 + [50.0]) == (False,) * 10
    assert outlier_labels([1.0, 1.1, 0.9, 90.0]) == (False,) * 4


def test_paired_ratio_of_known_pairs() -> None:
    baselines = [1.0, 2.0, 4.0, 8.0, 1.0, 2.0, 4.0, 8.0, 1.0, 2.0]
    factors = [0.50, 0.51, 0.52, 0.53, 0.54, 0.55, 0.56, 0.57, 0.58, 0.59]
    result = paired_ratio([(base * factor, base) for base, factor in zip(baselines, factors, strict=True)])
    assert result.low == pytest.approx(0.51)
    assert result.high == pytest.approx(0.58)
    assert result.median == pytest.approx(math.sqrt(0.54 * 0.55))
    assert (result.pairs, result.verdict) == (10, RatioVerdict.FASTER)


@pytest.mark.parametrize(
    ("factor", "spread", "verdict"),
    [
        (0.8, 0.01, RatioVerdict.FASTER),
        (1.25, 0.01, RatioVerdict.SLOWER),
        (1.0, 0.01, RatioVerdict.NO_DIFFERENCE),
        (1.0, 0.30, RatioVerdict.INCONCLUSIVE),
    ],
)
def test_verdicts(factor: float, spread: float, verdict: RatioVerdict) -> None:
    pairs = [(factor * (1 + spread * (step - 5.5) / 5.5), 1.0) for step in range(12)]
    assert paired_ratio(pairs).verdict is verdict


def test_fewer_than_ten_pairs_are_always_inconclusive() -> None:
    result = paired_ratio([(0.1, 1.0)] * 9)
    assert result.verdict is RatioVerdict.INCONCLUSIVE
    assert result.high == pytest.approx(0.1)
    assert paired_ratio([]) == RatioResult(None, None, None, 0, RatioVerdict.INCONCLUSIVE)
    assert paired_ratio([(0.1, 1.0)] * 10).verdict is RatioVerdict.FASTER


@pytest.mark.parametrize("pair", [(0.0, 1.0), (1.0, 0.0), (-1.0, 1.0), (math.nan, 1.0), (math.inf, 1.0)])
def test_values_without_a_ratio_are_refused(pair: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        paired_ratio([pair])


def test_a_claim_must_be_clear_of_the_calibration_floor() -> None:
    claim = RatioResult(0.95, 0.93, 0.97, 20, RatioVerdict.FASTER)
    assert against_floor(claim, RatioResult(1.0, 0.98, 1.02, 60, RatioVerdict.NO_DIFFERENCE)) == claim
    for floor in (
        RatioResult(1.0, 0.96, 1.04, 60, RatioVerdict.NO_DIFFERENCE),
        RatioResult(1.0, 0.98, 1.02, 59, RatioVerdict.NO_DIFFERENCE),
        RatioResult(0.98, 0.97, 0.99, 60, RatioVerdict.FASTER),
        RatioResult(None, None, None, 0, RatioVerdict.INCONCLUSIVE),
    ):
        assert against_floor(claim, floor).verdict is RatioVerdict.INCONCLUSIVE


def test_unpaired_interval_agrees_with_counting_every_arrangement() -> None:
    first, second = 4, 5
    statistics = sorted(
        sum(position - index for index, position in enumerate(places))
        for places in itertools.combinations(range(first + second), first)
    )
    tail = 0.025 * len(statistics)
    expected = next(u for u in range(21) if sum(s <= u for s in statistics) > tail)
    variant, baseline = [1.1, 1.7, 2.3, 3.1], [1.0, 1.3, 1.9, 2.9, 4.3]
    ratios = sorted(v / b for v in variant for b in baseline)
    result = unpaired_ratio(variant, baseline, minimum_values=4)
    assert result.low == pytest.approx(ratios[expected - 1])
    assert result.high == pytest.approx(ratios[-expected])


def test_unpaired_ratio_of_a_side_too_small_for_the_confidence_has_no_interval() -> None:
    result = unpaired_ratio([1.0, 2.0], [1.0, 2.0])
    assert (result.low, result.high, result.verdict) == (None, None, RatioVerdict.INCONCLUSIVE)
    assert unpaired_ratio([], [1.0]).median is None


def test_large_samples_use_the_normal_approximation_close_to_the_exact_one() -> None:
    generator = np.random.default_rng(5)
    variant = (1.2 * generator.lognormal(0, 0.04, 201)).tolist()
    baseline = generator.lognormal(0, 0.04, 201).tolist()
    large = unpaired_ratio(variant, baseline)
    exact = unpaired_ratio(variant[:199], baseline[:199])
    assert large.verdict is exact.verdict is RatioVerdict.SLOWER
    assert large.low == pytest.approx(exact.low, rel=0.003)


def _noise(generator: np.random.Generator, size: int) -> np.ndarray:
    """4 % noise with 5 % outliers of +50 %, the conditions under which the rule was chosen."""
    return generator.lognormal(0, 0.04, size) * np.where(generator.random(size) < 0.05, 1.5, 1.0)


@pytest.mark.parametrize("n", [10, 20, 30])
def test_simulated_coverage_reaches_the_promise(n: int) -> None:
    generator = np.random.default_rng(n)
    trials = 2_000
    true_median = float(np.median(_noise(np.random.default_rng(0), 2_000_000)))
    hits = 0
    for _ in range(trials):
        interval = median_interval(_noise(generator, n).tolist())
        assert interval.low is not None
        assert interval.high is not None
        hits += interval.low <= true_median <= interval.high
    ranks = interval_ranks(n, 0.95)
    assert ranks is not None
    monte_carlo = 4 * math.sqrt(ranks[1] * (1 - ranks[1]) / trials)
    assert hits / trials == pytest.approx(ranks[1], abs=monte_carlo)


@pytest.mark.parametrize("drift", [0.0, 0.2])
@pytest.mark.parametrize("n", [10, 20, 30])
def test_simulated_false_claims_stay_rare_with_and_without_drift(n: int, drift: float) -> None:
    generator = np.random.default_rng(100 + n)
    trials, faster, slower = 2_000, 0, 0
    slope = np.linspace(1, 1 + drift, 2 * n).reshape(n, 2)
    for _ in range(trials):
        cells = generator.permuted(_noise(generator, 2 * n).reshape(n, 2) * slope, axis=1)
        verdict = paired_ratio([(float(variant), float(base)) for variant, base in cells]).verdict
        faster += verdict is RatioVerdict.FASTER
        slower += verdict is RatioVerdict.SLOWER
    bound = 0.025 + 4 * math.sqrt(0.025 * 0.975 / trials)
    assert faster / trials <= bound
    assert slower / trials <= bound


def test_simulated_power_finds_ten_per_cent_with_twenty_pairs() -> None:
    generator = np.random.default_rng(7)
    found = sum(
        paired_ratio(
            list(zip(_noise(generator, 20).tolist(), (1.1 * _noise(generator, 20)).tolist(), strict=True))
        ).verdict
        is RatioVerdict.FASTER
        for _ in range(500)
    )
    assert found / 500 >= 0.95


def test_simulated_unpaired_coverage_reaches_the_promise() -> None:
    generator = np.random.default_rng(11)
    trials, hits = 600, 0
    for _ in range(trials):
        result = unpaired_ratio((1.3 * _noise(generator, 10)).tolist(), _noise(generator, 12).tolist())
        assert result.low is not None
        assert result.high is not None
        hits += result.low <= 1.3 <= result.high
    assert hits / trials >= 0.95 - 4 * math.sqrt(0.05 * 0.95 / trials)
