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


@given(st.lists(st.floats(min_value=1e-9, max_value=1e12), min_size=1, max_size=20), st.booleans())
def test_texts_of_ticks_differ(values: list[float], logarithmic: bool) -> None:
    x = scale.logarithmic(values, 0, 100) if logarithmic else scale.linear(values, 0, 100)
    for units in (scale.DURATION, scale.SIZE, scale.COUNT):
        texts = [text for _, text in x.labels(units)]
        assert len(set(texts)) == len(texts) >= 2


def test_ticks_of_microseconds_are_told_in_microseconds() -> None:
    texts = [text for _, text in scale.linear([2.4e-5], 0, 100).labels(scale.DURATION)]
    assert texts == ["0", "10 µs", "20 µs"]


@given(st.lists(st.floats(min_value=1e-4, max_value=1e4), max_size=20))
def test_factors_stand_to_both_sides_of_the_same(values: list[float]) -> None:
    x = scale.logarithmic([1.0, *values], 0, 100)
    ticks = scale.factor_labels(x)
    assert all(x.low <= value <= x.high for value, _ in ticks)
    assert all(text.endswith("faster") == (value < 1) for value, text in ticks)
    assert len({text for _, text in ticks}) == len(ticks) >= 2
    assert [value for value, _ in ticks] == sorted(value for value, _ in ticks)
