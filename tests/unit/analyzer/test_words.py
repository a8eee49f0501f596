"""Numbers in words: rounded so that a person can hold them, and never more certain than they are."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer import words
from analyzer.report.overview import answers


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (9.9e-5, "99 µs"),
        (9.96e-5, "0.1 ms"),
        (0.00123, "1.2 ms"),
        (0.00996, "10 ms"),
        (0.231, "231 ms"),
        (0.9999, "1.00 s"),
        (4.126, "4.13 s"),
        (119.99, "119.99 s"),
        (119.999, "2 min 0 s"),
        (125.0, "2 min 5 s"),
        (179.7, "3 min 0 s"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(("ratio", "text"), [(0.997, "1.00×"), (1 / 2.7, "2.7×"), (25.0, "25×"), (1.25, "1.25×")])
def test_a_factor_without_its_direction(ratio: float, text: str) -> None:
    assert words.times(ratio) == text
    assert words.factor(ratio) in {"the same", f"{text} faster", f"{text} slower"}


def test_what_else_is_faster_is_named_with_its_factor() -> None:
    baseline = variant("faster", 1.0, 1.0, 1.0) | {"name": "row", "role": "baseline", "wall_seconds": {"median": 0.1}}
    close = [
        variant("faster", ratio, ratio, 0.999) | {"name": name, "wall_seconds": {"median": 0.1}, "failed": 0}
        for name, ratio in (("native", 0.5), ("pandas", 0.997))
    ]
    (answer,) = answers([{"name": "exchange", "source": "cached", "snippets": [baseline, *close]}])
    assert (answer.name, answer.others) == ("native", "faster: pandas 1.00×")


@pytest.mark.parametrize(
    ("count", "text"), [(None, "–"), (12, "12 B"), (1500, "1.5 kB"), (3_200_000, "3.2 MB"), (4.2e9, "4.2 GB")]
)
def test_sizes(count: float | None, text: str) -> None:
    assert words.size(count) == text


def variant(verdict: str, median: float, low: float | None, high: float | None, pairs: int = 20) -> dict[str, Any]:
    ratio = {"median": median, "low": low, "high": high, "pairs": pairs, "verdict": verdict}
    return {
        "name": "pandas",
        "role": "variant",
        "baseline": "row",
        "parameters": {"n": 3},
        "sessions": 1,
        "equal_to_baseline": True,
        "ratio_to_baseline": ratio,
    }


def test_faster_is_told_as_a_factor_with_its_interval() -> None:
    said = words.sentence(variant("faster", 1 / 2.7, 1 / 2.9, 1 / 2.5), "row")
    assert said == "pandas (n=3) is 2.7× faster than row, 95 % 2.5–2.9, 20 pairs, one session"
    three = variant("faster", 1 / 2.7, 1 / 2.9, 1 / 2.5) | {"sessions": 3}
    assert (words.sentence(three, "row") or "").endswith(", 20 pairs, 3 sessions")


def test_slower_is_told_the_same_way() -> None:
    said = words.sentence(variant("slower", 1.25, 1.2, 1.31), "row")
    assert said == "pandas (n=3) is 1.25× slower than row, 95 % 1.20–1.31, 20 pairs, one session"


def test_no_interval_is_no_claim() -> None:
    said = words.sentence(variant("inconclusive", 0.5, None, None, pairs=3), "row")
    assert said == "pandas (n=3) against row is inconclusive: ratio 0.50, 3 pairs, one session"


@pytest.mark.parametrize(
    ("equal", "said"),
    [
        (False, "pandas (n=3) computes something else than row: their times are not compared"),
        (None, "pandas (n=3) is not known to compute what row does: their times are not compared"),
    ],
)
def test_what_is_not_known_to_compute_the_same_is_neither_faster_nor_slower(equal: bool | None, said: str) -> None:
    other = variant("inconclusive", 0.5, 0.4, 0.6) | {"equal_to_baseline": equal}
    assert words.sentences({"snippets": [other]}) == [said]


def test_a_wrong_result_is_told_without_a_single_pair() -> None:
    wrong = variant("faster", 0.5, 0.4, 0.6) | {"equal_to_baseline": False, "ratio_to_baseline": None}
    assert words.sentence(wrong, "row") is not None
    assert words.sentence(wrong | {"equal_to_baseline": None}, "row") is None


@pytest.mark.parametrize(("drift", "change"), [(1.124, "grew by 12 %"), (0.9, "fell by 10 %")])
def test_what_drifted_is_said_with_how_far(drift: float, change: str) -> None:
    drifting = variant("faster", 0.5, 0.4, 0.6) | {"steady": False, "drift": drift}
    assert words.sentences({"snippets": [drifting]})[1] == (
        f"pandas (n=3) was not steady: its times {change} over the runs of a session"
    )
    for steady in (True, None):
        assert len(words.sentences({"snippets": [drifting | {"steady": steady}]})) == 1


def test_a_floor_is_not_talked_about() -> None:
    floor = variant("faster", 0.5, 0.4, 0.6) | {"role": "floor"}
    assert words.sentences({"snippets": [floor]}) == []
