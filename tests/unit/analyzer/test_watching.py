"""What the report says of the cost of watching."""

from __future__ import annotations

from typing import Any

from analyzer.report.watching import watching
from snipbench.domain.event import WATCHING_MEASURED


def stopped(experiment: str = "exchange", stage: int = 17, **data: Any) -> dict[str, Any]:
    told = {"written": 10, "seconds": 4.0, "cpu_seconds": 0.01, "dropped": 0, "lost": 0, "left": 0, "spooled": 0}
    return {"name": "monitoring stopped", "stage": stage, "experiment": experiment, "data": told | data}


def test_stretches_of_an_experiment_are_added_up() -> None:
    events = [stopped(), stopped("other", written=99), stopped(cpu_seconds=0.03), stopped(stage=18)]
    assert watching(events, "exchange") == (
        "20 samples in 8.00 s; the two threads that read and wrote them used 40 ms of CPU, 0.5 % of a core, "
        "outside of the session; how much slower it made them was not measured (monitor: {pairs: 20} in the order does)"
    )


def test_what_waited_or_was_lost_is_said() -> None:
    said = watching([stopped(dropped=2, lost=1, left=5, spooled=30)], "exchange")
    assert said is not None
    assert "; 30 samples waited on disk for the store; 3 samples lost; 5 samples sent later; " in said


def test_samples_that_a_full_disk_cost_are_told_apart() -> None:
    said = watching([stopped(dropped=9, overflowed=7, lost=1)], "exchange")
    assert said is not None
    assert "; 10 samples lost, 7 of them since the disk had no room for them; " in said


def test_a_task_of_before_says_nothing() -> None:
    old = {"name": "monitoring stopped", "stage": 17, "experiment": "exchange", "data": {}}
    assert watching([old], "exchange") is None


def measured(text: str = "row", experiment: str = "exchange", **data: Any) -> dict[str, Any]:
    return {"name": WATCHING_MEASURED, "stage": None, "experiment": experiment, "text": text, "data": data}


def test_what_pairs_with_and_without_it_showed_is_told_with_its_interval() -> None:
    of_another = measured(experiment="other")
    pairs = measured(snippet="row", pairs=20, interval_seconds=0.05, median=1.0123, low=0.99, high=1.0349)
    said = watching([stopped(), of_another, pairs], "exchange")
    assert said is not None
    assert said.endswith(
        "; by 20 pairs of row watched and unwatched, it made runs 1.012 times as long, 95 % interval 0.990 to 1.035"
    )


def test_too_few_pairs_have_no_interval_and_a_failure_is_told() -> None:
    few = measured(snippet="row", pairs=3, interval_seconds=0.05, median=1.0, low=None, high=None)
    assert str(watching([stopped(), few], "exchange")).endswith(
        "; 3 pairs of row watched and unwatched are too few for an interval of what it costs"
    )
    failed = measured("row: Timeout")
    assert str(watching([stopped(), failed], "exchange")).endswith("could not be measured (row: Timeout)")
