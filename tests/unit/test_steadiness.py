"""Whether times drift: against scipy's Kendall test, by sessions, and in simulations with a fixed seed."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from snipbench.statistics import steadiness


def test_fewer_than_ten_runs_say_nothing() -> None:
    assert steadiness([[float(n) for n in range(1, 10)]]).steady is None
    assert steadiness([]).steady is None


def test_times_that_grow_are_not_steady_and_the_drift_is_the_factor_over_the_session() -> None:
    found = steadiness([[math.exp(0.02 * n) for n in range(11)]])
    assert found.steady is False
    assert found.drift == pytest.approx(math.exp(0.2))
    shrinking = steadiness([[math.exp(-0.02 * n) for n in range(11)]])
    assert (shrinking.steady, shrinking.drift) == (False, pytest.approx(math.exp(-0.2)))


def test_a_step_in_the_middle_is_a_trend() -> None:
    quick = [0.100, 0.102, 0.099, 0.101, 0.103, 0.098, 0.1005, 0.0995]
    assert steadiness([[2 * time for time in quick] + quick]).steady is False


def test_a_drift_that_is_sure_but_negligible_is_none() -> None:
    assert steadiness([[1 + 0.0001 * n for n in range(100)]]).steady is True


def test_the_same_times_all_through_tell_nothing() -> None:
    assert steadiness([[0.1] * 20]).steady is None


def test_pairs_are_formed_within_a_session_only() -> None:
    """A session that is slower as a whole is no drift of either."""
    noise = [0.03, -0.01, 0.02, -0.03, 0.01, -0.02, 0.0, 0.025, -0.015, 0.005]
    first, second = ([level * math.exp(part) for part in noise] for level in (0.1, 0.2))
    assert steadiness([first + second]).steady is False
    assert steadiness([first, second]).steady is True


def test_many_short_sessions_could_not_show_a_trend_and_say_nothing() -> None:
    assert steadiness([[1.0, 2.0]] * 5).steady is None
    assert steadiness([[1.0, 2.0]] * 20).steady is False


@pytest.mark.parametrize("ties", [False, True])
def test_the_judgement_is_that_of_kendalls_test(ties: bool) -> None:
    generator = np.random.default_rng(11)
    agreed = 0
    for _ in range(300):
        times = np.exp(generator.normal(0, 0.3, 30) + np.linspace(0, generator.uniform(0, 1.0), 30))
        if ties:
            times = np.round(times, 1) + 0.1
        p = stats.kendalltau(range(30), times, method="asymptotic").pvalue
        if not 0.005 < p < 0.02:  # scipy has no continuity correction
            found = steadiness([times.tolist()])
            assert found.steady is bool(p > 0.01 or 1 / 1.05 < (found.drift or 0) < 1.05)
            agreed += 1
    assert agreed > 200


def test_still_times_are_seldom_called_unsteady_and_drifting_ones_mostly() -> None:
    generator = np.random.default_rng(7)

    def share(drift: float) -> float:
        trend = np.linspace(0, math.log(drift), 20)
        trials = [np.exp(generator.normal(0, 0.04, 20) + trend).tolist() for _ in range(1000)]
        return sum(steadiness([times]).steady is False for times in trials) / 1000

    assert share(1.0) <= 0.015
    assert share(1.2) >= 0.9


@pytest.mark.parametrize("sessions", [1, 3])
def test_thousands_of_times_are_judged_in_little_memory(sessions: int) -> None:
    """All pairs of 3000 times would be hundreds of megabytes; the drift of a sample of them is the drift."""
    generator = np.random.default_rng(5)
    length = 3000 // sessions
    times = [np.exp(generator.normal(0, 0.1, length) + np.linspace(0, 0.2, length)).tolist() for _ in range(sessions)]
    tracemalloc.start()
    found = steadiness(times)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6
    assert found.steady is False
    assert found.drift == pytest.approx(math.exp(0.2), rel=0.01)


@pytest.mark.parametrize("runs", [30, 200])
def test_the_drift_is_that_of_theil_and_sen(runs: int) -> None:
    times = np.round(np.exp(np.random.default_rng(runs).normal(0, 0.2, runs)), 2)
    slope = stats.theilslopes(np.log(times)).slope
    assert steadiness([times.tolist()]).drift == pytest.approx(math.exp(slope * (runs - 1)))


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_a_time_is_positive_and_finite(wrong: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        steadiness([[0.1, wrong]])
