"""Scales of the report's charts hold all values and have a handful of round ticks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analyzer.report import scale

positive = st.floats(min_value=1e-6, max_value=1e6, allow_nan=False)


@given(st.lists(positive, min_size=1, max_size=20))
def test_a_linear_scale_holds_every_value(values: list[float]) -> None:
    x = scale.linear(values, 100, 500)
    assert all(100 <= x(value) <= 500 for value in values)
    assert 2 <= len(x.ticks()) <= 12


@given(st.lists(positive, min_size=1, max_size=20))
def test_a_logarithmic_scale_holds_every_value(values: list[float]) -> None:
    x = scale.logarithmic(values, 100, 500)
    assert all(100 <= x(value) <= 500 for value in values)
    assert all(x.low <= tick <= x.high for tick in x.ticks())


def test_ticks_are_round() -> None:
    assert scale.linear([0.0, 0.9], 0, 100).ticks() == [0.0, 0.2, 0.4, 0.6, 0.8]
    assert 1.0 in scale.logarithmic([0.2, 1.0], 0, 100).ticks()
